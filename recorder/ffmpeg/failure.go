package ffmpeg

import (
	"strings"

	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/text"
)

// signs are pieces of FFmpeg's messages. The first sign that occurs decides the kind of the failure. FFmpeg has no
// other way to name its failures.
var signs = []struct {
	sign string
	kind source.Kind
}{
	{"No space left on device", source.RAMFull},
	{"401 Unauthorized", source.WrongPassword},
	{"403 Forbidden", source.WrongPassword},
	{"authorization failed", source.WrongPassword},
	{"404 Not Found", source.WrongPath},
	{"461 Unsupported", source.Transport},
	{"453 Not Enough Bandwidth", source.Busy},
	{"454 Session Not Found", source.Ended},
	{"Failed to resolve hostname", source.UnknownHost},
	{"Connection refused", source.Unreachable},
	{"No route to host", source.Unreachable},
	{"Network is unreachable", source.Unreachable},
	{"Host is down", source.Unreachable},
	{"400 Bad Request", source.WrongPath},
	{"Protocol not on whitelist", source.BadURL},
	{"Stream map '0:v:0' matches no streams", source.NoVideo},
	{"Stream map '' matches no streams", source.NoVideo},
	{"does not contain any stream", source.NoVideo},
	{"dimensions not set", source.Stalled}, // no frame came that would name them
	{"Could not find tag for codec", source.Unsupported},
	{"codec not currently supported in container", source.Unsupported},
	{"Could not write header", source.Unsupported},
	{"Connection timed out", source.Unreachable},
	{"Operation timed out", source.Unreachable},
	{"Error number -138", source.Unreachable}, // a timeout on Windows
	{"Error number -10060", source.Unreachable},
	{"Connection reset by peer", source.Ended},
	{"Broken pipe", source.Ended},
	{"End of file", source.Ended},
	{"Invalid data found when processing input", source.NoVideo},
}

// Diagnose finds the reason why FFmpeg ended in its (scrubbed) lines. recorded means that the stream had begun; then a
// timeout means that the camera fell silent. FFmpeg mostly exits with 0 when a camera vanishes, so its exit code says
// nothing.
func Diagnose(lines []string, recorded bool) *source.Failure {
	for _, s := range signs {
		for _, line := range lines {
			if !strings.Contains(line, s.sign) {
				continue
			}
			kind := s.kind
			if recorded && (kind == source.Unreachable || kind == source.NoVideo) {
				kind = source.Ended
			}
			return kind.Failure(strings.TrimSpace(line))
		}
	}

	f := source.Unknown.Failure(nil)
	if recorded {
		f.Kind = source.Ended
	}
	for _, line := range lines {
		if strings.Contains(line, "[error]") || strings.Contains(line, "[fatal]") {
			f.Detail = text.Plain(strings.TrimSpace(line))
		}
	}
	return f
}

// DiskTrouble reports whether an error of FFmpeg comes from the disk, so that another try later may help.
func DiskTrouble(err error) bool {
	if err == nil {
		return false
	}
	for _, s := range []string{"No space left on device", "Input/output error", "Read-only file system",
		"No such file or directory", "Permission denied", "Stale file handle"} {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}
