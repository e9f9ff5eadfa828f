package trigger

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/smtpquirks"
)

// Limits of the server. See picture.go for those of pictures.
const (
	maxPerAddress = 64
	maxBytes      = 128 << 20 // of a mail: cameras attach pictures and short clips
	maxRecipients = 20
	maxParsing    = 4                // mails that are taken apart at once
	maxHeads      = 128              // heads longer than shortHead that are in memory at once,
	headsEach     = 8                // and of one address
	shortHead     = 4 << 10          // bytes
	sessionTime   = 10 * time.Minute // for one mail's data: 30 MB over slow Wi-Fi
	idleTimeout   = 3 * time.Minute  // without a byte
	longestTime   = 30 * time.Minute // for a connection
	lateMail      = 30 * time.Second
	// connections of one address in a second, on average; the first twice as many count nothing
	manyConns = 300
	// TLS handshakes of one address in a second, on average, since each costs a signature
	manyHellos    = 20
	manyLogins    = 20               // wrong ones of one address within loginTime
	loginTime     = 10 * time.Minute // for which an address with so many is not asked any more
	keptAddresses = 4096             // that something is remembered of
)

// maxConns is how many connections there may be: no more than leave files for what is recorded.
var maxConns = min(1024, max(32, openFiles()/4))

// conn is a connection as go-smtp sees it.
type conn struct {
	*smtpquirks.Conn
	began    time.Time
	from     netip.Addr
	isCamera bool // from the address of a camera's stream
	record   *connection
	once     sync.Once
	end      func()
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.end)
	return err
}

// idleConn ends a connection that says nothing for long, whatever deadline was set.
type idleConn struct {
	net.Conn
	mu       sync.Mutex // guards deadline
	deadline time.Time
}

func (s *idleConn) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	s.deadline = t
	s.mu.Unlock()
	return s.Conn.SetReadDeadline(t)
}

func (s *idleConn) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

func (s *idleConn) Read(p []byte) (int, error) {
	s.mu.Lock()
	d := s.deadline
	s.mu.Unlock()
	if quiet := time.Now().Add(idleTimeout); d.IsZero() || quiet.Before(d) {
		_ = s.Conn.SetReadDeadline(quiet)
	}
	return s.Conn.Read(p)
}

// connLimiter bounds the connections: all of them, and those of each address. Where there are too many, the one goes
// that has brought nothing for the longest time, of the address with the most; one that never brought a camera's mail
// counts as many more, and one that did as some more than the address of a camera's stream. So a camera gets in and
// stays.
type connLimiter struct {
	mu       sync.Mutex // guards all
	closed   bool       // nobody gets in any more
	conns    map[netip.Addr][]*conn
	total    int
	cameras  map[netip.Addr]bool // that brought a camera's mail
	rates    map[netip.Addr]*rate
	hellos   map[netip.Addr]*rate
	logins   map[netip.Addr]*rate
	right    map[netip.Addr]bool // that logged in rightly
	reads    map[netip.Addr]int  // mails that are read now
	read     int                 // all of them
	logged   map[netip.Addr]*rate
	sessions sync.WaitGroup // connections that are let in, and mails that are read
}

// rate counts what an address does.
type rate struct {
	since time.Time
	count float64
}

// admits reports whether an address does not come too often.
func (g *connLimiter) admits(a netip.Addr, isCamera bool, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	most := float64(manyConns)
	if isCamera || g.cameras[a] {
		most *= 10 // its mails count, each of them
	}
	return allow(&g.rates, a, most, 2*most, now)
}

// greets reports whether an address does not begin TLS too often.
func (g *connLimiter) greets(a netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	most := float64(manyHellos)
	if g.cameras[a] {
		most *= 10
	}
	return allow(&g.hellos, a, most, 2*most, now)
}

// enter lets a connection in, which is all ready: it may be closed from now on. Drop, if not nil, has to be closed for
// it. The connection's end calls leave.
func (g *connLimiter) enter(c *conn) (drop *conn, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false
	}
	if g.conns == nil {
		g.conns = map[netip.Addr][]*conn{}
	}
	switch {
	case len(g.conns[c.from]) >= maxPerAddress:
		drop = g.conns[c.from][0]
	case g.total >= maxConns:
		drop = g.greediest()
	}
	if drop != nil {
		g.remove(drop)
	}
	g.conns[c.from] = append(g.conns[c.from], c)
	g.total++
	g.sessions.Add(1)
	return drop, true
}

// greediest is the oldest connection of the address that has the most by the gate's count. g.mu is held.
func (g *connLimiter) greediest() *conn {
	var worst *conn
	most := 0
	for a, list := range g.conns {
		n := len(list)
		switch {
		case list[0].isCamera:
		case g.cameras[a]:
			n += maxPerAddress / 2
		default:
			n += maxPerAddress
		}
		if worst == nil || n > most || n == most && list[0].began.Before(worst.began) {
			worst, most = list[0], n
		}
	}
	return worst
}

// remove forgets a connection. g.mu is held.
func (g *connLimiter) remove(c *conn) {
	list := g.conns[c.from]
	for i := range list {
		if list[i] == c {
			g.total--
			if len(list) == 1 {
				delete(g.conns, c.from)
			} else {
				g.conns[c.from] = append(list[:i:i], list[i+1:]...)
			}
			return
		}
	}
}

// leave notes that a connection is over. It is called once for each that entered.
func (g *connLimiter) leave(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(c)
	g.sessions.Done()
}

// reading notes that a mail of an address is being read, until done is called; false means that the server ends, or
// that there are too many: one goes on to be read when its connection had to go.
func (g *connLimiter) reading(a netip.Addr) (done func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.read >= maxConns || g.reads[a] >= maxPerAddress {
		return nil, false
	}
	if g.reads == nil {
		g.reads = map[netip.Addr]int{}
	}
	g.reads[a]++
	g.read++
	g.sessions.Add(1)
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.read--
		if g.reads[a]--; g.reads[a] == 0 {
			delete(g.reads, a)
		}
		g.sessions.Done()
	}, true
}

// brought notes that a connection brought a mail of a camera: it goes behind those of its address that did not.
func (g *connLimiter) brought(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cameras == nil || len(g.cameras) >= keptAddresses {
		g.cameras = map[netip.Addr]bool{}
	}
	g.cameras[c.from] = true
	before := g.total
	g.remove(c)
	if g.total < before {
		g.conns[c.from] = append(g.conns[c.from], c)
		g.total++
	}
}

// close lets nobody in any more, ends all connections and waits for them.
func (g *connLimiter) close() {
	g.mu.Lock()
	g.closed = true
	var all []*conn
	for _, list := range g.conns {
		all = append(all, list...)
	}
	g.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
	g.sessions.Wait()
}

// mayLog reports whether something that an address did is worth a line in the log: a few at once, then one in ten
// seconds.
func (g *connLimiter) mayLog(a netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return allow(&g.logged, a, 0.1, 10, now)
}

// wrongLogin counts a wrong login of an address.
func (g *connLimiter) wrongLogin(a netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	allow(&g.logins, a, manyLogins/loginTime.Seconds(), manyLogins, now)
}

// rightLogin notes that an address logged in rightly.
func (g *connLimiter) rightLogin(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.right == nil || len(g.right) >= keptAddresses {
		g.right = map[netip.Addr]bool{}
	}
	g.right[a] = true
}

// mayLogin reports whether an address has not tried too many wrong logins lately. One that logged in rightly may
// always: there may be several cameras behind it, of which one has a wrong password.
func (g *connLimiter) mayLogin(a netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.logins[a]
	return r == nil || g.right[a] || r.count-now.Sub(r.since).Seconds()*manyLogins/loginTime.Seconds() < manyLogins-1
}

// allow counts one more for an address and reports whether that is within a rate, with a burst.
func allow(rates *map[netip.Addr]*rate, a netip.Addr, perSecond, burst float64, now time.Time) bool {
	if *rates == nil {
		*rates = map[netip.Addr]*rate{}
	}
	r := (*rates)[a]
	if r == nil {
		if len(*rates) >= keptAddresses {
			for old, r := range *rates {
				if r.count-now.Sub(r.since).Seconds()*perSecond <= 0 || len(*rates) >= keptAddresses {
					delete(*rates, old)
				}
			}
		}
		r = &rate{since: now}
		(*rates)[a] = r
	}
	r.count = max(0, r.count-now.Sub(r.since).Seconds()*perSecond)
	r.since = now
	if r.count+1 > burst {
		return false
	}
	r.count++
	return true
}

// listener lets only allowed networks in, bounds the connections, and notes when each began.
type listener struct {
	net.Listener
	s     *Server
	port  string
	first bool // TLS from the first byte
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.s.accept(nc, l); c != nil {
			return c, nil
		}
	}
}

// accept makes a connection ready for go-smtp, or closes it and returns nil.
func (s *Server) accept(nc net.Conn, l *listener) net.Conn {
	began := time.Now()
	ap, _ := netip.ParseAddrPort(nc.RemoteAddr().String())
	from := ap.Addr().Unmap().WithZone("")
	if !s.allowed(from) {
		if s.limiter.mayLog(from, began) {
			s.Log.Warn("mail connection refused: address is not in smtp.allow", "from", from)
		}
		s.Refused(from)
		s.Connections.refuse(began, from, l.port, text.RefusedAddress.With(from))
		_ = nc.Close()
		return nil
	}
	own := s.known(from)
	if !s.limiter.admits(from, own, began) {
		s.Connections.refuse(began, from, l.port, text.RefusedTooMany.With(from))
		_ = nc.SetWriteDeadline(began.Add(100 * time.Millisecond))
		_, _ = io.WriteString(nc, "421 4.7.0 Too many connections\r\n")
		_ = nc.Close()
		return nil
	}
	sniff, sniffed := s.Connections.sniff(from)
	c := &conn{began: began, from: from, isCamera: own,
		Conn: smtpquirks.New(&idleConn{Conn: nc},
			smtpquirks.Options{TLS: s.tls, First: l.first, Sniff: sniff, Sniffed: sniffed})}
	c.record = s.Connections.open(began, from, l.port, c.Conn)
	timer := time.AfterFunc(longestTime, func() { _ = c.Close() })
	c.end = func() {
		timer.Stop()
		c.record.end()
		s.limiter.leave(c)
	}
	drop, ok := s.limiter.enter(c)
	if !ok { // the server ends
		timer.Stop()
		c.record.end()
		_ = nc.Close()
		return nil
	}
	if drop != nil {
		drop.record.dropped()
		_ = drop.Close()
	}
	return c
}

// slots bounds what is kept in memory of mails at once: of all, and of each address. Who has held a place for long
// while there is none left loses its connection: a camera's mail takes moments.
type slots struct {
	max, each int

	mu   sync.Mutex // guards held
	held []*slot    // oldest first
}

// slot is one that a connection holds.
type slot struct {
	c     *conn
	since time.Time
}

// longHeld is for how long a place is nobody else's.
const longHeld = 10 * time.Second

// acquire takes a place for a connection. nil means that there is none.
func (p *slots) acquire(c *conn) *slot {
	p.mu.Lock()
	mine := 0
	for _, x := range p.held {
		if x.c.from == c.from {
			mine++
		}
	}
	var drop *conn
	switch {
	case mine >= p.each:
		p.mu.Unlock()
		return nil
	case len(p.held) >= p.max:
		if time.Since(p.held[0].since) < longHeld {
			p.mu.Unlock()
			return nil
		}
		drop = p.held[0].c
		p.held = slices.Delete(p.held, 0, 1)
	}
	x := &slot{c, time.Now()}
	p.held = append(p.held, x)
	p.mu.Unlock()
	if drop != nil {
		drop.record.setReason(text.ClosedSlow.With())
		_ = drop.Close()
	}
	return x
}

// release gives a place back, if it was not lost. nil is none.
func (p *slots) release(x *slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.held, x); i >= 0 {
		p.held = slices.Delete(p.held, i, i+1)
	}
}
