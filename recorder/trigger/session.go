package trigger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	_ "github.com/emersion/go-message/charset" // gb2312 and similar
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/preroll/preroll/internal/failpoint"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/message"
	"github.com/preroll/preroll/recorder/trigger/rule"
	"github.com/preroll/preroll/recorder/trigger/smtpquirks"
)

// --- The SMTP session ---

// textTime is how long the text after a mail's header is waited for, before an alarm is triggered by what has arrived.
const textTime = 3 * time.Second

// session is one camera's SMTP session.
type session struct {
	s      *Server
	ctx    context.Context
	conn   *conn
	mails  int       // number of mails before this one
	asked  time.Time // when MAIL arrived
	login  bool
	user   string
	sender string
	to     []string
}

func (s *Server) session(ctx context.Context, c *smtp.Conn) (smtp.Session, error) {
	own, ok := c.Conn().(*conn)
	if !ok {
		return nil, errors.New("unknown connection")
	}
	return &session{s: s, ctx: ctx, conn: own}, nil
}

// began returns when the event of the mail was noticed. This is when the connection began. On a connection that brought
// other mails or waited longer than lateMail, it is when MAIL arrived.
func (c *session) began() time.Time {
	if c.mails > 0 || c.asked.Sub(c.conn.began) > lateMail {
		return c.asked
	}
	return c.conn.began
}

// AuthMechanisms returns the mechanisms that package smtpquirks passes on.
func (c *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth begins a login. The only mechanism is PLAIN.
func (c *session) Auth(mech string) (sasl.Server, error) {
	if mech != sasl.Plain {
		return nil, smtp.ErrAuthUnknownMechanism
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return c.authenticate(user, password) }), nil
}

// authenticate accepts any login if the settings name no user. The comparison takes the same time for every wrong
// login. After too many wrong logins, an address is refused for a while without a comparison.
func (c *session) authenticate(user, password string) error {
	if c.s.Settings.Username != "" {
		if !c.s.limiter.mayLogin(c.conn.from, time.Now()) {
			c.conn.record.setReason(text.LoginRefused.With())
			return &smtp.SMTPError{Code: 454, EnhancedCode: smtp.EnhancedCode{4, 7, 0},
				Message: "Too many wrong logins, try later"}
		}
		want, err := c.s.Settings.Password.Resolve("smtp")
		if err != nil {
			return err
		}
		u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
		wu, wp := sha256.Sum256([]byte(c.s.Settings.Username)), sha256.Sum256([]byte(want.Reveal()))
		if subtle.ConstantTimeCompare(u[:], wu[:])&subtle.ConstantTimeCompare(p[:], wp[:]) != 1 {
			c.s.limiter.wrongLogin(c.conn.from, time.Now())
			if c.s.limiter.mayLog(c.conn.from, time.Now()) {
				c.s.Log.Warn("mail login refused: wrong user or password", "from", c.conn.from)
			}
			return smtp.ErrAuthFailed
		}

		c.s.limiter.rightLogin(c.conn.from)
	}

	c.login, c.user = true, user
	return nil
}

// Mail begins a mail.
func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if c.s.Settings.Username != "" && !c.login {
		return smtp.ErrAuthRequired
	}
	c.sender, c.to, c.asked = smtpquirks.Original(from), nil, time.Now()
	return nil
}

// Rcpt adds a recipient.
func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = append(c.to, smtpquirks.Original(to))
	return nil
}

// Reset forgets the current mail.
func (c *session) Reset() { c.sender, c.to = "", nil }

// Logout ends the session.
func (c *session) Logout() error { return nil }

// Data reads a mail. The event opens as soon as the header and the text have arrived. A large attachment after them
// delays nothing, and its picture follows when it has arrived. A mail that is cut off counts all the same, but Data
// then closes the connection, because what follows would be read as commands.
func (c *session) Data(r io.Reader) error {
	done, ok := c.s.limiter.reading(c.conn.from)
	if !ok {
		return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2},
			Message: "Preroll is ending, or reads too many mails"}
	}
	defer done()
	d := &delivery{c: c, began: c.began(), sender: c.sender, to: c.to}
	c.mails++
	head, rerr := d.readHead(r)
	whole := !errors.Is(rerr, errNoPlace)
	if !whole {
		rerr = nil
	}
	failpoint.Hit("mail-read")
	d.judge(whole)
	opened, err := d.result()
	in := &stickyReader{r: io.MultiReader(bytes.NewReader(head), r)}
	if rerr == nil {
		if len(opened) > 0 {
			c.attach(in, opened)
		}
		_, rerr = io.Copy(io.Discard, in)
	}
	if err != nil {
		c.s.Log.Error("mail was not accepted", "from", c.conn.from, "err", err)
		c.conn.record.setReason(text.NotAccepted.With(err))
		err = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0},
			Message: "Could not be saved, try again"}
	}
	if rerr != nil && !errors.Is(rerr, io.EOF) {
		if errors.Is(rerr, smtp.ErrDataTooLarge) {
			c.conn.record.setReason(text.MailTooLarge.With(maxBytes >> 20))
		} else {
			c.conn.record.cut()
		}
		_ = c.conn.Close()
		return rerr
	}

	if err != nil {
		return err
	}
	failpoint.Hit("answered")
	return nil
}

// --- The delivery of a mail ---

// opened is an event that a mail opened or extended.
type opened struct{ camera, event string }

// delivery is a mail on its way to its events.
type delivery struct {
	c      *session
	began  time.Time
	sender string
	to     []string

	mu     sync.Mutex // guards everything below; held while the event is opened
	head   []byte     // what has arrived of the mail
	m      message.Message
	done   bool
	opened []opened
	err    error
}

// readHead reads as much of a mail as is needed to know what it says. If that takes long, an alarm is triggered
// meanwhile. The error is nil at the end of the mail. readHead reads byte by byte, because the server's reader waits
// until it has all bytes that it is asked for.
func (d *delivery) readHead(r io.Reader) (head []byte, err error) {
	head = make([]byte, 0, shortHead)
	var long *slot
	defer func() { d.c.s.heads.release(long) }()
	var timer *time.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	blanks := 0
	line := 0 // where the last line begins
	for next := shortHead / 2; ; {
		if len(head) == cap(head) {
			if len(head) >= message.MaxHead {
				return head, nil
			}
			if long == nil {
				if long = d.c.s.heads.acquire(d.c.conn); long == nil {
					return head, errNoPlace
				}
			}
			more := make([]byte, len(head), min(4*cap(head), message.MaxHead))
			copy(more, head)
			head = more
		}

		n, err := r.Read(head[len(head) : len(head)+1])
		head = head[:len(head)+n]
		switch {
		case errors.Is(err, io.EOF):
			d.came(head)
			return head, nil
		case err != nil:
			d.came(head)
			return head, err
		case n == 0 || head[len(head)-1] != '\n':
			continue
		}

		blank := len(bytes.TrimSpace(head[line:])) == 0
		line = len(head)
		d.came(head)
		if timer == nil && blank {
			timer = time.AfterFunc(textTime, func() { d.judge(false) })
		}
		if blank {
			blanks++ // after the header, and between parts
		}
		if blank && blanks <= 4 || len(head) >= next {
			next = max(next, 2*len(head))

			// A notice depends on whether a picture follows.
			if m := d.read(head); m.TextDone && (m.Notice == "" || m.Picture) {
				return head, nil
			}
		}
	}
}

// errNoPlace is the error for a mail with a long head when too many long heads are in memory. The mail counts if its
// envelope names the camera. Otherwise the camera has to send it again.
var errNoPlace = text.TooManyHeads.Error()

// came stores what has arrived of a mail.
func (d *delivery) came(head []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.head = head
}

// read parses what has arrived of a mail. Parsing some mails takes much more memory than their bytes, so only a few are
// parsed at once.
func (d *delivery) read(head []byte) (m message.Message) {
	d.c.s.parsing <- struct{}{}
	defer func() {
		<-d.c.s.parsing

		// A panic of a library must not end the recorder, and the envelope still names the camera.
		if r := recover(); r != nil {
			d.c.s.Log.Error("a mail could not be taken apart", "from", d.c.conn.from, "err", r)
			m = message.Message{TextDone: true}
		}
	}()
	return message.Read(head)
}

// judge decides what the mail is by what is known now, and acts on it once. whole says that nothing more will be known.
// Until then, judge decides on nothing but an alarm.
func (d *delivery) judge(whole bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done {
		return
	}
	d.m = d.read(d.head)
	o := judge(d.m, d.matched(), d.c.s.set(), d.c.s.Quiet, whole)
	if !whole && o.Kind != Alarm {
		return
	}
	d.done = true
	d.deliver(o)
}

// matched returns what is known of the mail for choosing its camera.
func (d *delivery) matched() rule.Mail {
	m := rule.Mail{From: d.c.conn.from, Login: d.c.user, Sender: d.sender, To: d.to, Subject: d.m.Subject,
		Body:    d.m.Body,
		Channel: d.m.Channel, Number: d.m.Number, Device: d.m.Device, Label: d.m.Label}
	if m.Sender == "" {
		m.Sender = d.m.Sender
	}
	for _, f := range d.m.Fields {
		m.Fields = append(m.Fields, rule.Field(f))
	}
	return m
}

// trigger returns the mail as a trigger. d.mu is held.
func (d *delivery) trigger() event.Trigger {
	t := event.Trigger{Time: d.began, Source: event.Mail, Label: d.m.Label, Sender: message.Clean(d.sender),
		Subject: d.m.Subject,
		From:    d.c.conn.from.String(), Channel: d.m.Channel, Said: d.m.EventTime}
	if t.Channel == "" {
		t.Channel = d.m.Device
	}
	return t
}

// deliver acts on the outcome of the mail. d.mu is held.
func (d *delivery) deliver(o Outcome) {
	s, v, t := d.c.s, d.c.conn.record, d.trigger()
	var to []string
	for _, a := range d.to {
		to = append(to, message.Clean(a))
	}
	defer s.Received(Received{At: time.Now(), Said: d.m.When, Sent: d.m.Date,
		Mail: status.Mail{Time: t.Time, From: t.From, Sender: t.Sender, To: to,
			Subject: t.Subject, Label: t.Label, Cameras: o.Cameras, Test: o.Kind == Test}})
	switch o.Kind {
	case Test, Notice:
		v.mail(o.Cameras, nil, o.Why)
		s.Left(o, t)
		return
	case Unmatched:
		if s.limiter.mayLog(d.c.conn.from, time.Now()) {
			s.Log.Warn("mail fits no camera", "from", t.From, "sender", t.Sender, "to", to, "subject", t.Subject)
		}
		v.unmatched(o.Why)
		s.Unmatched(status.Unmatched{Time: t.Time, From: t.From, Sender: t.Sender, To: to, Subject: t.Subject,
			Login: message.Clean(d.c.user),
			Label: t.Label, Channel: d.m.Channel, Number: d.m.Number, Device: d.m.Device, Body: excerpt(d.m.Body),
			Why: o.Why})
		return
	}

	s.limiter.brought(d.c.conn)
	v.mail(nil, nil, text.Text{})
	if o.Quiet != nil {
		s.Left(o, t)
	}
	ids, errs := make([]string, len(o.Cameras)), make([]error, len(o.Cameras))
	var triggering sync.WaitGroup

	// Trigger in parallel: one camera may have to wait, but the pre-roll of the others does not wait.
	for i, camera := range o.Cameras {
		if o.Quiet[camera] == "" {
			triggering.Go(func() { ids[i], errs[i] = s.emit(d.c.ctx, camera, t) })
		}
	}
	triggering.Wait()
	for i, camera := range o.Cameras {
		switch {
		case o.Quiet[camera] != "":
			v.about(camera, "", o.Why)
		case errs[i] == nil && ids[i] == "": // it was switched off meanwhile
			v.about(camera, "", text.IsOff.With(camera))
		case errs[i] == nil:
			d.opened = append(d.opened, opened{camera, ids[i]})
			v.about(camera, ids[i], text.Text{})
		}

		d.err = errors.Join(d.err, errs[i])
	}
}

// result returns the events of the mail, or why it could not be delivered.
func (d *delivery) result() ([]opened, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.done {
		return nil, errNoPlace
	}
	return d.opened, d.err
}

// excerpt returns the first 20 lines of a mail's text, cleaned.
func excerpt(body string) string {
	lines := strings.Split(strings.TrimSpace(body), "\n")
	if len(lines) > 20 {
		lines = lines[:20]
	}
	for i, l := range lines {
		lines[i] = message.Clean(l)
	}
	return strings.Join(lines, "\n")
}

// --- Attachments ---

// maxKept is the maximum size of a mail that is kept, in bytes.
const maxKept = 2 << 20

// attach reads the rest of a mail. It passes the mail's picture to the events, and the mail itself if mails are kept.
func (c *session) attach(in *stickyReader, list []opened) {
	var held *slot
	defer func() { c.s.holding.release(held) }()
	hold := func() bool {
		if held == nil {
			held = c.s.holding.acquire(c.conn)
		}
		if held == nil && c.s.limiter.mayLog(c.conn.from, time.Now()) {
			c.s.Log.Warn("a mail's picture was left out: too many at once", "from", c.conn.from)
		}
		return held != nil
	}

	var kept bytes.Buffer
	if c.s.Settings.KeepMail && hold() {
		in.r = io.TeeReader(in.r, &limited{&kept, maxKept})
	}
	if b := picture(in, hold); b != nil {
		for _, o := range list {
			c.s.Picture(c.ctx, o.camera, o.event, b)
		}
	}
	if !c.s.Settings.KeepMail || held == nil {
		return
	}
	if _, err := io.Copy(io.Discard, in); err == nil && kept.Len() < maxKept {
		for _, o := range list {
			c.s.Keep(c.ctx, o.camera, o.event, kept.Bytes())
		}
	}
}

// stickyReader returns the error with which a mail ended at every further read.
type stickyReader struct {
	r   io.Reader
	err error
}

func (s *stickyReader) Read(p []byte) (n int, err error) {
	if s.err == nil {
		n, s.err = s.r.Read(p)
	}
	return n, s.err
}

// limited keeps the first max bytes and drops the rest.
type limited struct {
	to  *bytes.Buffer
	max int
}

func (l *limited) Write(p []byte) (int, error) {
	l.to.Write(p[:min(len(p), max(0, l.max-l.to.Len()))])
	return len(p), nil
}
