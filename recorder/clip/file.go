package clip

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/internal/failpoint"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/text"
)

// part is a growing file: segments of the same parameters. It becomes one clip.
type part struct {
	event.Part
	whole fmp4.Whole // what is durable of it
	plain bool       // it is finished already, and not named
	shut  bool       // nothing more can be appended: the next segments go to another part
	mine  bool       // its name was free when this process gave it
	file  *os.File   // nil when it is not open
	grow  *fmp4.GrowingFile
}

// frames is how many frames of it are durable.
func (p *part) frames() int {
	if p.plain {
		return p.Frames
	}
	return p.whole.Frames()
}

// end is when its video ends.
func (p *part) end() time.Time {
	if n := len(p.whole.Stretches); n > 0 {
		return p.whole.Stretches[n-1].Wall[1]
	}
	if !p.End.IsZero() {
		return p.End
	}
	return p.Start
}

func (p *part) move(d time.Duration) {
	for i := range p.whole.Stretches {
		w := &p.whole.Stretches[i].Wall
		w[0], w[1] = w[0].Add(d), w[1].Add(d)
	}
	p.Start = p.Start.Add(d)
	if !p.End.IsZero() {
		p.End = p.End.Add(d)
	}
}

func (p *part) close() {
	if p.file != nil {
		_ = p.file.Close() // what matters was fsynced
		p.file, p.grow = nil, nil
	}
}

// errShut means that nothing can be appended to a part: its file was removed, finished, or changed by somebody. It
// stays as it is, and another one is begun.
var errShut = errors.New("nothing can be appended to this file")

// append appends segments of one run to the file, of which so much is durable, and makes them durable. It returns what
// it appended, and how many bytes are good then. An error means that nobody knows what is in the file beyond what was
// durable before: that is cut off and written again, since a kernel may drop what it could not write.
func (p *part) append(folder *os.Root, whole fmp4.Whole, segments []ring.Segment,
	longest time.Duration) (s fmp4.Chunk, good int64, err error) {
	defer func() {
		if err != nil {
			p.close()
		}
	}()
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
			return fmp4.Chunk{}, 0, err
		}
		files = append(files, f)
		fi, err := f.Stat()
		if err != nil {
			return fmp4.Chunk{}, 0, err
		}
		if fi.Size() != s.Bytes {
			return fmp4.Chunk{}, 0, text.SegmentChanged.Error(filepath.Base(s.Path),
				s.Bytes, fi.Size())
		}
		sizes = append(sizes, s.Bytes)
	}
	if err := p.open(folder, whole, segments[0], files[0], longest); err != nil {
		return fmp4.Chunk{}, 0, err
	}
	first, last := segments[0], segments[len(segments)-1]
	err = p.grow.Append(files, sizes,
		fmp4.Chunk{Run: first.Run, Media: [2]time.Duration{first.Media[0], last.Media[1]},
			Wall: [2]time.Time{first.Start, last.End}})
	if err != nil {
		return fmp4.Chunk{}, 0, err
	}
	failpoint.Hit("part-written")
	if err := p.file.Sync(); err != nil {
		return fmp4.Chunk{}, 0, err
	}
	failpoint.Hit("part-synced")
	return p.grow.Stretches[len(p.grow.Stretches)-1], p.grow.Good, nil
}

// open opens the file for appending: what is durable of it, or anew.
func (p *part) open(folder *os.Root, whole fmp4.Whole, s ring.Segment, segment io.ReaderAt,
	longest time.Duration) error {
	if p.file != nil && p.there(folder) {
		return nil
	}
	p.close()
	if whole.Good > 0 {
		f, err := openOwn(folder, p.File)
		if err == nil {
			p.file = f
			p.grow, err = fmp4.GrowOn(f, whole)
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotPlain) || errors.Is(err, fmp4.ErrBox) {
			return fmt.Errorf("%w: %w", errShut, err)
		}
		return err
	}
	init, err := os.ReadFile(s.Init)
	if err != nil {
		return err
	}
	m, err := fmp4.ReadInit(init)
	if err != nil {
		return err
	}
	f, err := folder.OpenFile(p.File, os.O_CREATE|os.O_EXCL|os.O_RDWR, archive.FileMode)
	// made by this process or the one before, which then did not come to its first video
	if errors.Is(err, fs.ErrExist) {
		if f, err = openOwn(folder, p.File); err == nil {
			if fi, serr := f.Stat(); serr != nil || !p.mine && fi.Size() > 0 {
				return errors.Join(errShut, serr, f.Close())
			}
		}
	}
	if errors.Is(err, durable.ErrNotPlain) {
		return fmt.Errorf("%w: %w", errShut, err)
	}
	if err != nil {
		return err
	}
	p.file = f
	if err := f.Truncate(0); err != nil {
		return err
	}
	failpoint.Hit("part-made")
	if err := durable.SyncDirIn(folder, "."); err != nil {
		return err
	}
	failpoint.Hit("part-named")
	p.grow, err = fmp4.Grow(f, init, fmp4.Room(segment, s.Bytes, m, s.Length(), longest))
	return err
}

// there reports whether the open file is the one that has its name, and a plain file.
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

// inspect reads what an earlier process left of a part. One that is not there, or holds nothing that is whole, is
// empty. An error means that the drive cannot be read, which tells nothing of the part.
func inspect(folder *os.Root, e event.Part, strict bool) (*part, error) {
	p := &part{Part: e}
	f, err := openOwn(folder, e.File)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotPlain) {
		p.shut = errors.Is(err, durable.ErrNotPlain)
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if err := fmp4.Repair(f); err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	c, err := fmp4.Check(f)
	if err == nil { // finished, and not renamed
		p.plain, p.shut, p.Frames, p.whole.Good = true, true, c.Frames, c.Bytes
		if p.End.IsZero() {
			p.End = p.Start.Add(c.Length)
		}
		return p, nil
	}
	if !errors.Is(err, fmp4.ErrBox) && !errors.Is(err, fmp4.ErrNotPlain) {
		return nil, err
	}
	if p.whole, err = fmp4.Inspect(f, fi.Size(), e.Good, strict); err != nil {
		return nil, err
	}
	at := e.Start
	for i := range p.whole.Stretches { // those of an earlier version tell neither run nor arrival
		s := &p.whole.Stretches[i]
		if s.Wall[1].IsZero() {
			s.Run, s.Wall = e.Run, [2]time.Time{at, at.Add(s.Length())}
		}
		at = s.Wall[1]
	}
	p.shut, p.mine = p.whole.Behind, !p.whole.Behind // a crash tears the end alone
	if p.whole.Stretches == nil {
		p.whole = fmp4.Whole{Behind: p.whole.Behind}
	} else if e.Start.IsZero() { // of which nothing is known
		p.Start = p.whole.Stretches[0].Wall[0]
	}
	return p, nil
}
