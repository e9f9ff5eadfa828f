// Package index keeps the list of events in a SQLite file, with the drives that they lie on.
//
// The index is a cache of the archive. It is opened, or set aside and recreated. A new index gets the open events at
// once, so that mails can be answered; the archive adds the events on the drives later. A change is durable when the
// call returns, so an alarm mail may then be answered. Methods may be called from any goroutine.
package index

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/internal/sqlfile"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// Name is the name of the index file in the state folder.
const Name = "index.db"

// Options are what an index needs.
type Options struct {
	State string        // the state folder, which holds the index
	Root  func() string // the archive folder as it is set now, where events lie that name no drive
	Log   *slog.Logger

	// Noted is called with the result of every Put and of every attempt of Keep to open the index. It must not block.
	Noted func(error)
}

// Index is an open index. Make one with Open.
type Index struct {
	path  string
	root  func() string
	log   *slog.Logger
	noted func(error)

	lacking chan struct{} // signals that the index may lack events of a drive
	doubted chan struct{} // signals that the index may be damaged
	loaded  atomic.Bool   // the drives in the index have been read

	writing sync.Mutex             // held while the index is changed; guards everything down to open
	db      *sql.DB                // one connection
	ready   bool                   // the index is open and holds the open events
	made    int                    // how often the index was recreated
	onDisk  indexFiles             // the index's files when they were opened
	open    map[string]event.Event // the open events, by id; a recreated index gets them

	reading sync.Mutex // guards reads
	reads   *sql.DB    // for lists, so that a slow search delays no alarm mail

	mu     sync.Mutex // guards drives; never held while a file is touched
	drives map[int64]Drive
}

// --- Opening and closing ---

// Open opens the index in a state folder, and creates the index if there is none. It sets a damaged index aside and
// creates a new one.
//
// The index is returned even if it cannot be opened now for a reason that may pass, such as a full disk or another
// program that holds it: until it is open every change fails with an [Error], and Keep tries again. Noted is then
// called with the error. Ready returns the error to whoever cannot wait.
func Open(ctx context.Context, o Options) (*Index, error) {
	if err := durable.MkdirAll(o.State, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	x := newIndex(o)
	var err error
	if x.db, x.reads, err = connect(x.path); err != nil {
		return nil, err
	}
	if wal, err := os.Stat(x.path + "-wal"); err == nil && wal.Size() > 0 { // the last process did not close the index
		x.doubted <- struct{}{}
	}
	if err := x.Ready(ctx); err != nil && !passing(err) {
		return nil, errors.Join(err, x.Close())
	} else if err != nil {
		x.noted(err)
	}
	return x, nil
}

// Ready opens the index, if it is not open yet.
func (x *Index) Ready(ctx context.Context) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	return x.ensureOpen(ctx)
}

// Peek opens an index for reading only, beside a recorder that may use it. Peek creates, migrates and moves nothing.
// The error is [fs.ErrNotExist] if there is no index.
func Peek(ctx context.Context, o Options) (*Index, error) {
	x := newIndex(o)
	if _, err := os.Stat(x.path); err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}

	// mode=ro can neither create a file nor clean one up.
	db, err := sqlfile.Open(x.path, "_pragma=busy_timeout(25000)&mode=ro&_pragma=query_only(1)", 2)
	if err != nil {
		return nil, newError(text.IndexRead, err)
	}
	x.db, x.reads = db, db
	x.loaded.Store(true)
	has, drives, err := formOf(ctx, db)
	if err == nil && (has != version || !drives) {
		err = fmt.Errorf("%s is of another version of Preroll", x.path)
	}
	if err == nil {
		x.drives, err = drivesOf(ctx, db)
	}
	if err != nil {
		return nil, errors.Join(newError(text.IndexRead, err), x.Close())
	}
	return x, nil
}

func newIndex(o Options) *Index {
	return &Index{path: filepath.Join(o.State, Name), root: o.Root, log: o.Log, noted: o.Noted,
		open: map[string]event.Event{}, drives: map[int64]Drive{},
		lacking: make(chan struct{}, 1), doubted: make(chan struct{}, 1)}
}

// Close closes the index.
func (x *Index) Close() error {
	x.writing.Lock()
	defer x.writing.Unlock()
	return errors.Join(x.reader().Close(), x.db.Close())
}

// --- Events ---

// Put writes events to the index durably: all of them, or none.
func (x *Index) Put(ctx context.Context, events ...event.Event) error {
	return x.PutFound(ctx, 0, events...)
}

// PutFound is Put for events that a round of filling found. Rounds are numbered upwards from 1; see Missed.
func (x *Index) PutFound(ctx context.Context, round int64, events ...event.Event) error {
	keys := make([]int64, len(events))
	for i, e := range events {
		keys[i] = x.keyOf(e)
	}
	x.writing.Lock()
	defer x.writing.Unlock()
	err := x.changeHeld(ctx, func(tx *sql.Tx) error { return put(ctx, tx, round, keys, events) })
	if err == nil {
		for _, e := range events {
			if e.State.Ended() {
				delete(x.open, e.ID)
			} else {
				x.open[e.ID] = e
			}
		}
	}

	if ctx.Err() == nil {
		x.noted(err)
	}
	return err
}

func put(ctx context.Context, tx *sql.Tx, round int64, keys []int64, events []event.Event) error {
	put, err := tx.PrepareContext(ctx, `INSERT INTO events (id, camera, time, state, protected, bytes, day, label, words, drive, seen, event) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET camera=excluded.camera, time=excluded.time, state=excluded.state, protected=excluded.protected, bytes=excluded.bytes,
			day=excluded.day, label=excluded.label, words=excluded.words, drive=excluded.drive, seen=max(seen, excluded.seen), event=excluded.event`)
	if err != nil {
		return err
	}
	defer func() { _ = put.Close() }()
	for i, e := range events {
		b, err := json.Marshal(e)
		if err == nil {
			_, err = put.ExecContext(ctx, e.ID, e.Camera, e.Time.UnixMilli(), string(e.State), e.Protected, e.Bytes(),
				dayOf(e.Time), e.Label, wordsOf(e), keys[i], round, string(b))
		}
		if err != nil {
			return fmt.Errorf("event %s: %w", e.ID, err)
		}
	}

	return nil
}

// Remove removes an event from the index.
func (x *Index) Remove(ctx context.Context, id string) error {
	return x.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM events WHERE id = ?`, id)
		return err
	})
}

// RemoveDrive removes all ended events on a drive from the index, and returns their number. It works in steps, so that
// an alarm may be noted between them.
func (x *Index) RemoveDrive(ctx context.Context, d Drive) (n int64, err error) {
	for more := int64(1); more > 0 && err == nil; n += more {
		more = 0
		err = x.change(ctx, func(tx *sql.Tx) error {
			done, err := tx.ExecContext(ctx, `DELETE FROM events WHERE rowid IN
				(SELECT rowid FROM events WHERE drive = ? AND state NOT IN ('recording', 'finishing') LIMIT 500)`, d.Key)
			if err == nil {
				more, err = done.RowsAffected()
			}
			return err
		})
	}

	return n, err
}

// Open reports whether an event is open.
func (x *Index) Open(id string) bool {
	x.writing.Lock()
	defer x.writing.Unlock()
	_, open := x.open[id]
	return open
}

// OpenOn reports whether an open event lies on a drive.
func (x *Index) OpenOn(d Drive) bool {
	x.writing.Lock()
	defer x.writing.Unlock()
	for _, e := range x.open {
		if e.Stem != "" && (e.Drive == d.ID || e.Drive == "" && e.Archive == d.Path) {
			return true
		}
	}
	return false
}
