package ring

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/preroll/preroll/recorder/fmp4"
)

// Part is one whole fragment of a segment's file.
type Part struct {
	From, To int64            // bytes of the file
	Media    [2]time.Duration // start and end in media time of the run
	Key      bool             // begins with a keyframe
}

// Piece is a segment as players read it, part by part.
type Piece struct {
	Segment
	Sequence int // counts the ring's segments, without a gap
	Breaks   int // segments up to this one that do not join the segment before
	Parts    []Part
	Open     bool // more parts may come
}

// At returns the wall time of a media time of the piece's run.
func (p Piece) At(media time.Duration) time.Time { return p.Start.Add(media - p.Media[0]) }

// Joins reports whether s follows o without a gap in the same run.
func (s Segment) Joins(o Segment) bool {
	return s.Run == o.Run && (s.Media[0]-o.Media[1]).Abs() < 100*time.Millisecond
}

// count gives the next segment its numbers. r.mu is held.
func (r *Ring) count(e *entry) {
	if r.sequence > 0 && !e.Joins(r.counted) {
		r.breaks++
	}
	e.sequence, e.breaks, r.counted = r.sequence, r.breaks, e.Segment
	r.sequence++
}

// Pieces returns the pieces from a sequence number on, and the segment that is being written, oldest first. The channel
// is closed when there is more. It is nil if nothing more comes, because the ring is closed.
func (r *Ring) Pieces(from int) ([]Piece, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.more == nil && !r.closed {
		r.more = make(chan struct{})
	}
	var list []Piece
	for _, e := range r.entries {
		if e.sequence >= from {
			list = append(list, r.piece(e, false))
		}
	}
	if w := r.w; w != nil && w.f != nil && !w.lost && len(w.seg.parts) > 0 && w.seg.sequence >= from {
		e := w.seg
		e.Media = [2]time.Duration{e.start - w.base, e.end - w.base}
		list = append(list, r.piece(&e, true))
	}
	return list, r.more
}

// piece returns an entry as a piece. r.mu is held.
func (r *Ring) piece(e *entry, open bool) Piece {
	return Piece{r.at(e), e.sequence, e.breaks, e.parts[:len(e.parts):len(e.parts)], open}
}

// notify wakes whoever waits for more. r.mu is held.
func (r *Ring) notify() {
	if r.more != nil {
		close(r.more)
		r.more = nil
	}
}

// Read reads a part of the piece. The error is [fs.ErrNotExist] if the ring has dropped the segment.
func (p Piece) Read(part Part) ([]byte, error) {
	f, _, err := openPlain(p.Path)
	if errors.Is(err, fs.ErrNotExist) { // it is still being written
		f, _, err = openPlain(p.Path + ".tmp")
		if errors.Is(err, fs.ErrNotExist) { // it was completed in between
			f, _, err = openPlain(p.Path)
		}
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, part.To-part.From)
	if _, err := f.ReadAt(b, part.From); errors.Is(err, io.EOF) {
		return nil, fs.ErrNotExist // given up
	} else if err != nil {
		return nil, err
	}
	return b, nil
}

// Movie reads the init section of the piece.
func (p Piece) Movie() (fmp4.Movie, error) {
	f, fi, err := openPlain(p.Init)
	if err != nil {
		return fmp4.Movie{}, err
	}
	defer func() { _ = f.Close() }()
	m, _, err := fmp4.ReadInitFile(f, fi.Size())
	return m, err
}
