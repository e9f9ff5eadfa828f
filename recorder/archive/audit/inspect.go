package audit

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
)

// source says where the knowledge about an event comes from.
type source int

const (
	nowhere source = iota
	fromSidecar
	fromIndex
)

// state is what inspect found out about one event.
type state struct {
	e       event.Event // as far as it is known
	from    source
	lost    bool // a file that should be there is missing
	saving  bool // a running recorder works on the event
	faults  []Issue
	notes   []Issue
	sidecar error // why the sidecar cannot be used; nil if it can, or if there is none
}

func (s *state) addIssue(g group, k Kind, name, text, hint string) {
	s.faults = append(s.faults, Issue{Path: g.at(name), Kind: k, Text: text, Hint: hint, Event: s.e.ID})
}

func (s *state) addNote(g group, k Kind, name, text string) {
	s.notes = append(s.notes, Issue{Path: g.at(name), Kind: k, Text: text, Event: s.e.ID})
}

// Hints that several faults share.
const (
	hintRepair = "preroll check --archive --repair repairs it."
	hintCopy   = "Bring it back from a copy, if there is one. Look after the drive if this happens to more than one file."
)

// settleTime is how long a file must not have changed before it is judged while a recorder runs.
const settleTime = 3 * time.Minute

func recentlyModified(t time.Time) bool { return time.Since(t).Abs() < settleTime }

// inspectStable inspects an event until its files do not change meanwhile. repaired says that the event was just
// repaired: its files are young because of the repair, and its bytes already count as progress.
func (r *run) inspectStable(ctx context.Context, g group, repaired bool) (s state, now group, err error) {
	reading := !repaired
	for range 3 {
		if s, err = r.inspect(ctx, g, repaired, reading); err != nil || s.saving || len(s.faults) == 0 {
			return s, g, err
		}
		now, ok, err := again(ctx, r.Archive, g)
		if err != nil {
			return s, g, err
		}
		if !ok {
			return state{}, g, r.checkRoot() // the event was removed
		}
		if now.digest() == g.digest() {
			if s.lost && !repaired && r.Running(ctx) { // perhaps the event is just being removed
				if fi, err := os.Stat(r.path(g.dir, ".")); err != nil || recentlyModified(fi.ModTime()) {
					s.saving = true
				}
			}
			return s, g, nil
		}

		g, reading = now, false
	}

	s.saving = true
	return s, g, nil
}

// --- One event ---

// inspect compares one event's files with its sidecar and with the index. reading says that the bytes count as
// progress.
func (r *run) inspect(ctx context.Context, g group, repaired, reading bool) (s state, err error) {
	if !repaired && r.Running(ctx) &&
		slices.ContainsFunc(g.files, func(f file) bool { return recentlyModified(f.mod) }) {
		s.saving = true
		return s, nil
	}
	side, has := g.file(g.stem + ".json")
	if has {
		s.sidecar = errors.New("it is not a file")
		if side.regular {
			s.e, s.sidecar = archive.ReadSidecar(r.disk, g.at(side.name))
		}
		if s.sidecar != nil {
			if err := r.checkRoot(); err != nil {
				return s, err
			}
			s.e = event.Event{}
		} else {
			s.from = fromSidecar
		}
	}

	known, indexed, err := r.find(ctx, g, s.e.ID)
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	if err != nil {
		r.lose(err)
		known, indexed = event.Event{}, false
	}
	switch {
	case indexed && !known.State.Ended():
		s.e = known
		if s.saving = r.Running(ctx); !s.saving {
			s.addNote(g, Partial, g.stem+".partial.mp4", "The event is not finished. It will be when Preroll starts.")
		}
		return s, nil
	case s.from == fromSidecar && !s.e.State.Ended() && !indexed:
		if r.index == nil {
			s.addNote(g, Partial, side.name, "The event is not finished. It will be when Preroll starts.")
		} else {
			s.addIssue(g, Index, side.name, "The event is not finished, and the index lacks it.",
				"--repair puts it into the index; then Preroll finishes it when it starts.")
		}
		return s, nil
	case s.from == fromSidecar && !s.e.State.Ended():
		s.e, s.from = known, fromIndex
		s.addIssue(g, Sidecar, side.name,
			"The sidecar says that the event is still being saved; the index knows how it ended.", hintRepair)
	case s.from == nowhere && indexed && !has && len(known.Clips) > 0 && !g.hasVideo():
		// missing checks the index later.
		s.addNote(g, Picture, g.stem, "There is a picture or a mail of an event, and no video.")
		return s, nil
	case s.from == nowhere && indexed:
		s.e, s.from = known, fromIndex
		if len(known.Clips) > 0 || has { // an event that failed has no sidecar if the archive could not be reached
			s.badSidecar(g, hintRepair)
		}
	case s.from == nowhere:
		return r.orphan(ctx, g, s)
	}

	if err := r.clips(ctx, g, &s, known, reading); err != nil {
		return s, err
	}
	r.beside(g, &s)
	if s.from == fromSidecar {
		text, hint, err := r.indexSays(ctx, s.e)
		if err != nil {
			return s, err
		}
		if text != "" {
			s.addIssue(g, Index, side.name, text, hint)
		}
	}

	return s, nil
}

// badSidecar adds the fault that the sidecar is missing or cannot be used.
func (s *state) badSidecar(g group, hint string) {
	text := "The event's sidecar is missing."
	if s.sidecar != nil {
		text = "The sidecar cannot be used: " + said(s.sidecar)
	}
	s.addIssue(g, Sidecar, g.stem+".json", text, hint)
}

// orphan inspects files whose event is not known at all.
func (r *run) orphan(ctx context.Context, g group, s state) (state, error) {
	if r.noIndex != nil && !errors.Is(r.noIndex, fs.ErrNotExist) {
		s.addNote(g, Index, g.stem+".json",
			"Without its sidecar nothing can be told of this event before the index can be read again.")
		return s, nil
	}
	clips, parts, tmps := g.of(archive.ClipFile), g.of(archive.PartialFile), g.of(archive.TmpFile)
	hint := hintRepair
	if !proper.MatchString(g.dir) {
		hint = "It lies outside the folders that Preroll makes, so --repair leaves it alone. Move it to camera/year/month/day."
	}
	switch {
	case len(clips) > 0:
		s.badSidecar(g, hint)
	case s.sidecar != nil && len(parts)+len(tmps) == 0:
		s.badSidecar(g, "There is no video beside it. Delete it by hand if you do not miss any.")
	}
	for _, f := range clips {
		if err := r.plays(ctx, g, &s, f); err != nil {
			return s, err
		}
	}
	for _, f := range parts {
		s.addIssue(g, Partial, f.name, "The file was not finished, and no event is known that it belongs to.", hint)
	}
	r.leftovers(g, &s, hint)
	if len(s.faults) == 0 && len(g.of(archive.ThumbFile))+len(g.of(archive.SnapshotFile))+
		len(g.of(archive.MailFile)) > 0 {
		s.addNote(g, Picture, g.stem, "There is a picture or a mail of an event, and no video.")
	}
	return s, nil
}

// --- Its clips and other files ---

// plays reads back a clip of which nothing is known.
func (r *run) plays(ctx context.Context, g group, s *state, f file) error {
	if !f.regular {
		s.addIssue(g, Clip, f.name, "It is a link and not a file; it was not followed.", "Put the file itself there.")
		return nil
	}
	_, wrong, err := r.readBack(ctx, g.at(f.name))
	if wrong != "" {
		s.addIssue(g, Clip, f.name, wrong, hintCopy)
	}
	return err
}

// readBack makes FFmpeg read a file to its end. wrong says why the file does not play, "" if it does.
func (r *run) readBack(ctx context.Context, name string) (got ffmpeg.Totals, wrong string, err error) {
	f, _, err := durable.OpenPlain(r.disk, name)
	if err != nil {
		return got, "It cannot be read: " + said(err), r.checkRoot()
	}
	defer func() { _ = f.Close() }()
	got, err = r.FFmpeg.Verify(ctx, f)
	switch {
	case ctx.Err() != nil:
		return got, "", context.Cause(ctx)
	case err != nil:
		return got, "It does not play to its end: " + said(err), r.checkRoot()
	case got.Frames == 0:
		return got, "It holds no picture.", nil
	}

	return got, "", nil
}

// clips checks each clip that the event names.
func (r *run) clips(ctx context.Context, g group, s *state, known event.Event, reading bool) error {
	begin := r.now.Bytes
	_, most := g.video()
	read := func(n int64) {
		if reading {
			r.now.Bytes = begin + min(most, r.now.Bytes-begin+n)
			r.Progress(r.now)
		}
	}
	for i, c := range s.e.Clips {
		file, _, err := durable.OpenPlain(r.disk, g.at(c.File))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if err := r.checkRoot(); err != nil {
				return err
			}
			s.lost = true
			s.addIssue(g, Clip, c.File, "The video is not there.",
				"Bring it back from a copy, or, if you deleted it yourself, delete "+g.stem+".json too.")
			continue
		case errors.Is(err, durable.ErrNotPlain):
			s.addIssue(g, Clip, c.File, "It is a link and not a file; it was not followed.",
				"Put the file itself there.")
			continue
		}

		wrong, sum := "", ""
		if err == nil {
			sum, wrong, err = r.compare(ctx, file, c, read)
			uncache(file)
			_ = file.Close()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			if err := r.checkRoot(); err != nil {
				return err
			}
			wrong = "It cannot be read: " + said(err)
		}
		if wrong != "" && i < len(known.Clips) && sum == known.Clips[i].SHA256 && sum != c.SHA256 && sum != "" {
			s.e, s.from = known, fromIndex
			s.addIssue(g, Sidecar, g.stem+".json",
				"The sidecar tells another SHA-256 than the video has, and the index tells the right one.", hintRepair)
			continue
		}
		if wrong != "" {
			s.addIssue(g, Clip, c.File, wrong, hintCopy)
		}
	}

	return nil
}

// compare reads one clip and returns its SHA-256. wrong says how the clip differs from what was saved, "" if it does
// not.
func (r *run) compare(ctx context.Context, file *os.File, c event.Clip,
	read func(int64)) (sum, wrong string, err error) {
	found, err := clip.Compare(ctx, r.FFmpeg, file, c, read)
	if err == nil && !found.Wrong.IsZero() {
		err = r.checkRoot()
	}
	return found.SHA256, found.Wrong.String(), err
}

// beside checks all files of a known event except its clips.
func (r *run) beside(g group, s *state) {
	for _, name := range []string{s.e.Thumbnail, s.e.Snapshot, s.e.Mail} {
		if name == "" || r.picture(g, name) {
			continue
		}
		if name == s.e.Thumbnail {
			s.addIssue(g, Picture, name, "The thumbnail is not there, or is no picture.", hintRepair)
		} else {
			s.addIssue(g, Picture, name, "The picture that came with the mail is not there, or is none.", hintCopy)
		}
		s.lost = true
	}

	named := clipNames(s.e)
	for _, f := range g.of(archive.ClipFile) {
		if !slices.Contains(named, f.name) {
			s.addNote(g, Clip, f.name, "The event does not name this video. It was left alone.")
		}
	}
	for _, f := range g.of(archive.PartialFile) {
		if !slices.Contains(named, f.name) {
			s.addIssue(g, Partial, f.name, "The file was left over although the event has ended.", hintRepair)
		}
	}
	r.leftovers(g, s, hintRepair)
}

// leftovers adds a fault for each temporary file.
func (r *run) leftovers(g group, s *state, hint string) {
	for _, f := range g.of(archive.TmpFile) {
		s.addIssue(g, Leftover, f.name, "A clip was being made, and was not checked yet.", hint)
	}
	for _, f := range g.of(archive.ScrapFile) {
		s.addIssue(g, Leftover, f.name, "A small file was being written when Preroll ended. It holds no video.", hint)
	}
}

// picture reports whether a file begins like a picture.
func (r *run) picture(g group, name string) bool {
	f, _, err := durable.OpenPlain(r.disk, g.at(name))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, 512) // as many as DetectContentType looks at
	n, _ := io.ReadFull(f, b)
	return strings.HasPrefix(http.DetectContentType(b[:n]), "image/")
}
