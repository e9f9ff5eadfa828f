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

// JournalName is the name of the journal in the state folder.
const JournalName = "archive-check.jsonl"

// digest identifies one event's files as they were when they were checked.
type digest [16]byte

func compare(a, b digest) int { return bytes.Compare(a[:], b[:]) }

// MarshalText encodes the digest in hexadecimal.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText decodes what MarshalText encodes.
func (d *digest) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(d) {
		return errors.New("not a digest")
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// header is the first line of the journal.
type header struct {
	Archive string `json:"archive"`
	Form    int    `json:"form"`
}

const journalForm = 1

// record is a further line of the journal: one event that was checked.
type record struct {
	Digest   digest  `json:"digest"`
	Faults   []Issue `json:"faults,omitempty"`
	Repaired []Issue `json:"mended,omitempty"`
	Notes    []Issue `json:"notes,omitempty"`
}

func (r record) plain() bool { return r.Faults == nil && r.Repaired == nil && r.Notes == nil }

// journal is what the current round has checked. An interrupted round leaves its journal, and the next round continues
// it. If lines are lost, only their events are checked again. An event without a fault takes 16 bytes of memory.
type journal struct {
	path   string
	file   *os.File // nil if the journal cannot be written
	at     time.Time
	whole  []digest // events with nothing to report, sorted
	others map[digest]record
}

// openJournal opens the journal of an archive, or begins a new one. An error means that this round cannot be continued
// after an interruption.
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
	_, err = f.WriteString("\n") // ends a line that a crash cut
	return j, err
}

// load reads the journal of an earlier round, if it is about the same archive.
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
		return nil // of another archive or another version
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
	return nil // a line that is too long ends the reading; later events are checked again
}

// has returns the record of an event whose files have not changed since.
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

// drop stops using a journal that cannot be written.
func (j *journal) drop() {
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
}

// close closes the journal, and removes it if the round is complete.
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
