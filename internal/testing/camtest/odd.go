package camtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"regexp"
	"time"
)

// Oddities are peculiarities of real cameras, as people report them.
type Oddities struct {
	SilentSound bool          // sound is announced but never sent
	LateSound   time.Duration // how much later than the camera the sound begins
	ReportsOff  time.Duration // error of the sender reports of sound
	StampFPS    float64       // frame rate of the stamps; 0 means the real rate
	FirstStamp  int64         // added to the first RTP stamp, so that the stamps wrap
	OnlyUDP     bool          // refuses RTP in the RTSP connection
	Algorithms  []string      // of digest login, in the order of the headers: "MD5", "SHA-256"
	NoSets      bool          // the description has no parameter sets
	JPEGFirst   bool          // the first video in the description is JPEG, which is never sent
	SoundFirst  bool          // the description begins with the sound
	Redirects   bool          // the address redirects to another path of the same camera
	RedirectsTo string        // redirects to this address
	TLS         bool          // RTSPS, with a self-signed certificate
	OneViewer   bool          // refuses a second viewer
	AnyFrame    bool          // does not begin with a keyframe
}

// oldPath is the path in the address of a camera with Redirects.
const oldPath = "/old"

// rawSound is sound whose packets contain only zeros.
type rawSound struct {
	sdp    string
	rate   uint32
	pt     byte
	bytes  int
	length time.Duration // of a packet
}

var rawSounds = map[string]rawSound{
	"speex": {"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 speex/16000\r\n", 16000, 97, 42, 20 * time.Millisecond},
	"g726":  {"m=audio 0 RTP/AVP 98\r\na=rtpmap:98 G726-32/8000\r\n", 8000, 98, 160, 40 * time.Millisecond},
	"l16":   {"m=audio 0 RTP/AVP 98\r\na=rtpmap:98 L16/8000/1\r\n", 8000, 98, 640, 40 * time.Millisecond},
}

func (c *Camera) rawLoop(ctx context.Context, r rawSound) {
	for wall := c.start; until(ctx, wall); wall = wall.Add(r.length) {
		c.sound(packet{track: 1, payload: make([]byte, r.bytes), mark: true, stamp: c.stamp(1, wall)})
	}
}

// sound sends a packet of sound, if this camera sends sound now.
func (c *Camera) sound(p packet) {
	if !c.opt.SilentSound && time.Since(c.start) >= c.opt.LateSound {
		c.publish([]packet{p})
	}
}

var sprop = regexp.MustCompile(`;? ?(profile-level-id|sprop-[a-z-]+)=[^;\r]*`)

// description returns the camera's answer to DESCRIBE.
func (c *Camera) description() string {
	s := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camsim\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=range:npt=now-\r\n"
	if c.opt.JPEGFirst {
		s += "m=video 0 RTP/AVP 26\r\na=control:trackID=9\r\n"
	}
	parts := make([]string, len(c.tracks))
	for i, t := range c.tracks {
		text := t.sdp
		if i == 0 {
			text = c.video.Load().sdp()
			if c.opt.NoSets {
				text = sprop.ReplaceAllString(text, "")
			}
		}
		parts[i] = text + fmt.Sprintf("a=control:trackID=%d\r\n", i)
	}
	if c.opt.SoundFirst && len(parts) > 1 {
		parts[0], parts[1] = parts[1], parts[0]
	}
	for _, p := range parts {
		s += p
	}
	return s
}

// secure returns a listener that speaks TLS.
func secure(ln net.Listener) (net.Listener, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der},
		PrivateKey: key}}}), nil
}
