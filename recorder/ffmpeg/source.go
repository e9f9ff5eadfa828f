package ffmpeg

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/text"
)

// Source is a camera as FFmpeg needs it.
type Source struct {
	URL      string // checked by config.CheckURL
	Username string
	Password config.Secret
	Audio    bool
}

// SourceOf returns the source of a camera. The password comes from the keyring if the settings say so.
func SourceOf(c config.Camera) (Source, error) {
	p, err := c.Password.Resolve(c.ID)
	if err != nil {
		return Source{}, err
	}
	return Source{URL: c.URL, Username: c.Username, Password: p, Audio: c.Audio}, nil
}

// input is what FFmpeg reads: the arguments up to -i, and a script for standard input.
type input struct {
	args  []string
	stdin string
}

// readTimeout is how long FFmpeg waits for the next byte of a camera, in microseconds.
const readTimeout = "5000000"

// input hides the URL and its password in an ffconcat script on standard input, because every user of the machine can
// read arguments. The list of protocols keeps an answer of the camera from naming a local file.
func (t *Tool) input(s Source, udp bool) (input, error) {
	if rule := config.CheckURL(s.URL); !rule.IsZero() {
		return input{}, source.BadURL.Failure(text.CameraURL.With(rule))
	}
	if s.URL == config.DemoURL {
		if !t.h264 {
			return input{}, source.TooOld.Failure(text.DemoNeedsX264)
		}
		return input{args: []string{"-re", "-f", "lavfi", "-i", demoGraph(t.clock())}}, nil
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return input{}, source.BadURL.Failure(text.URLUnreadable)
	}
	if s.Username != "" || s.Password != "" {
		u.User = url.UserPassword(s.Username, s.Password.Reveal())
	}
	protocols := "pipe,fd,rtsp,rtsps,rtp,srtp,tcp,udp,tls,crypto"
	options := []string{"rtsp_transport tcp", t.timeoutOption() + " " + readTimeout}
	if udp {
		options[0] = "rtsp_transport udp"
	}
	if strings.HasPrefix(u.Scheme, "http") {
		protocols = "pipe,fd,http,https,httpproxy,tcp,tls"
		options = []string{"rw_timeout " + readTimeout}
	}
	script := "ffconcat version 1.0\nfile " + quote(u.String()) + "\n"
	for _, o := range options {
		script += "option " + o + "\n"
	}
	return input{args: []string{"-f", "concat", "-safe", "0", "-protocol_whitelist", protocols, "-i", "pipe:0"},
		stdin: script}, nil
}

// timeoutOption returns the name of RTSP's read timeout, which FFmpeg 5 changed.
func (t *Tool) timeoutOption() string {
	if t.major != 0 && t.major < 5 {
		return "stimeout"
	}
	return "timeout"
}

// quote quotes for an ffconcat script (FFmpeg's "Quoting and escaping"). Inside single quotes everything is literal
// except the single quote.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// The demo camera: 640x360, 10 frames per second, a keyframe per second.
const (
	demoWidth, demoHeight = 640, 360
	demoFPS               = 10
	clockFilter           = `drawtext=text='%{localtime\:%T}':x=20:y=h-th-20:fontsize=h/8:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=8`
)

// demoGraph draws a moving picture, a clock if clock is set, and across the top a frame counter of 40 blocks. The
// blocks are 32 bits, most significant first, and 8 bits of checksum: the sum of the four bytes XOR 0xA5. FFmpeg's
// expressions have no XOR, so a^b = a + b - 2(a&b).
func demoGraph(clock bool) string {
	const bit = `if(lt(X,32), mod(floor(N/pow(2,31-X)),2), st(0, mod(mod(N,256)+mod(floor(N/256),256)+mod(floor(N/65536),256)+floor(N/16777216),256)); mod(floor((ld(0)+165-2*bitand(ld(0),165))/pow(2,39-X)),2))`
	picture := fmt.Sprintf("testsrc2=s=%dx%d:r=%d", demoWidth, demoHeight, demoFPS)
	if clock {
		picture += "," + clockFilter
	}
	return fmt.Sprintf("%s[picture];color=s=40x1:r=%d,format=gray,geq=lum='16+219*(%s)',scale=%d:%d:flags=neighbor,format=yuv420p[bar];[picture][bar]overlay=0:0:shortest=1,format=yuv420p",
		picture, demoFPS, bit, demoWidth, demoWidth/40)
}
