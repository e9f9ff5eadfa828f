package player

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Sound comes from an FFmpeg of its own, which runs only while a video plays at its usual speed with the volume up. The
// video sets the time: for each sample the speaker says when it is heard, the clock of the video says which position
// that is, and samples are left out or silence is put in until the two agree.

// Form of the samples.
const (
	rate     = 48000 // frames per second
	channels = 2
)

const (
	inStep     = 15 * time.Millisecond  // a smaller difference from the picture is left alone
	bufferTime = time.Second            // how much sound is decoded ahead
	startAhead = 200 * time.Millisecond // how far ahead of the picture an FFmpeg starts, which takes time
	idleTime   = 3 * time.Second        // how long the speaker stays open without sound, and rests after a failure
	deadTime   = 2 * time.Second        // a speaker that asks for nothing for so long is gone
	soundTick  = 20 * time.Millisecond
)

// filler fills a buffer with samples of all channels in turn. What it writes first is heard after the delay.
type filler func(buf []int16, delay time.Duration)

// soundClock is the clock of the video. It is a value, so that the sound's goroutines read it without a lock.
type soundClock struct {
	source  int // number of the source
	running bool
	base    time.Time // when the position baseAt is shown
	baseAt  time.Duration
}

// at returns the position that is shown at a time.
func (c soundClock) at(t time.Time) time.Duration { return c.baseAt + t.Sub(c.base) }

// sound plays the sound of the player's source.
type sound struct {
	ffmpeg string
	open   func(filler) (io.Closer, error)
	clock  atomic.Pointer[soundClock]
	volume atomic.Uint64 // float64 bits, 0 to 1
	level  atomic.Uint64 // float64 bits: peak of what was heard last, 0 to 1
	asked  atomic.Int64  // when the speaker asked for samples last, in Unix nanoseconds
	absent atomic.Bool   // there is no speaker, or none that answers

	mu     sync.Mutex // guards all fields below
	room   *sync.Cond // there is room in the queue, or the run has ended
	source Source
	number int           // of the source
	none   bool          // the source has no sound
	closed bool          // nothing is started any more
	queue  []int16       // decoded and not heard yet
	first  time.Duration // position of the queue's beginning
	run    context.CancelFunc
	began  time.Time // when FFmpeg was started
	over   bool      // FFmpeg has ended
	zero   time.Time // when position 0 was shown at the latest since then; a jump ahead makes it earlier

	wake chan struct{}
	quit chan struct{}
	done sync.WaitGroup
}

func newSound(ffmpeg string, open func(filler) (io.Closer, error)) *sound {
	s := &sound{ffmpeg: ffmpeg, open: open, wake: make(chan struct{}, 1), quit: make(chan struct{})}
	s.room = sync.NewCond(&s.mu)
	s.clock.Store(&soundClock{})
	s.setVolume(1)
	s.done.Go(s.loop)
	return s
}

func (s *sound) setVolume(v float64) {
	s.volume.Store(math.Float64bits(min(max(v, 0), 1)))
	s.poke()
}

func (s *sound) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// load replaces the source and returns its number.
func (s *sound) load(source Source) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
	s.source, s.none = source, false
	s.number++
	return s.number
}

// tell sets the clock of the video.
func (s *sound) tell(c soundClock) {
	old := s.clock.Swap(&c)
	if c.running && !old.running {
		s.poke()
	}
}

// silent reports whether the source is known to have no sound, or there is nothing to hear it with.
func (s *sound) silent() bool {
	if s.absent.Load() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.none
}

// close ends the sound. It does not wait longer than closeTime for a system that hangs.
func (s *sound) close() {
	close(s.quit)
	s.mu.Lock()
	s.closed = true
	s.end()
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.done.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(closeTime):
	}
}

// wanted returns the clock, and whether anything can be heard.
func (s *sound) wanted() (soundClock, bool) {
	c := *s.clock.Load()
	return c, c.running && math.Float64frombits(s.volume.Load()) > 0
}

// loop opens the speaker and keeps the queue filled while there is something to hear.
func (s *sound) loop() {
	var speaker io.Closer
	var failed time.Time // when there was no speaker
	silence := time.Now()
	tick := time.NewTicker(soundTick)
	defer tick.Stop()
	drop := func() {
		if speaker != nil {
			_ = speaker.Close()
			speaker = nil
		}
	}
	defer drop()
	for {
		now := time.Now()
		c, on := s.wanted()
		if on = on && s.has(c.source); on {
			silence = now
			if speaker == nil && now.Sub(failed) > idleTime {
				s.asked.Store(now.UnixNano())
				var err error
				if speaker, err = s.open(s.fill); err != nil {
					speaker, failed = nil, time.Now() // there may be a speaker later
				}
				s.absent.Store(err != nil)
			}
			if speaker != nil && now.Sub(time.Unix(0, s.asked.Load())) > deadTime {
				drop()
				failed = now
				s.absent.Store(true)
			}
			if speaker != nil {
				s.keep(c, time.Now())
			}
		} else if now.Sub(silence) > idleTime {
			drop()
		}
		var ticks <-chan time.Time
		if on || speaker != nil {
			ticks = tick.C
		}
		select {
		case <-ticks:
		case <-s.wake:
		case <-s.quit:
			return
		}
	}
}

// has reports whether a source is the present one and may have sound.
func (s *sound) has(source int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return source == s.number && !s.none
}

// keep starts FFmpeg where the video is, unless the queue is there already or will be soon.
func (s *sound) keep(c soundClock, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.source != s.number || s.closed {
		return
	}
	at, zero := c.at(now), c.base.Add(-c.baseAt)
	if zero.After(s.zero) { // the video had to wait
		s.zero = zero
	}
	behind := at > s.first+length(len(s.queue))+bufferTime
	broken := s.over && s.source.Stream != nil && now.Sub(s.began) > idleTime
	if s.run == nil || at < s.first-2*startAhead || behind && (broken || s.zero.Sub(zero) > bufferTime) {
		s.end()
		s.zero, s.began, s.over = zero, now, false
		s.begin(max(0, at+startAhead))
	}
}

func length(samples int) time.Duration { return time.Duration(samples/channels) * time.Second / rate }

// begin starts FFmpeg at a position. s.mu is held.
func (s *sound) begin(at time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	s.run, s.queue, s.first = cancel, nil, at
	source, number := s.source, s.number
	s.done.Go(func() {
		runtime.LockOSThread() // never unlocked: FFmpeg ends with the thread that started it
		got := s.decode(ctx, source, at)
		s.mu.Lock()
		defer s.mu.Unlock()
		if ctx.Err() == nil && number == s.number {
			s.over, s.none = true, s.none || !got
		}
		cancel()
	})
}

// end ends the FFmpeg that runs. s.mu is held.
func (s *sound) end() {
	if s.run != nil {
		s.run()
		s.run, s.queue = nil, nil
		s.room.Broadcast()
	}
}

// soundArguments returns FFmpeg's arguments. The samples begin exactly at the position: what comes later is preceded by
// silence.
func soundArguments(s Source, at time.Duration) []string {
	args := []string{"-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1"}
	input, begin := "file:"+s.Path, time.Duration(0)
	if s.Stream != nil {
		input, begin = "pipe:0", at+s.Lead
		args = append(args, "-protocol_whitelist", "pipe", "-analyzeduration", "0", "-fpsprobesize", "0", "-copyts",
			"-f",
			"mp4")
	} else {
		args = append(args, "-ss", strconv.FormatFloat(at.Seconds(), 'f', 6, 64))
	}
	return append(args, "-i", input, "-map", "0:a:0", "-vn", "-sn", "-dn", "-af",
		fmt.Sprintf("atrim=start=%.6f,aresample=%d:async=1:first_pts=%d", begin.Seconds(), rate,
			int64(begin.Seconds()*rate)), "-ac", strconv.Itoa(channels), "-f", "s16le", "pipe:1")
}

// decode puts the sound of a source into the queue until ctx ends. It reports whether the source has sound, if only
// before the position.
func (s *sound) decode(ctx context.Context, source Source, at time.Duration) (got bool) {
	if s.ffmpeg == "" || missing(source) != nil {
		return false
	}
	cmd := exec.CommandContext(ctx, s.ffmpeg, soundArguments(source, at)...)
	cmd.Env = os.Environ()
	cmd.WaitDelay = closeTime
	dieWithParent(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return false
	}
	if source.Stream != nil {
		video, err := source.Stream(ctx, at)
		if err != nil {
			return true // the picture says what is wrong
		}
		defer func() { _ = video.Close() }()
		cmd.Stdin = video
	}
	if err := cmd.Start(); err != nil {
		return false
	}
	defer func() { got = cmd.Wait() == nil || got }()
	b := make([]byte, 2*channels*rate/50) // 20 ms
	for {
		n, err := io.ReadFull(out, b)
		if n > 0 && !s.push(ctx, b[:n-n%(2*channels)]) {
			return true
		}
		got = got || n > 0
		if err != nil {
			return got
		}
	}
}

// push appends samples to the queue, once there is room. It returns false if ctx has ended.
func (s *sound) push(ctx context.Context, b []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ctx.Err() == nil && length(len(s.queue)) > bufferTime {
		s.room.Wait()
	}
	if ctx.Err() != nil {
		return false
	}
	for i := 0; i+1 < len(b); i += 2 {
		s.queue = append(s.queue, int16(binary.LittleEndian.Uint16(b[i:])))
	}
	return true
}

// fill gives the speaker the samples of the positions that are shown when they are heard.
func (s *sound) fill(buf []int16, delay time.Duration) {
	clear(buf)
	s.asked.Store(time.Now().UnixNano())
	c, on := s.wanted()
	at := c.at(time.Now().Add(delay))
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.room.Broadcast()
	if !on || c.source != s.number || len(s.queue) == 0 {
		s.level.Store(0)
		return
	}
	out := buf
	switch off := at - s.first; {
	case off > inStep: // what should have been heard by now is left out
		n := min(samples(off), len(s.queue))
		s.queue, s.first = s.queue[n:], s.first+length(n)
	case off < -inStep:
		out = out[min(samples(-off), len(out)):]
	}
	n := copy(out, s.queue)
	s.queue, s.first = s.queue[n:], s.first+length(n)
	volume, peak := math.Float64frombits(s.volume.Load()), 0.0
	for i := range n {
		v := float64(out[i]) * volume * volume // louder evenly, to the ear
		peak = max(peak, math.Abs(v))
		out[i] = int16(v)
	}
	s.level.Store(math.Float64bits(peak / math.MaxInt16))
}

// samples returns how many samples of all channels a time has.
func samples(d time.Duration) int { return int(d*rate/time.Second) * channels }
