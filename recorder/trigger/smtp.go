// Package trigger turns what happens outside into triggers: the SMTP server that cameras send their alarm mails to.
//
// In come connections from the local network; out go [event.Trigger] values through the Trigger function, which
// returns when the event is durable. Only then is a mail answered with 250. Everything in a mail is a stranger's word:
// sizes, counts and times are bounded, and nothing of it becomes a path or an argument. No mail is ever passed on. Run
// owns the listener and its connections.
package trigger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // gb2312 and the like
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/preroll/preroll/internal/crash"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// Limits of the server.
const (
	maxConns      = 128
	maxPerAddress = 16
	maxBytes      = 40 << 20 // of a mail: cameras attach pictures and short clips
	maxLine       = 1 << 20  // some cameras send base64 in one line
	maxRecipients = 20
	maxHead       = 64 << 10 // of a mail that is taken apart: its header and first text
	maxBody       = 16 << 10 // of the text that is read for labels
	maxParsing    = 4        // mails that are taken apart at once
	maxParts      = 20
	sessionTime   = 2 * time.Minute  // for one command, and for one mail's data
	longestTime   = 15 * time.Minute // for a connection
	lateMail      = 30 * time.Second
)

// Server is the alarm mail server.
type Server struct {
	Settings config.SMTP
	Cameras  func() []config.Camera // the cameras now
	CertDir  string                 // where the self-made certificate lies
	Log      *slog.Logger

	// Trigger returns when the event is durable, with its id; "" where none is wanted.
	Trigger func(ctx context.Context, camera string, t event.Trigger) (id string, err error)
	// Picture takes the picture that came with a mail, JPEG or PNG, once for each event of the mail. It must not wait for
	// the archive.
	Picture   func(ctx context.Context, camera, event string, data []byte)
	Received  func(status.Mail) // every mail, whatever became of it
	Unmatched func(status.Unmatched)
	Tested    func(cameras []string, t event.Trigger) // a camera's test mail
	Listening func(addr net.Addr, err error)          // tells how listening goes
	Refused   func(netip.Addr)

	parsing chan struct{}
	holding chan struct{} // a place for each picture in memory
	allowed func(netip.Addr) bool
	cert    func() (*tls.Certificate, error)
	mu      sync.Mutex // guards conns
	conns   map[netip.Addr]int
	total   int
}

// Run listens until ctx ends. A port that is taken is tried again every few seconds; the recorder works on meanwhile.
func (s *Server) Run(ctx context.Context) error {
	s.conns = map[netip.Addr]int{}
	s.parsing = make(chan struct{}, maxParsing)
	s.holding = make(chan struct{}, maxPictures)
	s.allowed = Allowed(s.Settings.Allow)
	s.cert = sync.OnceValues(func() (*tls.Certificate, error) { return certificate(s.CertDir) })
	for {
		ln, err := net.Listen("tcp", s.Settings.Listen)
		if err == nil {
			s.Listening(ln.Addr(), nil)
			err = s.serve(ctx, ln)
		}
		if ctx.Err() != nil {
			return nil
		}
		s.Listening(nil, PortError(s.Settings.Listen, err))
		timer := time.NewTimer(5 * time.Second)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// PortError says in plain words why a port cannot be listened on, and offers one that can.
func PortError(listen string, err error) error {
	host, port, _ := net.SplitHostPort(listen)
	n, _ := strconv.Atoi(port)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) || strings.Contains(fmt.Sprint(err), "Only one usage of each socket address"):
		for free := max(n+1, 1025); free < n+100; free++ {
			ln, lerr := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(free)))
			if lerr == nil {
				_ = ln.Close()
				return fmt.Errorf("port %d is taken by another program; port %d is free: set smtp.listen = \":%d\" and the same port in the cameras", n, free, free)
			}
		}
		return fmt.Errorf("port %d is taken by another program; choose another one in smtp.listen", n)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("this user may not listen on port %d; choose one above 1023 in smtp.listen, such as :2525", n)
	}
	return fmt.Errorf("listen for alarm mail on %s: %w", listen, err)
}

func (s *Server) serve(ctx context.Context, ln net.Listener) error {
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return s.session(ctx, c) }))
	srv.Domain = "preroll"
	srv.MaxMessageBytes = maxBytes
	srv.MaxLineLength = maxLine
	srv.MaxRecipients = maxRecipients
	srv.AllowInsecureAuth = true // many cameras know no TLS
	srv.EnableSMTPUTF8 = true
	srv.ReadTimeout, srv.WriteTimeout = sessionTime, 30*time.Second
	srv.ErrorLog = slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)
	srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert() }}
	var closing sync.WaitGroup
	stopped := make(chan struct{})
	closing.Go(func() {
		select {
		case <-ctx.Done():
		case <-stopped:
		}
		_ = srv.Close()
	})
	err := srv.Serve(&listener{ln, s})
	close(stopped)
	closing.Wait()
	return err
}

// listener lets only allowed networks in, bounds the connections, and notes when each began.
type listener struct {
	net.Listener
	s *Server
}

// conn is a connection and when it began.
type conn struct {
	net.Conn
	began time.Time
	from  netip.Addr
	once  sync.Once
	end   func()
}

func (c *conn) Close() error {
	c.once.Do(c.end)
	return c.Conn.Close()
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		ap, _ := netip.ParseAddrPort(c.RemoteAddr().String())
		from := ap.Addr().Unmap().WithZone("")
		if !l.s.allowed(from) {
			l.s.Log.Warn("mail connection refused: address is not in smtp.allow", "from", from)
			l.s.Refused(from)
			_ = c.Close()
			continue
		}
		if !l.s.enter(from) {
			_ = c.SetWriteDeadline(began.Add(time.Second))
			_, _ = io.WriteString(c, "421 4.7.0 Too many connections\r\n")
			_ = c.Close()
			continue
		}
		end := time.AfterFunc(longestTime, func() { _ = c.Close() })
		return &conn{Conn: c, began: began, from: from, end: func() { end.Stop(); l.s.leave(from) }}, nil
	}
}

func (s *Server) enter(a netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxConns || s.conns[a] >= maxPerAddress {
		return false
	}
	s.total++
	s.conns[a]++
	return true
}

func (s *Server) leave(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.conns[a]--; s.conns[a] == 0 {
		delete(s.conns, a)
	}
}

// Allowed returns the test for networks as smtp.allow names them: "private" is loopback, RFC 1918, link-local and
// unique local addresses; "any" is every address.
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

// session is one camera's SMTP session.
type session struct {
	s      *Server
	ctx    context.Context
	conn   *conn
	mails  int       // mails before this one
	asked  time.Time // when MAIL came
	login  bool
	sender string
	to     []string
}

func (s *Server) session(ctx context.Context, c *smtp.Conn) (smtp.Session, error) {
	nc := c.Conn()
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	own, ok := nc.(*conn)
	if !ok {
		return nil, errors.New("unknown connection")
	}
	return &session{s: s, ctx: ctx, conn: own}, nil
}

// began is when what the mail tells of was noticed: the session's begin, but for a connection that is kept alive
// between mails the begin of this mail.
func (c *session) began() time.Time {
	if c.mails > 0 || c.asked.Sub(c.conn.began) > lateMail {
		return c.asked
	}
	return c.conn.began
}

func (c *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

func (c *session) Auth(mech string) (sasl.Server, error) {
	switch mech {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, user, password string) error { return c.authenticate(user, password) }), nil
	case sasl.Login:
		return &loginServer{check: c.authenticate}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// authenticate accepts any login where none is set. The comparison takes the same time for every wrong one.
func (c *session) authenticate(user, password string) error {
	if c.s.Settings.Username != "" {
		want, err := c.s.Settings.Password.Resolve("smtp")
		if err != nil {
			return err
		}
		u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
		wu, wp := sha256.Sum256([]byte(c.s.Settings.Username)), sha256.Sum256([]byte(want.Reveal()))
		if subtle.ConstantTimeCompare(u[:], wu[:])&subtle.ConstantTimeCompare(p[:], wp[:]) != 1 {
			c.s.Log.Warn("mail login refused: wrong user or password", "from", c.conn.from)
			return smtp.ErrAuthFailed
		}
	}
	c.login = true
	return nil
}

// loginServer is AUTH LOGIN (draft-murchison-sasl-login), which many cameras speak and nothing else.
type loginServer struct {
	check func(user, password string) error
	step  int
	user  string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil {
		return []byte("Username:"), false, nil
	}
	l.step++
	if l.step == 1 {
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if c.s.Settings.Username != "" && !c.login {
		return smtp.ErrAuthRequired
	}
	c.sender, c.to, c.asked = from, nil, time.Now()
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = append(c.to, to)
	return nil
}

func (c *session) Reset()        { c.sender, c.to = "", nil }
func (c *session) Logout() error { return nil }

// Data reads a mail. The event opens as soon as the head and the first text are there; a large attachment behind them
// delays nothing, and its picture follows when it is there. After an unfinished mail the connection is closed, since
// what follows would be read as commands.
func (c *session) Data(r io.Reader) error {
	m := Mail{From: c.conn.from, Sender: c.sender, To: c.to}
	// The head is read at the sender's pace, then taken apart at ours: a mail of nested parts costs much more memory
	// than it has bytes, so only some are taken apart at once.
	head, err := io.ReadAll(io.LimitReader(r, maxHead))
	if err != nil {
		_ = c.conn.Close()
		return err
	}
	select {
	case c.s.parsing <- struct{}{}:
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	readMail(bytes.NewReader(head), &m)
	<-c.s.parsing
	crash.Here("mail-read")
	t := event.Trigger{Time: c.began(), Source: event.Mail, Label: Label(m), Sender: clean(m.Sender), Subject: clean(m.Subject), From: m.From.String()}
	c.mails++
	opened, err := c.deliver(m, t)
	in := &flow{r: io.MultiReader(bytes.NewReader(head), r)}
	if len(opened) > 0 {
		c.passPicture(in, opened)
	}
	if _, rerr := io.Copy(io.Discard, in); rerr != nil {
		_ = c.conn.Close()
		return rerr
	}
	if err != nil {
		c.s.Log.Error("mail was not accepted", "from", m.From, "err", err)
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Could not be saved, try again"}
	}
	crash.Here("answered")
	return nil
}

// opened is an event that a mail opened or extended.
type opened struct{ camera, event string }

// deliver tells of a mail and returns its events.
func (c *session) deliver(m Mail, t event.Trigger) (list []opened, err error) {
	ids := Match(m, c.s.Cameras())
	var to []string
	for _, a := range m.To {
		to = append(to, clean(a))
	}
	test := IsTest(m)
	defer c.s.Received(status.Mail{Time: t.Time, From: t.From, Sender: t.Sender, To: to, Subject: t.Subject, Label: t.Label, Cameras: ids, Test: test})
	switch {
	case test:
		c.s.Tested(ids, t)
		return nil, nil
	case ids == nil:
		c.s.Log.Warn("mail fits no camera", "from", t.From, "sender", t.Sender, "to", to, "subject", t.Subject)
		c.s.Unmatched(status.Unmatched{Time: t.Time, From: t.From, Sender: t.Sender, To: to, Subject: t.Subject})
		return nil, nil
	}
	for _, camera := range ids {
		id, terr := c.s.Trigger(c.ctx, camera, t)
		if terr == nil && id != "" {
			list = append(list, opened{camera, id})
		}
		err = errors.Join(err, terr)
	}
	return list, err
}

// passPicture reads a mail up to its picture and hands that to the events.
func (c *session) passPicture(in *flow, list []opened) {
	held := false
	defer func() {
		if held {
			<-c.s.holding
		}
	}()
	s := search{in: in, hold: func() bool {
		if held {
			return true
		}
		select {
		case c.s.holding <- struct{}{}:
			held = true
		default:
			c.s.Log.Warn("a mail's picture was left out: too many at once", "from", c.conn.from)
		}
		return held
	}}
	b := s.picture()
	if b == nil {
		return
	}
	for _, o := range list {
		c.s.Picture(c.ctx, o.camera, o.event, b)
	}
}

// readMail reads a mail's head and its first text. A mail that is not one still counts by its envelope.
func readMail(r io.Reader, m *Mail) {
	mr, err := mail.CreateReader(r)
	if err != nil && !message.IsUnknownCharset(err) {
		return
	}
	m.Subject, _ = mr.Header.Subject()
	if m.Sender == "" {
		if from, err := mr.Header.AddressList("From"); err == nil && len(from) > 0 {
			m.Sender = from[0].Address
		}
	}
	for range maxParts {
		p, err := mr.NextPart()
		if err != nil && !message.IsUnknownCharset(err) {
			return
		}
		h, ok := p.Header.(*mail.InlineHeader)
		if !ok {
			return // an attachment: what the mail says comes before it
		}
		if kind, _, err := h.ContentType(); err == nil && !strings.HasPrefix(kind, "text/") {
			return
		}
		b, err := io.ReadAll(io.LimitReader(p.Body, maxBody))
		if err != nil {
			return
		}
		if m.Body = string(b); strings.TrimSpace(m.Body) != "" {
			return
		}
	}
}

// clean makes a mail's words fit to be shown: valid UTF-8 without control or direction marks, at most 200 characters.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfffd || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return strings.TrimSpace(s)
}
