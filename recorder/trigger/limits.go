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

// Limits of the server. picture.go has the limits of pictures.
const (
	maxPerAddress = 64
	maxBytes      = 128 << 20 // of a mail; cameras attach pictures and short clips
	maxRecipients = 20
	maxParsing    = 4                // mails that are parsed at once
	maxHeads      = 128              // heads longer than shortHead that are in memory at once
	headsEach     = 8                // of maxHeads, for one address
	shortHead     = 4 << 10          // bytes
	sessionTime   = 10 * time.Minute // for the data of one mail, such as 30 MB over slow Wi-Fi
	idleTimeout   = 3 * time.Minute  // without a byte
	longestTime   = 30 * time.Minute // for a connection
	lateMail      = 30 * time.Second

	// Connections of one address per second, on average. The burst may be twice as many.
	manyConns = 300

	// TLS handshakes of one address per second, on average, because each one costs a signature.
	manyHellos    = 20
	manyLogins    = 20               // wrong logins of one address within loginTime
	loginTime     = 10 * time.Minute // in which manyLogins wrong logins are forgiven
	keptAddresses = 4096             // addresses that are remembered
)

// maxConns is the maximum number of connections. It leaves enough open files for what is recorded.
var maxConns = min(1024, max(32, openFiles()/4))

// --- One connection ---

// conn is a connection as go-smtp sees it.
type conn struct {
	*smtpquirks.Conn
	began    time.Time
	from     netip.Addr
	isCamera bool // its address is that of a camera's stream
	record   *connection
	once     sync.Once
	end      func()
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.end)
	return err
}

// idleConn ends a connection that is silent for longer than idleTimeout, whatever deadline was set.
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

// --- Connections, mails and logins ---

// connLimiter bounds the connections, in all and per address. When there are too many, it drops a connection of the
// address with the most connections: the one that has brought no mail for the longest time. An address that never
// brought a camera's mail counts as if it had many more connections. An address that did counts as if it had some more
// than the address of a camera's stream. So a camera gets in and stays.
type connLimiter struct {
	mu       sync.Mutex // guards everything below
	closed   bool       // no connection gets in any more
	conns    map[netip.Addr][]*conn
	total    int
	cameras  map[netip.Addr]bool // addresses that brought a camera's mail
	rates    map[netip.Addr]*rate
	hellos   map[netip.Addr]*rate
	logins   map[netip.Addr]*rate
	right    map[netip.Addr]bool // addresses that logged in correctly
	reads    map[netip.Addr]int  // mails being read, by address
	read     int                 // mails being read, of all addresses
	logged   map[netip.Addr]*rate
	sessions sync.WaitGroup // connections that were let in, and mails being read
}

// rate counts what an address does.
type rate struct {
	since time.Time
	count float64
}

// admits reports whether an address may open one more connection now.
func (g *connLimiter) admits(a netip.Addr, isCamera bool, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	most := float64(manyConns)
	if isCamera || g.cameras[a] {
		most *= 10 // each of its mails counts
	}
	return allow(&g.rates, a, most, 2*most, now)
}

// greets reports whether an address may begin one more TLS handshake now.
func (g *connLimiter) greets(a netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	most := float64(manyHellos)
	if g.cameras[a] {
		most *= 10
	}
	return allow(&g.hellos, a, most, 2*most, now)
}

// enter lets a connection in. The connection must be ready, since it may be closed from now on. If drop is not nil, the
// caller has to close drop to make room. The end of the connection calls leave.
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

// greediest returns the first connection of the address with the highest count. connLimiter describes the count. g.mu
// is held.
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

// leave records that a connection has ended. It is called once for each connection that entered.
func (g *connLimiter) leave(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(c)
	g.sessions.Done()
}

// reading records that a mail of an address is being read, until done is called. ok is false if the server ends or if
// too many mails are being read. The mails have a bound of their own, because a mail is read on after its connection
// was dropped.
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

// brought records that a connection brought a camera's mail. The connection moves behind the others of its address.
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

// close lets nobody in any more, closes all connections and waits for them and for the mails being read.
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

// mayLog reports whether to log something that an address did: up to ten lines at once, then one every ten seconds.
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

// rightLogin records that an address logged in correctly.
func (g *connLimiter) rightLogin(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.right == nil || len(g.right) >= keptAddresses {
		g.right = map[netip.Addr]bool{}
	}
	g.right[a] = true
}

// mayLogin reports whether an address may try to log in. An address with too many recent wrong logins may not, unless
// it ever logged in correctly: there may be several cameras behind it, one of them with a wrong password.
func (g *connLimiter) mayLogin(a netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.logins[a]
	return r == nil || g.right[a] || r.count-now.Sub(r.since).Seconds()*manyLogins/loginTime.Seconds() < manyLogins-1
}

// allow counts one more action of an address, and reports whether it is within a rate with a burst.
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

// --- Accepting ---

// listener accepts connections of allowed networks only, bounds them, and records when each began.
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

// accept prepares a connection for go-smtp, or closes it and returns nil.
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

// --- Memory for mails ---

// slots bounds how much of mails is kept in memory at once, in all and per address. If no slot is free, a connection
// that has held a slot for longer than longHeld is closed: a camera's mail takes moments.
type slots struct {
	max, each int

	mu   sync.Mutex // guards held
	held []*slot    // oldest first
}

// slot is a place that a connection holds.
type slot struct {
	c     *conn
	since time.Time
}

// longHeld is how long a connection keeps a slot even if no other slot is free.
const longHeld = 10 * time.Second

// acquire takes a slot for a connection. It returns nil if there is none.
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

// release gives a slot back, unless it was already taken away. x may be nil.
func (p *slots) release(x *slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.held, x); i >= 0 {
		p.held = slices.Delete(p.held, i, i+1)
	}
}
