package camtest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"
)

// viewer is a small RTSP client over TCP that sees what FFmpeg hides: every packet and its arrival time.
type viewer struct {
	conn net.Conn
	br   *bufio.Reader
	url  string
	cseq int
}

// rtp is a packet of the video track: an RTP packet or a sender report.
type rtp struct {
	report  bool
	seq     uint16
	ts      uint32
	mark    bool
	payload []byte
	clock   time.Time // of a report
	at      time.Time // arrival time
}

const busyTimeout = 60 * time.Second

func dial(t *testing.T, c *Camera) *viewer {
	t.Helper()
	conn, err := net.DialTimeout("tcp", c.addr, busyTimeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &viewer{conn: conn, br: bufio.NewReader(conn), url: c.URL()}
}

// watch connects and plays the video.
func watch(t *testing.T, c *Camera) *viewer {
	t.Helper()
	v := dial(t, c)
	for _, r := range [][2]string{{"DESCRIBE", v.url}, {"SETUP", v.url + "/trackID=0"}, {"PLAY", v.url}} {
		if err := v.ask(r[0], r[1], busyTimeout); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// ask sends a request and reads the answer. It skips packets.
func (v *viewer) ask(method, uri string, limit time.Duration) error {
	v.cseq++
	if _, err := fmt.Fprintf(v.conn,
		"%s %s RTSP/1.0\r\nCSeq: %d\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n", method, uri,
		v.cseq); err != nil {
		return err
	}
	_ = v.conn.SetReadDeadline(time.Now().Add(limit))
	for {
		b, err := v.br.Peek(1)
		if err != nil {
			return err
		}
		if b[0] == '$' {
			if _, err := v.packet(); err != nil {
				return err
			}
			continue
		}
		line, cseq, err := v.answer()
		if err == nil && cseq != v.cseq {
			continue // an answer to an earlier request
		}
		if err == nil && !strings.Contains(line, " 200 ") {
			err = errors.New(line)
		}
		return err
	}
}

// answer reads an answer and returns its first line and its CSeq number.
func (v *viewer) answer() (line string, cseq int, err error) {
	tp := textproto.NewReader(v.br)
	if line, err = tp.ReadLine(); err != nil {
		return "", 0, err
	}
	h, err := tp.ReadMIMEHeader()
	if err != nil {
		return "", 0, err
	}
	n, _ := strconv.Atoi(h.Get("Content-Length"))
	cseq, _ = strconv.Atoi(h.Get("CSeq"))
	_, err = v.br.Discard(n)
	return line, cseq, err
}

// packet reads a packet. It skips late answers.
func (v *viewer) packet() (rtp, error) {
	for {
		if b, err := v.br.Peek(1); err != nil {
			return rtp{}, err
		} else if b[0] == '$' {
			break
		}
		if _, _, err := v.answer(); err != nil {
			return rtp{}, err
		}
	}
	var h [4]byte
	if _, err := io.ReadFull(v.br, h[:]); err != nil {
		return rtp{}, err
	}
	b := make([]byte, binary.BigEndian.Uint16(h[2:]))
	if _, err := io.ReadFull(v.br, b); err != nil {
		return rtp{}, err
	}
	now := time.Now()
	if h[1] == 1 {
		ns := int64(binary.BigEndian.Uint32(b[12:])) * 1e9 >> 32
		return rtp{report: true, ts: binary.BigEndian.Uint32(b[16:]),
			clock: time.Unix(int64(binary.BigEndian.Uint32(b[8:]))-2208988800, ns), at: now}, nil
	}
	return rtp{seq: binary.BigEndian.Uint16(b[2:]), ts: binary.BigEndian.Uint32(b[4:]), mark: b[1]&0x80 != 0,
		payload: b[12:], at: now}, nil
}

// next reads a packet within limit.
func (v *viewer) next(limit time.Duration) (rtp, error) {
	_ = v.conn.SetReadDeadline(time.Now().Add(limit))
	return v.packet()
}

// until reads packets until end returns true, and returns the packets without reports.
func (v *viewer) until(t *testing.T, end func(p rtp) bool) (ps []rtp) {
	t.Helper()
	for limit := time.Now().Add(busyTimeout); ; {
		p, err := v.next(time.Until(limit))
		if err != nil {
			t.Fatalf("after %d packets: %v", len(ps), err)
		}
		if !p.report {
			ps = append(ps, p)
		}
		if end(p) {
			return ps
		}
	}
}

// frames reads n frames and returns the last packet of each.
func (v *viewer) frames(t *testing.T, n int) (ps []rtp) {
	t.Helper()
	for _, p := range v.until(t, func(p rtp) bool {
		if !p.report && p.mark {
			n--
		}
		return n == 0
	}) {
		if p.mark {
			ps = append(ps, p)
		}
	}
	return ps
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
