package rtsp

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/source"
)

// server is an RTSP server made by hand.
type server struct {
	addr string

	mu     sync.Mutex                    // guards all fields below
	setup  func(transport string) string // answer to SETUP
	asked  []string
	tunnel string // answer to GET
}

func serve(t *testing.T) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: ln.Addr().String(), tunnel: "RTSP/1.0 400 Bad Request\r\n\r\n"}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(30 * time.Second))
				s.talk(c)
			})
		}
	})
	return s
}

const sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:trackID=0\r\n"

func (s *server) talk(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		var method, cseq, transport string
		for {
			l, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if l = strings.TrimSpace(l); l == "" {
				break
			}
			switch {
			case method == "":
				method, _, _ = strings.Cut(l, " ")
			case strings.HasPrefix(l, "CSeq:"):
				cseq = l
			case strings.HasPrefix(l, "Transport:"):
				transport = l
			}
		}
		s.mu.Lock()
		s.asked = append(s.asked, strings.TrimSpace(method+" "+transport))
		setup, tunnel := s.setup, s.tunnel
		s.mu.Unlock()
		switch method {
		case "OPTIONS":
			fmt.Fprintf(c, "RTSP/1.0 200 OK\r\n%s\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n", cseq)
		case "DESCRIBE":
			fmt.Fprintf(c, "RTSP/1.0 200 OK\r\n%s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
				cseq, len(sdp), sdp)
		case "SETUP":
			fmt.Fprintf(c, "RTSP/1.0 %s\r\n%s\r\n\r\n", setup(transport), cseq)
		case "GET", "POST":
			fmt.Fprint(c, tunnel)
			return
		default:
			fmt.Fprintf(c, "RTSP/1.0 200 OK\r\n%s\r\nSession: 1\r\n\r\n", cseq)
		}
	}
}

// run runs a session for the given time and returns the requests that the server got.
func (s *server) run(t *testing.T, src *Source, length time.Duration) (asked string, err error) {
	t.Helper()
	s.mu.Lock()
	s.asked = nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(t.Context(), length, source.Stalled.Failure(nil))
	defer cancel()
	err = src.Run(ctx, &sink{})
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.asked, "; "), err
}

// TestTransportIsFoundAgain runs a camera that refuses every transport while it starts. The first session must report
// the refusal, and the next session must begin with TCP.
func TestTransportIsFoundAgain(t *testing.T) {
	s := serve(t)
	s.setup = func(string) string { return "461 Unsupported Transport" }
	src := New(Options{URL: "rtsp://" + s.addr + "/x"})
	asked, err := s.run(t, src, 10*time.Second)
	if f := source.AsFailure(err); f.Kind != source.Transport ||
		!strings.Contains(asked, "UDP") && !strings.Contains(asked, "RTP/AVP;") || !strings.Contains(asked, "GET") {
		t.Errorf("%v after %s", err, asked)
	}
	s.mu.Lock()
	s.setup = func(transport string) string {
		if strings.Contains(transport, "TCP") {
			return "200 OK\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"
		}
		return "461 Unsupported Transport"
	}
	s.mu.Unlock()
	asked, err = s.run(t, src, 2*time.Second)
	if f := source.AsFailure(err); f.Kind != source.Stalled || !strings.Contains(asked, "PLAY") ||
		strings.Contains(asked, "GET") {
		t.Errorf("%v after %s", err, asked)
	}
}

// TestSilentUDP runs a camera that accepts only UDP, behind a firewall that blocks UDP.
func TestSilentUDP(t *testing.T) {
	s := serve(t)
	s.setup = func(transport string) string {
		if strings.Contains(transport, "TCP") {
			return "461 Unsupported Transport"
		}
		return "200 OK\r\nSession: 1\r\nTransport: RTP/AVP;unicast;" +
			transport[strings.Index(transport, "client_port"):] + ";server_port=9000-9001"
	}
	asked, err := s.run(t, New(Options{URL: "rtsp://" + s.addr + "/x"}), 25*time.Second)
	if f := source.AsFailure(err); f.Kind != source.Transport || !strings.Contains(f.Error(), "UDP") ||
		!strings.Contains(asked, "PLAY") || !strings.Contains(asked, "GET") {
		t.Errorf("%v after %s", err, asked)
	}
}
