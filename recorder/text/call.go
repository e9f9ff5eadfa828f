package text

// Calls by HTTP: who may call, and what became of a call.
var (
	NoToken            = define("no-token", "this call brings no token; make one with: preroll caller add NAME")
	WrongToken         = define("wrong-token", "this call brings a wrong token; make one with: preroll caller add NAME")
	CallerNotAllowed   = define("caller-not-allowed", "this address may not call; see calls.allow in the settings")
	TooManyCalls       = define("too-many-calls", "too many calls at once came from this address")
	TooManyWrongTokens = define("too-many-wrong-tokens", "too many calls without a valid token came from this address")
	TokenOfOtherCamera = define("token-of-other-camera", "this token is for another camera")
	TokenForMetrics    = define("token-for-metrics", "this token reads the measures and triggers no camera")
	TokenNotForMetrics = define("token-not-for-metrics", "this token triggers cameras and reads no measures; make one with: preroll caller add NAME --metrics")
	CallerNeedsName    = define("caller-needs-name", "a caller needs a name, such as Home Assistant")
	CallerNameTaken    = define("caller-name-taken", "there is a caller with this name already; choose another name, or remove that one")
	TooManyCallers     = define("too-many-callers", "there are %d callers already, which is the most; remove one")
	NoSuchCaller       = define("no-such-caller", "no such caller; see: preroll caller")
	CallersUnreadable  = define("callers-unreadable", "the list of callers %s cannot be read, so that nobody can call; remove it, and make new tokens: %s")
)
