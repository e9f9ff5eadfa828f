package ffmpeg

import (
	"errors"
	"strings"
)

// Kind is a reason why FFmpeg did not record, as far as a user's next step depends on it.
type Kind string

// The kinds of failure.
const (
	WrongPassword Kind = "wrong password"
	WrongPath     Kind = "wrong path"
	Unreachable   Kind = "unreachable"
	UnknownHost   Kind = "unknown host"
	NoVideo       Kind = "no video"
	Unsupported   Kind = "codec not supported"
	BadURL        Kind = "wrong address"
	Missing       Kind = "FFmpeg missing"
	TooOld        Kind = "FFmpeg too old"
	RAMFull       Kind = "RAM disk full"
	RAMGone       Kind = "RAM disk gone"
	Stalled       Kind = "stalled"
	Ended         Kind = "connection ended"
	Changed       Kind = "stream changed" // the camera's stream is not what the run was started for
	Jumped        Kind = "clock set"      // the camera's clock was set, and counting its frames does not give the time
	Unknown       Kind = "failed"
)

// Failure says why FFmpeg ended, and in Detail what it last said, scrubbed.
type Failure struct {
	Kind   Kind
	Detail string
	Finish bool // the FFmpeg that is ended for it may give out what it still has
}

func (f *Failure) Error() string {
	if f.Detail == "" {
		return f.Text()
	}
	return f.Text() + ": " + f.Detail
}

// texts says for each kind what happened and what to do next.
var texts = map[Kind][2]string{
	WrongPassword: {"The camera refuses the user name or password", "Check both in the camera's own web page, then correct them in the settings."},
	WrongPath:     {"The camera has no stream at this path", "Look up the RTSP path of your model; the part behind the address is wrong."},
	Unreachable:   {"The camera does not answer", "Is it powered and on the network? Is the address, and the port (mostly 554), right, and RTSP switched on in the camera?"},
	UnknownHost:   {"The camera's name is not known on this network", "Use its IP address instead of its name."},
	NoVideo:       {"The stream holds no video", "Choose another stream of the camera, mostly the main stream."},
	Unsupported:   {"The video codec cannot be recorded", "Set the camera to H.264 or H.265."},
	BadURL:        {"The camera's address is not allowed", "It must begin with rtsp://, rtsps://, http:// or https://."},
	Missing:       {"FFmpeg is missing", "Install FFmpeg (Debian, Ubuntu: sudo apt install ffmpeg; macOS: brew install ffmpeg; Windows: winget install Gyan.FFmpeg), or name it in the settings under ffmpeg.path."},
	TooOld:        {"This FFmpeg cannot be used", "Install a newer, complete FFmpeg, or name another one in the settings under ffmpeg.path."},
	RAMFull:       {"The RAM disk is full", "Make room on it, lower ram_disk.keep, or give the RAM disk more memory."},
	RAMGone:       {"The folder on the RAM disk is gone", "Preroll makes it anew by itself within some seconds. If this stays, check the RAM disk."},
	Stalled:       {"The camera sends no picture", "It is connected but silent. If this stays, restart the camera."},
	Ended:         {"The camera ended the connection", "Preroll connects again by itself. If this stays, restart the camera; some allow one viewer only."},
	Changed:       {"The camera changed its stream", "Preroll starts a new recording with the new picture by itself."},
	Jumped:        {"The camera's clock was set", "Preroll connects again by itself, so that the times are right. If this stays, switch off the camera's time service."},
	Unknown:       {"FFmpeg ended", "Preroll tries again by itself."},
}

// Text says in plain words what happened.
func (f *Failure) Text() string { return texts[f.Kind][0] }

// Hint says what to do.
func (f *Failure) Hint() string { return texts[f.Kind][1] }

// AsFailure returns err's failure, or one of kind [Unknown] around any other error.
func AsFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Kind: Unknown, Detail: err.Error()}
}

// signs are pieces of what FFmpeg says, in the order in which they decide. FFmpeg has no other way to tell.
var signs = []struct {
	sign string
	kind Kind
}{
	{"No space left on device", RAMFull},
	{"401 Unauthorized", WrongPassword},
	{"403 Forbidden", WrongPassword},
	{"authorization failed", WrongPassword},
	{"404 Not Found", WrongPath},
	{"454 Session Not Found", Ended},
	{"Failed to resolve hostname", UnknownHost},
	{"Connection refused", Unreachable},
	{"No route to host", Unreachable},
	{"Network is unreachable", Unreachable},
	{"Host is down", Unreachable},
	{"400 Bad Request", WrongPath},
	{"Protocol not on whitelist", BadURL},
	{"Stream map '0:v:0' matches no streams", NoVideo},
	{"Stream map '' matches no streams", NoVideo},
	{"does not contain any stream", NoVideo},
	{"dimensions not set", Stalled}, // no picture came that would tell them
	{"Could not find tag for codec", Unsupported},
	{"codec not currently supported in container", Unsupported},
	{"Could not write header", Unsupported},
	{"Connection timed out", Unreachable},
	{"Operation timed out", Unreachable},
	{"Error number -138", Unreachable}, // a time-out on Windows
	{"Error number -10060", Unreachable},
	{"Connection reset by peer", Ended},
	{"Broken pipe", Ended},
	{"End of file", Ended},
	{"Invalid data found when processing input", NoVideo},
}

// Diagnose tells from FFmpeg's (scrubbed) lines why it ended; recorded says whether it had written any segment, since
// then a time-out means that the camera fell silent. FFmpeg mostly exits with 0 when a camera vanishes, so its exit
// code says nothing.
func Diagnose(lines []string, recorded bool) *Failure {
	for _, s := range signs {
		for _, line := range lines {
			if !strings.Contains(line, s.sign) {
				continue
			}
			kind := s.kind
			if recorded && (kind == Unreachable || kind == NoVideo) {
				kind = Ended
			}
			return &Failure{Kind: kind, Detail: strings.TrimSpace(line)}
		}
	}
	f := &Failure{Kind: Unknown}
	if recorded {
		f.Kind = Ended
	}
	for _, line := range lines {
		if strings.Contains(line, "[error]") || strings.Contains(line, "[fatal]") {
			f.Detail = strings.TrimSpace(line)
		}
	}
	return f
}

// DiskTrouble tells whether an error of FFmpeg's comes from the disk that it wrote to, so that trying again later can
// help.
func DiskTrouble(err error) bool {
	if err == nil {
		return false
	}
	for _, s := range []string{"No space left on device", "Input/output error", "Read-only file system", "No such file or directory", "Permission denied", "Stale file handle"} {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}
