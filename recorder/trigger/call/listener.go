package call

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a connection of a caller.
type conn struct {
	net.Conn
	began atomic.Int64 // when its last request began, in nanoseconds since 1970; 0: the next one has not begun
	once  sync.Once
	end   func()
}

// Read notes when a request begins.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.began.CompareAndSwap(0, time.Now().UnixNano())
	}
	return n, err
}

// Close closes the connection and makes room for another one.
func (c *conn) Close() error {
	c.once.Do(c.end)
	return c.Conn.Close()
}

// listener accepts connections of allowed addresses, and only so many of each address and in all.
type listener struct {
	net.Listener
	allow   func(netip.Addr) bool
	refused func(netip.Addr)

	mu     sync.Mutex // guards everything below
	counts map[netip.Addr]int
	total  int
}

// Accept returns the next connection that may call.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		a := addrOf(c.RemoteAddr().String())
		if l.allow(a) && l.enter(a) {
			return &conn{Conn: c, end: func() { l.leave(a) }}, nil
		}
		if !l.allow(a) {
			l.refused(a)
		}
		_ = c.Close()
	}
}

// enter reports whether an address may open one more connection.
func (l *listener) enter(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= maxConns || l.counts[a] >= maxPerAddress {
		return false
	}
	l.counts[a]++
	l.total++
	return true
}

func (l *listener) leave(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.counts[a]--; l.counts[a] == 0 {
		delete(l.counts, a)
	}
}
