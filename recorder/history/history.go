// Package history keeps what happened to a recorder: starts and stops, cameras that came and went, mails and what
// became of them, and troubles. So Preroll can say later why there is a clip of some time, or why there is none.
//
// Add takes entries and never waits. The entries go to a small SQLite file of their own. All returns them. History
// promises nothing: entries that cannot be written are dropped and counted, and a damaged file is moved aside and
// replaced by a new one. Run owns the only goroutine that writes. While nothing happens, nothing is written.
package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/preroll/preroll/internal/sqlfile"
	"github.com/preroll/preroll/recorder/text"
)

// Kind says what an entry is about.
type Kind string

// The kinds of entries. The end of a trouble is recorded only after its beginning.
const (
	Started      Kind = "started"
	Stopped      Kind = "stopped"
	Recording    Kind = "recording"     // of a camera
	NotRecording Kind = "not-recording" // of a camera; Text says why
	Off          Kind = "off"           // a camera was switched off or removed
	Listening    Kind = "listening"     // for alarm mail
	NotListening Kind = "not-listening" // Text says why
	RAMLost      Kind = "ram-lost"
	RAMBack      Kind = "ram-back"
	ArchiveLost  Kind = "archive-lost"
	ArchiveBack  Kind = "archive-back"
	Paused       Kind = "paused"
	Resumed      Kind = "resumed"
	Removed      Kind = "removed" // an event was removed; About is its time, Text says who removed it

	Mail          Kind = "mail"           // became Event, or a part of it
	MailTest      Kind = "mail-test"      // a camera's test mail
	MailUnmatched Kind = "mail-unmatched" // fits no camera
	MailNotice    Kind = "mail-notice"    // news about a device that is no alarm, such as a full disk
	MailOff       Kind = "mail-off"       // its camera is switched off
	MailPaused    Kind = "mail-paused"    // came during a pause
	MailFailed    Kind = "mail-failed"    // could not be accepted; Text says why
	MailRefused   Kind = "mail-refused"   // from an address that is not allowed

	Signal       Kind = "signal"        // of another source than mail; became Event, or a part of it
	SignalOff    Kind = "signal-off"    // its camera is switched off
	SignalPaused Kind = "signal-paused" // came during a pause
	SignalFailed Kind = "signal-failed" // could not be saved; Text says why
	SignalEnd    Kind = "signal-end"    // told of an end, which saves nothing
)

// Entry is one thing that happened. Time of a mail is when its session began.
type Entry struct {
	Time   time.Time
	Kind   Kind
	Camera string    // its id
	Text   text.Text // the reason in plain words, or the subject of a mail
	From   string    // network address that a mail came from, or who sent a signal and from where
	Event  string    // its id
	About  time.Time // time of a removed event
}

// Name is the name of the file in the state folder.
const Name = "history.db"

// Bounds of the history.
const (
	maxEntries   = 20_000 // entries
	mostRemoved  = 10_000 // entries of kind Removed, so that a full drive does not push out all other entries
	pruneEvery   = 500    // entries by which the bounds may be exceeded
	queue        = 1000   // entries that wait to be written
	longest      = 300    // characters of a text
	writeTimeout = 5 * time.Second
)

// History is the history of one recorder. Make one with New.
type History struct {
	path    string
	log     *slog.Logger
	entries chan Entry
	dropped atomic.Int64

	mu     sync.Mutex // guards everything below
	db     *sql.DB    // nil until it is needed
	ended  bool
	failed bool // the last write failed, which was logged
	added  int  // entries since the last pruning
}

// --- Writing ---

// New returns the history in a state folder. New opens nothing.
func New(state string, log *slog.Logger) *History {
	return &History{path: filepath.Join(state, Name), log: log, entries: make(chan Entry, queue), added: pruneEvery}
}

// Add adds an entry. A zero time means now. Add never waits: if entries come faster than they are written, it drops and
// counts those that do not fit into the queue. After Run has ended, entries in the queue are lost too, without being
// counted.
func (h *History) Add(e Entry) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if r := []rune(e.Text.English); len(r) > longest {
		e.Text = text.Plain(string(r[:longest]) + "…")
	}
	select {
	case h.entries <- e:
	default:
		h.dropped.Add(1)
	}
}

// Dropped returns how many entries were dropped and counted since New.
func (h *History) Dropped() int { return int(h.dropped.Load()) }

// Run writes entries until ctx ends. Then it writes the waiting entries and closes the file.
func (h *History) Run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case e := <-h.entries:
			h.write(ctx, e)
		}
	}

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	h.write(last)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	h.close()
}

// write writes the given entries and all waiting entries.
func (h *History) write(ctx context.Context, list ...Entry) {
	for waiting := len(h.entries); waiting > 0; waiting-- {
		list = append(list, <-h.entries)
	}
	if len(list) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout) // ctx must not cut off a batch
	defer cancel()
	err := h.insert(ctx, list)
	if damaged(err) {
		h.moveAside(err)
		err = h.insert(ctx, list)
	}
	if err != nil {
		h.dropped.Add(int64(len(list)))
		if !h.failed {
			h.log.Warn("history is not written", "path", h.path, "err", err)
		}
	}
	h.failed = err != nil
}

// insert writes entries in one transaction. h.mu is held.
func (h *History) insert(ctx context.Context, list []Entry) error {
	db, err := h.open(ctx)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	put, err := tx.PrepareContext(ctx,
		`INSERT INTO entries (time, kind, camera, text, said, sender, event, about) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer func() { _ = put.Close() }()
	for _, e := range list {
		var about int64
		if !e.About.IsZero() {
			about = e.About.UnixMilli()
		}
		said := ""
		if e.Text.Code != "" {
			b, err := json.Marshal(e.Text)
			if err != nil {
				return err
			}
			said = string(b)
		}

		if _, err := put.ExecContext(ctx, e.Time.UnixMilli(), string(e.Kind), e.Camera,
			strings.ToValidUTF8(e.Text.English, ""), said, e.From, e.Event, about); err != nil {
			return err
		}
	}

	added := h.added + len(list)
	if added >= pruneEvery {
		if _, err := tx.ExecContext(ctx,
			`DELETE FROM entries WHERE id <= (SELECT id FROM entries ORDER BY id DESC LIMIT 1 OFFSET ?)`,
			maxEntries); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx,
			`DELETE FROM entries WHERE kind = 'removed' AND id <= (SELECT id FROM entries WHERE kind = 'removed' ORDER BY id DESC LIMIT 1 OFFSET ?)`, mostRemoved); err != nil {
			return err
		}
		added = 0
	}

	if err := tx.Commit(); err != nil {
		return err
	}
	h.added = added
	return nil
}

// --- Reading ---

// All returns all entries, oldest first.
func (h *History) All(ctx context.Context) ([]Entry, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list, err := h.read(ctx)
	if damaged(err) {
		h.moveAside(err)
		list, err = h.read(ctx)
	}
	return list, err
}

func (h *History) read(ctx context.Context) ([]Entry, error) {
	db, err := h.open(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx,
		`SELECT time, kind, camera, text, said, sender, event, about FROM entries ORDER BY time, id`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []Entry
	for rows.Next() {
		var e Entry
		var at, about int64
		var english, said string
		if err := rows.Scan(&at, &e.Kind, &e.Camera, &english, &said, &e.From, &e.Event, &about); err != nil {
			return nil, err
		}
		if said == "" || json.Unmarshal([]byte(said), &e.Text) != nil {
			e.Text = text.Plain(english)
		}
		e.Time = time.UnixMilli(at)
		if about != 0 {
			e.About = time.UnixMilli(about)
		}
		list = append(list, e)
	}

	return list, rows.Err()
}

// --- The file ---

// open opens the file, and creates it if there is none. h.mu is held.
func (h *History) open(ctx context.Context) (*sql.DB, error) {
	if h.ended {
		return nil, text.Stopped.Error()
	}
	if h.db != nil {
		return h.db, nil
	}
	db, err := sqlfile.Open(h.path,
		"_pragma=busy_timeout(2000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate", 1)
	if err != nil {
		return nil, err
	}
	db.SetConnMaxIdleTime(time.Minute) // frees the memory when nothing happens
	h.db = db
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS entries (
		id     INTEGER PRIMARY KEY,
		time   INTEGER NOT NULL, -- Unix milliseconds
		kind   TEXT NOT NULL,
		camera TEXT NOT NULL,
		text   TEXT NOT NULL, -- in English
		sender TEXT NOT NULL,
		event  TEXT NOT NULL,
		about  INTEGER NOT NULL, -- Unix milliseconds; 0: none
		said   TEXT NOT NULL DEFAULT '' -- a text as JSON; '': what has no code
	) STRICT`)
	if err == nil {
		err = addSaid(ctx, db)
	}
	if err == nil {
		err = os.Chmod(h.path, 0o600)
	}
	if err != nil {
		h.close()
		return nil, err
	}
	return db, nil
}

// addSaid adds the column that a file of an earlier version lacks.
func addSaid(ctx context.Context, db *sql.DB) error {
	var n int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info('entries') WHERE name = 'said'`).Scan(&n)
	if err == nil && n == 0 {
		_, err = db.ExecContext(ctx, `ALTER TABLE entries ADD COLUMN said TEXT NOT NULL DEFAULT ''`)
		if err != nil && strings.Contains(err.Error(), "duplicate column") {
			return nil // another process has just added it
		}
	}
	return err
}

// close closes the file. h.mu is held.
func (h *History) close() {
	if h.db == nil {
		return
	}
	if err := h.db.Close(); err != nil {
		h.log.Warn("history is not closed", "path", h.path, "err", err)
	}
	h.db = nil
}

func damaged(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// moveAside renames a damaged file, so that a new one can be created. h.mu is held.
func (h *History) moveAside(why error) {
	h.close()
	to := h.path + ".damaged-" + time.Now().Format("2006-01-02_15-04-05")
	if err := os.Rename(h.path, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.log.Warn("damaged history is not moved aside", "path", h.path, "err", err)
		return
	}
	for _, more := range []string{"-wal", "-shm"} {
		_ = os.Remove(h.path + more) // of no use without the file
	}
	h.log.Warn("history was damaged and starts again", "path", to, "err", why)
}
