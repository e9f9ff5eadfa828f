// Package discover finds cameras on the local network by WS-Discovery, which every ONVIF camera speaks.
//
// It sends probes to a multicast address on each network of this machine. Any device may answer, and the package trusts
// no answer: it limits the size and the number of answers, and keeps a few cleaned words of each. It connects to no
// device. Search waits for its goroutines.
package discover

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Multicast is the address on which cameras listen (WS-Discovery 1.0, section 2.4).
var Multicast = netip.MustParseAddrPort("239.255.255.250:3702")

// Limits of a search.
const (
	listenTime = 3 * time.Second
	repeatTime = 300 * time.Millisecond // each probe is sent twice this far apart, because UDP loses packets
	maxAnswers = 256
	maxAnswer  = 8 << 10 // bytes
	maxMatches = 16      // devices in one answer
	maxWords   = 100     // characters of a name
	maxSockets = 32
)

// kinds are the types of devices to probe for, each with its own probe, because some devices know only one of them
// (ONVIF core specification, section 7.3.3).
var kinds = []kind{
	{"NetworkVideoTransmitter", "http://www.onvif.org/ver10/network/wsdl"},
	{"Device", "http://www.onvif.org/ver10/device/wsdl"},
}

type kind struct{ name, space string }

// Search sends probes to an address, listens for three seconds, and returns the cameras that answered, sorted by
// address. The address is [Multicast], except in tests. Search returns an error if this machine has no usable network,
// or if ctx ends first.
func Search(ctx context.Context, at netip.AddrPort) ([]status.DiscoveredCamera, error) {
	sockets, err := open(at)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, listenTime)
	defer cancel()
	var l list
	var work sync.WaitGroup
	for _, s := range sockets {
		work.Go(func() { s.ask(ctx, at) })
		work.Go(func() { s.listen(&l) })
	}
	<-ctx.Done()
	for _, s := range sockets {
		_ = s.conn.Close()
	}
	work.Wait()
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, ctx.Err()
	}
	return l.sorted(), nil
}

// --- Sockets ---

// socket sends probes on one network of this machine.
type socket struct {
	conn *net.UDPConn
	net  netip.Prefix
}

// open opens a socket on each network that is up. If the address is not multicast, open returns one socket: on loopback
// for a loopback address, else on the network that leads to the address.
func open(at netip.AddrPort) (list []socket, err error) {
	if !at.Addr().IsMulticast() {
		local := &net.UDPAddr{}
		if at.Addr().IsLoopback() {
			local.IP = net.IPv4(127, 0, 0, 1)
		}
		conn, err := net.ListenUDP("udp4", local)
		if err != nil {
			return nil, err
		}
		return []socket{{conn: conn}}, nil
	}

	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	err = text.NoNetwork.Error()
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagMulticast == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addresses, aerr := i.Addrs()
		if aerr != nil {
			continue
		}
		for _, a := range addresses {
			p, perr := netip.ParsePrefix(a.String())
			if perr != nil || !p.Addr().Is4() || len(list) == maxSockets {
				continue
			}
			conn, lerr := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.Addr(), 0)))
			if lerr == nil {
				lerr = through(conn, p.Addr())
			}
			if lerr != nil {
				err = lerr
				continue
			}
			list = append(list, socket{conn, p})
		}
	}

	if list == nil {
		return nil, err
	}
	return list, nil
}

// through sends the socket's multicasts over the network to which an address of this machine belongs.
func through(conn *net.UDPConn, a netip.Addr) error {
	raw, err := conn.SyscallConn()
	if err == nil {
		var serr error
		err = raw.Control(func(fd uintptr) { serr = multicastBy(fd, a.As4()) })
		err = errors.Join(err, serr)
	}
	if err != nil {
		_ = conn.Close()
	}
	return err
}

// ask sends each probe twice.
func (s socket) ask(ctx context.Context, at netip.AddrPort) {
	var questions [][]byte
	for _, k := range kinds {
		questions = append(questions, probe(k))
	}
	timer := time.NewTimer(repeatTime)
	defer timer.Stop()
	for range 2 {
		for _, q := range questions {
			_, _ = s.conn.WriteToUDPAddrPort(q, at) // a network that cannot send gives no answers
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// probe returns a probe as a SOAP message with a unique id.
func probe(k kind) []byte {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>`+
		`<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:k="%s">`+
		`<e:Header><w:MessageID>uuid:%x-%x-%x-%x-%x</w:MessageID><w:To e:mustUnderstand="true">urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>`+
		`<w:Action e:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header>`+
		`<e:Body><d:Probe><d:Types>k:%s</d:Types></d:Probe></e:Body></e:Envelope>`, k.space, id[:4], id[4:6], id[6:8],
		id[8:10], id[10:], k.name)
}

// --- Answers ---

// listen reads answers until the socket is closed or maxAnswers is reached.
func (s socket) listen(l *list) {
	b := make([]byte, maxAnswer+1)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // Windows reports here that a peer does not listen or that an answer was too large
			if l.full() {
				return
			}
			continue
		}
		if !l.count() {
			return
		}
		if n > maxAnswer {
			continue
		}
		l.add(read(b[:n], from.Addr().Unmap(), s.net))
	}
}

// list collects the devices that were found.
type list struct {
	mu      sync.Mutex // guards the fields below
	answers int
	found   []device
}

// device is a camera with the id that distinguishes it from other devices.
type device struct {
	id string
	status.DiscoveredCamera
}

// count counts an answer and reports whether the answer may be read.
func (l *list) count() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers++
	return l.answers <= maxAnswers
}

// full reports whether no more answers are read. An error counts as an answer, so that errors cannot repeat forever.
func (l *list) full() bool { return !l.count() }

func (l *list) add(devices []device) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range devices {
		same := func(o device) bool { return o.DiscoveredCamera == d.DiscoveredCamera || o.id != "" && o.id == d.id }
		if !slices.ContainsFunc(l.found, same) && len(l.found) < maxAnswers {
			l.found = append(l.found, d)
		}
	}
}

func (l *list) sorted() []status.DiscoveredCamera {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := make([]status.DiscoveredCamera, 0, len(l.found))
	for _, d := range l.found {
		found = append(found, d.DiscoveredCamera)
	}
	slices.SortStableFunc(found, func(a, b status.DiscoveredCamera) int {
		x, _ := netip.ParseAddr(a.Address)
		y, _ := netip.ParseAddr(b.Address)
		return cmp.Or(x.Compare(y), cmp.Compare(a.Name, b.Name))
	})
	return found
}

// envelope is an answer. XML namespaces are ignored, because devices use different ones.
type envelope struct {
	Matches []match `xml:"Body>ProbeMatches>ProbeMatch"`
}

type match struct {
	Address string `xml:"EndpointReference>Address"`
	Types   string
	Scopes  string
	XAddrs  string
}

// read returns the cameras in an answer that came from an address over a network. An invalid answer has no cameras.
func read(b []byte, from netip.Addr, over netip.Prefix) (list []device) {
	var e envelope
	d := xml.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(b, nil)))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	if d.Decode(&e) != nil {
		return nil
	}
	for _, m := range e.Matches[:min(len(e.Matches), maxMatches)] {
		if !strings.Contains(m.Types, "NetworkVideoTransmitter") && !strings.Contains(m.Scopes, "onvif://") {
			continue // printers and computers answer too
		}
		f := status.DiscoveredCamera{Address: address(m.XAddrs, from, over).String(), Name: scope(m.Scopes, "name"),
			Model: scope(m.Scopes, "hardware")}
		f.Brand = cmp.Or(config.GuessBrand(f.Model+" "+f.Name), config.GuessBrand(m.Scopes))
		list = append(list, device{clean(m.Address), f})
	}

	return list
}

// address picks one of the addresses that a device reports. It prefers the address that the answer came from, then an
// address in the same network, then any usable address. If there is no usable address, it returns the one that the
// answer came from.
func address(xaddrs string, from netip.Addr, over netip.Prefix) netip.Addr {
	if !over.IsValid() {
		over, _ = from.Prefix(24)
	}
	best, rank := from, 0
	for _, x := range strings.Fields(xaddrs) {
		u, err := url.Parse(x)
		if err != nil {
			continue
		}
		a, err := netip.ParseAddr(u.Hostname())
		a = a.Unmap()
		if err != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() && !from.IsLoopback() {
			continue
		}
		r := 1
		switch {
		case a == from:
			r = 3
		case over.Contains(a):
			r = 2
		}
		if r > rank {
			best, rank = a, r
		}
	}

	return best
}

// scope returns what a device reports about itself under a word (ONVIF core specification, section 7.3.2.2).
func scope(scopes, word string) string {
	for _, s := range strings.Fields(scopes) {
		const prefix = "onvif://www.onvif.org/"
		if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
			continue
		}
		key, value, _ := strings.Cut(s[len(prefix):], "/")
		if !strings.EqualFold(key, word) {
			continue
		}
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		if value = clean(value); value != "" {
			return value
		}
	}

	return ""
}

// clean makes text of an unknown device safe to show: valid UTF-8 without control and direction characters, and short.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(s); len(r) > maxWords {
		s = string(r[:maxWords])
	}
	return strings.TrimSpace(s)
}
