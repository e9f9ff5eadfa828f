package clip

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/preroll/preroll/internal/crash"
	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/ring"
)

// part is a growing file: segments of the same parameters. It becomes one clip.
type part struct {
	event.Part
	whole fmp4.Whole // what is durable of it
	file  *os.File   // nil when it is not open
	grow  *fmp4.Growing
}

// frames is how many frames of it are durable.
func (p *part) frames() (n int) {
	for _, s := range p.whole.Stretches {
		n += s.Frames
	}
	return n
}

// end is when its video ends.
func (p *part) end() time.Time {
	if n := len(p.whole.Stretches); n > 0 {
		return p.whole.Stretches[n-1].Wall[1]
	}
	return p.Start
}

func (p *part) move(d time.Duration) {
	for i := range p.whole.Stretches {
		w := &p.whole.Stretches[i].Wall
		w[0], w[1] = w[0].Add(d), w[1].Add(d)
	}
	p.Start = p.Start.Add(d)
}

func (p *part) close() {
	if p.file != nil {
		_ = p.file.Close() // what matters was fsynced
		p.file, p.grow = nil, nil
	}
}

// append appends segments of one run and makes them durable. An error means that nobody knows what is in the file beyond what
// was durable before: what follows that is cut off and written again, since a kernel may drop what it could not write.
func (p *part) append(folder *os.Root, segments []ring.Segment, longest time.Duration) (whole fmp4.Whole, err error) {
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	whole = fmp4.Whole{Good: p.whole.Good, Stretches: p.whole.Stretches}
	var files []io.ReaderAt
	var sizes []int64
	defer func() {
		for _, f := range files {
			_ = f.(*os.File).Close()
		}
	}()
	for _, s := range segments {
		f, err := os.Open(s.Path)
		if err != nil {
			return whole, err
		}
		files = append(files, f)
		fi, err := f.Stat()
		if err != nil {
			return whole, err
		}
		if fi.Size() != s.Bytes {
			return whole, fmt.Errorf("segment %s changed its size from %d to %d", filepath.Base(s.Path), s.Bytes, fi.Size())
		}
		sizes = append(sizes, s.Bytes)
	}
	if err := p.open(folder, segments[0], files[0], longest); err != nil {
		return whole, err
	}
	first, last := segments[0], segments[len(segments)-1]
	err = p.grow.Append(files, sizes, fmp4.Stretch{Run: first.Run, Media: [2]time.Duration{first.Media[0], last.Media[1]}, Wall: [2]time.Time{first.Start, last.End}})
	if err != nil {
		return whole, err
	}
	crash.Here("part-written")
	if err := p.file.Sync(); err != nil {
		return whole, err
	}
	crash.Here("part-synced")
	n := len(p.grow.Stretches)
	return fmp4.Whole{Good: p.grow.Good, Stretches: append(p.whole.Stretches[:n-1:n-1], p.grow.Stretches[n-1])}, nil
}

// open opens the file for appending: what is durable of it, or anew.
func (p *part) open(folder *os.Root, s ring.Segment, segment io.ReaderAt, longest time.Duration) error {
	if p.file != nil && p.there(folder) {
		return nil
	}
	p.close()
	if p.whole.Good > 0 {
		f, err := openOwn(folder, p.File)
		if err == nil {
			p.file = f
			p.grow, err = fmp4.GrowOn(f, fmp4.Whole{Good: p.whole.Good, Stretches: slices.Clone(p.whole.Stretches)})
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return errGone
	}
	init, err := os.ReadFile(s.Init)
	if err != nil {
		return err
	}
	m, err := fmp4.ReadInit(init)
	if err != nil {
		return err
	}
	// It is Preroll's own if it is there: its name was free when it was reserved, and is in the index since.
	f, err := folder.OpenFile(p.File, os.O_CREATE|os.O_RDWR, archive.FileMode)
	if err != nil {
		return err
	}
	p.file = f
	if !p.there(folder) {
		return &fs.PathError{Op: "open", Path: p.File, Err: durable.ErrNotPlain}
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	crash.Here("part-made")
	if err := durable.SyncDirIn(folder, "."); err != nil {
		return err
	}
	crash.Here("part-named")
	p.grow, err = fmp4.Grow(f, init, fmp4.Room(segment, s.Bytes, m, s.Length(), longest))
	return err
}

// errGone means that somebody removed a growing file: what was in it is lost.
var errGone = errors.New("the growing file was removed")

// there tells whether the open file is the one that has its name, and a plain file.
func (p *part) there(folder *os.Root) bool {
	named, err := folder.Lstat(p.File)
	if err != nil {
		return false
	}
	is, err := p.file.Stat()
	return err == nil && is.Mode().IsRegular() && os.SameFile(named, is)
}

// openOwn opens a plain file for reading and writing.
func openOwn(folder *os.Root, name string) (*os.File, error) {
	fi, err := folder.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: durable.ErrNotPlain}
	}
	f, err := folder.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if is, err := f.Stat(); err != nil || !os.SameFile(fi, is) {
		_ = f.Close()
		return nil, errors.Join(err, &fs.PathError{Op: "open", Path: name, Err: durable.ErrNotPlain})
	}
	return f, nil
}

// inspect reads what an earlier process left of a part. One that is not there, or holds nothing that is whole, is empty.
func inspect(folder *os.Root, e event.Part, strict bool) (*part, error) {
	p := &part{Part: e}
	f, err := openOwn(folder, e.File)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotPlain) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if err := fmp4.Mend(f); err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if c, err := fmp4.Check(f); err == nil { // finished, and not renamed
		p.whole = fmp4.Whole{Good: c.Bytes, Stretches: []fmp4.Stretch{{Media: [2]time.Duration{0, c.Length}, Wall: [2]time.Time{e.Start, e.Start.Add(c.Length)}, Frames: c.Frames}}}
		return p, nil
	}
	p.whole = fmp4.Inspect(f, fi.Size(), e.Good, strict)
	at := e.Start
	for i := range p.whole.Stretches { // those of an earlier version tell neither run nor arrival
		s := &p.whole.Stretches[i]
		if s.Wall[1].IsZero() {
			s.Run, s.Wall = e.Run, [2]time.Time{at, at.Add(s.Length())}
		}
		at = s.Wall[1]
	}
	if p.whole.Stretches == nil {
		p.whole = fmp4.Whole{}
	} else if e.Start.IsZero() { // of which nothing is known
		p.Start = p.whole.Stretches[0].Wall[0]
	}
	return p, nil
}
