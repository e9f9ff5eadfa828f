// Package player plays a clip's or a live ring's video as pictures. In go a file and the user's commands; out come
// pictures, each when it is due, and a [State]. One FFmpeg at most decodes at any time; nothing else under app starts
// it.
//
// One goroutine owns all state and calls Show and State. A command only leaves its wish with it, so that no caller ever
// waits for FFmpeg, and the newest wish wins: a scrub of hundreds of seeks starts FFmpeg a few times. Another goroutine
// for each FFmpeg reads what it decodes. [Player.Close] waits for all of them.
package player

import (
	"image"
	"math"
	"sync"
	"time"
)

// Source is what to play.
type Source struct {
	Path   string        // a video file, or with Live an HLS playlist that grows
	Live   bool          // always at speed 1, from its newest pictures on; it cannot be sought in
	Length time.Duration // of a file; 0 is not known and asked of FFmpeg
}

// Frame is one picture. Its pixels stay untouched until two further Shows were made; after that they are used again, so
// who keeps a picture longer copies it.
type Frame struct {
	Picture *image.RGBA
	At      time.Duration // position in the file; in a live picture, since its first one
}

// State is what the player does.
type State struct {
	Playing    bool
	At, Length time.Duration // the last shown picture, and the whole file; 0 if not known
	Ended      bool          // the end was reached; Play begins again from the start
	Err        error         // a [*Problem] that says why nothing can be shown; Play and Seek try again
}

// Options say which FFmpeg to use and where its pictures go.
type Options struct {
	FFmpeg, Version string        // FFmpeg's path and version as in status.FFmpeg; an empty path is a missing FFmpeg
	Width, Height   int           // of the box into which pictures are fitted, pixels; they are never enlarged
	Show            func(f Frame) // shows a picture now; called from the player's goroutine, must not block
	State           func(s State) // called on Open and on every change of Playing, Length, Ended and Err; likewise
}

const (
	// pictures closer than this are the same one: FFmpeg rounds times when it seeks
	near = time.Millisecond
	// how far before a place the search for the last picture before it begins
	searchBack = 500 * time.Millisecond
	sparse     = 25 * time.Millisecond // above speed 1 no two pictures are shown closer than this
	// above speed 1 the clock is set back when pictures come later than this
	behind      = 500 * time.Millisecond
	gap         = 3 * time.Second                  // a longer hole in the video is not waited for
	resizeDelay = 200 * time.Millisecond           // how long a new size must last before it is decoded
	stallLimit  = 20 * time.Second                 // how long FFmpeg may say nothing
	closeTime   = time.Second                      // how long Close waits
	end         = time.Duration(math.MaxInt64)     // a place past every picture
	first       = time.Duration(math.MinInt64 / 2) // whatever comes first
	defaultBox  = 960                              // pixels, while the size of the box is not known
)

// Player plays one source at a time. All methods may be called from any goroutine and return at once, but for Close.
type Player struct {
	o            Options
	stallTimeout time.Duration // how long FFmpeg may say nothing
	wake         chan struct{}
	done         chan struct{}

	mu   sync.Mutex // guards wish
	wish wish

	// All that follows belongs to the owner goroutine.
	source     Source // no path: nothing is open
	box        image.Point
	resize     time.Time // when the new box is to be decoded for; zero if it is
	speed      float64
	playing    bool
	ended      bool
	err        error
	at         time.Duration // of the last picture shown
	steps      int           // pictures yet to go, backward if negative
	goal       *goal         // nil: what comes next is just the next picture
	reported   State
	mustReport bool // State is to be called even if nothing changed

	run     *run
	stopped bool          // run was told to end
	heard   time.Time     // when run last gave a sign
	eof     bool          // the source's last picture was read
	head    *head         // the next picture, not yet read
	reading bool          // head is being read
	next    *Frame        // read, not yet shown
	got     time.Time     // when next was read
	before  time.Duration // place of the picture that this run read last, if follows
	follows bool
	every   time.Duration // from one picture to the next
	slots   [3]*image.RGBA
	slot    int // the one to read into

	base   time.Time // when the picture at baseAt was due
	baseAt time.Duration
	last   time.Time // when a picture was last shown
}

// wish is what was asked for and not yet begun.
type wish struct {
	source *Source
	seek   bool
	at     time.Duration
	scrub  bool // this seek had to wait for another one
	steps  int
	play   int // 1 play, -1 pause
	speed  float64
	box    image.Point
	close  bool
}

// goal is a place whose picture is to be shown by a fresh FFmpeg.
type goal struct {
	want    time.Duration
	before  bool          // the last picture before want, not the first one from there on
	back    time.Duration // with before: how far in front of want FFmpeg begins
	from    time.Duration // where FFmpeg began
	glimpse bool          // show the keyframe in front of want first
	started bool
	seen    bool // the glimpse was shown
}

// New returns a player with nothing open. It must be closed.
func New(o Options) *Player {
	p := &Player{o: o, stallTimeout: stallLimit, wake: make(chan struct{}, 1), done: make(chan struct{}),
		box: box(o.Width, o.Height), speed: 1}
	go p.loop()
	return p
}

func box(width, height int) image.Point {
	if width <= 0 || height <= 0 {
		return image.Pt(defaultBox, defaultBox)
	}
	return image.Pt(max(width, 16), max(height, 16))
}

// Open replaces what was open, shows the picture at a place (the first one from there on; past the end, the last one)
// and goes on playing or stays paused.
func (p *Player) Open(s Source, at time.Duration, playing bool) {
	p.ask(func(w *wish) {
		*w = wish{source: &s, seek: true, at: at, play: -1, speed: w.speed, box: w.box, close: w.close}
		if playing {
			w.play = 1
		}
	})
}

// Play goes on; from the start, if the end was reached. A live picture goes on from its newest pictures.
func (p *Player) Play() { p.ask(func(w *wish) { w.play = 1 }) }

// Pause keeps the picture that is shown.
func (p *Player) Pause() { p.ask(func(w *wish) { w.play = -1 }) }

// Seek shows the first picture from a place on; past the end, the last one. It goes on playing if it was. While seeks
// come faster than they are decoded, the keyframe in front of the place is shown first.
func (p *Player) Seek(at time.Duration) {
	p.ask(func(w *wish) { w.seek, w.at, w.steps = true, at, 0 })
}

// Step pauses and goes some pictures forward, or backward if negative. A live picture only goes forward.
func (p *Player) Step(frames int) {
	p.ask(func(w *wish) { w.steps, w.play = w.steps+frames, -1 })
}

// SetSpeed sets the speed, 0.25 to 8. Above 1, pictures that come too late or too close are left out, and where FFmpeg
// decodes no faster it is the speed that it reaches.
func (p *Player) SetSpeed(f float64) {
	if f > 0 { // neither NaN
		p.ask(func(w *wish) { w.speed = min(max(f, 0.25), 8) })
	}
}

// Resize sets the box into which pictures are fitted, pixels. The picture is decoded anew once the size stays.
func (p *Player) Resize(width, height int) {
	p.ask(func(w *wish) { w.box = box(width, height) })
}

// Close ends FFmpeg and waits for it, a second at most. Nothing is shown after it; it must not be called from Show or
// State.
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
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Player) loop() {
	defer close(p.done)
	timer := time.NewTimer(0)
	for {
		for again := true; again; again = p.advance(time.Now()) {
			if !p.startWish() {
				p.finish()
				return
			}
		}
		p.notify()
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
			if p.source.Length == 0 {
				p.source.Length = h.length
			}
		case <-read:
			p.arrived(time.Now())
		case <-ended:
			p.runEnded()
		}
	}
}

func (p *Player) finish() {
	if p.run == nil {
		return
	}
	p.run.cancel()
	select {
	case <-p.run.ended:
	case <-time.After(closeTime): // it hangs in a drive that is gone, and ends when the system lets it
	}
}

// take begins what was wished for, and is false when that is the end. While a place is being decoded, a further seek
// or step waits.
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
	}
	if p.source.Path == "" {
		return true
	}
	if w.source != nil || w.seek && !p.source.Live {
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

// place is the goal that shows a place.
func (p *Player) place(at time.Duration) goal {
	switch {
	case p.source.Live:
		return goal{want: first}
	case p.source.Length > 0 && at >= p.source.Length:
		return goal{want: end, before: true, back: searchBack}
	}
	return goal{want: max(at, 0)}
}

// decode makes a fresh FFmpeg decode for a goal.
func (p *Player) decode(g goal) {
	p.goal = &g
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
	case p.source.Live || p.eof && p.next == nil: // what was read of a live picture is old by now
		p.decode(p.place(0))
	default:
		p.setClock(time.Now(), p.at)
	}
}

// back goes steps back from the picture that is shown. How far pictures lie apart is known once some were decoded one
// after the other; until then one step is made at a time.
func (p *Player) back() {
	n, want := -p.steps, p.at
	p.steps = 0
	if p.source.Live {
		return
	}
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

// advance does one thing that can be done now, and reports whether there may be another.
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
		p.steps = 0 // Play came after Step
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

// reach goes on to the first picture from the wanted place on.
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
	case p.eof && g.from > 0: // past the end
		p.decode(goal{want: end, before: true, back: searchBack})
	case p.eof:
		p.fail(damaged(""))
	default:
		return false
	}
	return true
}

// approach goes on to the last picture before the wanted place. That it is the last is known from the head of the
// following one, or from the end.
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
	default: // there is none before
		p.goal = &goal{want: first, started: true}
	}
	return true
}

// pace shows the next picture when it is due.
func (p *Player) pace(now time.Time) bool {
	rate := p.rate()
	due := p.due()
	if late := p.got.Sub(due); late > 0 && (rate <= 1 || late > behind) {
		due = p.got
		p.setClock(due, p.next.At)
	}
	if p.next.At > p.at+gap || p.next.At < p.at {
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

// redraw decodes the shown picture anew for another box.
func (p *Player) redraw() {
	p.resize = time.Time{}
	if p.err != nil || p.source.Path == "" {
		return
	}
	at, ended := p.at, p.ended
	if ended {
		at = end
	}
	p.decode(p.place(at))
	p.ended = ended
}

// show hands the next picture over. There is one slot for it, one for the picture before it, and one to read into.
func (p *Player) show(now time.Time) {
	f := *p.next
	p.next = nil
	p.at, p.last = f.At, now
	p.slot = (p.slot + 1) % len(p.slots)
	p.o.Show(f)
}

// read has the next picture read.
func (p *Player) read() {
	s := &p.slots[p.slot]
	if *s == nil || (*s).Rect.Size() != p.head.size {
		*s = image.NewRGBA(image.Rectangle{Max: p.head.size})
	}
	p.next, p.reading = nil, true
	p.run.into <- (*s).Pix
}

// arrived takes the picture that was read.
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

// runEnded takes the end of FFmpeg.
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

// waiting reports whether nothing can be done until FFmpeg gives a sign.
func (p *Player) waiting() bool {
	return p.run != nil && (p.goal != nil || !p.stopped && (p.reading || p.next == nil && (p.playing || p.steps > 0)))
}

// watch gives up an FFmpeg that has been silent for too long.
func (p *Player) watch(now time.Time) {
	if p.waiting() && now.Sub(p.heard) >= p.stallTimeout {
		p.fail(stalled(p.source))
	}
}

// rest is how long nothing is to be done if nothing comes.
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

// setClock makes the picture at a place due at a time.
func (p *Player) setClock(t time.Time, at time.Duration) { p.base, p.baseAt = t, at }

// due is when next is to be shown.
func (p *Player) due() time.Time {
	return p.base.Add(time.Duration(float64(p.next.At-p.baseAt) / p.rate()))
}

func (p *Player) rate() float64 {
	if p.source.Live {
		return 1
	}
	return p.speed
}

// notify reports a change of state.
func (p *Player) notify() {
	if p.source.Path == "" {
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
