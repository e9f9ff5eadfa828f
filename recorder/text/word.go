package text

// Word that goes out to phones and programs.
var (
	WordAlarm       = define("word-alarm", "Alarm: %s")
	WordAlarmBody   = define("word-alarm-body", "%s at %s. The clip is being saved.")
	WordSaved       = define("word-saved", "Clip saved: %s")
	WordSavedBody   = define("word-saved-body", "%s at %s, %.0f s.")
	WordIncomplete  = define("word-incomplete", "%s at %s, %.0f s. %s")
	WordFailed      = define("word-failed", "No clip: %s")
	WordFailedBody  = define("word-failed-body", "%s at %s. %s")
	WordTrouble     = define("word-trouble", "Preroll needs you")
	WordTest        = define("word-test", "Test of Preroll")
	WordTestBody    = define("word-test-body", "Word of alarms comes here.")
	TargetTrouble   = define("target-trouble", "Word does not reach %s")
	TargetAnswers   = define("target-answers", "the service answers %s")
	TargetRedirects = define("target-redirects", "the service sends word on to another address, where it does not go")
	NoSuchTarget    = define("no-such-target", "no such target; see: preroll target")
)
