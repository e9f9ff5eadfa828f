package ring

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/source"
)

// checkPieces checks that the pieces count without a gap, and that the parts of each cover its file.
func checkPieces(t *testing.T, list []Piece) {
	t.Helper()
	for i, p := range list {
		if i > 0 && p.Sequence != list[i-1].Sequence+1 {
			t.Errorf("piece %d after %d", p.Sequence, list[i-1].Sequence)
		}
		var at int64
		end := p.Media[0]
		for _, part := range p.Parts {
			if part.From != at || part.To <= at || part.Media[0] != end || part.Media[1] <= end {
				t.Errorf("piece %d: part %+v does not follow %d, %s", p.Sequence, part, at, end)
			}
			at, end = part.To, part.Media[1]
			b, err := p.Read(part)
			m, merr := p.Movie()
			if err != nil || merr != nil || int64(len(b)) != part.To-part.From {
				t.Fatalf("read: %d bytes, %v, %v", len(b), err, merr)
			}
			if out, err := m.Rewrite(nil, b, 1, p.Start, m.Playable(), 0); err != nil || len(out) == 0 {
				t.Errorf("the part is no fragment: %v", err)
			}
		}
		if end != p.Media[1] || at != p.Bytes {
			t.Errorf("piece %d: the parts end at %s, %d bytes; want %s, %d", p.Sequence, end, at, p.Media[1], p.Bytes)
		}
	}
}

func TestPieces(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 5*time.Second, nil)
	if list, _ := r.Pieces(0); len(list) != 0 {
		t.Fatalf("an empty ring: got %d pieces", len(list))
	}
	f := feed(t, r, 30*time.Second)
	_, more := r.Pieces(0)
	f.send(1600 * time.Millisecond)
	select {
	case <-more:
	default:
		t.Error("nobody was told of the first part")
	}
	list, more := r.Pieces(0)
	if len(list) != 2 || list[0].Open || !list[1].Open || !list[1].Key || len(list[1].Parts) < 1 {
		t.Fatalf("got %+v, want a segment, and the segment that is being written", list)
	}
	checkPieces(t, list)
	first := list[1]
	f.send(2 * time.Second)
	select {
	case <-more:
	default:
		t.Error("nobody was told of more")
	}
	list, _ = r.Pieces(first.Sequence)
	if len(list) < 3 || list[0].Open || list[0].Run != first.Run || len(list[0].Parts) < len(first.Parts) {
		t.Fatalf("got %+v", list)
	}
	checkPieces(t, list)
	if _, err := first.Read(first.Parts[0]); err != nil {
		t.Errorf("a part of a segment that was completed since: %v", err)
	}

	f.send(10 * time.Second) // the ring keeps 5 s
	if _, err := first.Read(first.Parts[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a part that the ring dropped: got %v", err)
	}
	list, _ = r.Pieces(0)
	checkPieces(t, list)
	newest := list[len(list)-1].Sequence
	if list[0].Sequence < 5 || list[0].Breaks != 0 {
		t.Errorf("the oldest piece is %d with %d breaks", list[0].Sequence, list[0].Breaks)
	}
	if got, _ := r.Pieces(newest); len(got) != 1 {
		t.Errorf("from the newest on: got %d pieces", len(got))
	}

	// Other parameters make another run, which does not join.
	if err := f.w.Tracks(tracks(128), source.Streams{}); err != nil {
		t.Fatal(err)
	}
	f.gop, f.n = 10, 0
	f.send(1500 * time.Millisecond)
	list, _ = r.Pieces(0)
	checkPieces(t, list)
	last := list[len(list)-2] // the last complete one
	if last.Run == first.Run || last.Breaks != 1 {
		t.Errorf("after a change: got %+v", last)
	}
	if err := f.w.Close(); err != nil {
		t.Fatal(err)
	}
	_, more = r.Pieces(0)
	r.Close()
	select {
	case <-more:
	default:
		t.Error("nobody was told of the end")
	}
	if _, more = r.Pieces(0); more != nil {
		t.Error("more can come to a closed ring")
	}

	// The next process knows them all, part by part.
	r = open(t, dir, 5*time.Second, nil)
	again, _ := r.Pieces(0)
	checkPieces(t, again)
	if len(again) < len(list)-1 || again[0].Sequence != 0 || again[len(again)-1].Breaks != 1 {
		t.Errorf("the next process: got %d pieces, the first %+v", len(again), again[0])
	}
}

// TestPieceThatWasGivenUp reads a part of a segment whose file was cut because the RAM was needed.
func TestPieceThatWasGivenUp(t *testing.T) {
	r := open(t, t.TempDir(), 5*time.Second, nil)
	f := feed(t, r, 20*time.Second)
	f.send(1600 * time.Millisecond)
	list, _ := r.Pieces(0)
	if err := os.Truncate(list[1].Path+".tmp", 3); err != nil {
		t.Fatal(err)
	}
	if _, err := list[1].Read(list[1].Parts[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(list[0].Init); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", list[0].Init); err != nil {
		t.Fatal(err)
	}
	if m, err := list[0].Movie(); err == nil {
		t.Errorf("a link in the ring was followed: %+v", m)
	}
}
