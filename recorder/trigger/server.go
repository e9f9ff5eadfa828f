// Package trigger is the SMTP server that cameras send their alarm mails to. It turns mails into triggers.
//
// The server accepts connections from the local network, and passes [event.Trigger] values to the function Trigger,
// which returns when the event is durable. Only then does the server answer a mail with 250. Everything in a mail is
// untrusted: sizes, counts and times are bounded, and nothing of a mail becomes a path or an argument. No mail is ever
// passed on. Run owns the listeners and their connections.
//
// Package smtpquirks repairs what a camera sends. Package message finds what a mail says, and package rule finds the
// camera that the mail is about.
package trigger

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/sync/errgroup"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/rule"
)

// Server is the alarm mail server. It is a [Source].
type Server struct {
	Settings    config.SMTP
	Cameras     func() []config.Camera // returns the current cameras
	CertDir     string                 // folder of the self-signed certificate
	Log         *slog.Logger
	Connections *ConnectionLog // the last connections; outlives the server

	// Quiet returns Off or Paused for a camera whose alarms save nothing now, and Alarm for other cameras.
	Quiet func(camera string) Kind

	// Picture takes the JPEG or PNG that came with a mail. It is called once for each event of the mail, and must not
	// wait for the archive.
	Picture   func(ctx context.Context, camera, event string, data []byte)
	Keep      func(ctx context.Context, camera, event string, mail []byte) // like Picture, if mails are kept
	Received  func(Received)                                               // for every mail, whatever its outcome
	Unmatched func(status.Unmatched)
	Left      func(Outcome, event.Trigger) // called for a test, a notice, or an alarm of quiet cameras
	Listening func([]status.Port)          // called with the state of all ports when one changes
	Refused   func(netip.Addr)

	limiter connLimiter
	parsing chan struct{} // one place for each mail that is parsed
	heads   slots         // one for each long head in memory
	holding slots         // one for each picture or kept mail in memory
	allowed func(netip.Addr) bool
	emit    Emit
	tls     *tls.Config

	mu    sync.Mutex // guards everything below
	ports []status.Port
	rules *rule.Set
	of    []config.Camera // the cameras that rules was made from
}

// Received is a mail that came in.
type Received struct {
	status.Mail
	At   time.Time // when its head had been read
	Said time.Time // when the event happened, according to the camera; zero if unknown
	Sent time.Time // when the mail was written, according to the camera; zero if unknown
}

// Name is the source of alarms by mail.
func (s *Server) Name() event.Source { return event.Mail }

// Run listens until ctx ends. It tries a port that is taken again every five seconds.
func (s *Server) Run(ctx context.Context, emit Emit) error {
	s.emit = emit
	s.parsing = make(chan struct{}, maxParsing)
	s.heads.max, s.heads.each = maxHeads, headsEach
	s.holding.max, s.holding.each = maxPictures, picturesEach
	s.allowed = Allowed(s.Settings.Allow)
	s.tls = s.tlsConfig()
	plain, first := s.Settings.Ports()
	for _, p := range plain {
		s.ports = append(s.ports, status.Port{Listen: p})
	}
	for _, p := range first {
		s.ports = append(s.ports, status.Port{Listen: p, TLS: true})
	}
	srv := s.smtpServer(ctx)
	g, ctx := errgroup.WithContext(ctx)
	for i, p := range slices.Concat(plain, first) {
		g.Go(func() error { s.listen(ctx, srv, i, p); return nil })
	}
	<-ctx.Done()
	_ = srv.Close()
	err := g.Wait()
	s.limiter.close()
	return err
}

// listen serves one port until ctx ends.
func (s *Server) listen(ctx context.Context, srv *smtp.Server, i int, port string) {
	for {
		ln, err := net.Listen("tcp", port)
		if err == nil {
			s.reportListen(i, ln.Addr().String(), nil)
			stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
			err = srv.Serve(&listener{Listener: ln, s: s, port: ln.Addr().String(), first: s.ports[i].TLS})
			stop()
			_ = ln.Close()
		}

		if ctx.Err() != nil {
			return
		}
		key := "smtp.listen"
		if s.ports[i].TLS {
			key = "smtp.listen_tls"
		}
		s.reportListen(i, port, PortError(key, port, err))
		timer := time.NewTimer(5 * time.Second)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// reportListen reports whether listening on a port works.
func (s *Server) reportListen(i int, listen string, err error) {
	s.mu.Lock()
	s.ports[i].Listen, s.ports[i].Error = listen, text.Of(err)
	ports := slices.Clone(s.ports)
	s.mu.Unlock()
	s.Listening(ports)
}

// Windows has numbers of its own for a port that is taken or reserved (WSAEADDRINUSE, WSAEACCES). Its words depend on
// its language.
const (
	windowsInUse    = syscall.Errno(10048)
	windowsReserved = syscall.Errno(10013)
)

// PortError says in plain words why Preroll cannot listen on the port of a setting, and suggests a free port.
func PortError(key, listen string, err error) error {
	host, port, _ := net.SplitHostPort(listen)
	n, _ := strconv.Atoi(port)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsInUse):
		for free := max(n+1, 1025); free < n+100; free++ {
			ln, lerr := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(free)))
			if lerr == nil {
				_ = ln.Close()
				if key == "web.listen" {
					return text.WebPortTaken.Error(n, free, free)
				}
				return text.PortTakenFree.Error(n, free, key, free)
			}
		}

		return text.PortTaken.Error(n, key)
	case errors.Is(err, os.ErrPermission) || errors.Is(err, windowsReserved):
		return text.PortDenied.Error(n, key)
	}

	return text.ListenFailed.Error(listen, err)
}

func (s *Server) smtpServer(ctx context.Context) *smtp.Server {
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return s.session(ctx, c) }))
	srv.Domain = "preroll"
	srv.MaxMessageBytes = maxBytes
	srv.MaxLineLength = 0 // package smtpquirks bounds command lines; data lines may be long
	srv.MaxRecipients = maxRecipients
	srv.AllowInsecureAuth = true // many cameras have no TLS
	srv.EnableSMTPUTF8 = true
	srv.ReadTimeout, srv.WriteTimeout = sessionTime, 30*time.Second
	srv.ErrorLog = slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)
	return srv
}

// tlsConfig returns the configuration for STARTTLS and for TLS from the first byte.
func (s *Server) tlsConfig() *tls.Config {
	var mu sync.Mutex
	var made *tls.Certificate
	var failed time.Time
	var why error
	greet := func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if from, ok := h.Conn.RemoteAddr().(*net.TCPAddr); ok &&
			!s.limiter.greets(from.AddrPort().Addr().Unmap(), time.Now()) {
			return nil, errors.New("too many TLS handshakes from this address")
		}
		return nil, nil
	}

	c := &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: greet,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			mu.Lock()
			defer mu.Unlock()
			if made != nil || time.Since(failed) < certAgain {
				return made, why
			}
			if made, why = Certificate(s.CertDir); why != nil {
				failed = time.Now()
				s.Log.Error("no TLS for the cameras", "err", why)
			}
			return made, why
		}}
	if s.Settings.OldTLS {
		c.MinVersion = tls.VersionTLS10
		for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
			c.CipherSuites = append(c.CipherSuites, suite.ID)
		}
	}
	return c
}

// certAgain is how long after a failure loading the certificate is tried again.
const certAgain = 10 * time.Second

// Allowed returns a function that reports whether smtp.allow permits an address. "private" permits loopback, RFC 1918,
// link-local and unique local addresses. "any" permits every address.
func Allowed(allow []string) func(netip.Addr) bool {
	return func(a netip.Addr) bool {
		for _, n := range allow {
			if n == "any" || n == "private" && (a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()) {
				return true
			}
			if p, err := netip.ParsePrefix(n); err == nil && p.Contains(a) {
				return true
			}
			if x, err := netip.ParseAddr(n); err == nil && x == a {
				return true
			}
		}

		return false
	}
}

// set returns the current cameras, prepared for matching.
func (s *Server) set() *rule.Set {
	cameras := s.Cameras()
	s.mu.Lock()
	defer s.mu.Unlock()
	same := s.rules != nil && slices.EqualFunc(cameras, s.of, func(a, b config.Camera) bool {
		return a.ID == b.ID && a.Name == b.Name && a.URL == b.URL && slices.Equal(a.Mail, b.Mail)
	})
	if !same {
		s.rules, s.of = ruleSet(cameras), cameras
	}
	return s.rules
}

func ruleSet(cameras []config.Camera) *rule.Set {
	var list []rule.Camera
	for _, c := range cameras {
		list = append(list, rule.Camera{ID: c.ID, Name: c.Name, Mail: c.Mail, Hosts: hosts(c)})
	}
	return rule.New(list)
}

// hosts returns the address of a camera's stream, if its URL holds an address and not a name.
func hosts(c config.Camera) []netip.Addr {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil
	}
	a, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return nil
	}
	return []netip.Addr{a.Unmap().WithZone("")}
}

// known reports whether an address is that of a camera's stream.
func (s *Server) known(a netip.Addr) bool {
	return slices.ContainsFunc(s.Cameras(), func(c config.Camera) bool { return slices.Contains(hosts(c), a) })
}
