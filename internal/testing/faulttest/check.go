//go:build linux

package faulttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/archive/drive"
	"github.com/preroll/preroll/recorder/event"
)

// Report is the result of a check.
type Report struct {
	Triggers    int // mails that were answered 250
	Unanswered  int // mails that were not
	Lost        int // accepted mails that are in no event, or mails in several events
	Events      int
	Failed      int
	Clips       int
	Frames      int // in clips
	Due         int // frames that were sent in the windows of events
	Damaged     int // missing or unreadable because they were damaged on the way
	Explained   int // missing, and named by the event
	Unexplained int // missing, and not named
	Edge        int // missing at the edges of a window, within the precision of the times; see edge
	Doubled     int // more than once in a clip or in a chain of clips
	NotWhole    int // files

	Wrong []string // everything that is wrong, in words
}

func (r *Report) blame(format string, args ...any) {
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

func (r Report) String() string {
	return fmt.Sprintf("triggers answered %d (not answered %d), lost %d\nevents %d, failed with a reason %d, clips %d\nframes checked %d, due %d, damaged on the way %d, missing and explained %d, missing and unexplained %d, at the edge %d, doubled %d\nfiles not whole %d\n",
		r.Triggers, r.Unanswered, r.Lost, r.Events, r.Failed, r.Clips, r.Frames, r.Due, r.Damaged, r.Explained,
		r.Unexplained, r.Edge, r.Doubled, r.NotWhole)
}

// Settle waits until no event is open, and returns all events, oldest first. Preroll must be running.
func (w *World) Settle(ctx context.Context, limit time.Duration) ([]event.Event, error) {
	var list []event.Event
	err := waitEvery(ctx, time.Second/2, limit, "all events to end", func() (bool, error) {
		got, err := w.Events(ctx)
		if err != nil {
			return false, nil
		}
		list = got
		return !slices.ContainsFunc(list, func(e event.Event) bool { return !e.State.Ended() }), nil
	})
	if err != nil {
		for _, e := range list {
			if !e.State.Ended() {
				b, _ := json.Marshal(e)
				err = fmt.Errorf("%w\nstill open: %s", err, b)
			}
		}
	}
	return list, err
}

// Events returns all events, oldest first.
func (w *World) Events(ctx context.Context) (list []event.Event, err error) {
	c, err := w.Client()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	q := event.Query{Limit: 500}
	for {
		page, err := c.Events(ctx, q)
		if err != nil {
			return nil, err
		}
		list = append(list, page...)
		if len(page) < q.Limit {
			slices.Reverse(list)
			return list, nil
		}
		last := page[len(page)-1]
		q.Before, q.BeforeID = last.Time, last.ID
	}
}

// Check compares what Preroll keeps with what happened. The caller stops Preroll first and passes the events that
// Preroll reported last.
func (w *World) Check(ctx context.Context, events []event.Event) Report {
	r := Report{Events: len(events)}
	w.mu.Lock()
	r.Wrong = append(r.Wrong, w.wrong...)
	w.mu.Unlock()
	w.checkTriggers(&r, events)
	w.checkEvents(&r, events)
	clips := w.checkFiles(ctx, &r, events)
	w.checkFrames(&r, events, clips)
	if r.Edge > 1+len(clips)/100 {
		r.blame("%d frames are missing at the edges of %d events: that is more than chance", r.Edge, len(clips))
	}
	w.checkIndex(ctx, &r, events)
	w.checkLeft(&r)
	w.checkLog(&r)
	return r
}

// --- Triggers and events ---

// checkTriggers checks that each accepted mail is in exactly one event.
func (w *World) checkTriggers(r *Report, events []event.Event) {
	in := map[string][]event.Event{}
	times := map[string]event.Trigger{}
	uncounted := map[string]int{} // triggers that events of a camera count but no longer list
	for _, e := range events {
		for _, t := range e.Triggers {
			in[t.Subject] = append(in[t.Subject], e)
			times[t.Subject] = t
		}
		if e.TriggerCount < len(e.Triggers) {
			r.blame("event %s counts %d triggers and lists %d", e.ID, e.TriggerCount, len(e.Triggers))
		}
		uncounted[e.Camera] += e.TriggerCount - len(e.Triggers)
	}
	for _, m := range w.Mails.All() {
		list := in[m.Subject]
		if len(list) > 1 {
			r.Lost++
			r.blame("alarm %s is in %d events: %s and %s", m.Subject, len(list), list[0].ID, list[1].ID)
			continue
		}
		if !m.Accepted() {
			r.Unanswered++
			continue
		}
		r.Triggers++
		if len(list) == 0 {
			if uncounted[m.Camera]--; uncounted[m.Camera] < 0 {
				r.Lost++
				r.blame("alarm %s for %s, begun %s, answered 250 at %s, is in no event", m.Subject, m.Camera,
					clock(m.Begun), clock(m.Answered))
			}
			continue
		}
		e, t := list[0], times[m.Subject]
		if e.Camera != m.Camera {
			r.blame("alarm %s for %s is in event %s of %s", m.Subject, m.Camera, e.ID, e.Camera)
		}
		if t.Time.Before(m.Begun.Add(-5*time.Millisecond)) || t.Time.After(m.Answered) {
			r.blame("alarm %s was sent from %s to %s, its trigger says %s", m.Subject, clock(m.Begun), clock(m.Answered),
				clock(t.Time))
		}
		if e.Until.Before(t.Time) || e.From.After(t.Time) {
			r.blame("event %s reaches from %s to %s, without its trigger at %s", e.ID, clock(e.From), clock(e.Until),
				clock(t.Time))
		}
	}
}

func clock(t time.Time) string { return t.Local().Format("15:04:05.000") }

// checkEvents checks what each event says about itself.
func (w *World) checkEvents(r *Report, events []event.Event) {
	for _, e := range events {
		switch {
		case !e.State.Ended():
			r.blame("event %s has not ended: %s", e.ID, e.State)
		case e.State == event.Failed:
			r.Failed++
			if len(e.Clips) > 0 {
				r.blame("event %s failed and has clips", e.ID)
			}
		case len(e.Clips) == 0:
			r.blame("event %s is %s and has no clip", e.ID, e.State)
		}
		if e.State != event.Saved && e.Reason == "" {
			r.blame("event %s is %s and gives no reason", e.ID, e.State)
		}
		if e.State == event.Saved && len(e.Gaps) > 0 {
			r.blame("event %s is saved and has gaps: %v", e.ID, e.Gaps)
		}
		for _, g := range e.Gaps {
			if g.Reason == "" || g.To.Before(g.From) {
				r.blame("event %s has a gap without a reason or with a wrong length: %+v", e.ID, g)
			}
		}
	}
}

// --- Files ---

// content is what a clip holds.
type content struct {
	clip     event.Clip
	counters []int
}

// checkFiles reads all files in the archive, and returns the clips by the id of their event.
func (w *World) checkFiles(ctx context.Context, r *Report, events []event.Event) map[string][]content {
	clips := map[string][]content{}
	root := w.Archive()
	named := map[string]bool{} // files that belong to an event
	damage := map[string][]Interval{}
	for _, c := range w.Cameras {
		damage[c.ID] = c.damage()
	}
	for _, e := range events {
		if e.Stem == "" {
			continue
		}
		dir := filepath.Join(root, filepath.FromSlash(e.Folder))
		sidecar := filepath.Join(dir, archive.Sidecar(e))
		named[sidecar] = true
		w.checkSidecar(r, e, sidecar)
		for _, name := range []string{e.Thumbnail, e.Snapshot, e.Mail} {
			if name == "" {
				continue
			}
			named[filepath.Join(dir, name)] = true
			if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Size() == 0 {
				r.NotWhole++
				r.blame("event %s: picture %s: %v", e.ID, name, err)
			}
		}
		for _, c := range e.Clips {
			path := filepath.Join(dir, c.File)
			named[path] = true
			got := content{clip: c}
			r.Clips++
			damaged := slices.ContainsFunc(damage[e.Camera], func(s Interval) bool {
				return s.Holds(c.Start, tolerance) || s.Holds(c.End, tolerance) ||
					c.Start.Before(s.From) && c.End.After(s.To)
			})
			if err := whole(ctx, path, c, damaged); err != nil {
				r.NotWhole++
				r.blame("event %s: %v", e.ID, err)
			}
			var err error
			if got.counters, err = camtest.FramesOf(ctx, path, damaged); err != nil {
				r.NotWhole++
				r.blame("event %s: %v", e.ID, err)
				got.counters, _ = camtest.FramesOf(ctx, path, true) // whatever can still be read
			} else if c.Frames != len(got.counters) && !damaged {
				r.blame("event %s: %s holds %d frames, its record says %d", e.ID, c.File, len(got.counters), c.Frames)
			}
			clips[e.ID] = append(clips[e.ID], got)
		}
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// durable.Try leaves its file behind if the drive goes at that moment, and removes it the next time.
		own := []string{drive.File, lockfile.Name, ".preroll-write-test"}
		if d.IsDir() || named[path] || w.stranger[path] ||
			filepath.Dir(path) == root && slices.Contains(own, d.Name()) {
			return nil
		}
		r.NotWhole++
		r.blame("%s belongs to no event", strings.TrimPrefix(path, root+"/"))
		return nil
	})
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || len(clips) > 0) {
		r.blame("read the archive: %v", err)
	}
	for path := range w.stranger {
		if _, err := os.Lstat(path); err != nil && strings.HasPrefix(path, root) {
			r.blame("a file that Preroll did not write is gone: %v", err)
		}
	}
	return clips
}

// checkSidecar compares an event with its sidecar.
func (w *World) checkSidecar(r *Report, e event.Event, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		r.NotWhole++
		r.blame("event %s: %v", e.ID, err)
		return
	}
	var got event.Event
	if err := json.Unmarshal(b, &got); err != nil {
		r.NotWhole++
		r.blame("event %s: sidecar: %v", e.ID, err)
		return
	}
	if a, b := plain(e), plain(got); a != b {
		r.blame("event %s and its sidecar differ:\n  index   %s\n  sidecar %s", e.ID, a, b)
	}
}

// plain returns an event as comparable text, without the place of the archive.
func plain(e event.Event) string {
	e.Archive, e.Drive = "", ""
	b, err := json.Marshal(e)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// whole checks that a clip is what its event says. Of a damaged clip, whole also reads the container, and ignores what
// FFmpeg says about the pictures. The container of other clips is read together with their frames.
func whole(ctx context.Context, path string, c event.Clip, damaged bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); n != c.Bytes || sum != c.SHA256 {
		return fmt.Errorf("%s has %d bytes with the hash %s; its record says %d, %s", c.File, n, sum, c.Bytes, c.SHA256)
	}
	if partial := strings.Contains(c.File, ".partial."); !partial {
		if front, err := indexInFront(f); err != nil || !front {
			return fmt.Errorf("%s: index in front: %v, %w", c.File, front, err)
		}
	}
	if !damaged {
		return nil
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-xerror", "-i", path, "-map", "0", "-c", "copy", "-f",
		"null", "-")
	cmd.Stderr = &errs
	if err := cmd.Run(); (err != nil || errs.Len() > 0) && complaint.Match(decoding.ReplaceAll(errs.Bytes(), nil)) {
		return fmt.Errorf("%s does not read clean: %v: %s", c.File, err, errs.Bytes())
	}
	return nil
}

var (
	// decoding matches what a decoder or parser logs.
	decoding  = regexp.MustCompile(`(?m)^(\[(h264|hevc|aac|NULL) @ [^\n]*| *Last message repeated[^\n]*)$`)
	complaint = regexp.MustCompile(`\S`)
)

// indexInFront reports whether an MP4 file has its index before its media data, so that it plays before it is complete.
func indexInFront(f io.ReadSeeker) (bool, error) {
	at := int64(0)
	for {
		var h [16]byte
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			return false, err
		}
		if _, err := io.ReadFull(f, h[:]); err != nil {
			return false, err
		}
		size := int64(binary.BigEndian.Uint32(h[:]))
		if size == 1 {
			size = int64(binary.BigEndian.Uint64(h[8:]))
		}
		switch string(h[4:8]) {
		case "moov":
			return true, nil
		case "mdat":
			return false, nil
		}
		if size < 8 {
			return false, errors.New("a box with no size")
		}
		at += size
	}
}

// --- Frames ---

// blur is the precision with which an event knows where a clip begins; endBlur is the same for the end. An event that
// may lack a little says so, see clip.sure and clip.endSure.
const (
	blur    = 300 * time.Millisecond
	endBlur = 650 * time.Millisecond
)

// edge is by how much the times of a clip may be early or late on a busy machine or network: a little more than a
// frame.
const edge = time.Second/fps + 100*time.Millisecond

// tolerance is by how much the times of a gap may differ from the times at which frames left the camera.
const tolerance = 1500 * time.Millisecond

// checkFrames compares the frames of each event with what its camera sent. Events that continue each other are checked
// together, because they must join.
func (w *World) checkFrames(r *Report, events []event.Event, clips map[string][]content) {
	byID := map[string]event.Event{}
	for _, e := range events {
		byID[e.ID] = e
	}
	chains := map[string][]event.Event{}
	for _, e := range events {
		root := e.ID
		for n := 0; byID[root].Continues != "" && n < len(events); n++ {
			if _, ok := byID[byID[root].Continues]; !ok {
				r.blame("event %s continues %s, which there is not", root, byID[root].Continues)
				break
			}
			root = byID[root].Continues
		}
		chains[root] = append(chains[root], e)
	}
	for _, c := range w.Cameras {
		for _, e := range events {
			if chain := chains[e.ID]; e.Camera == c.ID && chain != nil {
				w.checkChain(r, c, chain, clips)
			}
		}
	}
}

// checkChain compares an event, and the events that continue it, with what their camera sent.
func (w *World) checkChain(r *Report, c *Camera, chain []event.Event, clips map[string][]content) {
	history, damage := c.History(), c.damage()
	damaged := func(at time.Time) bool {
		return slices.ContainsFunc(damage, func(s Interval) bool { return s.Holds(at, 0) })
	}
	var windows, known []Interval // what the events cover, and what they name as missing
	for _, e := range chain {
		windows = append(windows, Interval{e.From, e.Until})
		known = append(known, named(e)...)
	}
	windows = union(windows)
	var wrong []string
	blame := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	held := map[int64]string{} // clip by the time at which the frame left
	var doubled []string
	for _, e := range chain {
		for _, got := range clips[e.ID] {
			twiceBefore := len(doubled)
			r.Frames += len(got.counters)
			var last time.Time
			hurt := slices.ContainsFunc(damage, func(s Interval) bool {
				return got.clip.End.After(s.From) && got.clip.Start.Before(s.To)
			})
			for i, f := range shown(got, around(history, got.clip), e.Gaps) {
				if f.Span < 0 {
					if len(damage) == 0 {
						r.NotWhole++
						blame("frame %d of %s cannot be read", i, got.clip.File)
					}
					r.Damaged++
					continue
				}
				if hurt && !f.Sure {
					held[f.Time.UnixNano()] = got.clip.File
					continue
				}
				if was, twice := held[f.Time.UnixNano()]; twice && !damaged(f.Time) {
					doubled = append(doubled, fmt.Sprintf("frame %d of %s, sent at %s and in %s already", i,
						got.clip.File, clock(f.Time), was))
				}
				held[f.Time.UnixNano()] = got.clip.File
				if !last.IsZero() && f.Time.Sub(last) > time.Second && !damaged(last.Add(time.Second/fps)) &&
					!damaged(f.Time) && !explained(known, last.Add(f.Time.Sub(last)/2)) {
					blame("%s has a hole of %.1f s from %s on that no event names", got.clip.File,
						f.Time.Sub(last).Seconds(), clock(last))
				}
				last = f.Time
			}
			// Fewer than a segment has: a decoder showed old pictures.
			if hurt && len(doubled)-twiceBefore < min(c.usual.GOP, fps/2) {
				doubled = doubled[:twiceBefore]
			}
		}
	}
	if len(doubled) > 0 {
		r.Doubled += len(doubled)
		blame("%d frames are doubled: %s ... %s", len(doubled), doubled[0], doubled[len(doubled)-1])
	}
	var missing []time.Time
	for _, s := range windows {
		for _, at := range c.Sent(s.From, s.To) {
			r.Due++
			switch _, ok := held[at.UnixNano()]; {
			case ok:
			case damaged(at):
				r.Damaged++
			case explained(known, at):
				r.Explained++
			case at.Sub(s.From) < edge || s.To.Sub(at) < edge:
				r.Edge++
			default:
				missing = append(missing, at)
			}
		}
	}
	if len(missing) > 0 {
		r.Unexplained += len(missing)
		blame("%d frames are missing and nobody says so: %s", len(missing), runs(missing))
	}
	if wrong == nil {
		return
	}
	r.blame("%s, event %s:\n    %s\n  the events: %s\n  meanwhile: %s", c.ID, chain[0].ID,
		strings.Join(wrong, "\n    "), brief(chain),
		w.Faults.At(c.ID, Interval{windows[0].From.Add(-5 * time.Second),
			windows[len(windows)-1].To.Add(10 * time.Second)}))
}

// around returns the loops that a clip can hold. The camera may have played the same loop earlier, with the same
// counters.
func around(history []camtest.Span, c event.Clip) (list []camtest.Span) {
	const slack = 15 * time.Second
	for _, s := range history {
		if s.From.Before(c.End.Add(slack)) && (s.To.IsZero() || s.To.After(c.Start.Add(-slack))) {
			list = append(list, s)
		}
	}
	return list
}

// shown returns when the frames of a clip left their camera. After each gap, shown searches near the end of the gap
// that the event names, because the loops of a camera may share counters.
func shown(c content, history []camtest.Span, gaps []event.Gap) (list []camtest.Shown) {
	const slack = 2 * fps
	rest, near, missing := c.counters, c.clip.Start, time.Duration(0)
	for _, g := range gaps {
		if !g.From.After(c.clip.Start) || !g.To.Before(c.clip.End) {
			continue
		}
		want := int((g.From.Sub(c.clip.Start)-missing).Seconds()*fps) - len(list)
		missing += g.To.Sub(g.From)
		if len(list) > 0 && want < fps/2 { // no frames since the previous gap
			near = g.To
			continue
		}
		at := 0
		for i := max(1, want-slack); i < min(len(rest), want+slack+1); i++ {
			if rest[i] != rest[i-1]+1 && (at == 0 || max(i-want, want-i) < max(at-want, want-at)) {
				at = i
			}
		}
		if at > 0 {
			list = append(list, camtest.Times(rest[:at], history, near)...)
			rest, near = rest[at:], g.To
		}
	}
	return append(list, camtest.Times(rest, history, near)...)
}

// runs shortens a list of frames of one camera to its unbroken sequences.
func runs(times []time.Time) string {
	var out []string
	for i := 0; i < len(times); {
		j := i
		for j+1 < len(times) && times[j+1].Sub(times[j]) < 3*time.Second/fps/2 {
			j++
		}
		out = append(out, fmt.Sprintf("%d from %s to %s", j-i+1, clock(times[i]), clock(times[j])))
		i = j + 1
	}
	return strings.Join(out, ", ")
}

// brief returns what helps to understand a fault, from some events.
func brief(chain []event.Event) string {
	var out []string
	for _, e := range chain {
		s := fmt.Sprintf("%s %s, from %s until %s, last trigger %s, asked %s+%s got %s+%s, reason %q", e.ID, e.State,
			clock(e.From), clock(e.Until), clock(e.LastTrigger),
			e.Receipt.PreRollAsked.D(), e.Receipt.PostRollAsked.D(), e.Receipt.PreRollGot.D(),
			e.Receipt.PostRollGot.D(), e.Reason)
		for _, c := range e.Clips {
			s += fmt.Sprintf("; clip %s %s-%s %d frames %s", c.File, clock(c.Start), clock(c.End), c.Frames,
				c.Length.D())
		}
		for _, g := range e.Gaps {
			s += fmt.Sprintf("; gap %s-%s %s", clock(g.From), clock(g.To), g.Reason)
		}
		out = append(out, s)
	}
	return strings.Join(out, "\n    ")
}

// named returns the intervals that an event names as missing.
func named(e event.Event) (list []Interval) {
	for _, g := range e.Gaps {
		list = append(list, Interval{g.From, g.To})
	}
	if e.Reason == "" {
		return list
	}
	if len(e.Clips) == 0 {
		return append(list, Interval{e.From, e.Until})
	}
	if first := e.Clips[0].Start; strings.Contains(e.Reason, "The first ") && first.After(e.From.Add(-blur)) {
		list = append(list, Interval{e.From, first})
	}
	if last := e.Clips[len(e.Clips)-1].End; strings.Contains(e.Reason, "The last ") &&
		last.Before(e.Until.Add(endBlur)) {
		list = append(list, Interval{earlier(last, e.Until), e.Until})
	}
	return list
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func explained(known []Interval, at time.Time) bool {
	return slices.ContainsFunc(known, func(s Interval) bool { return s.Holds(at, tolerance) })
}

// --- After the end ---

// checkIndex rebuilds the index from the archive and compares the two.
func (w *World) checkIndex(ctx context.Context, r *Report, events []event.Event) {
	state := filepath.Join(w.opt.Dir, "reindexed")
	a, err := archive.Open(ctx, state, w.Archive(), slog.New(slog.DiscardHandler))
	if err != nil {
		r.blame("rebuild the index: %v", err)
		return
	}
	defer func() { _ = a.Close() }()
	_, faults, err := a.Reindex(ctx)
	faults = slices.DeleteFunc(faults, func(err error) bool { // concerns a file that a fault put into the archive
		path, _, _ := strings.Cut(err.Error(), ": ")
		return w.stranger[path]
	})
	if err != nil || len(faults) > 0 {
		r.blame("rebuild the index: %v %v", err, faults)
	}
	found := map[string]string{}
	list, err := a.List(ctx, event.Query{Limit: 1 << 20})
	if err != nil {
		r.blame("rebuild the index: %v", err)
	}
	for _, e := range list {
		found[e.ID] = plain(e)
	}
	for _, e := range events {
		got, ok := found[e.ID]
		delete(found, e.ID)
		switch {
		case !ok && e.Stem == "" && e.State == event.Failed: // the event never had a place in the archive
		case !ok:
			r.blame("event %s is not in the index that was rebuilt from the archive", e.ID)
		case got != plain(e):
			r.blame("event %s differs in the rebuilt index:\n  before %s\n  after  %s", e.ID, plain(e), got)
		}
	}
	for id := range found {
		r.blame("event %s is in the archive and was not in the index", id)
	}
}

// checkLeft looks for processes and pins that remain after Preroll's end.
func (w *World) checkLeft(r *Report) {
	if w.pid() != 0 {
		return
	}
	for _, p := range w.processes() {
		r.blame("process %d is left over: %s", p.pid, strings.Join(p.args, " "))
	}
	pins, _ := filepath.Glob(filepath.Join(w.settings.RAMDisk.Path, "*", "pins", "*"))
	for _, p := range pins {
		if !w.stranger[p] {
			r.blame("pin %s is left over", strings.TrimPrefix(p, w.settings.RAMDisk.Path+"/"))
		}
	}
}

// bad matches what must never be in Preroll's log.
var bad = regexp.MustCompile(`(?m)^panic:|^fatal error:|DATA RACE|^goroutine \d+ \[.*|http: panic|panic in|runtime error`)

// checkLog looks for panics in the log, and for the password of the cameras in everything that Preroll keeps.
func (w *World) checkLog(r *Report) {
	b, err := os.ReadFile(w.log.Name())
	if err != nil {
		r.blame("read the log: %v", err)
		return
	}
	if at := bad.FindIndex(b); at != nil {
		r.blame("the log holds a panic: %s", b[at[0]:min(len(b), at[0]+4000)])
	}
	secret := []byte(canary(w.opt.Seed))
	for _, dir := range []string{w.log.Name(), w.state, w.Archive(), w.settings.RAMDisk.Path} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, secret) {
				r.blame("a camera's password is in %s", path)
			}
			return nil
		})
	}
}
