package page

import (
	"sync"

	"github.com/preroll/preroll/app/player"
)

// Frames passes the pictures of a player on to the main goroutine. If pictures come faster than the screen is drawn,
// the newest replaces the others, because the player reuses the pixels of older ones.
type Frames struct {
	env  *Env
	show func(player.Frame)

	mu     sync.Mutex // guards the fields below
	latest player.Frame
	due    bool // latest waits for the main goroutine
}

// NewFrames returns what passes pictures on to show, which runs on the main goroutine.
func (env *Env) NewFrames(show func(player.Frame)) *Frames { return &Frames{env: env, show: show} }

// Put takes a picture on the goroutine of a player.
func (p *Frames) Put(f player.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = f
	if p.due {
		return
	}
	p.due = true
	p.env.Do(func() {
		p.mu.Lock()
		f := p.latest
		p.due = false
		p.mu.Unlock()
		p.show(f)
	})
}
