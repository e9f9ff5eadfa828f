package call

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

// conn is a connection of a caller, which makes one call.
type conn struct {
	net.Conn
	l     *listener
	from  netip.Addr
	began atomic.Int64 // when its first byte came, in nanoseconds since 1970; 0: none has
	taken atomic.Bool  // it brought a valid token
}

// Read notes when the call begins.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.began.CompareAndSwap(0, time.Now().UnixNano())
	}
	return n, err
}

// Close closes the connection and makes room for another one.
func (c *conn) Close() error {
	c.l.leave(c)
	return c.Conn.Close()
}

// listener accepts connections of allowed addresses, and only so many of each address and in all. Where one has to go,
// it is the oldest without a valid token: of the same address if that has too many, else of the address with the most.
type listener struct {
	net.Listener
	allow   func(netip.Addr) bool
	refused func(from netip.Addr, camera string, why text.Text)

	mu    sync.Mutex // guards conns
	conns []*conn    // the oldest first
}

// Accept returns the next connection that may call.
func (l *listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: inner, l: l, from: addrOf(inner.RemoteAddr().String())}
		switch {
		case !l.allow(c.from):
			l.refused(c.from, "", text.CallerNotAllowed.With())
		case !l.enter(c):
			l.refused(c.from, "", text.TooManyCalls.With())
		default:
			return c, nil
		}
		_ = inner.Close()
	}
}

// enter makes room for a connection. It reports whether there is room.
func (l *listener) enter(c *conn) bool {
	l.mu.Lock()
	all, strangers := map[netip.Addr]int{}, map[netip.Addr]int{}
	for _, o := range l.conns {
		all[o.from]++
		if !o.taken.Load() {
			strangers[o.from]++
		}
	}
	of, crowded := c.from, all[c.from] >= maxPerAddress
	if !crowded && len(l.conns) >= maxConns {
		crowded = true
		for from, n := range strangers {
			if n > strangers[of] {
				of = from
			}
		}
	}

	var drop *conn
	if crowded {
		i := slices.IndexFunc(l.conns, func(o *conn) bool { return o.from == of && !o.taken.Load() })
		if i < 0 {
			l.mu.Unlock()
			return false
		}
		drop = l.conns[i]
		l.conns = slices.Delete(l.conns, i, i+1)
	}
	l.conns = append(l.conns, c)
	l.mu.Unlock()
	if drop != nil {
		_ = drop.Conn.Close()
		l.refused(drop.from, "", text.TooManyCalls.With())
	}
	return true
}

func (l *listener) leave(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = slices.DeleteFunc(l.conns, func(o *conn) bool { return o == c })
}

// dropStrangers closes the connections that brought no valid token yet.
func (l *listener) dropStrangers() {
	l.mu.Lock()
	list := slices.Clone(l.conns)
	l.mu.Unlock()
	for _, c := range list {
		if !c.taken.Load() {
			_ = c.Conn.Close()
		}
	}
}
