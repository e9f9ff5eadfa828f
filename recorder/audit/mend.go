package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/fmp4"
)

// proper is a folder of events as Preroll makes it: the camera's id, then the day.
var proper = regexp.MustCompile(`^[^/]+/\d{4}/\d\d/\d\d$`)

// Why an event that was made from its files is incomplete.
const (
	sidecarLost = "Its sidecar was lost; this one was made from the file."
	notFinished = "It was interrupted, and was finished later from what had been recorded."
)

// mending is the work on one event.
type mending struct {
	*run
	g       group
	e       event.Event
	changed bool                 // the sidecar has to be written
	bad     []string             // clips that are not what was saved
	made    map[string]time.Time // clips that got their name now, and when their video was written
	done    []string             // partial files whose video is in a clip that was read back
	why     map[string]string    // of what could not be mended, by its path
}

// mend does what can be done about an event's faults, and returns what could not be, by path. The order is such that
// whatever ends it, video is in one file at least: clips, then pictures, then the sidecar, and only then partial files go.
func (r *run) mend(ctx context.Context, g group, s state) (why map[string]string, err error) {
	m := &mending{run: r, g: g, e: s.e, made: map[string]time.Time{}, why: map[string]string{}}
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
		return m.why, nil // Preroll itself goes on with it, once the index knows of it
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

func (m *mending) failed(name string, err error) {
	m.why[m.g.at(name)] = strings.TrimSuffix(err.Error(), ".")
}

func (m *mending) at(name string) string { return m.path(m.g.dir, name) }

// whole tells whether a clip can be read back with so many frames at least, and is what was saved, if that is known.
func (m *mending) whole(ctx context.Context, name string, least int) (bool, error) {
	if fi, err := os.Lstat(m.at(name)); err != nil || !fi.Mode().IsRegular() || slices.Contains(m.bad, name) {
		return false, nil
	}
	got, wrong, err := m.readBack(ctx, m.at(name))
	if err != nil || wrong != "" || got.Frames < least {
		return false, err
	}
	return true, nil
}

// temporary deals with a clip that was never named. It is of no use where the clip or what it was made from is there.
func (m *mending) temporary(ctx context.Context, f file) error {
	final := strings.TrimSuffix(f.name[1:], ".tmp") + ".mp4"
	ok, err := m.whole(ctx, final, 1)
	if err != nil {
		return err
	}
	if !ok {
		for _, p := range m.g.of(archive.PartialFile) {
			c, err := fmp4.Inspect(m.at(p.name), 0, false)
			ok = ok || err == nil && p.regular && c.Frames > 0 && strings.TrimSuffix(final, ".mp4") == clipStem(m.g.stem, p.name)
		}
	}
	if ok {
		if err := os.Remove(m.at(f.name)); err != nil {
			m.failed(f.name, err)
		}
		return nil
	}
	if ok, err := m.whole(ctx, f.name, 1); err != nil {
		return err
	} else if !ok {
		m.failed(f.name, errors.New("it is not whole, and nothing else holds its video; it was kept"))
		return nil
	}
	if err := errors.Join(durable.SyncFile(m.at(f.name)), durable.Publish(m.at(f.name), m.at(final))); err != nil {
		m.failed(f.name, err)
		return nil
	}
	m.made[final] = f.mod
	return nil
}

// clipStem is what the clip of a partial file is called, without its ending, if none before it has the same parameters.
func clipStem(stem, part string) string {
	if n := partNumber(stem, part); n > 1 {
		return fmt.Sprintf("%s_part%d", stem, n)
	}
	return stem
}

// stretch are partial files that become one clip, since they have the same parameters.
type stretch struct {
	clip   string
	params string
	parts  []part
	want   ffmpeg.Totals
}

type part struct {
	file
	fmp4.Contents
}

func (p part) length() time.Duration { return p.Media[1] - p.Media[0] }

// stretches sorts the partial files that are no clips themselves as the copier would.
func (m *mending) stretches() (list []*stretch) {
	files := m.g.of(archive.PartialFile)
	slices.SortFunc(files, func(a, b file) int { return partNumber(m.g.stem, a.name) - partNumber(m.g.stem, b.name) })
	for _, f := range files {
		if slices.Contains(clipNames(m.e), f.name) {
			continue
		}
		if !f.regular {
			m.failed(f.name, errors.New("it is a link and not a file"))
			continue
		}
		c, err := fmp4.Inspect(m.at(f.name), 0, false)
		var params string
		if err == nil && c.Frames > 0 {
			params, err = initOf(m.at(f.name))
		}
		switch {
		case err != nil:
			m.failed(f.name, err)
			continue
		case c.Frames == 0 && f.size > 0:
			m.failed(f.name, errors.New("it holds no whole picture; it was kept"))
			continue
		case c.Frames == 0:
			m.done = append(m.done, f.name) // not one byte of video
			continue
		}
		if len(list) == 0 || list[len(list)-1].params != params {
			name := m.g.stem + ".mp4"
			if len(list) > 0 {
				name = clipStem(m.g.stem, f.name) + ".mp4"
			}
			list = append(list, &stretch{clip: name, params: params})
		}
		s := list[len(list)-1]
		s.parts = append(s.parts, part{f, c})
		s.want.Frames += c.Frames
		s.want.Duration += c.Media[1] - c.Media[0]
	}
	return list
}

// mostInit bounds the init section that is read, in bytes.
const mostInit = 1 << 20

// initOf stands for a partial file's init section.
func initOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, mostInit))
	if err != nil {
		return "", err
	}
	n, _ := fmp4.Fragments(b)
	if n == 0 {
		return "", errors.New("it has no init section")
	}
	sum := sha256.Sum256(b[:n])
	return hex.EncodeToString(sum[:]), nil
}

// finish makes clips from partial files, or finds that their clips are there.
func (m *mending) finish(ctx context.Context) error {
	for _, s := range m.stretches() {
		err := m.stretch(ctx, s)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			if err := m.gone(); err != nil {
				return err
			}
			for _, p := range s.parts {
				m.failed(p.name, err)
			}
			continue
		}
		for _, p := range s.parts {
			m.done = append(m.done, p.name)
		}
	}
	return nil
}

func (m *mending) stretch(ctx context.Context, s *stretch) error {
	_, err := os.Lstat(m.at(s.clip))
	if err == nil { // made before a crash, or damaged since
		ok, err := m.whole(ctx, s.clip, s.want.Frames)
		if err == nil && !ok {
			err = fmt.Errorf("%s is there already and does not hold it all; it was kept", s.clip)
		}
		if err != nil {
			return err
		}
		return m.name(ctx, s, false)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var inputs []string
	var lengths []time.Duration
	defer func() {
		for i, in := range inputs {
			if in != m.at(s.parts[i].name) {
				_ = os.Remove(in) // a copy
			}
		}
	}()
	for _, p := range s.parts {
		in := m.at(p.name)
		if p.Good < p.size { // the end was cut off by a crash
			if in, err = m.good(ctx, p); err != nil {
				return err
			}
		}
		// As the copier does: one frame more, since the last one of a run has no successor to tell its length.
		inputs, lengths = append(inputs, in), append(lengths, p.length()+p.length()/time.Duration(p.Frames))
	}
	sound, err := clip.SoundOf(inputs[0])
	if err == nil {
		_, err = clip.Make(ctx, m.FFmpeg, inputs, lengths, m.at(s.clip), s.want, sound)
	}
	if err != nil {
		return err
	}
	m.made[s.clip] = s.written()
	return m.name(ctx, s, true)
}

// written is when the last of its video was.
func (s *stretch) written() time.Time { return s.parts[len(s.parts)-1].mod }

// good copies what is whole of a partial file beside it. The file itself stays as it is.
func (m *mending) good(ctx context.Context, p part) (path string, err error) {
	from, err := os.Open(m.at(p.name))
	if err != nil {
		return "", err
	}
	defer func() { _ = from.Close() }()
	to, err := os.CreateTemp(m.at("."), "."+p.name+".tmp-")
	if err != nil {
		return "", err
	}
	b := make([]byte, 1<<20)
	for left := p.Good; left > 0 && err == nil; {
		n := int64(0)
		n, err = io.CopyBuffer(struct{ io.Writer }{to}, io.LimitReader(from, min(left, int64(len(b)))), b)
		left -= n
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return "", errors.Join(err, os.Remove(to.Name()))
	}
	return to.Name(), nil
}

// name puts a clip made from partial files into the event, if the event does not name it as it is. Of an event that is
// not known that is done for all its clips together.
func (m *mending) name(ctx context.Context, s *stretch, made bool) error {
	i := slices.IndexFunc(m.e.Clips, func(c event.Clip) bool { return c.File == s.clip })
	if m.e.ID == "" || i >= 0 && !made {
		return nil
	}
	c, err := m.describe(ctx, s.clip)
	if err != nil {
		return err
	}
	c.Start, c.End = m.span(s.written(), c.Length.D())
	clips := slices.Clone(m.e.Clips)
	if i >= 0 {
		c.Start, c.End = clips[i].Start, clips[i].Start.Add(c.Length.D())
		clips[i] = c
	} else {
		clips = append(clips, c)
		m.e.State, m.e.Reason = event.Incomplete, notFinished
	}
	m.e.Clips, m.changed = clips, true
	return nil
}

// describe reads a clip and says what it is, but not when.
func (m *mending) describe(ctx context.Context, name string) (c event.Clip, err error) {
	got, wrong, err := m.readBack(ctx, m.at(name))
	if err == nil && wrong != "" {
		err = errors.New(wrong)
	}
	if err != nil {
		return c, err
	}
	c = event.Clip{File: name, Length: event.Seconds(got.Duration), Frames: got.Frames}
	c.SHA256, c.Bytes, err = clip.Sum(ctx, m.at(name), nil)
	return c, err
}

// span is when a clip begins and ends, of which only the file's own time tells: it was last written at its end. Where that
// does not fit what its name says, it begins then.
func (m *mending) span(written time.Time, length time.Duration) (start, end time.Time) {
	const longest = time.Hour // before the trigger
	at := m.g.time()
	if start = written.Add(-length); start.After(at) || start.Before(at.Add(-longest)) {
		start = at
	}
	return start, start.Add(length)
}

// fromFiles makes an event from files of which nothing else is known. false means that there is none of them that plays.
func (m *mending) fromFiles(ctx context.Context) bool {
	camera, _, _ := strings.Cut(m.g.dir, "/")
	at := m.g.time()
	tail := sha256.Sum256([]byte(m.g.at(m.g.stem)))
	e := event.Event{
		ID: at.UTC().Format("20060102T150405.000Z-") + hex.EncodeToString(tail[:3]), Camera: camera, Time: at, Label: label(m.g.stem),
		State: event.Incomplete, Reason: sidecarLost, Folder: m.g.dir, Stem: m.g.stem, LastTrigger: at,
		Triggers: []event.Trigger{},
	}
	var files []string
	for _, f := range m.g.of(archive.ClipFile) {
		files = append(files, f.name)
	}
	for name := range m.made {
		if !slices.Contains(files, name) {
			files = append(files, name)
			e.Reason = notFinished
		}
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }) // part10 after part2
	for _, name := range files {
		c, err := m.describe(ctx, name)
		if err != nil {
			continue // told of by the look
		}
		written, made := m.made[name]
		if !made {
			f, _ := m.g.file(name)
			written = f.mod
		}
		c.Start, c.End = m.span(written, c.Length.D())
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
		if picture(m.at(f.name)) {
			e.Snapshot = f.name
		}
	}
	for _, f := range m.g.of(archive.MailFile) {
		e.Mail = f.name
	}
	m.e, m.changed = e, true
	return true
}

// label is the label in a stem; a number that told two events apart is none of it.
func label(stem string) string {
	l := stem[len(archive.StemTime)+1:]
	if i := strings.IndexByte(l, '_'); i >= 0 {
		l = l[:i]
	}
	return l
}

// thumbnail makes the picture of an event that lacks it.
func (m *mending) thumbnail(ctx context.Context) {
	name := m.e.Thumbnail
	if name == "" {
		name = m.g.stem + ".jpg"
	}
	if len(m.e.Clips) == 0 || m.e.Thumbnail == "" && !m.changed {
		return
	}
	if !picture(m.at(name)) {
		if _, err := os.Lstat(m.at(name)); err == nil && m.e.Thumbnail == "" {
			return // a stranger's
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

// thumbWidth is how wide a thumbnail is at most, in pixels.
const thumbWidth = 480

func (m *mending) snap(ctx context.Context, name string) error {
	path := m.at(m.e.Clips[0].File)
	if fi, err := os.Lstat(path); err != nil || !fi.Mode().IsRegular() {
		return errors.New("there is no clip to make it from")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	jpeg, err := m.FFmpeg.Picture(ctx, f, thumbWidth)
	if err != nil {
		return err
	}
	return durable.WriteFile(m.at(name), jpeg, 0o644)
}

// sidecar writes the event beside its clips. One that is of no use is kept under another name.
func (m *mending) sidecar(useless bool) error {
	path := m.at(m.g.stem + ".json")
	if _, there := m.g.file(filepath.Base(path)); there && useless {
		if err := setAside(path); err != nil {
			return err
		}
	}
	e := m.e
	e.Archive, e.Hold, e.Parts = "", "", nil
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return err
	}
	_, err = archive.ReadSidecar(m.disk, m.g.at(m.g.stem+".json"))
	return err
}

func setAside(path string) error {
	for n := 1; ; n++ {
		to := path + ".damaged"
		if n > 1 {
			to = fmt.Sprintf("%s.damaged.%d", path, n)
		}
		if err := durable.Publish(path, to); !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
}

// tidy removes the partial files whose video is in a clip, and small leftovers.
func (m *mending) tidy() {
	names := slices.Clone(m.done)
	for _, f := range m.g.of(archive.ScrapFile) {
		names = append(names, f.name)
	}
	for _, name := range names {
		if err := os.Remove(m.at(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.failed(name, err)
		}
	}
	if len(names) > 0 {
		if err := durable.SyncDir(filepath.Clean(m.at("."))); err != nil {
			m.failed(m.g.stem, err)
		}
	}
}
