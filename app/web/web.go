// Package web serves pages for phones and browsers: the cameras as they are now, the events with their clips, and what
// is wrong.
//
// The package is a client of the control socket, by the calls in [API] and no other. A browser gets in with a code that
// the window or `preroll web pair` shows, and from then on by a cookie. Everything that a browser sends is untrusted.
// The pages load nothing from anywhere else. Run owns all goroutines, and waits for them.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// API is all that the pages may ask of the recorder. Settings, folders, probes and passwords are not in it.
// [control.Client] implements it.
type API interface {
	Status(context.Context) (status.Status, error)
	Watch(context.Context, func(control.Update)) error
	Events(context.Context, event.Query) ([]event.Event, error)
	Event(ctx context.Context, id string) (event.Event, error)
	Days(context.Context, event.Query) ([]event.Day, error)
	Choices(context.Context) (event.Choices, error)
	Why(ctx context.Context, camera string, at time.Time) ([]status.Finding, error)
	Still(ctx context.Context, camera string, width int) ([]byte, error)
	Spans(ctx context.Context, camera string, small bool) ([]status.Span, error)
	Live(ctx context.Context, camera string, small bool, from, origin time.Time) (*http.Response, error)
	HLS(ctx context.Context, camera string, small bool, file string, query url.Values) (*http.Response, error)
	File(ctx context.Context, id, file string, header http.Header) (*http.Response, error)
	TriggerAt(ctx context.Context, camera, label string, at time.Time) (string, error)
	Protect(ctx context.Context, id string, on bool) (event.Event, error)
	Delete(ctx context.Context, id string) error
	SetAway(ctx context.Context, on bool) error
}

// Limits of the server.
const (
	maxConns      = 500
	maxPerAddress = 40  // connections, of a network with IPv6; a proxy may have all
	maxStreams    = 100 // videos and watches that go on
	maxPerDevice  = 24
	maxFiles      = 200              // pictures, clips and parts of videos that are being sent
	maxFilesEach  = 80               // of a device
	maxRequests   = 50               // of a connection at once, by HTTP/2
	maxAnswering  = 64               // pages and calls that are being answered
	maxStrangers  = 16               // the same, for devices that are not paired
	maxHead       = 16 << 10         // bytes of a request without its body
	maxBody       = 64 << 10         // bytes
	headTime      = 10 * time.Second // for the head of a request
	bodyTime      = 10 * time.Second
	idleTime      = time.Minute      // of a connection between two requests
	answerTime    = time.Minute      // for an answer, or for a piece of a stream
	stallTime     = 20 * time.Second // until a connection by HTTP/2 ends whose reader stands still
	endTime       = 2 * time.Second
	maxGuesses    = 10 // wrong codes of one address within guessTime
	guessTime     = 10 * time.Minute
	keptAddresses = 1000 // addresses whose wrong codes are counted
)

// Server is the web pages.
type Server struct {
	api     API
	host    control.WebHost
	url     *url.URL // from the settings; nil if there is none
	streams streams  // videos and watches
	files   streams  // pictures, clips and parts of videos

	answering, strangers chan struct{} // a place for each request that is being answered

	mu      sync.Mutex // guards guesses
	guesses map[netip.Addr]*guesses
}

// guesses counts the wrong codes of an address.
type guesses struct {
	n     int
	since time.Time
}

// Run serves the pages until ctx ends. It returns an error if it cannot listen.
func Run(ctx context.Context, api API, host control.WebHost) error {
	ln, err := net.Listen("tcp", host.Settings.Listen)
	if err != nil {
		return err
	}
	s := &Server{api: api, host: host, guesses: map[netip.Addr]*guesses{},
		answering: make(chan struct{}, maxAnswering), strangers: make(chan struct{}, maxStrangers),
		streams: streams{device: host.Device, all: maxStreams, each: maxPerDevice},
		files:   streams{device: host.Device, all: maxFiles, each: maxFilesEach}}
	if u, err := url.Parse(host.Settings.URL); err == nil && u.Host != "" {
		s.url = u
	}
	srv := &http.Server{Handler: s.handler(), ReadHeaderTimeout: headTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHead, ErrorLog: slog.NewLogLogger(host.Log.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxRequests, WriteByteTimeout: stallTime,
			SendPingTimeout: stallTime, PingTimeout: stallTime}}
	var conns net.Listener = &listener{Listener: ln, allowed: host.Allowed, trusted: host.Trusted,
		open: map[netip.Addr]int{}}
	if a, ok := ln.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		cert, err := host.Certificate()
		if err != nil {
			return errors.Join(err, ln.Close())
		}
		srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*cert},
			NextProtos: []string{"h2", "http/1.1"}}
		conns = tls.NewListener(conns, srv.TLSConfig)
	}
	host.Listening(ln.Addr().String())

	served := make(chan error, 1)
	go func() { served <- srv.Serve(conns) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for serving := true; serving; {
		select {
		case err = <-served:
			serving = false
			served <- nil
		case <-tick.C:
			s.streams.check()
			s.files.check()
		case <-ctx.Done():
			serving = false
		}
	}
	s.streams.endAll()
	s.files.endAll()
	over, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if srv.Shutdown(over) != nil {
		_ = srv.Close()
	}
	<-served
	s.streams.Wait()
	s.files.Wait()
	return err
}

// --- Connections ---

// listener takes the connections of allowed addresses, and not too many.
type listener struct {
	net.Listener
	allowed, trusted func(netip.Addr) bool

	mu   sync.Mutex // guards everything below
	all  int
	open map[netip.Addr]int
}

// Accept returns the next connection that is let in.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addrOf(c.RemoteAddr().String())
		if l.enter(from) {
			return &conn{Conn: c, leave: sync.OnceFunc(func() { l.left(homeOf(from)) })}, nil
		}
		_ = c.Close()
	}
}

func (l *listener) enter(from netip.Addr) bool {
	if !l.allowed(from) && !l.trusted(from) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	home := homeOf(from)
	if l.all >= maxConns || l.open[home] >= maxPerAddress && !l.trusted(from) {
		return false
	}
	l.all++
	l.open[home]++
	return true
}

func (l *listener) left(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.open[from]--; l.open[from] == 0 {
		delete(l.open, from)
	}
}

type conn struct {
	net.Conn
	leave func()
}

// Close closes the connection, which makes room for another.
func (c *conn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// homeOf returns what counts as one address: with IPv6 the network, because a home has a whole one.
func homeOf(a netip.Addr) netip.Addr {
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.Addr()
	}
	return a
}

// addrOf returns the address in host:port, or the zero Addr.
func addrOf(hostPort string) netip.Addr {
	if a, err := netip.ParseAddrPort(hostPort); err == nil {
		return a.Addr().Unmap().WithZone("")
	}
	a, _ := netip.ParseAddr(hostPort)
	return a.Unmap().WithZone("")
}

// --- Streams ---

// streams are the answers that go on: videos, and watches. They end when their device is removed.
type streams struct {
	sync.WaitGroup
	device    func(token string) (status.Caller, bool)
	all, each int // how many there may be, and of one device

	mu    sync.Mutex // guards everything below
	open  map[*stream]bool
	ended bool
}

type stream struct {
	token, device string
	cancel        context.CancelFunc
}

// begin begins a stream of a device. The caller calls end when it is over. ok is false if there are too many.
func (s *streams) begin(ctx context.Context, d session) (_ context.Context, end func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for o := range s.open {
		if o.device == d.ID {
			n++
		}
	}
	if s.ended || len(s.open) >= s.all || n >= s.each {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancel(ctx)
	o := &stream{d.token, d.ID, cancel}
	if s.open == nil {
		s.open = map[*stream]bool{}
	}
	s.open[o] = true
	s.Add(1)
	return ctx, func() {
		cancel()
		s.mu.Lock()
		delete(s.open, o)
		s.mu.Unlock()
		s.Done()
	}, true
}

// check ends the streams of devices that were removed.
func (s *streams) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := range s.open {
		if _, ok := s.device(o.token); !ok {
			o.cancel()
		}
	}
}

func (s *streams) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for o := range s.open {
		o.cancel()
	}
}

// --- Requests ---

// remote returns the address of the browser, and whether its request came by a proxy that is trusted.
func (s *Server) remote(r *http.Request) (from netip.Addr, proxied bool) {
	from = addrOf(r.RemoteAddr)
	if !s.host.Trusted(from) {
		return from, false
	}
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(list) - 1; i >= 0; i-- {
		a := addrOf(strings.TrimSpace(list[i]))
		if !a.IsValid() {
			break
		}
		if from = a; !s.host.Trusted(a) {
			break
		}
	}
	return from, true
}

// https reports whether the browser speaks HTTPS, to this program or to a proxy.
func (s *Server) https(r *http.Request) bool {
	if r.TLS != nil || s.url != nil && s.url.Scheme == "https" && strings.EqualFold(r.Host, s.url.Host) {
		return true
	}
	_, proxied := s.remote(r)
	return proxied && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
