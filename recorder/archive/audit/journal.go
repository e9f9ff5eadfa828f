package audit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// JournalName is the journal's file in the state folder.
const JournalName = "archive-check.jsonl"

// digest stands for one event's files as they were when they were checked.
type digest [16]byte

func compare(a, b digest) int { return bytes.Compare(a[:], b[:]) }

// MarshalText writes hexadecimal.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads it.
func (d *digest) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(d) {
		return errors.New("not a digest")
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// header is the journal's first line.
type header struct {
	Archive string `json:"archive"`
	Form    int    `json:"form"`
}

const journalForm = 1

// record is a further line: one event that is checked.
type record struct {
	Digest   digest  `json:"digest"`
	Faults   []Issue `json:"faults,omitempty"`
	Repaired []Issue `json:"mended,omitempty"`
	Notes    []Issue `json:"notes,omitempty"`
}

func (r record) plain() bool { return r.Faults == nil && r.Repaired == nil && r.Notes == nil }

// journal is what was checked in the round that is not finished. A round that was interrupted leaves it, and the next
// one takes it up; lost lines mean only that their events are checked again. Of an event without a fault 16 bytes are
// held.
type journal struct {
	path   string
	file   *os.File // nil: the journal cannot be written
	at     time.Time
	whole  []digest // sorted
	others map[digest]record
}

// openJournal opens the journal of an archive, or begins one. An error means that the round cannot be taken up again.
func openJournal(path, root string, fresh bool) (*journal, error) {
	j := &journal{path: path, others: map[digest]record{}}
	head := header{root, journalForm}
	if !fresh {
		if err := j.load(head); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return j, fmt.Errorf("read journal: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return j, fmt.Errorf("begin journal: %w", err)
	}
	how := os.O_CREATE | os.O_APPEND | os.O_WRONLY
	if j.at.IsZero() {
		how |= os.O_TRUNC
	}
	f, err := os.OpenFile(path, how, 0o600)
	if err != nil {
		return j, fmt.Errorf("begin journal: %w", err)
	}
	j.file = f
	if j.at.IsZero() {
		return j, j.write(head)
	}
	_, err = f.WriteString("\n") // behind a line that a crash cut
	return j, err
}

// load reads the journal of an earlier round about the same archive.
func (j *journal) load(head header) error {
	f, err := os.Open(j.path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	var has header
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &has) != nil || has != head {
		return nil // of another archive, or of another version
	}
	for lines.Scan() {
		var r record
		if json.Unmarshal(lines.Bytes(), &r) != nil || r.Digest == (digest{}) {
			continue // cut by a crash
		}
		if r.plain() {
			j.whole = append(j.whole, r.Digest)
		} else if len(j.others) < mostFaults {
			j.others[r.Digest] = r
		}
	}
	slices.SortFunc(j.whole, compare)
	j.at = fi.ModTime()
	return nil // a line that is too long ends the reading: what follows is checked again
}

// has returns what was noted of an event whose files are as they were.
func (j *journal) has(d digest) (record, bool) {
	if r, ok := j.others[d]; ok {
		return r, true
	}
	_, ok := slices.BinarySearchFunc(j.whole, d, compare)
	return record{Digest: d}, ok
}

func (j *journal) write(v any) error {
	if j.file == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err == nil {
		_, err = j.file.Write(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// drop ends the work on a journal that cannot be written.
func (j *journal) drop() {
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
}

// close ends the work on the journal; one of a round that is complete goes.
func (j *journal) close(complete bool) error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	if complete {
		err = errors.Join(err, os.Remove(j.path))
	}
	return err
}
