package source

import "errors"

// Kind is a reason why a camera does not record, or not as it should, as far as a user's next step depends on it.
type Kind string

// The kinds of failure.
const (
	WrongPassword Kind = "wrong password"
	LoginKind     Kind = "login not supported"
	LongPassword  Kind = "password too long"
	WrongPath     Kind = "wrong path"
	Unreachable   Kind = "unreachable"
	UnknownHost   Kind = "unknown host"
	Transport     Kind = "transport refused"
	Busy          Kind = "one viewer only"
	Redirected    Kind = "redirected"
	Certificate   Kind = "no secure connection"
	NoVideo       Kind = "no video"
	Unsupported   Kind = "codec not supported"
	Unreadable    Kind = "not understood"
	Protocol      Kind = "no RTSP"
	BadURL        Kind = "wrong address"
	Missing       Kind = "FFmpeg missing"
	TooOld        Kind = "FFmpeg too old"
	RAMFull       Kind = "RAM disk full"
	RAMGone       Kind = "RAM disk gone"
	NoFolder      Kind = "folder missing"
	Stalled       Kind = "stalled"
	NoKeyframe    Kind = "no keyframe"
	Ended         Kind = "connection ended"
	Unknown       Kind = "failed"
)

// What the owner of a camera that records should know. Some of their texts have a place for a value.
const (
	RareKeyframes Kind = "keyframes too rare"
	MotionJPEG    Kind = "MJPEG"
	SoundLeftOut  Kind = "sound left out"
	StampsWrong   Kind = "stamps not believed"
	ReadByFFmpeg  Kind = "read by FFmpeg"
)

// Failure says why a session with a camera ended, and in Detail what was last said, scrubbed.
type Failure struct {
	Kind   Kind
	Detail string
}

func (f *Failure) Error() string {
	if f.Detail == "" {
		return f.Text()
	}
	return f.Text() + ": " + f.Detail
}

// texts says for each kind what happened and what to do next.
var texts = map[Kind][2]string{
	WrongPassword: {"The camera refuses the user name or password",
		"Check both in the camera's own web page, then correct them in the settings."},
	LoginKind: {"The camera asks for a kind of login that is not supported",
		"Set it to digest or basic authentication in the camera's own web page."},
	LongPassword: {"The camera refuses the login, and the password is longer than many cameras can read",
		"Use a user name and password of at most 31 characters each."},
	WrongPath: {"The camera has no stream at this path",
		"Look up the RTSP path of your model; the part behind the address is wrong."},
	Unreachable: {"The camera does not answer",
		"Is it powered and on the network? Is the address, and the port (mostly 554), right, and RTSP switched on in the camera?"},
	UnknownHost: {"The camera's name is not known on this network", "Use its IP address instead of its name."},
	Transport: {"The camera refuses every way to send its video",
		"Allow RTP over TCP or UDP in the camera, and UDP in this machine's firewall."},
	Busy: {"The camera allows no further viewer",
		"Close other programs that show it, or use its second stream there."},
	Redirected: {"The camera sends Preroll to another address, which is not followed",
		"If that address is right, enter it as the camera's address in the settings."},
	Certificate: {"No secure connection to the camera can be made",
		"Use rtsp:// instead of rtsps://, or update the camera's firmware."},
	NoVideo:     {"The stream holds no video", "Choose another stream of the camera, mostly the main stream."},
	Unsupported: {"The video codec cannot be recorded", "Set the camera to H.264 or H.265."},
	Unreadable: {"What the camera says of its stream is not understood",
		"Update the camera's firmware, or set ingest to ffmpeg for this camera."},
	Protocol: {"The camera does not answer as RTSP wants it",
		"Is this its RTSP port (mostly 554)? If it is, update the camera's firmware."},
	BadURL: {"The camera's address is not allowed",
		"It must begin with rtsp://, rtsps://, http://, https:// or folder:."},
	Missing: {"FFmpeg is missing",
		"Install FFmpeg (Debian, Ubuntu: sudo apt install ffmpeg; macOS: brew install ffmpeg; Windows: winget install Gyan.FFmpeg), or name it in the settings under ffmpeg.path."},
	TooOld: {"This FFmpeg cannot be used",
		"Install a newer, complete FFmpeg, or name another one in the settings under ffmpeg.path."},
	RAMFull: {"The RAM disk is full", "Make room on it, lower ram_disk.keep, or give the RAM disk more memory."},
	RAMGone: {"The folder on the RAM disk is gone",
		"Preroll makes it anew by itself within some seconds. If this stays, check the RAM disk."},
	NoFolder: {"The folder with the camera's files cannot be read",
		"Check the path behind folder:, and start the program that writes there."},
	Stalled: {"The camera sends no picture", "It is connected but silent. If this stays, restart the camera."},
	NoKeyframe: {"The camera sends no keyframe",
		"Lower the I-frame interval in the camera, and switch Smart Codec (H.264+, H.265+) off."},
	Ended: {"The camera ended the connection",
		"Preroll connects again by itself. If this stays, restart the camera; some allow one viewer only."},
	Unknown: {"The recording ended", "Preroll tries again by itself."},

	RareKeyframes: {"The camera sends a keyframe only every %.0f s, so clips begin much earlier than asked",
		"Lower the I-frame interval in the camera, and switch Smart Codec (H.264+, H.265+) off."},
	MotionJPEG: {"The camera sends MJPEG, which needs much RAM and not every player shows",
		"Set the camera to H.264 or H.265."},
	SoundLeftOut: {"The camera's sound (%s) cannot be recorded and is left out",
		"Set the camera's sound to AAC or G.711, or switch it off for this camera."},
	StampsWrong: {"The camera's time stamps are wrong, so pictures are timed by when they arrive",
		"Restart the camera, or update its firmware; switch off its time service if it has one."},
	ReadByFFmpeg: {"This camera is read by FFmpeg, which needs more memory. Without it: %s",
		"Preroll tries without it once a day. Set ingest to ffmpeg to keep it so."},
}

// Text says in plain words what happened.
func (f *Failure) Text() string { return f.Kind.Text() }

// Hint says what to do.
func (f *Failure) Hint() string { return f.Kind.Hint() }

// Text says in plain words what happened.
func (k Kind) Text() string { return texts[k][0] }

// Hint says what to do.
func (k Kind) Hint() string { return texts[k][1] }

// Persists reports whether trying again the same way cannot cure it, so that FFmpeg may be tried instead.
func (k Kind) Persists() bool {
	switch k {
	case Transport, LoginKind, NoVideo, Unsupported, Unreadable:
		return true
	}
	return false
}

// AsFailure returns err's failure, or one of kind [Unknown] around any other error. No error is a camera that just
// ended.
func AsFailure(err error) *Failure {
	var f *Failure
	if err == nil {
		return &Failure{Kind: Ended}
	}
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Kind: Unknown, Detail: err.Error()}
}
