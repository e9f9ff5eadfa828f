// Package player turns the video of a clip or of a camera's ring into pictures and sound. The user's commands control
// the player. The player shows each picture when the picture is due, and reports its [State]. At most one FFmpeg
// decodes pictures at any time, and one sound. Nothing else under app starts FFmpeg.
//
// One goroutine owns all state and calls Show and State. A command only leaves a wish for that goroutine, so no caller
// waits for FFmpeg. A newer wish replaces an older one: a scrub of hundreds of seeks starts FFmpeg only a few times.
// Each FFmpeg has a second goroutine, which reads the decoded pictures. [Player.Close] waits for all goroutines.
package player

import (
	"context"
	"image"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Source is the video to play: a file, or a stream that goes on as a camera films.
type Source struct {
	Path   string        // a video file
	Length time.Duration // of the file; 0 means unknown, and FFmpeg determines it

	// Stream opens fragmented MP4 that begins at the keyframe before a position and goes on as it is filmed. Its media
	// time is the position plus Lead. The stream ends with ctx. Nil means that the source is a file.
	Stream func(ctx context.Context, from time.Duration) (io.ReadCloser, error)
	Lead   time.Duration
}

func (s Source) empty() bool { return s.Path == "" && s.Stream == nil }

// Frame is one picture. Its pixels stay unchanged until Show was called two more times. Then the player reuses the
// pixels, so a caller who keeps a picture longer must copy it.
type Frame struct {
	Picture *image.RGBA
	At      time.Duration // position in the source
}

// State is the state of the player.
type State struct {
	Playing    bool
	At, Length time.Duration // position of the last shown picture, and length of the file; 0 if unknown
	Ended      bool          // playback reached the end; Play starts again from the beginning
	Err        error         // a [*Problem] that says why nothing can be shown; Play and Seek try again
}

// Options configure a Player: which FFmpeg it uses and where it sends pictures and states.
type Options struct {
	FFmpeg, Version string        // path and version as in status.FFmpeg; an empty path means that FFmpeg is missing
	Width, Height   int           // box in pixels into which pictures are fitted; pictures are never enlarged
	Show            func(f Frame) // shows a picture at once; the player's goroutine calls it, so it must not block
	State           func(s State) // called on Open and on each change of Playing, Length, Ended or Err; must not block

	// Leader is a player whose pictures this player accompanies: it shows what lies at the leader's position plus
	// Ahead, and plays, pauses and jumps as the leader does. It takes no commands but Open, Resize and Close.
	Leader *Player
	Ahead  time.Duration

	// Speaker opens the output for sound; nil means the desktop's own. Without one the player plays without sound.
	Speaker func(fill func(buf []int16, delay time.Duration)) (io.Closer, error)
}

const (
	// near is the distance below which two positions mean the same picture. FFmpeg rounds times when it seeks.
	near = time.Millisecond

	// searchBack is how far before a position the search for the preceding picture starts.
	searchBack = 500 * time.Millisecond
	sparse     = 25 * time.Millisecond // min time between two shown pictures above speed 1

	// Above speed 1 the clock is reset when a picture is later than behind.
	behind      = 500 * time.Millisecond
	gap         = 3 * time.Second                  // a longer gap in the video is skipped
	resizeDelay = 200 * time.Millisecond           // how long a new size must last before it is decoded
	stallLimit  = 20 * time.Second                 // how long FFmpeg may stay silent
	closeTime   = time.Second                      // how long Close waits
	end         = time.Duration(math.MaxInt64)     // a position after every picture
	first       = time.Duration(math.MinInt64 / 2) // a position before every picture
	defaultBox  = 960                              // pixels, while the size of the box is unknown
)

// Player plays one source at a time. Any goroutine may call its methods. All methods except Close return at once.
type Player struct {
	o            Options
	stallTimeout time.Duration // how long FFmpeg may stay silent
	wake         chan struct{}
	done         chan struct{}

	clock    atomic.Pointer[clock]  // for a player that follows
	follower atomic.Pointer[Player] // woken when the clock has changed

	mu   sync.Mutex // guards wish
	wish wish

	// The player's goroutine owns all fields below.
	source     Source // an empty Path means that nothing is open
	box        image.Point
	resize     time.Time // when to decode for the new box; zero if the box has not changed
	speed      float64
	playing    bool
	ended      bool
	err        error
	at         time.Duration // position of the last picture shown
	steps      int           // pictures left to step; negative means backward
	goal       *goal         // nil: the next picture is simply the following one
	reported   State
	mustReport bool // State must be called even if nothing changed

	run     *run
	stopped bool          // run was told to end
	heard   time.Time     // when run last gave a sign
	eof     bool          // the last picture of the source was read
	head    *head         // the next picture, whose pixels are not yet read
	reading bool          // the pixels of head are being read
	next    *Frame        // read, but not yet shown
	got     time.Time     // when next was read
	before  time.Duration // position of the last picture that this run read; valid if follows is true
	follows bool
	every   time.Duration // time between two pictures
	slots   [3]*image.RGBA
	slot    int // the slot for the next read

	aim     time.Duration // where a follower went last while its leader stood still, if aimed
	aimed   bool
	led     int       // jumps of the leader that a follower has seen
	leapt   time.Time // when a follower jumped last
	jumps   int       // how often this player went to another position
	sound   *sound
	sounded int       // number of the source for the sound
	base    time.Time // when the picture at baseAt was due
	baseAt  time.Duration
	last    time.Time // when a picture was last shown
}

// clock is where a player is. It is a value, so that another goroutine reads it without a lock.
type clock struct {
	running bool          // time passes
	settled bool          // at is what is shown, and nothing else is being decoded
	base    time.Time     // when the position baseAt was shown
	baseAt  time.Duration // if running
	at      time.Duration // of the picture that is shown
	speed   float64
	jumps   int // how often it went to another position
}

// wish holds what callers asked for and the player has not begun.
type wish struct {
	source *Source
	seek   bool
	at     time.Duration
	scrub  bool // this seek had to wait for another seek
	steps  int
	play   int // 1 means play, -1 pause
	speed  float64
	box    image.Point
	close  bool
}

// goal is a position whose picture a new FFmpeg decodes.
type goal struct {
	want    time.Duration
	before  bool          // show the last picture before want, instead of the first picture from want on
	back    time.Duration // if before: how far before want FFmpeg starts
	from    time.Duration // where FFmpeg started
	glimpse bool          // show the keyframe before want first
	started bool
	seen    bool // the glimpse was shown
}

// New returns a player that has nothing open. The caller must close the player.
func New(o Options) *Player {
	p := &Player{o: o, stallTimeout: stallLimit, wake: make(chan struct{}, 1), done: make(chan struct{}),
		box: box(o.Width, o.Height), speed: 1}
	speaker := openSpeaker
	if o.Speaker != nil {
		speaker = func(f filler) (io.Closer, error) { return o.Speaker(f) }
	}
	p.sound = newSound(o.FFmpeg, speaker)
	if o.Leader != nil {
		o.Leader.follower.Store(p)
		o.Leader.poke() // it may stand still, and says where only then
	}
	go p.loop()
	return p
}

func box(width, height int) image.Point {
	if width <= 0 || height <= 0 {
		return image.Pt(defaultBox, defaultBox)
	}
	return image.Pt(max(width, 16), max(height, 16))
}

// Open replaces the open source and shows the first picture from at on. If at is past the end, Open shows the last
// picture. Then the player plays on, or stays paused, as playing says.
func (p *Player) Open(s Source, at time.Duration, playing bool) {
	p.ask(func(w *wish) {
		*w = wish{source: &s, seek: true, at: at, play: -1, speed: w.speed, box: w.box, close: w.close}
		if playing {
			w.play = 1
		}
	})
}

// Grab returns one picture of a source: the first one from a position on. It is fitted into a box, or has the size in
// which it was filmed for a box of 0.
func Grab(ctx context.Context, ffmpeg, version string, s Source, at time.Duration, box image.Point) (*image.RGBA,
	error) {
	if box == (image.Point{}) {
		box = image.Pt(math.MaxInt16, math.MaxInt16)
	}
	got, failed := make(chan *image.RGBA, 1), make(chan error, 1)
	p := New(Options{FFmpeg: ffmpeg, Version: version, Width: box.X, Height: box.Y,
		Show: func(f Frame) {
			select {
			case got <- f.Picture:
			default:
			}
		},
		State: func(s State) {
			if s.Err != nil {
				select {
				case failed <- s.Err:
				default:
				}
			}
		}})
	defer p.Close()
	p.Open(s, at, false)
	select {
	case m := <-got:
		return m, nil
	case err := <-failed:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Play plays on. At the end of a file, Play starts from the beginning.
func (p *Player) Play() { p.ask(func(w *wish) { w.play = 1 }) }

// Pause stops playback and keeps the shown picture.
func (p *Player) Pause() { p.ask(func(w *wish) { w.play = -1 }) }

// Seek shows the first picture from at on, or the last picture if at is past the end. A playing player plays on. While
// seeks arrive faster than FFmpeg decodes, the player first shows the keyframe before the position.
func (p *Player) Seek(at time.Duration) {
	p.ask(func(w *wish) { w.seek, w.at, w.steps = true, at, 0 })
}

// Step pauses and steps by frames pictures; negative means backward.
func (p *Player) Step(frames int) {
	p.ask(func(w *wish) { w.steps, w.play = w.steps+frames, -1 })
}

// SetSpeed sets the speed, from 0.25 to 8. Above 1, the player skips pictures that are too late or too close together.
// If FFmpeg decodes more slowly than asked, playback runs as fast as FFmpeg decodes.
func (p *Player) SetSpeed(f float64) {
	if f > 0 { // also excludes NaN
		p.ask(func(w *wish) { w.speed = min(max(f, 0.25), 8) })
	}
}

// SetVolume sets the volume of the sound, 0 to 1. Sound is heard at the usual speed only.
func (p *Player) SetVolume(v float64) { p.sound.setVolume(v) }

// Level returns how loud the sound is that is heard now, 0 to 1.
func (p *Player) Level() float64 { return math.Float64frombits(p.sound.level.Load()) }

// Silent reports whether the source is known to have no sound, or there is nothing to hear it with.
func (p *Player) Silent() bool { return p.sound.silent() }

// Resize sets the box, in pixels, into which pictures are fitted. Once the size stays, the picture is decoded again.
func (p *Player) Resize(width, height int) {
	p.ask(func(w *wish) { w.box = box(width, height) })
}

// Close ends FFmpeg and waits for its end, about a second at most. No picture is shown after Close. Show and State must
// not call Close.
func (p *Player) Close() {
	p.ask(func(w *wish) { w.close = true })
	select {
	case <-p.done:
	case <-time.After(closeTime + closeTime/4):
	}
}

func (p *Player) ask(f func(w *wish)) {
	p.mu.Lock()
	f(&p.wish)
	p.mu.Unlock()
	p.poke()
}

func (p *Player) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// --- Goroutine ---

func (p *Player) loop() {
	defer close(p.done)
	timer := time.NewTimer(0)
	for {
		p.follow(time.Now())
		for again := true; again; again = p.advance(time.Now()) {
			if !p.startWish() {
				p.finish()
				return
			}
		}
		p.notify()
		p.tellSound()
		p.lead()
		var heads <-chan head
		var read, ended <-chan struct{}
		if p.run != nil {
			read, ended = p.run.read, p.run.ended
			if p.head == nil && !p.stopped {
				heads = p.run.heads
			}
		}
		timer.Reset(p.rest(time.Now()))
		select {
		case <-p.wake:
		case <-timer.C:
			p.watch(time.Now())
		case h := <-heads:
			p.head, p.heard = &h, time.Now()
			if p.source.Length == 0 && p.source.Stream == nil {
				p.source.Length = h.length
			}
		case <-read:
			p.arrived(time.Now())
		case <-ended:
			p.runEnded()
		}
	}
}

// tellSound tells the sound where the video is.
func (p *Player) tellSound() {
	p.sound.tell(soundClock{source: p.sounded, base: p.base, baseAt: p.baseAt,
		running: p.playing && p.speed == 1 && p.goal == nil && p.err == nil && !p.source.empty()})
}

// lead tells the follower where the video is.
func (p *Player) lead() {
	f := p.follower.Load()
	if f == nil {
		return
	}
	p.clock.Store(&clock{running: p.playing && p.goal == nil && p.err == nil, settled: p.goal == nil && p.err == nil,
		base: p.base, baseAt: p.baseAt, at: p.at, speed: p.speed, jumps: p.jumps})
	f.poke()
}

const (
	astray  = time.Second            // how far a follower may be from its leader before it jumps
	tooLate = 2 * time.Second        // how late its pictures may be before it jumps, and how long it then waits
	ahead   = 300 * time.Millisecond // what FFmpeg takes to start
)

// follow goes where the leader is. While the leader runs, the follower jumps only after the leader has jumped, or if it
// cannot keep up: in a gap of its own video it waits.
func (p *Player) follow(now time.Time) {
	if p.o.Leader == nil || p.source.empty() || p.err != nil || p.goal != nil {
		return
	}
	c := p.o.Leader.clock.Load()
	if c == nil || !c.settled {
		p.playing = false
		return
	}
	if !c.running {
		p.playing = false
		p.match(p.clamp(c.at + p.o.Ahead))
		p.led = c.jumps
		return
	}
	p.aimed = false
	p.base, p.baseAt, p.speed = c.base, c.baseAt+p.o.Ahead, c.speed
	to := p.clamp(p.baseAt + time.Duration(float64(now.Sub(p.base))*p.speed))
	jumped := c.jumps != p.led && (to-p.at).Abs() >= astray
	late := p.next != nil && float64(to-p.next.At) > float64(tooLate)*p.speed && now.Sub(p.leapt) > tooLate
	p.led = c.jumps
	if jumped || late {
		p.leapt = now
		p.decode(p.place(p.clamp(to + time.Duration(float64(ahead)*p.speed))))
	}
	p.playing = !p.ended
}

// match shows the picture that is nearest to a position, once.
func (p *Player) match(to time.Duration) {
	if p.aimed && to == p.aim {
		return
	}
	p.aim, p.aimed = to, true
	if (to - p.at).Abs() > p.every/2 {
		p.decode(p.place(max(0, to-p.every/2)))
	}
}

// clamp returns the position of the source that is nearest to a position.
func (p *Player) clamp(to time.Duration) time.Duration {
	if p.source.Length > 0 {
		to = min(to, p.source.Length)
	}
	return max(to, 0)
}

func (p *Player) finish() {
	if p.run != nil {
		p.run.cancel()
	}
	if p.o.Leader != nil {
		p.o.Leader.follower.CompareAndSwap(p, nil)
	}
	p.sound.close()
	if p.run == nil {
		return
	}
	select {
	case <-p.run.ended:
	case <-time.After(closeTime): // FFmpeg hangs on a lost drive, and ends when the system call returns
	}
}

// startWish begins what callers asked for, and reports whether the player goes on. While a position is being decoded,
// further seeks and steps wait.
func (p *Player) startWish() bool {
	p.mu.Lock()
	w := p.wish
	p.wish = wish{}
	if w.source == nil && p.goal != nil && (!p.goal.seen || !w.seek) {
		p.wish = wish{seek: w.seek, at: w.at, scrub: w.seek, steps: w.steps}
		w.seek, w.steps = false, 0
	}
	p.mu.Unlock()
	if w.close {
		return false
	}
	if w.speed != 0 && w.speed != p.speed {
		p.speed = w.speed
		p.setClock(p.last, p.at)
	}
	if w.box != (image.Point{}) && w.box != p.box {
		p.box, p.resize = w.box, time.Now().Add(resizeDelay)
	}
	if w.source != nil {
		p.source, p.at, p.every, p.mustReport = *w.source, max(w.at, 0), 0, true
		p.sounded, p.aimed = p.sound.load(p.source), false
	}
	if p.source.empty() {
		return true
	}
	if w.source != nil || w.seek {
		g := p.place(w.at)
		g.glimpse = w.scrub && !g.before
		p.steps = 0
		p.decode(g)
	}
	if w.steps != 0 && p.err == nil {
		p.steps, p.heard = p.steps+w.steps, time.Now()
	}
	switch {
	case w.play < 0:
		p.playing = false
	case w.play > 0 && !p.playing:
		p.play()
	}
	return true
}

// --- Positions and goals ---

// place returns the goal that shows the picture at a position.
func (p *Player) place(at time.Duration) goal {
	if p.source.Length > 0 && at >= p.source.Length {
		return goal{want: end, before: true, back: searchBack}
	}
	return goal{want: max(at, 0)}
}

// decode ends the running FFmpeg and makes g the goal of a new FFmpeg.
func (p *Player) decode(g goal) {
	p.goal = &g
	p.jumps++
	p.err, p.ended, p.eof = nil, false, false
	p.stop()
}

func (p *Player) stop() {
	p.head, p.next, p.reading = nil, nil, false
	if p.run != nil && !p.stopped {
		p.run.cancel()
		p.stopped, p.heard = true, time.Now()
	}
}

func (p *Player) play() {
	p.playing, p.steps, p.heard = true, 0, time.Now()
	switch {
	case p.goal != nil:
	case p.err != nil:
		p.decode(p.place(p.at))
	case p.eof && p.next == nil:
		p.decode(p.place(0))
	default:
		p.setClock(time.Now(), p.at)
	}
}

// back steps backward by -p.steps pictures. The time between pictures is known once two pictures were decoded in
// succession. Until then back makes single steps.
func (p *Player) back() {
	n, want := -p.steps, p.at
	p.steps = 0
	if n > 1 && p.every > 0 {
		want -= time.Duration(n-1)*p.every + p.every/2
	} else {
		p.steps = 1 - n
	}
	p.decode(goal{want: want, before: true, back: searchBack})
}

// start starts FFmpeg for the goal.
func (p *Player) start() {
	g := p.goal
	g.started = true
	g.from = g.want - near
	if g.want == end {
		g.from = p.source.Length
	}
	g.from = max(g.from-g.back, 0)
	p.resize, p.follows, p.heard = time.Time{}, false, time.Now()
	p.run = start(p.o.FFmpeg, p.o.Version, p.source, g.from, g.glimpse, p.box)
}

// --- Moving forward ---

// advance makes one step that is possible now, and reports whether another step may be possible.
func (p *Player) advance(now time.Time) bool {
	g := p.goal
	if g != nil && !g.started {
		if p.run == nil {
			p.start()
		}
		return false
	}
	if p.head != nil && !p.reading {
		wanted := p.next == nil
		if g != nil && g.before {
			wanted = p.head.at < g.want-near
		}
		if wanted {
			p.read()
		}
	}

	switch {
	case p.reading:
		return false
	case g != nil && g.before:
		return p.approach()
	case g != nil:
		return p.reach(now)
	case !p.resize.IsZero() && !now.Before(p.resize):
		p.redraw()
	case p.steps < 0:
		p.back()
	case p.next == nil:
		if p.eof && (p.playing || p.steps > 0) {
			p.playing, p.ended, p.steps = false, true, 0
		}
		return false
	case p.playing:
		p.steps = 0 // Play was called after Step
		return p.pace(now)
	case p.steps == 1:
		p.steps = 0
		p.show(now)
	case p.steps > 1:
		p.steps--
		p.next = nil
	default:
		return false
	}

	return true
}

// reach moves on to the first picture from the wanted position on.
func (p *Player) reach(now time.Time) bool {
	g := p.goal
	switch {
	case p.next != nil && p.next.At >= g.want-near:
		p.goal = nil
		p.show(now)
		p.setClock(now, p.at)
	case p.next != nil && g.glimpse && !g.seen:
		g.seen = true
		p.show(now)
	case p.next != nil:
		p.next = nil
	case p.eof && g.from > 0: // want is past the end
		p.decode(goal{want: end, before: true, back: searchBack})
	case p.eof:
		p.fail(damaged(""))
	default:
		return false
	}

	return true
}

// approach moves on to the last picture before the wanted position. The head of the following picture, or the end of
// the source, shows that the picture is the last one.
func (p *Player) approach() bool {
	g := p.goal
	switch {
	case p.head == nil && !p.eof:
		return false
	case p.next != nil:
		p.goal = nil
		p.show(time.Now())
		p.setClock(p.last, p.at)
		if g.want == end {
			p.playing, p.ended = false, true
		}
	case g.from > 0:
		p.decode(goal{want: g.want, before: true, back: 4 * g.back})
	case p.eof:
		p.fail(damaged(""))
	default: // no picture lies before want
		p.goal = &goal{want: first, started: true}
	}

	return true
}

// pace shows the next picture when it is due.
func (p *Player) pace(now time.Time) bool {
	rate := p.speed
	due := p.due()
	following := p.o.Leader != nil // the leader sets the clock
	if late := p.got.Sub(due); late > 0 && !following && (rate <= 1 || late > behind) {
		due = p.got
		p.setClock(due, p.next.At)
	}
	if !following && (p.next.At > p.at+gap || p.next.At < p.at) {
		due = now
		p.setClock(due, p.next.At)
	}
	switch {
	case rate > 1 && due.Sub(p.last) < sparse && now.Sub(p.last) < sparse:
		p.next = nil
	case now.Before(due):
		return false
	default:
		p.show(now)
	}

	return true
}

// redraw decodes the shown picture again, for a new box.
func (p *Player) redraw() {
	p.resize = time.Time{}
	if p.err != nil || p.source.empty() {
		return
	}
	at, ended := p.at, p.ended
	if ended {
		at = end
	}
	p.decode(p.place(at))
	p.ended = ended
}

// --- Pictures and the end of FFmpeg ---

// show passes the next picture to Show. Of the three slots, one holds this picture, one the previous picture, and one
// is free for reading.
func (p *Player) show(now time.Time) {
	f := *p.next
	p.next = nil
	p.at, p.last = f.At, now
	p.slot = (p.slot + 1) % len(p.slots)
	p.o.Show(f)
}

// read asks run to read the pixels of head.
func (p *Player) read() {
	s := &p.slots[p.slot]
	if *s == nil || (*s).Rect.Size() != p.head.size {
		*s = image.NewRGBA(image.Rectangle{Max: p.head.size})
	}
	p.next, p.reading = nil, true
	p.run.into <- (*s).Pix
}

// arrived takes over the picture that was read.
func (p *Player) arrived(now time.Time) {
	if p.stopped {
		return
	}
	at := p.head.at
	if p.follows && at > p.before {
		p.every = at - p.before
	}
	p.before, p.follows = at, true
	p.next = &Frame{p.slots[p.slot], at}
	p.head, p.reading, p.got, p.heard = nil, false, now, now
}

// runEnded handles the end of FFmpeg.
func (p *Player) runEnded() {
	err, stopped := p.run.err, p.stopped
	p.run, p.stopped = nil, false
	switch {
	case stopped:
	case err != nil:
		p.fail(err)
	default:
		p.head, p.reading, p.eof = nil, false, true
	}
}

func (p *Player) fail(err error) {
	p.stop()
	p.err, p.goal, p.playing, p.ended, p.steps = err, nil, false, false, 0
}

// waiting reports whether the player can do nothing until FFmpeg gives a sign.
func (p *Player) waiting() bool {
	return p.run != nil && (p.goal != nil || !p.stopped && (p.reading || p.next == nil && (p.playing || p.steps > 0)))
}

// watch gives up an FFmpeg that was silent for too long.
func (p *Player) watch(now time.Time) {
	if p.waiting() && now.Sub(p.heard) >= p.stallTimeout {
		p.fail(stalled(p.source))
	}
}

// rest returns how long the player may sleep if nothing arrives.
func (p *Player) rest(now time.Time) time.Duration {
	d := time.Hour
	if p.waiting() {
		d = min(d, p.heard.Add(p.stallTimeout).Sub(now))
	}
	if p.goal == nil && !p.resize.IsZero() {
		d = min(d, p.resize.Sub(now))
	}
	if p.goal == nil && p.playing && p.next != nil {
		d = min(d, p.due().Sub(now))
	}
	return d
}

// --- Clock and state ---

// setClock makes the picture at position at due at time t.
func (p *Player) setClock(t time.Time, at time.Duration) { p.base, p.baseAt = t, at }

// due returns when next must be shown.
func (p *Player) due() time.Time {
	return p.base.Add(time.Duration(float64(p.next.At-p.baseAt) / p.speed))
}

// notify reports a change of state.
func (p *Player) notify() {
	if p.source.empty() {
		return
	}
	s := State{Playing: p.playing, At: p.at, Length: p.source.Length, Ended: p.ended, Err: p.err}
	t := p.reported
	t.At = s.At
	if s == t && !p.mustReport {
		return
	}
	p.reported, p.mustReport = s, false
	p.o.State(s)
}
