package player

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

// pulseSpeaker plays on a PulseAudio server, which PipeWire is too. It uses the protocol alone, because the stream of
// package pulse shares fields between goroutines without a lock.
type pulseSpeaker struct {
	client *proto.Client
	conn   net.Conn
	stream atomic.Uint32 // its index plus 1; 0 while there is none
	fill   filler
	asked  chan int // bytes that the server asks for
	heard  atomic.Pointer[heard]
	done   chan struct{}
	work   sync.WaitGroup
}

// heard is when a byte of the stream is heard.
type heard struct {
	at   time.Time
	byte int64
}

// Sizes of the stream.
const (
	frameBytes   = 2 * channels          // of a sample of all channels
	pulseBuffer  = rate / 20             // frames in the buffer of the server
	guessedDelay = 60 * time.Millisecond // until the server has said more
	latencyEvery = 100 * time.Millisecond
)

const (
	pulseTime    = time.Second // how long the server may take for an answer
	pulsePort    = "4713"
	cookieLength = 256
)

var errNoStream = errors.New("the sound server offers no stream")

// openSpeaker opens the desktop's default output.
func openSpeaker(fill filler) (io.Closer, error) {
	conn, err := dialPulse()
	if err != nil {
		return nil, err
	}
	s := &pulseSpeaker{client: &proto.Client{}, conn: conn, fill: fill, asked: make(chan int, 64),
		done: make(chan struct{})}
	s.client.Callback = s.told // before Open: the server may close at once
	s.client.SetTimeout(pulseTime)
	s.client.Open(conn)
	if err = s.login(); err == nil {
		err = s.open()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	s.work.Go(s.write)
	s.work.Go(s.measure)
	return s, nil
}

// dialPulse connects to the first server that answers of those that PULSE_SERVER names, or to the desktop's own.
func dialPulse() (net.Conn, error) {
	servers := strings.Fields(os.Getenv("PULSE_SERVER"))
	if len(servers) == 0 {
		dir := cmp.Or(os.Getenv("PULSE_RUNTIME_PATH"), filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "pulse"))
		servers = []string{filepath.Join(dir, "native")}
	}
	var errs []error
	for _, server := range servers {
		if _, after, found := strings.Cut(server, "}"); found { // {the machine's id}
			server = after
		}
		network, address, found := strings.Cut(server, ":")
		switch {
		case strings.HasPrefix(server, "/"):
			network, address = "unix", server
		case !found:
			network, address = "tcp", server
		}
		if _, _, err := net.SplitHostPort(address); err != nil && network != "unix" {
			address = net.JoinHostPort(address, pulsePort)
		}
		conn, err := net.DialTimeout(network, address, pulseTime)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// login shows the server the user's cookie. Without one it shows an empty one, which a server without cookies takes.
func (s *pulseSpeaker) login() error {
	home, _ := os.UserHomeDir()
	b, err := os.ReadFile(cmp.Or(os.Getenv("PULSE_COOKIE"), filepath.Join(home, ".config", "pulse", "cookie")))
	if err != nil {
		b = make([]byte, cookieLength)
	}
	var reply proto.AuthReply
	if err := s.client.Request(&proto.Auth{Version: s.client.Version(), Cookie: b}, &reply); err != nil {
		return err
	}
	s.client.SetVersion(reply.Version)
	return nil
}

// open creates the stream. The server asks for its first samples before it answers.
func (s *pulseSpeaker) open() error {
	name := proto.PropList{"application.name": proto.PropListString("Preroll"),
		"application.icon_name":  proto.PropListString("preroll"),
		"application.process.id": proto.PropListString(strconv.Itoa(os.Getpid()))}
	if err := s.client.Request(&proto.SetClientName{Props: name}, &proto.SetClientNameReply{}); err != nil {
		return err
	}
	var reply proto.CreatePlaybackStreamReply
	err := s.client.Request(&proto.CreatePlaybackStream{
		SampleSpec: proto.SampleSpec{Format: proto.FormatInt16LE, Channels: channels, Rate: rate},
		ChannelMap: proto.ChannelMap{proto.ChannelLeft, proto.ChannelRight}, SinkIndex: proto.Undefined,
		ChannelVolumes:  proto.ChannelVolumes{0x10000, 0x10000}, // the whole volume; its own is that of the samples
		BufferMaxLength: 2 * pulseBuffer * frameBytes, BufferTargetLength: pulseBuffer * frameBytes,
		BufferPrebufferLength: proto.Undefined, BufferMinimumRequest: proto.Undefined, AdjustLatency: true,
		Properties: proto.PropList{"media.name": proto.PropListString("Preroll"),
			"media.role": proto.PropListString("video")}}, &reply)
	if err != nil {
		return err
	}
	if reply.StreamIndex == proto.Undefined {
		return errNoStream
	}
	s.stream.Store(reply.StreamIndex + 1)
	s.ask(int(reply.Missing))
	return nil
}

// told takes what the server says by itself. It must not block.
func (s *pulseSpeaker) told(message any) {
	switch m := message.(type) {
	case *proto.Request:
		if s.stream.Load() == m.StreamIndex+1 {
			s.ask(int(m.Length))
		}
	case *proto.ConnectionClosed:
		_ = s.conn.Close()
	}
}

func (s *pulseSpeaker) ask(bytes int) {
	select {
	case s.asked <- bytes:
	default: // the server asks again when the sound has run dry
	}
}

// write gives the server the samples that it asks for.
func (s *pulseSpeaker) write() {
	var written int64
	index := s.stream.Load() - 1
	for {
		var n int
		select {
		case n = <-s.asked:
		case <-s.done:
			return
		}
		n = min(n, rate*frameBytes) / frameBytes * frameBytes
		delay := guessedDelay
		if h := s.heard.Load(); h != nil {
			ahead := time.Duration(written-h.byte) * time.Second / (rate * frameBytes)
			delay = max(0, time.Until(h.at.Add(ahead)))
		}
		buf := make([]int16, n/2)
		s.fill(buf, delay)
		b := make([]byte, 0, n)
		for _, v := range buf {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		}
		if s.client.Send(index, b) != nil {
			return
		}
		written += int64(n)
	}
}

// measure asks the server now and then when what it has is heard.
func (s *pulseSpeaker) measure() {
	tick := time.NewTicker(latencyEvery)
	defer tick.Stop()
	for {
		var reply proto.GetPlaybackLatencyReply
		err := s.client.Request(&proto.GetPlaybackLatency{StreamIndex: s.stream.Load() - 1}, &reply)
		if err == nil && reply.Running {
			s.heard.Store(&heard{time.Now().Add(time.Duration(reply.Latency) * time.Microsecond), reply.ReadIndex})
		}
		select {
		case <-tick.C:
		case <-s.done:
			return
		}
	}
}

// Close ends the sound.
func (s *pulseSpeaker) Close() error {
	close(s.done)
	s.work.Wait()
	return s.conn.Close()
}
