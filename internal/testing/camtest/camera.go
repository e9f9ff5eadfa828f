// Package camtest is an RTSP camera for tests. Each of its frames carries a counter, and the package reads these
// counters.
//
// A Camera loops an encoded file in real time: frame n leaves at Start + n/fps and shows First + n modulo the loop's
// length. So a test can tell exactly which frames a clip holds and when each frame left the camera. The camera uses
// only the standard library. FFmpeg makes the loop (see [Media]) and decodes clips (see [Frames]).
//
// A Camera has the faults of real cameras, each as a method that may be called at any moment. The camera loses its
// power ([Camera.Down], [Camera.Restart]), hangs ([Camera.Freeze]), or its cable is out ([Camera.Stall]). Packets are
// lost or damaged ([Camera.Lose], [Camera.Corrupt]). The clock jumps, repeats or stands still ([Camera.Jump],
// [Camera.Repeat], [Camera.Still]). The camera changes to another loop ([Camera.Switch]). The camera also records what
// it sent ([Camera.History], [Camera.Sent], [Camera.Silences]), so that a test can distinguish what the camera did not
// send from what Preroll lost. [Times] returns when the frames of a clip were sent.
package camtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure what a Camera sends and to whom.
type Options struct {
	Listen     string  // address:port; empty means a free port on loopback
	Video      string  // Annex B file, .h264 or .h265; see [Media.File]
	FPS        float64 // frames per second
	Audio      string  // "", "pcma", "pcmu", "speex", "g726", "l16", or an ADTS file
	Meta       bool    // adds an ONVIF metadata track
	Auth       string  // "", "basic" or "digest"
	User, Pass string
	Skew       float64 // rate of the camera's clock; 0 means 1, 1.001 is 0.1 % fast
	NoReports  bool    // sends no RTCP sender reports
	Queue      int     // max frames (video or audio) that wait for a client who does not read; 0 means 256
	Oddities
}

// Camera is a running test camera. Several goroutines may call its methods at the same time.
type Camera struct {
	opt    Options
	addr   string
	start  time.Time
	tracks []track
	video  atomic.Pointer[playing]
	jump   atomic.Int64 // nanoseconds added to the camera's clock
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex   // guards the fields below, and changes of video
	ln      net.Listener // nil without power
	clients map[*client]bool
	faults
	truth
}

// playing is a loop and the time of its frame 0.
type playing struct {
	*video
	from time.Time
}

type track struct {
	sdp  string
	rate uint32
	pt   byte
	ssrc uint32
}

type packet struct {
	track   int
	payload []byte
	mark    bool
	key     bool
	stamp
}

// stamp is a moment as the camera reports it.
type stamp struct {
	rtp   uint32
	clock time.Time // for sender reports
}

type client struct {
	conn    net.Conn
	cut     func()     // ends the connection
	playing bool       // guarded by the camera's mu
	write   sync.Mutex // guards writes to conn
	queue   chan []packet
	chans   map[int]byte // interleaved channel of each track
	rtp     map[int]*net.UDPConn
	rtcp    map[int]*net.UDPConn
	started bool
	seq     map[int]uint16
	report  map[int]time.Time
}

// Path is the path of the stream. Any other path is answered with 404.
const Path = "/cam"

// Start starts a camera. Close ends it.
func Start(opt Options) (*Camera, error) {
	v, err := loadVideo(opt.Video, opt.FPS)
	if err != nil {
		return nil, err
	}
	if opt.Skew == 0 {
		opt.Skew = 1
	}
	if opt.Queue == 0 {
		opt.Queue = 256
	}
	c := &Camera{opt: opt, tracks: []track{{"", 90000, 96, 0x1111}}, clients: map[*client]bool{}}
	var loops []func(context.Context)
	switch opt.Audio {
	case "":
	case "speex", "g726", "l16":
		r := rawSounds[opt.Audio]
		c.tracks = append(c.tracks, track{r.sdp, r.rate, r.pt, 0x2222})
		loops = append(loops, func(ctx context.Context) { c.rawLoop(ctx, r) })
	case "pcma", "pcmu":
		pt, name := byte(8), "PCMA"
		if opt.Audio == "pcmu" {
			pt, name = 0, "PCMU"
		}
		c.tracks = append(c.tracks, track{fmt.Sprintf("m=audio 0 RTP/AVP %d\r\na=rtpmap:%d %s/8000\r\n", pt, pt, name),
			8000, pt, 0x2222})
		loops = append(loops, c.g711Loop)
	default:
		frames, rate, err := adts(opt.Audio)
		if err != nil {
			return nil, err
		}
		index := map[int]int{48000: 3, 44100: 4, 32000: 5, 16000: 8, 8000: 11}[rate]
		c.tracks = append(c.tracks,
			track{fmt.Sprintf("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/%d/1\r\na=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=%04x\r\n", rate, 2<<11|index<<7|1<<3), uint32(rate), 97, 0x2222})
		loops = append(loops, func(ctx context.Context) { c.aacLoop(ctx, frames, rate) })
	}
	if opt.Meta {
		n := len(c.tracks)
		c.tracks = append(c.tracks, track{"m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n",
			90000, 107, 0x3333})
		loops = append(loops, func(ctx context.Context) { c.metaLoop(ctx, n) })
	}
	ln, err := listen(opt.Listen)
	if err != nil {
		return nil, err
	}
	if opt.TLS {
		if ln, err = secure(ln); err != nil {
			return nil, err
		}
	}
	c.ln, c.addr = ln, ln.Addr().String()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.start = time.Now()
	c.play(v)
	for _, loop := range append(loops, c.videoLoop) {
		c.wg.Go(func() { loop(c.ctx) })
	}
	c.wg.Go(func() { c.accept(ln) })
	return c, nil
}

// --- Power and viewers ---

// listen opens an address. An empty address means a free port below the ports that systems give to clients. Otherwise a
// client that calls a camera without power might get the camera's port and connect to itself.
func listen(address string) (ln net.Listener, err error) {
	if address != "" {
		return net.Listen("tcp", address)
	}
	for range 100 {
		if ln, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))); err == nil {
			break
		}
	}
	return ln, err
}

// Close ends the camera and all its connections.
func (c *Camera) Close() {
	c.mu.Lock()
	c.cancel()
	if c.ln != nil {
		_ = c.ln.Close()
		c.ln = nil
	}
	for cl := range c.clients {
		cl.cut()
	}
	c.mu.Unlock()
	c.wg.Wait()
}

// URL returns the address of the stream, without user and password.
func (c *Camera) URL() string {
	switch {
	case c.opt.TLS:
		return "rtsps://" + c.addr + Path
	case c.opt.Redirects:
		return "rtsp://" + c.addr + oldPath
	}
	return "rtsp://" + c.addr + Path
}

// Viewers returns the number of clients to which the camera is sending.
func (c *Camera) Viewers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for cl := range c.clients {
		if cl.playing {
			n++
		}
	}
	return n
}

func (c *Camera) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		ctx, cancel := context.WithCancel(c.ctx)
		cl := &client{conn: conn, queue: make(chan []packet, c.opt.Queue), chans: map[int]byte{},
			rtp: map[int]*net.UDPConn{}, rtcp: map[int]*net.UDPConn{},
			seq: map[int]uint16{}, report: map[int]time.Time{}}
		cl.cut = func() { cancel(); _ = conn.Close() }
		c.mu.Lock()
		if c.ln == ln {
			c.clients[cl] = true
			c.wg.Go(func() { c.serve(ctx, cl) })
		} else {
			cl.cut()
		}
		c.mu.Unlock()
	}
}

// --- Sending ---

// stamp converts a time of this machine to the camera's clock and to the timestamps of a track.
func (c *Camera) stamp(trk int, wall time.Time) stamp {
	jump, rate := c.jump.Load(), int64(c.tracks[trk].rate)
	s := wall.Sub(c.start).Seconds() * c.opt.Skew
	return stamp{uint32(int64(s*float64(rate)) + jump/1e6*rate/1000 + 123456 + c.opt.FirstStamp),
		wall.Add(time.Duration(jump))}
}

func (c *Camera) publish(ps []packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue(ps)
}

// queue passes packets to every client, and reports whether the camera sent them. The camera sends nothing while it is
// silent. While its cable is out, packets count as sent only if the queue of a client takes them. A client that is too
// slow for a live source loses packets, and that is not the camera's fault. The caller holds mu.
func (c *Camera) queue(ps []packet) bool {
	if c.mute || c.ln == nil || c.thaw != nil {
		return false
	}
	sent, viewers := false, false
	for cl := range c.clients {
		if !cl.playing {
			continue
		}
		viewers = true
		select {
		case cl.queue <- ps:
			sent = true
		default:
		}
	}
	return sent || !viewers || time.Now().After(c.cable)
}

// until waits for a moment, and reports whether the camera is still running.
func until(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Camera) videoLoop(ctx context.Context) {
	v := c.video.Load()
	var last stamp
	for i := 0; ; i++ {
		if n := c.video.Load(); n != v {
			v, i = n, 0
		}
		at := func() time.Time { return v.from.Add(time.Duration(float64(i) / v.fps * 1e9)) }
		// The process was stopped: skip frames like a live source.
		if late := time.Since(at()); late > 3*time.Second {
			from := at()
			i += int(late.Seconds() * v.fps)
			c.late(from, at())
		}
		wall := at()
		if !until(ctx, wall) {
			return
		}
		u := v.units[i%len(v.units)]
		payloads := v.payloads(u)
		ps := make([]packet, len(payloads))
		last = c.videoStamp(i, wall, last)
		for k, p := range payloads {
			ps[k] = packet{0, p, k == len(payloads)-1, u.key, last}
		}
		c.show(v, wall, ps)
	}
}

func (c *Camera) g711Loop(ctx context.Context) {
	wall := c.start
	for n := 0; until(ctx, wall); n++ {
		buf := make([]byte, 320)
		for k := range buf {
			s := int16(6000 * math.Sin(2*math.Pi*440*float64(n*320+k)/8000))
			if c.opt.Audio == "pcma" {
				buf[k] = alaw(s)
			} else {
				buf[k] = ulaw(s)
			}
		}
		c.sound(packet{track: 1, payload: buf, mark: n == 0, stamp: c.stamp(1, wall)})
		wall = wall.Add(40 * time.Millisecond)
	}
}

func (c *Camera) aacLoop(ctx context.Context, frames [][]byte, rate int) {
	wall := c.start
	for n := 0; until(ctx, wall); n++ {
		f := frames[n%len(frames)]
		p := append([]byte{0, 16, byte(len(f) >> 5), byte(len(f) << 3)}, f...)
		c.sound(packet{track: 1, payload: p, mark: true, stamp: c.stamp(1, wall)})
		wall = c.start.Add(time.Duration(float64(n+1) * 1024 / float64(rate) * 1e9))
	}
}

func (c *Camera) metaLoop(ctx context.Context, trk int) {
	xml := []byte(`<?xml version="1.0"?><tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema"/>`)
	for wall := c.start; until(ctx, wall); wall = wall.Add(time.Second) {
		c.publish([]packet{{track: trk, payload: xml, mark: true, stamp: c.stamp(trk, wall)}})
	}
}

// send writes the queued packets of a client until the connection ends.
func (c *Camera) send(ctx context.Context, cl *client) {
	for {
		var ps []packet
		select {
		case ps = <-cl.queue:
		case <-ctx.Done():
			return
		}
		if !c.passes(ctx) {
			return
		}
		if !cl.started && !c.opt.AnyFrame && (ps[0].track != 0 || !ps[0].key) {
			continue // the first picture of a client is a keyframe
		}
		cl.started = true
		lose, corrupt := c.rates()
		var buf bytes.Buffer
		for _, p := range ps {
			c.packet(cl, &buf, p, lose, corrupt)
		}
		if buf.Len() > 0 {
			cl.write.Lock()
			_, err := cl.conn.Write(buf.Bytes())
			cl.write.Unlock()
			if err != nil {
				return
			}
		}
	}
}

// packet sends an RTP packet over UDP or adds it to the interleaved bytes, unless the packet is to be lost. Every five
// seconds a sender report precedes the packet.
func (c *Camera) packet(cl *client, buf *bytes.Buffer, p packet, lose, corrupt float64) {
	ch, tcp := cl.chans[p.track]
	udp := cl.rtp[p.track]
	if !tcp && udp == nil {
		return
	}
	t := c.tracks[p.track]
	if !c.opt.NoReports && time.Since(cl.report[p.track]) > 5*time.Second {
		cl.report[p.track] = time.Now()
		sr := make([]byte, 28)
		sr[0], sr[1], sr[3] = 0x80, 200, 6
		binary.BigEndian.PutUint32(sr[4:], t.ssrc)
		ns := p.clock.UnixNano()
		if p.track == 1 {
			ns += int64(c.opt.ReportsOff)
		}
		binary.BigEndian.PutUint32(sr[8:], uint32(ns/1e9+2208988800))
		binary.BigEndian.PutUint32(sr[12:], uint32(uint64(ns%1e9)<<32/1e9))
		binary.BigEndian.PutUint32(sr[16:], p.rtp)
		if tcp {
			buf.Write([]byte{'$', ch + 1, 0, 28})
			buf.Write(sr)
		} else {
			_, _ = cl.rtcp[p.track].Write(sr)
		}
	}
	seq := cl.seq[p.track]
	cl.seq[p.track]++
	if rand.Float64() < lose {
		return
	}
	r := make([]byte, 12, 12+len(p.payload))
	r[0], r[1] = 0x80, t.pt
	if p.mark {
		r[1] |= 0x80
	}
	binary.BigEndian.PutUint16(r[2:], seq)
	binary.BigEndian.PutUint32(r[4:], p.rtp)
	binary.BigEndian.PutUint32(r[8:], t.ssrc)
	r = append(r, p.payload...)
	if rand.Float64() < corrupt {
		damage(r[12:])
	}
	if tcp {
		buf.Write([]byte{'$', ch, byte(len(r) >> 8), byte(len(r))})
		buf.Write(r)
	} else {
		_, _ = udp.Write(r)
	}
}

// --- RTSP ---

func (c *Camera) authorised(method, header string) bool {
	switch c.opt.Auth {
	case "":
		return true
	case "basic":
		return header == "Basic "+base64.StdEncoding.EncodeToString([]byte(c.opt.User+":"+c.opt.Pass))
	}
	fields, ok := strings.CutPrefix(header, "Digest ")
	if !ok {
		return false
	}
	m := map[string]string{}
	for kv := range strings.SplitSeq(fields, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(kv), "=")
		m[k] = strings.Trim(v, `"`)
	}
	sum := func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) }
	if strings.EqualFold(m["algorithm"], "SHA-256") {
		sum = func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	} else if len(c.opt.Algorithms) > 0 && !slices.Contains(c.opt.Algorithms, "MD5") {
		return false
	}
	return m["username"] == c.opt.User &&
		m["response"] == sum(sum(c.opt.User+":camsim:"+c.opt.Pass)+":"+m["nonce"]+":"+sum(method+":"+m["uri"]))
}

// request reads one RTSP request, and skips interleaved packets from the client (RTCP).
func request(br *bufio.Reader) (method, uri string, header map[string]string, err error) {
	for {
		b, err := br.Peek(1)
		if err != nil {
			return "", "", nil, err
		}
		if b[0] == '$' {
			h := make([]byte, 4)
			if _, err = io.ReadFull(br, h); err != nil {
				return "", "", nil, err
			}
			if _, err = br.Discard(int(h[2])<<8 | int(h[3])); err != nil {
				return "", "", nil, err
			}
			continue
		}
		line, err := br.ReadString('\n')
		if err != nil {
			return "", "", nil, err
		}
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		header = map[string]string{}
		for {
			if line, err = br.ReadString('\n'); err != nil {
				return "", "", nil, err
			}
			if line = strings.TrimSpace(line); line == "" {
				return f[0], f[1], header, nil
			}
			k, v, _ := strings.Cut(line, ":")
			header[strings.ToLower(k)] = strings.TrimSpace(v)
		}
	}
}

func (c *Camera) serve(ctx context.Context, cl *client) {
	var sending sync.WaitGroup
	defer func() {
		c.mu.Lock()
		delete(c.clients, cl)
		c.mu.Unlock()
		cl.cut()
		sending.Wait()
		for i := range cl.rtp {
			_ = cl.rtp[i].Close()
			_ = cl.rtcp[i].Close()
		}
	}()
	br := bufio.NewReader(cl.conn)
	for {
		method, uri, header, err := request(br)
		if !c.passes(ctx) || err != nil {
			return
		}
		reply := func(code, body string, extra ...string) {
			s := "RTSP/1.0 " + code + "\r\nCSeq: " + header["cseq"] + "\r\nSession: 1;timeout=60\r\n"
			for _, h := range extra {
				s += h + "\r\n"
			}
			if body != "" {
				s += fmt.Sprintf("Content-Length: %d\r\n", len(body))
			}
			cl.write.Lock()
			defer cl.write.Unlock()
			_, _ = io.WriteString(cl.conn, s+"\r\n"+body)
		}
		if method != "OPTIONS" && !c.authorised(method, header["authorization"]) {
			challenge := `WWW-Authenticate: Basic realm="camsim"`
			if c.opt.Auth == "digest" {
				challenge = fmt.Sprintf(`WWW-Authenticate: Digest realm="camsim", nonce="%x"`, time.Now().UnixNano())
			}
			challenges := []string{challenge}
			for i, a := range c.opt.Algorithms {
				if i == 0 {
					challenges = nil
				}
				challenges = append(challenges,
					fmt.Sprintf(`WWW-Authenticate: Digest realm="camsim", nonce="%x", algorithm="%s", stale="FALSE"`,
						time.Now().UnixNano(), a))
			}
			reply("401 Unauthorized", "", challenges...)
			continue
		}
		if c.opt.RedirectsTo != "" && method != "OPTIONS" {
			reply("302 Moved Temporarily", "", "Location: "+c.opt.RedirectsTo)
			continue
		}
		if c.opt.Redirects && strings.HasSuffix(uri, oldPath) {
			reply("302 Moved Temporarily", "", "Location: rtsp://"+c.addr+Path)
			continue
		}
		if c.opt.OneViewer && method == "SETUP" && c.Viewers() > 0 {
			reply("453 Not Enough Bandwidth", "")
			continue
		}
		u, err := url.Parse(uri)
		if method != "OPTIONS" && (err != nil || !strings.HasPrefix(u.Path, Path)) {
			reply("404 Not Found", "")
			continue
		}
		switch method {
		case "OPTIONS":
			reply("200 OK", "", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
		case "DESCRIBE":
			s := c.description()
			reply("200 OK", s, "Content-Type: application/sdp", "Content-Base: "+strings.TrimRight(uri, "/")+"/")
		case "SETUP":
			transport, err := c.setup(cl, u.Path, header["transport"])
			if err != nil {
				reply(err.Error(), "")
				continue
			}
			reply("200 OK", "", transport)
		case "PLAY":
			reply("200 OK", "", "Range: npt=now-")
			c.mu.Lock()
			cl.playing = true
			c.mu.Unlock()
			sending.Go(func() { c.send(ctx, cl) })
		case "TEARDOWN":
			reply("200 OK", "")
			return
		default:
			reply("200 OK", "")
		}
	}
}

// setup answers SETUP. It returns the Transport header, or an error whose text ends the status line.
func (c *Camera) setup(cl *client, path, asked string) (string, error) {
	i, err := strconv.Atoi(path[strings.LastIndex(path, "=")+1:])
	if err != nil || i < 0 || i >= len(c.tracks) {
		return "", errors.New("404 Not Found")
	}
	if c.opt.OnlyUDP && strings.Contains(asked, "interleaved") {
		return "", errors.New("461 Unsupported Transport")
	}
	if _, ch, ok := strings.Cut(asked, "interleaved="); ok {
		ch, _, _ = strings.Cut(ch, "-")
		n, err := strconv.Atoi(ch)
		if err != nil {
			return "", errors.New("400 Bad Request")
		}
		cl.chans[i] = byte(n)
		return fmt.Sprintf("Transport: RTP/AVP/TCP;unicast;interleaved=%d-%d;ssrc=%08X", n, n+1, c.tracks[i].ssrc), nil
	}
	_, ports, ok := strings.Cut(asked, "client_port=")
	ports, _, _ = strings.Cut(ports, ";")
	first, _, _ := strings.Cut(ports, "-")
	n, err := strconv.Atoi(first)
	if !ok || err != nil {
		return "", errors.New("461 Unsupported Transport")
	}
	ip := cl.conn.RemoteAddr().(*net.TCPAddr).IP
	a, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: ip, Port: n})
	if err != nil {
		return "", errors.New("500 Internal Server Error")
	}
	b, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: ip, Port: n + 1})
	if err != nil {
		_ = a.Close()
		return "", errors.New("500 Internal Server Error")
	}
	cl.rtp[i], cl.rtcp[i] = a, b
	return fmt.Sprintf("Transport: RTP/AVP;unicast;client_port=%d-%d;server_port=%d-%d", n, n+1,
		a.LocalAddr().(*net.UDPAddr).Port, b.LocalAddr().(*net.UDPAddr).Port), nil
}
