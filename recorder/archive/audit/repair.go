package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/text"
)

// proper matches a folder of events as Preroll makes it: the camera's id, then the day.
var proper = regexp.MustCompile(`^[^/]+/\d{4}/\d\d/\d\d$`)

// repairJob is the repair of one event.
type repairJob struct {
	*run
	g       group
	e       event.Event
	changed bool                 // the sidecar has to be written
	bad     []string             // clips that differ from what was saved
	made    map[string]time.Time // clips that got their name in this repair, and when their video was written
	clips   map[string]event.Clip
	done    []string          // partial files that hold nothing
	why     map[string]string // why something could not be repaired, by its path
}

// repair repairs an event's faults as far as possible. It returns why the others could not be repaired, by path. The
// order keeps all video in at least one file, whenever the repair ends: first clips, each of which is checked before it
// replaces its partial file, then pictures, then the sidecar. Empty partial files and leftovers go last.
func (r *run) repair(ctx context.Context, g group, s state) (why map[string]string, err error) {
	m := &repairJob{run: r, g: g, e: s.e, made: map[string]time.Time{}, clips: map[string]event.Clip{},
		why: map[string]string{}}
	useless := false // the sidecar
	for _, f := range s.faults {
		useless = useless || f.Kind == Sidecar
		if f.Kind == Clip {
			m.bad = append(m.bad, filepath.Base(f.Path))
		}
	}
	if s.from == nowhere && !proper.MatchString(g.dir) {
		return m.why, nil
	}
	if s.from == fromSidecar && !s.e.State.Ended() {
		return m.why, nil // Preroll itself continues the event, once the index knows it
	}
	for _, f := range g.of(archive.TmpFile) {
		if err := m.temporary(ctx, f); err != nil {
			return nil, err
		}
	}
	if err := m.finish(ctx); err != nil {
		return nil, err
	}
	if s.from == nowhere && !m.fromFiles(ctx) {
		return m.why, ctx.Err()
	}
	m.changed = m.changed || useless
	m.thumbnail(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if m.changed && m.e.ID != "" {
		if err := m.sidecar(useless); err != nil {
			m.failed(g.stem+".json", err)
			return m.why, nil
		}
		m.reindex = true
	}

	m.tidy()
	return m.why, nil
}

// --- Clips ---

func (m *repairJob) failed(name string, err error) {
	m.why[m.g.at(name)] = strings.TrimSuffix(err.Error(), ".")
}

// whole reports whether a clip can be read back and, as far as that is known, equals what was saved.
func (m *repairJob) whole(ctx context.Context, name string) (bool, error) {
	if slices.Contains(m.bad, name) {
		return false, nil
	}
	got, wrong, err := m.readBack(ctx, m.g.at(name))
	return err == nil && wrong == "" && got.Frames > 0, err
}

// temporary handles a clip that never got its final name. The file is removed if the clip itself or the partial file
// that it was made from is there.
func (m *repairJob) temporary(ctx context.Context, f file) error {
	final := strings.TrimSuffix(f.name[1:], ".tmp") + ".mp4"
	ok := false
	for _, p := range m.g.of(archive.PartialFile) {
		ok = ok || p.regular && p.size > 0 && final == clipOf(m.g.stem, p.name)
	}
	if !ok {
		if _, err := m.disk.Lstat(m.g.at(final)); err == nil {
			if ok, err = m.whole(ctx, final); err != nil {
				return err
			}
		}
	}

	if ok {
		if err := durable.RemoveIn(m.disk, m.g.at(f.name)); err != nil {
			m.failed(f.name, err)
		}
		return nil
	}
	if ok, err := m.whole(ctx, f.name); err != nil {
		return err
	} else if !ok {
		m.failed(f.name, errors.New("it is not whole, and nothing else holds its video; it was kept"))
		return nil
	}
	file, err := m.disk.OpenFile(m.g.at(f.name), os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(file.Sync(), file.Close())
	}
	if err == nil {
		err = durable.PublishIn(m.disk, m.g.at(f.name), m.g.at(final))
	}
	if err != nil {
		m.failed(f.name, err)
		return nil
	}
	m.made[final] = f.mod
	return nil
}

// clipOf returns the name of the clip of a partial file.
func clipOf(stem, part string) string {
	if n := partNumber(stem, part); n > 1 {
		return fmt.Sprintf("%s_part%d.mp4", stem, n)
	}
	return stem + ".mp4"
}

// finish makes clips of the partial files, with the code of the copier. It skips partial files that the event names as
// clips.
func (m *repairJob) finish(ctx context.Context) error {
	files := m.g.of(archive.PartialFile)
	slices.SortFunc(files, func(a, b file) int { return partNumber(m.g.stem, a.name) - partNumber(m.g.stem, b.name) })
	for _, f := range files {
		switch {
		case slices.Contains(clipNames(m.e), f.name):
			continue
		case !f.regular:
			m.failed(f.name, errors.New("it is a link and not a file"))
			continue
		case f.size == 0: // not one byte of video
			m.done = append(m.done, f.name)
			continue
		}

		if err := m.clip(ctx, f); ctx.Err() != nil {
			return context.Cause(ctx)
		} else if err != nil {
			if err := m.checkRoot(); err != nil {
				return err
			}
			m.failed(f.name, err)
		}
	}

	return nil
}

// clip makes a clip of a partial file. If the event is known, clip adds the new clip to the event. Otherwise fromFiles
// does so later for all clips together.
func (m *repairJob) clip(ctx context.Context, f file) error {
	name := clipOf(m.g.stem, f.name)
	if _, err := m.disk.Lstat(m.g.at(name)); err == nil && slices.Contains(m.bad, name) {
		return fmt.Errorf("%s is there already and is not what was saved; it was kept", name)
	}
	folder, err := m.disk.OpenRoot(m.g.dir)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	copier := clip.Finisher{Folder: folder, Sound: m.FFmpeg.EncodeSound, Rename: func(string) error {
		return nil
	}, LastTry: true, Cut: true, Log: slog.New(slog.DiscardHandler)}
	c, err := copier.Finish(ctx, event.Part{File: f.name, Clip: name})
	if err == nil && c == nil {
		err = errors.New("it holds no whole picture; it was kept")
	}
	if err != nil {
		return err
	}
	m.made[c.File], m.clips[c.File] = f.mod, *c
	if m.e.ID == "" {
		return nil
	}
	if c.Start.IsZero() {
		c.Start, c.End = m.span(f.mod, c.Length.D())
	}
	i := slices.IndexFunc(m.e.Clips, func(o event.Clip) bool { return o.File == c.File })
	if i >= 0 && m.e.Clips[i].SHA256 == c.SHA256 {
		return nil
	}
	clips := slices.Clone(m.e.Clips)
	if i >= 0 {
		c.Start, c.End = clips[i].Start, clips[i].Start.Add(c.Length.D())
		clips[i] = *c
	} else {
		clips = append(clips, *c)
		m.e.State = event.Incomplete
		m.e.Explain(text.NotFinished.With())
	}

	m.e.Clips, m.changed = clips, true
	return nil
}

// describe reads a clip and returns its properties without its times.
func (m *repairJob) describe(ctx context.Context, name string) (c event.Clip, err error) {
	got, wrong, err := m.readBack(ctx, m.g.at(name))
	if err == nil && wrong != "" {
		err = errors.New(wrong)
	}
	if err != nil {
		return c, err
	}
	c = event.Clip{File: name, Length: event.Seconds(got.Duration), Frames: got.Frames}
	file, _, err := durable.OpenPlain(m.disk, m.g.at(name))
	if err != nil {
		return c, err
	}
	defer func() { _ = file.Close() }()
	if exact, err := fmp4.Check(file); err == nil {
		c.Length = event.Seconds(exact.Length)
	}
	c.SHA256, c.Bytes, err = clip.Sum(ctx, file, nil)
	return c, err
}

// span estimates when a clip begins and ends from the time of its file, which was last written at the clip's end. If
// this does not fit the time in its name, the clip begins at that time.
func (m *repairJob) span(written time.Time, length time.Duration) (start, end time.Time) {
	const longest = time.Hour // before the trigger
	at := m.g.time()
	if start = written.Add(-length); start.After(at) || start.Before(at.Add(-longest)) {
		start = at
	}
	return start, start.Add(length)
}

// --- Events without a sidecar ---

// fromFiles makes an event from files of which nothing else is known. It reports whether one of them plays.
func (m *repairJob) fromFiles(ctx context.Context) bool {
	camera, _, _ := strings.Cut(m.g.dir, "/")
	at := m.g.time()
	tail := sha256.Sum256([]byte(m.g.at(m.g.stem)))
	e := event.Event{
		ID: at.UTC().Format("20060102T150405.000Z-") + hex.EncodeToString(tail[:3]), Camera: camera, Time: at,
		Label: label(m.g.stem),
		State: event.Incomplete, Folder: m.g.dir, Stem: m.g.stem, LastTrigger: at,
		Triggers: []event.Trigger{},
	}
	e.Explain(text.SidecarLost.With())
	var files []string
	for _, f := range m.g.of(archive.ClipFile) {
		files = append(files, f.name)
	}
	for name := range m.made {
		if !slices.Contains(files, name) {
			files = append(files, name)
			e.Explain(text.NotFinished.With())
		}
	}

	// part10 comes after part2.
	slices.SortFunc(files, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	for _, name := range files {
		c, err := m.describe(ctx, name)
		if err != nil {
			continue // inspect reports the fault
		}
		written, made := m.made[name]
		if !made {
			f, _ := m.g.file(name)
			written = f.mod
		}
		c.Start, c.End = m.span(written, c.Length.D())
		if known := m.clips[name]; !known.Start.IsZero() {
			c.Start, c.End = known.Start, known.End
		}
		if n := len(e.Clips); n > 0 && c.Start.Before(e.Clips[n-1].End) {
			c.Start, c.End = e.Clips[n-1].End, e.Clips[n-1].End.Add(c.Length.D())
		}
		e.Clips, e.SavedAt = append(e.Clips, c), written
	}

	if len(e.Clips) == 0 {
		return false
	}
	e.From, e.Until = e.Clips[0].Start, e.Clips[len(e.Clips)-1].End
	for _, f := range m.g.of(archive.SnapshotFile) {
		if m.picture(m.g, f.name) {
			e.Snapshot = f.name
		}
	}
	for _, f := range m.g.of(archive.MailFile) {
		e.Mail = f.name
	}
	m.e, m.changed = e, true
	return true
}

// label returns the label in a stem, without the number that tells two events with the same label apart.
func label(stem string) string {
	l := stem[len(archive.StemTime)+1:]
	if i := strings.IndexByte(l, '_'); i >= 0 {
		l = l[:i]
	}
	return l
}

// thumbnail makes the thumbnail of an event that lacks it.
func (m *repairJob) thumbnail(ctx context.Context) {
	name := m.e.Thumbnail
	if name == "" {
		name = m.g.stem + ".jpg"
	}
	if len(m.e.Clips) == 0 || m.e.Thumbnail == "" && !m.changed {
		return
	}
	if !m.picture(m.g, name) {
		if _, err := m.disk.Lstat(m.g.at(name)); err == nil && m.e.Thumbnail == "" {
			return // not Preroll's file
		}
		if err := m.snap(ctx, name); err != nil {
			m.failed(name, err)
			return
		}
	}

	if m.e.Thumbnail == "" {
		m.e.Thumbnail, m.changed = name, true
	}
}

// thumbWidth is the max width of a thumbnail in pixels.
const thumbWidth = 480

func (m *repairJob) snap(ctx context.Context, name string) error {
	f, _, err := durable.OpenPlain(m.disk, m.g.at(m.e.Clips[0].File))
	if err != nil {
		return errors.New("there is no clip to make it from")
	}
	defer func() { _ = f.Close() }()
	jpeg, err := m.FFmpeg.Picture(ctx, f, thumbWidth)
	if err != nil {
		return err
	}
	return durable.WriteIn(m.disk, m.g.at(name), jpeg, archive.FileMode)
}

// sidecar writes the event beside its clips. It keeps a useless old sidecar under another name.
func (m *repairJob) sidecar(useless bool) error {
	name := m.g.stem + ".json"
	if _, there := m.g.file(name); there && useless {
		if err := m.setAside(m.g.at(name)); err != nil {
			return err
		}
	}
	e := m.e
	e.Hold, e.Parts = "", nil
	b, err := archive.EncodeSidecar(e)
	if err != nil {
		return err
	}
	if err := durable.WriteIn(m.disk, m.g.at(name), b, archive.FileMode); err != nil {
		return err
	}
	_, err = archive.ReadSidecar(m.disk, m.g.at(name))
	return err
}

func (m *repairJob) setAside(name string) error {
	for n := 1; ; n++ {
		to := name + ".damaged"
		if n > 1 {
			to = fmt.Sprintf("%s.damaged.%d", name, n)
		}
		if err := durable.PublishIn(m.disk, name, to); !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
}

// tidy removes empty partial files and small leftovers.
func (m *repairJob) tidy() {
	names := slices.Clone(m.done)
	for _, f := range m.g.of(archive.ScrapFile) {
		names = append(names, f.name)
	}
	for _, name := range names {
		if err := durable.RemoveIn(m.disk, m.g.at(name)); err != nil {
			m.failed(name, err)
		}
	}
	if len(names) > 0 {
		if err := durable.SyncDirIn(m.disk, m.g.dir); err != nil {
			m.failed(m.g.stem, err)
		}
	}
}
