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
	Queued  time.Time `json:"queued"`
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
	Link    string    `json:"link,omitempty"`    // the page that shows it, if phones can open one; set when it is sent

	held    bool // its text or picture is still to come
	refused bool // its target refused it, but not all word
	last    bool // it was refused, and its target has taken other word since: it is tried once more
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

	// Devices returns the paired devices that want word, as targets. Gone is called with the id of a device that its
	// push service does not know any more. Keys returns the keys for push services. All three may be nil.
	Devices func() []config.Target
	Away    func() bool // reports whether the user is away; nil: never
	Gone    func(device string)
	Keys    func() (Keys, error)
}

// all returns the targets of the settings, and the devices that want word.
func (b *Outbox) all() []config.Target {
	list := b.opt.Settings().Targets
	if b.opt.Devices != nil {
		list = append(slices.Clip(list), b.opt.Devices()...)
	}
	return list
}

// Outbox sends word. Make one with New.
type Outbox struct {
	opt  Options
	dir  string
	wake chan struct{}

	mu      sync.Mutex // guards everything below
	waiting []Word     // the oldest first
	targets map[string]*target
	told    map[string]time.Time // when a target was told of an alarm, an end or a problem
	newest  time.Time            // when the newest word was queued
	ended   bool                 // Run has ended
	work    sync.WaitGroup       // pictures that are fetched, and words that are sent
}

// target is the state of a target.
type target struct {
	of     config.Target
	busy   bool
	due    time.Time // when the next word may be sent
	soon   time.Time // the same, for word that was not refused
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
		return cmp.Or(x.Queued.Compare(y.Queued), strings.Compare(x.ID, y.ID))
	})
	if n := len(b.waiting); n > 0 {
		b.newest = b.waiting[n-1].Queued
	}
	return b
}

// --- What is told ---

// Event tells of an event that has changed: once that it began, and once that it ended.
func (b *Outbox) Event(e event.Event) {
	kind, at := Alarm, e.Time
	if e.State.Ended() {
		kind, at = Saved, cmp.Or(e.SavedAt, e.Until)
	} else if e.State != event.Recording || e.Continues != "" {
		return
	}
	// Both are lengths of time, because the clock may have been set since the start.
	now := time.Now()
	if age := now.Round(0).Sub(at); age >= min(now.Sub(b.opt.Started), giveUp) {
		return
	}

	w := Word{Kind: kind, Time: e.Time, Event: e.ID, Camera: e.Camera, Label: e.Label, State: string(e.State)}
	labels := []string{e.Label}
	for _, t := range e.Triggers {
		labels = append(labels, t.Label)
	}
	to := b.targetsOf(w, labels...)
	b.mu.Lock()
	list := b.queue(w, b.untold(string(kind)+" "+e.ID, giveUp, to))
	ended := b.ended
	if len(list) > 0 && !ended {
		b.work.Go(func() { b.complete(e, list) })
	}
	b.mu.Unlock()
	if ended { // the next process sends it
		b.keep(b.sayEvent(e, list))
	}
}

// complete adds what is said of an event to its words, and the picture, and lets them go.
func (b *Outbox) complete(e event.Event, list []Word) {
	list = b.sayEvent(e, list)
	wanted := map[string]bool{}
	for _, t := range b.all() {
		wanted[t.ID] = t.Picture
	}
	if slices.ContainsFunc(list, func(w Word) bool { return wanted[w.Target] }) {
		b.keep(list) // a crash in the meantime costs the picture, not the word
		p, err := within(context.Background(), pictureFor, func(ctx context.Context) ([]byte, error) {
			return b.opt.Picture(ctx, e)
		})
		for i, w := range list {
			if err == nil && len(p) <= maxPicture && wanted[w.Target] {
				list[i].Picture = p
			}
		}
	}
	for i := range list {
		list[i].held = false
	}
	b.keep(list)
	b.wakeUp()
}

// within calls a function that may hang, as on a drive, and leaves it behind after a while.
func within[T any](ctx context.Context, most time.Duration, f func(context.Context) (T, error)) (value T, err error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	done := make(chan func(), 1)
	go func() {
		v, e := f(ctx)
		done <- func() { value, err = v, e }
	}()
	select {
	case take := <-done:
		take()
		return value, err
	case <-ctx.Done():
		return value, context.Cause(ctx)
	}
}

// sayEvent returns words with what is said of an event.
func (b *Outbox) sayEvent(e event.Event, list []Word) []Word {
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
	title, body := b.opt.Say(head.With(e.Title())), b.opt.Say(said)
	for i := range list {
		list[i].Title, list[i].Body = title, body
	}
	return list
}

// Problem tells of a problem, at most once in an hour. It reports whether anybody is told now.
func (b *Outbox) Problem(p status.Problem) bool {
	w := Word{Kind: Trouble, Time: time.Now()}
	to := b.targetsOf(w)
	b.mu.Lock()
	to = b.untold("trouble "+p.Code+" "+p.About, newsTime, to)
	b.mu.Unlock()
	if len(to) == 0 {
		return false
	}
	w.Title, w.Body = b.opt.Say(text.WordTrouble.With()),
		strings.TrimSuffix(b.opt.Say(p.Text), ".")+". "+b.opt.Say(p.Hint)
	b.put(w, to)
	return true
}

// newsTime is how long a problem that was told is no news.
const newsTime = time.Hour

// untold returns those of some targets that were not told something for a while, and notes that they are told now.
// b.mu is held.
func (b *Outbox) untold(what string, lately time.Duration, to []config.Target) []config.Target {
	now := time.Now()
	for k, at := range b.told {
		if now.Sub(at) > giveUp {
			delete(b.told, k)
		}
	}
	return slices.DeleteFunc(to, func(t config.Target) bool {
		key := what + " " + t.ID
		if at, told := b.told[key]; told && now.Sub(at) <= lately {
			return true
		}
		b.told[key] = now
		return false
	})
}

// targetsOf returns the targets that want a word, which is of any of the labels.
func (b *Outbox) targetsOf(w Word, labels ...string) (to []config.Target) {
	for _, t := range b.all() {
		// Who was told that a clip is being saved wants to know if it is not.
		wanted := map[Kind]bool{Alarm: t.Alarm, Trouble: t.Trouble,
			Saved: t.Saved || t.Alarm && w.State == string(event.Failed)}[w.Kind]
		ofLabel := func(l string) bool { return among(t.Labels, l) }
		if t.Enabled && wanted && (!t.Away || b.opt.Away != nil && b.opt.Away()) &&
			(w.Camera == "" || among(t.Cameras, w.Camera) && slices.ContainsFunc(labels, ofLabel)) &&
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

// queue lets a word wait for some targets, held and in memory alone. b.mu is held.
func (b *Outbox) queue(w Word, to []config.Target) (list []Word) {
	for _, t := range to {
		w.Queued = time.Now().Round(0)
		if !w.Queued.After(b.newest) { // the order must be clear, even if the clock was set back
			w.Queued = b.newest.Add(time.Nanosecond)
		}
		b.newest = w.Queued
		w.ID, w.Target, w.held = rand.Text(), t.ID, true
		b.waiting = append(b.waiting, w)
		list = append(list, w)
	}
	return list
}

// put lets a word wait for some targets, durably.
func (b *Outbox) put(w Word, to []config.Target) {
	b.mu.Lock()
	list := b.queue(w, to)
	b.mu.Unlock()
	for i := range list {
		list[i].held = false
	}
	b.keep(list)
	b.trim(b.all())
	b.wakeUp()
}

// keep writes words that wait, and takes over what changed in them.
func (b *Outbox) keep(list []Word) {
	for _, w := range list {
		if err := b.write(w); err != nil {
			b.opt.Log.Error("word is not kept over a restart", "err", err)
		}
		b.mu.Lock()
		if i := slices.IndexFunc(b.waiting, func(o Word) bool { return o.ID == w.ID }); i >= 0 {
			b.waiting[i] = w
		} else {
			b.drop(w) // it was dropped while it was written
		}
		b.mu.Unlock()
	}
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

// trim drops word that is old news, the oldest words of targets that have too many, and those of targets that there are
// no longer.
func (b *Outbox) trim(targets []config.Target) {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := map[string]int{}
	for _, w := range slices.Backward(b.waiting) {
		count[w.Target]++
		known := slices.ContainsFunc(targets, func(t config.Target) bool { return t.ID == w.Target && t.Enabled })
		if !known || count[w.Target] > maxWaiting || time.Since(w.Queued) > giveUp {
			b.opt.Log.Warn("word that nobody took is dropped", "to", w.Target, "event", w.Event)
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

// sendDue starts to send the next word of each target that is due. It returns after which time to look again.
func (b *Outbox) sendDue(ctx context.Context) time.Duration {
	targets := b.all()
	b.trim(targets)
	b.mu.Lock()
	defer b.mu.Unlock()
	now, next := time.Now(), time.Minute
	for _, t := range targets {
		s, w := b.state(t.ID), b.next(t.ID)
		if !sameAddress(s.of, t) { // what was wrong with the old one says nothing
			*s = target{of: t, busy: s.busy}
		}
		if s.busy || w == nil {
			continue
		}
		due := s.soon
		if w.refused {
			due = s.due
		}
		if wait := due.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		s.busy = true
		word := *w
		b.work.Go(func() { b.deliver(ctx, t, word) })
	}
	return next
}

// sameAddress reports whether word for both goes to the same place.
func sameAddress(x, y config.Target) bool {
	return x.Kind == y.Kind && x.URL == y.URL && x.User == y.User && x.Token == y.Token
}

// next returns the word that a target is to get next, or nil: the oldest one, or the oldest that it refused if there is
// no other. b.mu is held.
func (b *Outbox) next(id string) *Word {
	var refused *Word
	for i := range b.waiting {
		w := &b.waiting[i]
		switch {
		case w.Target != id:
		case w.refused:
			refused = cmp.Or(refused, w)
		case w.held:
			return nil
		default:
			return w
		}
	}
	return refused
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
	err := b.send(ctx, t, w)
	var refused *refusal
	wrong := errors.As(err, &refused) && refused.word
	if wrong && w.Picture != nil { // the text is better than nothing
		w.Picture = nil
		err = b.send(ctx, t, w)
		wrong = errors.As(err, &refused) && refused.word
	}
	if refused != nil && refused.gone && t.Kind == config.Push && b.opt.Gone != nil {
		b.opt.Gone(PushDevice(t.ID))
	}
	b.mu.Lock()
	s := b.state(t.ID)
	s.busy = false
	switch now := time.Now(); {
	case err == nil:
		b.drop(w)
		b.change(t.ID, func(o *Word) { o.refused, o.last = false, o.last || o.refused && !w.refused })
		s.sent, s.last, s.due, s.soon, s.pause, s.failed, s.err = s.sent+1, now, now, now, 0, time.Time{}, nil
	case ctx.Err() != nil:
	case wrong && w.last: // the target takes other word, so this one will never be taken
		b.drop(w)
		s.err = err
	default:
		s.pause = min(max(2*s.pause, firstPause), mostPause)
		s.due = now.Add(max(s.pause, retryAfter(err)))
		s.soon, s.err = s.due, err
		if s.failed.IsZero() {
			s.failed = now
		}
		if wrong { // it may be the word or the target: other word shows which
			s.soon = now.Add(firstPause)
			b.change(t.ID, func(o *Word) { o.refused = o.refused || o.ID == w.ID })
		}
	}
	b.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		b.opt.Log.Warn("word not taken", "to", t.ID, "err", err)
	}
	b.opt.Changed()
	b.wakeUp()
}

// change changes the words that wait for a target. b.mu is held.
func (b *Outbox) change(id string, f func(*Word)) {
	for i := range b.waiting {
		if b.waiting[i].Target == id {
			f(&b.waiting[i])
		}
	}
}

// Try sends a test to a target at once, and returns what became of it.
func (b *Outbox) Try(ctx context.Context, id string, picture []byte) error {
	for _, t := range b.all() {
		if t.ID == id {
			w := Word{ID: rand.Text(), Target: id, Kind: Test, Time: time.Now(), Queued: time.Now(),
				Title: b.opt.Say(text.WordTest.With()), Body: b.opt.Say(text.WordTestBody.With())}
			if t.Picture {
				w.Picture = picture
			}
			err := b.send(ctx, t, w)
			if err == nil { // what waits goes out at once
				b.mu.Lock()
				s := b.state(id)
				s.due, s.soon, s.pause = time.Time{}, time.Time{}, 0
				b.mu.Unlock()
				b.wakeUp()
			}
			return err
		}
	}
	return text.NoSuchTarget.Error()
}

// Status returns the state of the targets.
func (b *Outbox) Status() (list []status.Target) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.all() {
		s := status.Target{ID: t.ID, Name: cmp.Or(t.Name, t.ID), Kind: t.Kind, Enabled: t.Enabled, Away: t.Away}
		for _, w := range b.waiting {
			if w.Target == t.ID {
				s.Waiting++
			}
		}
		if now := b.targets[t.ID]; now != nil {
			s.Sent, s.Last = now.sent, now.last
			if now.err != nil {
				s.Error = text.Of(now.err)
				s.Failing = s.Waiting > 0 && !now.failed.IsZero() && time.Since(now.failed) > failTime
			}
		}
		list = append(list, s)
	}
	return list
}
