// Package outbox sends word of alarms to phones and programs.
//
// Word waits in a file in the state folder until its target has taken it, so that it survives a restart, a crash and a
// target that is away. Each target gets its word in order, and a target that hangs delays no other one. What the
// services answer is untrusted, and is bounded.
package outbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// Folder is the name of the folder in the state folder.
const Folder = "outbox"

// Bounds of the outbox.
const (
	maxWaiting = 200              // words of one target
	maxPicture = 1 << 20          // bytes
	maxFile    = 2 * maxPicture   // bytes of a word's file
	giveUp     = 24 * time.Hour   // after which a word is old news
	firstPause = 5 * time.Second  // before a word is sent again; doubles
	mostPause  = 10 * time.Minute // and is at most this
	failTime   = 2 * time.Minute  // how long a target must fail before it is a problem
	pictureFor = 3 * time.Second  // how long a picture is waited for
)

// Kind says what a word is about.
type Kind string

// The kinds of words.
const (
	Alarm   Kind = "alarm"
	Saved   Kind = "saved" // also of a clip that is not whole, or that there is not
	Trouble Kind = "trouble"
	Test    Kind = "test"
)

// Word is what one target is told.
type Word struct {
	ID      string    `json:"id"` // of this word, the same each time that it is sent
	Target  string    `json:"target"`
	Kind    Kind      `json:"kind"`
	Time    time.Time `json:"time"` // of the alarm
	Title   string    `json:"title"`
	Body    string    `json:"body"`
	Event   string    `json:"event,omitempty"`
	Camera  string    `json:"camera,omitempty"`
	Label   string    `json:"label,omitempty"`
	State   string    `json:"state,omitempty"`   // of the event
	Picture []byte    `json:"picture,omitempty"` // JPEG
}

// Options are what an outbox needs.
type Options struct {
	State    string                 // the state folder
	Settings func() config.Settings // in force

	// Picture returns a JPEG of an event: of its clip, or of what its camera shows now.
	Picture func(context.Context, event.Event) ([]byte, error)
	Say     func(text.Text) string // in the language of the user
	Changed func()                 // called when the state of a target changed; must not block
	Log     *slog.Logger
	Started time.Time // events that are older are no news
}

// Outbox sends word. Make one with New.
type Outbox struct {
	opt  Options
	dir  string
	wake chan struct{}

	mu      sync.Mutex // guards everything below
	waiting []Word     // the oldest first
	targets map[string]*target
	told    map[string]time.Time // when an alarm, an end or a problem was told of
	ended   bool                 // Run has ended
	work    sync.WaitGroup       // pictures that are fetched, and words that are sent
}

// target is the state of a target.
type target struct {
	busy   bool
	due    time.Time // when the next word may be sent
	pause  time.Duration
	failed time.Time // since when it takes no word; zero if it does
	err    error
	sent   int
	last   time.Time
}

// New returns an outbox with the words that an earlier process left.
func New(o Options) *Outbox {
	b := &Outbox{opt: o, dir: filepath.Join(o.State, Folder), wake: make(chan struct{}, 1),
		targets: map[string]*target{}, told: map[string]time.Time{}}
	files, _ := os.ReadDir(b.dir)
	for _, f := range files {
		path := filepath.Join(b.dir, f.Name())
		var w Word
		fi, err := f.Info()
		if err == nil && filepath.Ext(path) == ".json" && fi.Mode().IsRegular() && fi.Size() < maxFile {
			var data []byte
			if data, err = os.ReadFile(path); err == nil {
				err = json.Unmarshal(data, &w)
			}
		}
		if err != nil || w.ID+".json" != f.Name() {
			_ = os.Remove(path) // a word that cannot be read tells nobody anything
			continue
		}
		b.waiting = append(b.waiting, w)
	}
	slices.SortFunc(b.waiting, func(x, y Word) int {
		return cmp.Or(x.Time.Compare(y.Time),
			strings.Compare(x.ID, y.ID))
	})
	return b
}

// --- What is told ---

// Event tells of an event that has changed: once that it began, and once that it ended.
func (b *Outbox) Event(e event.Event) {
	kind, at := Alarm, e.Time
	if e.State.Ended() {
		kind, at = Saved, cmp.Or(e.SavedAt, e.Until)
	}
	if !at.After(b.opt.Started) || kind == Alarm && e.Continues != "" || !b.isNews(string(kind)+" "+e.ID) {
		return
	}
	w := Word{Kind: kind, Time: e.Time, Event: e.ID, Camera: e.Camera, Label: e.Label, State: string(e.State)}
	w.Title, w.Body = b.sayEvent(e)
	to := b.targetsOf(w)
	if len(to) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.work.Go(func() {
		if slices.ContainsFunc(to, func(t config.Target) bool { return t.Picture }) {
			ctx, cancel := context.WithTimeout(context.Background(), pictureFor)
			defer cancel()
			p, err := b.opt.Picture(ctx, e)
			if err == nil && len(p) <= maxPicture {
				w.Picture = p
			}
		}
		b.put(w, to)
	})
}

// sayEvent returns what is said of an event.
func (b *Outbox) sayEvent(e event.Event) (title, body string) {
	at, length, label := e.Time.Local().Format("15:04:05"), e.Length().Seconds(), text.Label(e.Label)
	head, said := text.WordAlarm, text.WordAlarmBody.With(label, at)
	switch e.State {
	case event.Saved:
		head, said = text.WordSaved, text.WordSavedBody.With(label, at, length)
	case event.Incomplete:
		head, said = text.WordSaved, text.WordIncomplete.With(label, at, length, e.Why())
	case event.Failed:
		head, said = text.WordFailed, text.WordFailedBody.With(label, at, e.Why())
	}
	return b.opt.Say(head.With(e.Title())), b.opt.Say(said)
}

// Problem tells of a problem, at most once in an hour.
func (b *Outbox) Problem(p status.Problem) {
	if !b.isNews("trouble " + p.Code + " " + p.About) {
		return
	}
	w := Word{Kind: Trouble, Time: time.Now(), Title: b.opt.Say(text.WordTrouble.With()),
		Body: strings.TrimSuffix(b.opt.Say(p.Text), ".") + ". " + b.opt.Say(p.Hint)}
	b.put(w, b.targetsOf(w))
}

// newsTime is how long something that was told is no news.
const newsTime = time.Hour

// isNews reports whether something was not told yet, and notes that it is told now.
func (b *Outbox) isNews(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for k, at := range b.told {
		if now.Sub(at) > newsTime {
			delete(b.told, k)
		}
	}
	if _, told := b.told[key]; told {
		return false
	}
	b.told[key] = now
	return true
}

// targetsOf returns the targets that want a word.
func (b *Outbox) targetsOf(w Word) (to []config.Target) {
	for _, t := range b.opt.Settings().Targets {
		wanted := map[Kind]bool{Alarm: t.Alarm, Saved: t.Saved, Trouble: t.Trouble}[w.Kind]
		if t.Enabled && wanted && (w.Camera == "" || among(t.Cameras, w.Camera) && among(t.Labels, w.Label)) &&
			!(config.Notify{Quiet: t.Quiet}).IsQuiet(time.Now()) {
			to = append(to, t)
		}
	}
	return to
}

// among reports whether a list is empty or holds a value.
func among(list []string, value string) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, value) })
}

// put lets a word wait for some targets, durably.
func (b *Outbox) put(w Word, to []config.Target) {
	for _, t := range to {
		w := w
		if !t.Picture {
			w.Picture = nil
		}
		w.ID, w.Target = rand.Text(), t.ID
		if err := b.write(w); err != nil {
			b.opt.Log.Error("word is not kept over a restart", "err", err)
		}
		b.mu.Lock()
		b.waiting = append(b.waiting, w)
		b.mu.Unlock()
	}
	b.trim()
	b.wakeUp()
}

func (b *Outbox) write(w Word) error {
	data, err := json.Marshal(w)
	if err == nil {
		err = durable.MkdirAll(b.dir, 0o700)
	}
	if err == nil {
		err = durable.WriteFile(b.path(w), data, 0o600)
	}
	return err
}

func (b *Outbox) path(w Word) string { return filepath.Join(b.dir, w.ID+".json") }

// trim drops the oldest words of targets that have too many, and those of targets that there are no longer.
func (b *Outbox) trim() {
	count := map[string]int{}
	targets := b.opt.Settings().Targets
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range slices.Backward(b.waiting) {
		count[w.Target]++
		known := slices.ContainsFunc(targets, func(t config.Target) bool { return t.ID == w.Target && t.Enabled })
		if !known || count[w.Target] > maxWaiting {
			b.drop(w)
		}
	}
}

// drop removes a word. b.mu is held.
func (b *Outbox) drop(w Word) {
	b.waiting = slices.DeleteFunc(slices.Clone(b.waiting), func(o Word) bool { return o.ID == w.ID })
	if err := os.Remove(b.path(w)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.opt.Log.Warn("word that was sent stays in its file", "err", err)
	}
}

func (b *Outbox) wakeUp() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// --- Sending ---

// Run sends word until ctx ends.
func (b *Outbox) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			b.mu.Lock()
			b.ended = true
			b.mu.Unlock()
			b.work.Wait()
			return
		case <-b.wake:
		case <-timer.C:
		}
		timer.Reset(b.sendDue(ctx))
	}
}

// sendDue starts to send the oldest word of each target that is due. It returns after which time to look again.
func (b *Outbox) sendDue(ctx context.Context) time.Duration {
	b.trim()
	targets := map[string]config.Target{}
	for _, t := range b.opt.Settings().Targets {
		targets[t.ID] = t
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, next := time.Now(), time.Minute
	for _, w := range b.waiting {
		s := b.state(w.Target)
		switch wait := s.due.Sub(now); {
		case s.busy:
		case wait > 0:
			next = min(next, wait)
		default:
			s.busy = true
			b.work.Go(func() { b.deliver(ctx, targets[w.Target], w) })
		}
	}
	return next
}

// state returns the state of a target. b.mu is held.
func (b *Outbox) state(id string) *target {
	if b.targets[id] == nil {
		b.targets[id] = &target{}
	}
	return b.targets[id]
}

// deliver sends one word, and notes how that went.
func (b *Outbox) deliver(ctx context.Context, t config.Target, w Word) {
	err := send(ctx, t, w)
	var refused *refusal
	wrong := errors.As(err, &refused) && refused.word
	if wrong && w.Picture != nil { // the text is better than nothing
		w.Picture = nil
		err = send(ctx, t, w)
		wrong = errors.As(err, &refused) && refused.word
	}
	b.mu.Lock()
	s := b.state(t.ID)
	s.busy = false
	now := time.Now()
	switch {
	case ctx.Err() != nil:
	case err == nil:
		b.drop(w)
		s.sent, s.last, s.due, s.pause, s.failed, s.err = s.sent+1, now, now, 0, time.Time{}, nil
	default:
		s.pause = min(max(2*s.pause, firstPause), mostPause)
		s.due = now.Add(max(s.pause, retryAfter(err)))
		s.err = err
		if s.failed.IsZero() {
			s.failed = now
		}
		if now.Sub(w.Time) > giveUp || wrong { // it must not keep the others waiting
			b.drop(w)
		}
	}
	b.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		b.opt.Log.Warn("word not taken", "to", t.Name, "err", err)
	}
	b.opt.Changed()
	b.wakeUp()
}

// Try sends a test to a target at once, and returns what became of it.
func (b *Outbox) Try(ctx context.Context, id string, picture []byte) error {
	for _, t := range b.opt.Settings().Targets {
		if t.ID == id {
			w := Word{ID: rand.Text(), Target: id, Kind: Test, Time: time.Now(), Title: b.opt.Say(text.WordTest.With()),
				Body: b.opt.Say(text.WordTestBody.With())}
			if t.Picture {
				w.Picture = picture
			}
			return send(ctx, t, w)
		}
	}
	return text.NoSuchTarget.Error()
}

// Status returns the state of the targets.
func (b *Outbox) Status() (list []status.Target) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.opt.Settings().Targets {
		s := status.Target{ID: t.ID, Name: cmp.Or(t.Name, t.ID), Kind: t.Kind, Enabled: t.Enabled}
		if now := b.targets[t.ID]; now != nil {
			s.Sent, s.Last = now.sent, now.last
			if now.err != nil {
				s.Error = text.Of(now.err)
				s.Failing = time.Since(now.failed) > failTime
			}
		}
		for _, w := range b.waiting {
			if w.Target == t.ID {
				s.Waiting++
			}
		}
		list = append(list, s)
	}
	return list
}
