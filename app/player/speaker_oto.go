//go:build windows || darwin

package player

import (
	"io"
	"sync"
	"time"

	"github.com/ebitengine/oto/v3"
)

// Oto allows one context in a process.
var otoContext = sync.OnceValues(func() (*oto.Context, error) {
	c, ready, err := oto.NewContext(&oto.NewContextOptions{SampleRate: rate, ChannelCount: channels,
		Format: oto.FormatSignedInt16LE, BufferSize: otoBuffer})
	if err == nil {
		<-ready
		err = c.Err()
	}
	return c, err
})

// otoBuffer is the length of the buffer of the system, and otoAhead that of the player before it.
const (
	otoBuffer = 40 * time.Millisecond
	otoAhead  = 40 * time.Millisecond
)

// otoSpeaker plays by WASAPI or Core Audio.
type otoSpeaker struct {
	fill   filler
	player *oto.Player
	buf    []int16
}

// openSpeaker opens the system's default output.
func openSpeaker(fill filler) (io.Closer, error) {
	c, err := otoContext()
	if err != nil {
		return nil, err
	}
	s := &otoSpeaker{fill: fill}
	s.player = c.NewPlayer(s)
	s.player.SetBufferSize(int(otoAhead * rate / time.Second * 2 * channels))
	s.player.Play()
	return s, nil
}

// Read gives the system the next samples.
func (s *otoSpeaker) Read(b []byte) (int, error) {
	n := len(b) / 2
	if cap(s.buf) < n {
		s.buf = make([]int16, n)
	}
	buf := s.buf[:n]
	queued := time.Duration(s.player.BufferedSize()) * time.Second / (rate * 2 * channels)
	s.fill(buf, otoBuffer+queued)
	for i, v := range buf {
		b[2*i], b[2*i+1] = byte(v), byte(v>>8)
	}
	return 2 * n, nil
}

// Close ends the sound.
func (s *otoSpeaker) Close() error { return s.player.Close() }
