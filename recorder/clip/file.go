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

// part is a growing file with segments of the same parameters. A part becomes one clip.
type part struct {
	event.Part
	whole fmp4.Whole // the durable part of the file
	plain bool       // the file is a plain MP4 without its final name
	shut  bool       // nothing more can be appended; the next segments go to another part
	mine  bool       // the name was free when this process chose it
	file  *os.File   // nil if it is not open
	grow  *fmp4.GrowingFile
}

// frames returns how many frames of the part are durable.
func (p *part) frames() int {
	if p.plain {
		return p.Frames
	}
	return p.whole.Frames()
}

// end returns when the video of the part ends.
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
		_ = p.file.Close() // the video was fsynced
		p.file, p.grow = nil, nil
	}
}

// errShut means that nothing can be appended to a part, because somebody removed, finished or changed its file. The
// file stays as it is, and another part is begun.
var errShut = errors.New("nothing can be appended to this file")

// append appends segments of one run to the file and makes them durable. whole is what was durable before. append
// returns the new stretch, and the number of good bytes. After an error nobody knows what the file holds beyond whole,
// because a kernel may drop bytes that it could not write. So these bytes are cut off and written again at the next
// call.
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

// open opens the file for appending behind its durable part, or makes a new file.
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

	// This process made the file, or the previous process, which then wrote no video to it.
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

// there reports whether the name still belongs to the open file, and the open file is a plain file.
func (p *part) there(folder *os.Root) bool {
	named, err := folder.Lstat(p.File)
	if err != nil {
		return false
	}
	is, err := p.file.Stat()
	return err == nil && is.Mode().IsRegular() && os.SameFile(named, is)
}

// openOwn opens a plain file for reading and writing. Any other kind of file is durable.ErrNotPlain.
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

// inspect reads a part that an earlier process left. A part without a file, or without a whole stretch, is empty. An
// error means that the drive cannot be read, which says nothing about the part.
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
	for i := range p.whole.Stretches { // stretches of an earlier version have neither run nor arrival times
		s := &p.whole.Stretches[i]
		if s.Wall[1].IsZero() {
			s.Run, s.Wall = e.Run, [2]time.Time{at, at.Add(s.Length())}
		}
		at = s.Wall[1]
	}
	p.shut, p.mine = p.whole.Behind, !p.whole.Behind // a crash tears only the end of a file
	if p.whole.Stretches == nil {
		p.whole = fmp4.Whole{Behind: p.whole.Behind}
	} else if e.Start.IsZero() { // nothing is known of the part
		p.Start = p.whole.Stretches[0].Wall[0]
	}
	return p, nil
}
