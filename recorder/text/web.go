package text

// The web pages: which devices may open them, and what they play.
var (
	WebPortTaken   = define("web-port-taken", "port %d is taken by another program; port %d is free: preroll web on %d")
	NotForBrowsers = define("not-for-browsers", "browsers cannot play the video of this camera")
	NoPushService  = define("no-push-service", "this browser's service for notifications is not known")
	NoSmallStream  = define("no-small-stream", "this camera has no smaller stream; see url_small in the settings")
	NoSuchVideo    = define("no-such-video", "this video is not in RAM any more")
	NoSuchDevice   = define("no-such-device", "no such device; see: preroll web")
	NoSuchFile     = define("no-such-file", "this event has no such file")
	WrongCode      = define("wrong-code", "this code is wrong or too old; make a new one")
	TooManyGuesses = define("too-many-guesses", "too many wrong codes were tried, so this code counts no more; make a new one")
	WebIsOff       = define("web-is-off", "the web pages are switched off; switch them on with: preroll web on")
	NoWebPages     = define("no-web-pages", "phones and browsers cannot open the web pages")
	WebNotBuilt    = define("web-not-built", "this program has no web pages")
	NotInTheRing   = define("not-in-the-ring", "this time is not in RAM any more")
)
