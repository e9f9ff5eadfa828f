// Package rtsp reads a camera by RTSP or RTSPS in this process.
//
// The input is a camera's address with its login, the output is samples. Run runs one session. The RTSP client has
// goroutines, and Run waits for them. The data of a camera is not trusted: descriptions, packets and access units are
// bounded, the client connects to no other host, and a panic caused by the data ends only the session.
package rtsp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/pion/rtp"

	"github.com/preroll/preroll/internal/steady"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/text"
)

// Options says what to read.
type Options struct {
	URL      string // rtsp:// or rtsps://
	Username string
	Password string
	Audio    bool
}

// Source is a camera read by RTSP. It remembers which transport the camera accepts.
type Source struct {
	opt   Options
	way   way
	spoke bool // it has answered by RTSP
}

// way is how a camera sends its packets.
type way int

const (
	tcp    way = iota // interleaved in the RTSP connection
	udp               // for cameras that refuse tcp
	tunnel            // RTSP over HTTP, for cameras that refuse both
)

// New returns the source of a camera.
func New(opt Options) *Source { return &Source{opt: opt} }

const (
	connectTimeout = 10 * time.Second

	// answerTimeout is how long the first answer by RTSP may take, with the time to connect.
	answerTimeout = connectTimeout + 2*time.Second

	// readTimeout is how long the camera may take to answer, and the longest pause between two packets. A camera may
	// wait for its next keyframe before it sends anything.
	readTimeout = 30 * time.Second
)

// Run runs one session; see [source.Source]. If the camera refuses a transport, Run tries the next transport at once.
func (s *Source) Run(ctx context.Context, to source.Sink) error {
	u, err := url.Parse(s.opt.URL)
	if err != nil {
		return source.BadURL.Failure(text.URLUnreadable)
	}
	if s.opt.Username != "" || s.opt.Password != "" {
		u.User = url.UserPassword(s.opt.Username, s.opt.Password)
	}
	redirects := 0
	var refused error // error of the previous transport
	for {
		next, got, err := s.session(ctx, u, to)
		f := source.AsFailure(err)
		if next != nil && redirects < maxRedirects {
			if !sameHost(next.Hostname(), u.Hostname()) || u.Scheme == "rtsps" && next.Scheme != u.Scheme {
				return source.Redirected.Failure(next.Host)
			}
			next.User = u.User
			u = next
			redirects++
			continue
		}

		if ctx.Err() == nil && f.Kind == source.Transport && s.way != tunnel {
			refused = err
			s.way++
			continue
		}
		if !got {
			s.way = tcp // the camera may have been just starting
			if refused != nil && ctx.Err() == nil {
				return refused
			}
		}
		if f.Kind == source.WrongPassword && len(s.opt.Username)+len(s.opt.Password) > longLogin {
			f.Kind = source.LongPassword
		}
		return err
	}
}

// maxRedirects is how often a camera may redirect to another path of its own.
const maxRedirects = 3

func sameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// longLogin is the length of user and password together that many cameras can read, in bytes.
const longLogin = 63

// --- One session ---

// session is one session with a camera.
type session struct {
	to    source.Sink
	video *video
	ended chan error // has room for the first error

	mu      sync.Mutex // guards all fields below, and calls of the sink: over UDP each track has a goroutine
	tracks  []source.Track
	streams source.Streams
	heard   bool // a packet came
	stopped bool
}

// session runs one session. got reports whether frames came. next is the URL to which the camera redirected, nil if it
// did not.
func (s *Source) session(ctx context.Context, u *url.URL, to source.Sink) (next *url.URL, got bool, err error) {
	c := &gortsplib.Client{
		Scheme: u.Scheme, Host: u.Host, ReadTimeout: readTimeout, WriteTimeout: connectTimeout, UserAgent: "Preroll",
		DialContext: dialOnly(u.Hostname()), DialTLSContext: dialTLS(u.Hostname()),
	}
	protocol := gortsplib.ProtocolTCP
	switch s.way {
	case udp:
		protocol = gortsplib.ProtocolUDP
	case tunnel:
		c.Tunnel = gortsplib.TunnelHTTP
	}
	c.Protocol = &protocol
	var redirect string // set by a goroutine of the client, which is waited for
	var answered, mute atomic.Bool
	c.OnResponse = func(r *base.Response) {
		answered.Store(true)
		if l := r.Header["Location"]; r.StatusCode >= 300 && r.StatusCode < 400 && len(l) == 1 {
			redirect = l[0]
		}
	}
	c.OnPacketsLost, c.OnDecodeError = func(uint64) {}, func(error) {} // the client would print them
	if err := c.Start(); err != nil {
		return nil, false, diagnose(err, false)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, c.Close)() // ends calls that wait for the camera

	// Whatever accepts the connection and says nothing does not speak RTSP.
	if !s.spoke {
		waiting := time.AfterFunc(answerTimeout, func() {
			if !answered.Load() {
				mute.Store(true)
				c.Close()
			}
		})
		defer waiting.Stop()
	}
	x := &session{to: to, ended: make(chan error, 1)}
	if err := x.setUp(c, (*base.URL)(u), s.opt.Audio); err != nil {
		if ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
		c.Close()
		s.spoke = s.spoke || answered.Load()
		if mute.Load() && !s.spoke {
			return nil, false, source.Protocol.Failure(text.NoAnswer)
		}
		if f := source.AsFailure(diagnose(err, false)); !s.spoke && (f.Kind == source.Ended || connected(err)) {
			return nil, false, source.Protocol.Failure(f.Detail)
		}
		if next, perr := url.Parse(redirect); perr == nil && redirect != "" && next.Hostname() != "" {
			return next, false, diagnose(err, false)
		}
		return nil, false, diagnose(err, false)
	}

	s.spoke = true
	gone := make(chan error, 1)
	go func() { gone <- c.Wait() }()
	var silent <-chan time.Time // fires if a firewall may block UDP, which nobody reports
	if s.way == udp {
		timer := time.NewTimer(udpSilence)
		defer timer.Stop()
		silent = timer.C
	}
	for ended := false; !ended; {
		ended = true
		select {
		case err = <-x.ended:
		case err = <-gone:
			gone <- nil
		case <-silent:
			x.mu.Lock()
			heard := x.heard
			x.mu.Unlock()
			if silent, ended = nil, !heard; !heard {
				err = source.Transport.Failure(text.NoUDPPacket)
			}
		}
	}

	c.Close() // no callback comes after this
	<-gone
	x.mu.Lock()
	x.stopped = true
	got = x.video.sent
	x.mu.Unlock()
	if ctx.Err() != nil {
		return nil, got, context.Cause(ctx)
	}
	return nil, got, diagnose(err, true)
}

// connected reports whether an error is one of a connection that was there.
func connected(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "read" || op.Op == "write")
}

// udpSilence is how long to wait for the first packet over UDP.
const udpSilence = 10 * time.Second

// dialOnly returns a dialer that connects only to host, wherever a camera redirects to.
func dialOnly(host string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		to, _, err := net.SplitHostPort(address)
		if err != nil || !sameHost(to, host) {
			return nil, source.Redirected.Failure(to)
		}
		return (&net.Dialer{Timeout: connectTimeout, KeepAlive: connectTimeout}).DialContext(ctx, network, address)
	}
}

// dialTLS returns such a dialer for RTSPS. Cameras sign their certificates themselves, so no certificate is checked.
func dialTLS(host string) func(ctx context.Context, network, address string) (net.Conn, error) {
	dial := dialOnly(host)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		plain, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := tls.Client(plain, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10})
		if err := c.HandshakeContext(ctx); err != nil {
			_ = plain.Close()
			return nil, source.Certificate.Failure(err)
		}
		return c, nil
	}
}

// --- Tracks and packets ---

// setUp asks for the camera's description and starts the video, and the sound if it can be recorded.
func (x *session) setUp(c *gortsplib.Client, u *base.URL, audio bool) error {
	desc, _, err := c.Describe(u)
	if err != nil {
		return err
	}
	medium, err := x.choose(desc)
	if err != nil {
		return err
	}
	if _, err := c.Setup(desc.BaseURL, medium, 0, 0); err != nil {
		return err
	}
	c.OnPacketRTP(medium, x.video.format, x.guard(x.video.packet))
	if audio {
		if m, a := x.sound(desc); a != nil {
			if _, err := c.Setup(desc.BaseURL, m, 0, 0); err == nil { // a refused sound track must not cost the video
				c.OnPacketRTP(m, a.format, x.guard(a.packet))
			} else {
				x.tracks, x.streams.LeftOut, x.streams.Audio = x.tracks[:1], x.streams.Audio, ""
			}
		}
	}

	x.mu.Lock()
	err = x.video.ready()
	x.mu.Unlock()
	if err != nil {
		return err
	}
	_, err = c.Play(nil)
	return err
}

// choose takes the first video track that can be recorded.
func (x *session) choose(desc *description.Session) (*description.Media, error) {
	other := ""
	for _, m := range desc.Medias[:min(len(desc.Medias), maxMedia)] {
		if m.IsBackChannel {
			continue
		}
		for _, f := range m.Formats {
			if v := newVideo(x, f); v != nil {
				x.video = v
				x.streams.Ingest = "rtsp"
				x.tracks = []source.Track{{}}
				return m, nil
			}
			if m.Type == description.MediaTypeVideo {
				other = codecName(f)
			}
		}
	}

	if other != "" {
		return nil, source.Unsupported.Failure(other)
	}
	return nil, source.NoVideo.Failure(nil)
}

// maxMedia is how many tracks of a description are examined.
const maxMedia = 32

// sound takes the first sound track that can be recorded. If there is none, LeftOut names the codec that is left out.
func (x *session) sound(desc *description.Session) (*description.Media, *audio) {
	for _, m := range desc.Medias[:min(len(desc.Medias), maxMedia)] {
		if m.IsBackChannel || m.Type != description.MediaTypeAudio {
			continue
		}
		for _, f := range m.Formats {
			if a := newAudio(x, f); a != nil {
				x.tracks = append(x.tracks, a.track)
				x.streams.Audio, x.streams.LeftOut = a.track.Codec, ""
				return m, a
			}
			x.streams.LeftOut = codecName(f)
		}
	}

	return nil, nil
}

// guard returns a callback that gives packets to handle, one at a time, until the session is over. An error of handle,
// or a panic caused by the camera's data, ends the session.
func (x *session) guard(handle func(*rtp.Packet, time.Duration) error) func(*rtp.Packet) {
	return func(p *rtp.Packet) {
		now := steady.Now()
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.stopped {
			return
		}
		x.heard = true
		defer func() {
			if v := recover(); v != nil {
				x.end(source.Unreadable.Failure(fmt.Sprint("panic over what the camera sent: ", v)))
			}
		}()
		if err := handle(p, now); err != nil {
			x.end(err)
		}
	}
}

// end ends the session. x.mu is held.
func (x *session) end(err error) {
	x.stopped = true
	select {
	case x.ended <- err:
	default:
	}
}

// diagnose turns err into a failure that names why a session ended. playing reports whether the stream had begun.
func diagnose(err error, playing bool) error {
	var f *source.Failure
	if errors.As(err, &f) {
		return err
	}
	fail := func(k source.Kind) error { return k.Failure(err) }
	var status liberrors.ErrClientBadStatusCode
	if errors.As(err, &status) {
		err = fmt.Errorf("RTSP %d", status.Code)
		switch status.Code {
		case base.StatusUnauthorized, base.StatusForbidden:
			return fail(source.WrongPassword)
		case base.StatusNotFound, base.StatusBadRequest, base.StatusGone:
			return fail(source.WrongPath)
		case base.StatusNotEnoughBandwidth, base.StatusServiceUnavailable:
			return fail(source.Busy)
		case base.StatusUnsupportedTransport, base.StatusMethodNotValidInThisState:
			return fail(source.Transport)
		}

		return fail(source.Protocol)
	}

	var (
		login  liberrors.ErrClientAuthSetup
		sdp    liberrors.ErrClientSDPInvalid
		kind   liberrors.ErrClientContentTypeUnsupported
		silent liberrors.ErrClientTCPTimeout
		mute   liberrors.ErrClientUDPTimeout
		wait   liberrors.ErrClientRequestTimedOut
		ask    liberrors.ErrClientServerRequestedUDP
		other  liberrors.ErrClientServerRequestedTCP
		ports  liberrors.ErrClientTransportHeaderInvalid
		alone  liberrors.ErrClientH264PacketizationMode0
		dns    *net.DNSError
		op     *net.OpError
	)
	switch {
	case errors.As(err, &login):
		return fail(source.LoginKind)
	case errors.As(err, &sdp), errors.As(err, &kind):
		return fail(source.Unreadable)
	case errors.As(err, &silent):
		return fail(source.Stalled)
	case errors.As(err, &mute), errors.As(err, &ask), errors.As(err, &other), errors.As(err, &ports),
		errors.As(err, &alone):
		return fail(source.Transport)
	case errors.As(err, &dns):
		return fail(source.UnknownHost)
	case playing:
		return fail(source.Ended)
	case errors.As(err, &wait):
		return fail(source.Unreachable)
	case errors.As(err, &op), errors.Is(err, context.DeadlineExceeded):
		return fail(source.Unreachable)
	}

	if slices.Contains([]string{"EOF", "unexpected EOF"}, err.Error()) ||
		strings.Contains(err.Error(), "closed network connection") {
		return fail(source.Ended)
	}
	if strings.HasPrefix(err.Error(), "expected '") { // the bytes that came instead say nothing to a person
		return source.Protocol.Failure(nil)
	}
	return fail(source.Protocol)
}
