package archive

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// version is the version of the index's form, kept as SQLite's user_version. Version 0 is an empty file, or an index
// without the columns by which events are listed. The table drives came later without a new version, because it changed
// nothing that an earlier program reads.
const version = 1

// The steps of the index's form. No search needs the JSON of an event: events_day and events_camera hold all columns
// that a list is searched by, in the order of the list, and events_old holds what retention looks for. The table days
// holds sums, which triggers keep right.
const (
	first = `
CREATE TABLE IF NOT EXISTS events (
	id        TEXT PRIMARY KEY,
	camera    TEXT NOT NULL,
	time      INTEGER NOT NULL, -- Unix milliseconds
	state     TEXT NOT NULL,
	protected INTEGER NOT NULL,
	bytes     INTEGER NOT NULL,
	event     TEXT NOT NULL      -- the event as JSON
) STRICT;
CREATE INDEX IF NOT EXISTS events_time ON events (time, id);
CREATE INDEX IF NOT EXISTS events_open ON events (state) WHERE state IN ('recording', 'finishing');
ALTER TABLE events ADD COLUMN day TEXT NOT NULL DEFAULT '';   -- of time, on this machine's clock: 2026-11-22
ALTER TABLE events ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN words TEXT NOT NULL DEFAULT ''; -- what a search looks through, in lower case
`
	second = `
DROP INDEX IF EXISTS events_camera;
CREATE INDEX events_camera ON events (camera, day, time, id, label);
CREATE INDEX events_day ON events (day, time, id, camera, label, words);
`
	third = `
CREATE TABLE drives (
	key    INTEGER PRIMARY KEY,
	id     TEXT NOT NULL,
	path   TEXT NOT NULL,   -- where it was seen last
	filled INTEGER NOT NULL -- the index holds all events on it
) STRICT;
ALTER TABLE events ADD COLUMN drive INTEGER NOT NULL DEFAULT 1; -- 0: it has no place yet
ALTER TABLE events ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;  -- the last round of filling that found its sidecar
CREATE INDEX events_old ON events (drive, time, id, bytes) WHERE protected = 0 AND state NOT IN ('recording', 'finishing');
DROP TRIGGER IF EXISTS events_insert;
DROP TRIGGER IF EXISTS events_delete;
DROP TRIGGER IF EXISTS events_update;
DROP TABLE IF EXISTS days;
CREATE TABLE days (
	day    TEXT NOT NULL,
	camera TEXT NOT NULL,
	label  TEXT NOT NULL,
	drive  INTEGER NOT NULL,
	events INTEGER NOT NULL,
	bytes  INTEGER NOT NULL,
	PRIMARY KEY (day, camera, label, drive)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER events_insert AFTER INSERT ON events BEGIN
	INSERT INTO days VALUES (new.day, new.camera, new.label, new.drive, 1, new.bytes)
		ON CONFLICT DO UPDATE SET events = events + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER events_delete AFTER DELETE ON events BEGIN
	UPDATE days SET events = events - 1, bytes = bytes - old.bytes WHERE day = old.day AND camera = old.camera AND label = old.label AND drive = old.drive;
	DELETE FROM days WHERE day = old.day AND camera = old.camera AND label = old.label AND drive = old.drive AND events = 0;
END;
CREATE TRIGGER events_update AFTER UPDATE OF day, camera, label, drive, bytes ON events
WHEN (old.day, old.camera, old.label, old.drive, old.bytes) IS NOT (new.day, new.camera, new.label, new.drive, new.bytes) BEGIN
	UPDATE days SET events = events - 1, bytes = bytes - old.bytes WHERE day = old.day AND camera = old.camera AND label = old.label AND drive = old.drive;
	DELETE FROM days WHERE day = old.day AND camera = old.camera AND label = old.label AND drive = old.drive AND events = 0;
	INSERT INTO days VALUES (new.day, new.camera, new.label, new.drive, 1, new.bytes)
		ON CONFLICT DO UPDATE SET events = events + 1, bytes = bytes + excluded.bytes;
END;
`
	sums = `INSERT INTO days SELECT day, camera, label, drive, count(*), sum(bytes) FROM events GROUP BY day, camera, label, drive;`
)

// filledMark is the application_id of an older SQLite index that held all events of the archive.
const filledMark = 0x50726c6c

// --- Migration ---

// migrate gives the index its current form, in one transaction.
func (a *Archive) migrate(ctx context.Context) error {
	has, drives, err := formOf(ctx, a.db)
	if err != nil || has == version && drives {
		return err
	}
	began := time.Now()
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	// Ask again, since another process may just have migrated the index.
	has, drives, err = formOf(ctx, tx)
	if err != nil || has == version && drives {
		return err
	}
	if has > version {
		return fmt.Errorf("%w: a newer Preroll wrote it", errDamaged)
	}
	filled := 0
	if has == 0 {
		if _, err := tx.ExecContext(ctx, first); err != nil {
			return err
		}
		if filled, err = fill(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, second); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, third); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, sums+fmt.Sprintf(`PRAGMA user_version = %d`, version)); err != nil {
		return err
	}
	if err := a.migrateDrives(ctx, tx); err != nil { // from here on, triggers keep the sums
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if filled > 0 {
		a.log.Info("index brought to its new form", "events", filled,
			"elapsed", time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// formOf returns an index's version, and whether it has the table drives.
func formOf(ctx context.Context, q querier) (has int, drives bool, err error) {
	if err = q.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&has); err == nil {
		err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'drives')`).Scan(&drives)
	}
	return has, drives, err
}

// migrateDrives makes a drive of each folder that the events of an older index name. Events that name no folder lie in
// the archive folder as it is set now.
func (a *Archive) migrateDrives(ctx context.Context, tx *sql.Tx) error {
	var mark int
	if err := tx.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&mark); err != nil {
		return err
	}
	root := a.Root()
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT coalesce(event ->> 'archive', ?) FROM events`, root)
	if err != nil {
		return err
	}
	paths := []string{root}
	for rows.Next() {
		var path string
		if err = rows.Scan(&path); err != nil {
			break
		}
		if path != root {
			paths = append(paths, path)
		}
	}
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
		return err
	}
	var any bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events)`).Scan(&any); err != nil || !any {
		return err
	}
	for i, path := range paths {
		if _, err := tx.ExecContext(ctx, `INSERT INTO drives VALUES (?, ?, ?, ?)`, i+1, legacyID(int64(i+1)),
			filepath.Clean(path), mark == filledMark); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		if _, err := tx.ExecContext(ctx, `UPDATE events SET drive = ? WHERE event ->> 'archive' = ?`, i+1,
			path); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx,
		`UPDATE events SET drive = 0 WHERE state IN ('recording', 'finishing') AND event ->> 'stem' = ''`)
	return err
}

// fill sets the columns day, label and words of events that were written without them. It returns their number.
func fill(ctx context.Context, tx *sql.Tx) (n int, err error) {
	set, err := tx.PrepareContext(ctx, `UPDATE events SET day = ?, label = ?, words = ? WHERE rowid = ?`)
	if err != nil {
		return 0, err
	}
	defer func() { _ = set.Close() }()
	type row struct {
		id, ms int64
		json   []byte
	}
	for last := int64(-1 << 63); ; {
		rows, err := tx.QueryContext(ctx,
			`SELECT rowid, time, event FROM events WHERE rowid > ? ORDER BY rowid LIMIT 1000`, last)
		if err != nil {
			return n, err
		}
		var list []row
		for rows.Next() {
			var r row
			if err = rows.Scan(&r.id, &r.ms, &r.json); err != nil {
				break
			}
			list = append(list, r)
		}
		if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
			return n, err
		}
		if list == nil {
			return n, nil
		}
		for _, r := range list {
			var e event.Event
			if err := json.Unmarshal(r.json, &e); err != nil {
				return n, fmt.Errorf("an event in it cannot be read (%w): %w", errDamaged, err)
			}
			if _, err := set.ExecContext(ctx, dayOf(time.UnixMilli(r.ms)), e.Label, wordsOf(e), r.id); err != nil {
				return n, err
			}
			last = r.id
			n++
		}
	}
}

// --- Lists and searches ---

func dayOf(t time.Time) string { return t.Local().Format(time.DateOnly) }

// maxWords bounds the text of an event that a search looks through, in bytes: 100 triggers may bring 100 subjects.
const maxWords = 2000

// wordsOf returns the text that a search looks through: each different text once, in lower case, one per line.
func wordsOf(e event.Event) string {
	texts := []string{fold(e.Title()), fold(e.Label), fold(e.Reason)}
	size := 0
	for _, t := range e.Triggers {
		for _, s := range []string{fold(t.Subject), fold(t.Sender)} {
			if !slices.Contains(texts, s) && size < maxWords {
				texts = append(texts, s)
				size += len(s)
			}
		}
	}
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	return strings.Join(texts, "\n")
}

// fold makes texts equal that differ only in case. SQLite itself knows the case of ASCII letters only.
func fold(s string) string { return strings.ToLower(strings.ToValidUTF8(s, "")) }

// find returns the condition for a query, and the index of SQLite that holds all columns that it needs.
func find(q event.Query) (index, where string, args []any) {
	index, conds := "events_day", []string{"1"}
	if q.Camera != "" {
		conds, args = append(conds, "camera = ?"), append(args, q.Camera)
	}
	if q.Label != "" {
		conds, args = append(conds, "label = ?"), append(args, q.Label)
	}
	if q.Day != "" {
		conds, args = append(conds, "day = ?"), append(args, q.Day)
	}
	words := strings.Fields(fold(q.Text))
	for _, w := range words[:min(len(words), 20)] {
		conds, args = append(conds, "instr(words, ?)"), append(args, w)
	}
	if q.Camera != "" && len(words) == 0 {
		index = "events_camera"
	}
	return index, strings.Join(conds, " AND "), args
}

// List returns events, newest first: sorted by day, then by time, then by id.
func (a *Archive) List(ctx context.Context, q event.Query) ([]event.Event, error) {
	index, where, args := find(q)
	if !q.Before.IsZero() {
		day := dayOf(q.Before)
		// Use the day as it was counted. It differs from dayOf if this machine's time zone has changed.
		if q.BeforeID != "" {
			if err := a.reader().QueryRowContext(ctx, `SELECT day FROM events WHERE id = ?`,
				q.BeforeID).Scan(&day); err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, indexError(text.IndexRead, err)
			}
		}
		where += " AND (day, time, id) < (?, ?, ?)"
		args = append(args, day, q.Before.UnixMilli(), q.BeforeID)
	}
	if q.Limit <= 0 {
		q.Limit = 100
	}
	// Read the JSON only of the events that are returned.
	return a.scan(ctx, `SELECT drive, event FROM (SELECT rowid AS row FROM events INDEXED BY `+index+` WHERE `+where+
		` ORDER BY day DESC, time DESC, id DESC LIMIT ? OFFSET ?) CROSS JOIN events ON events.rowid = row ORDER BY day DESC, time DESC, id DESC`,
		append(args, q.Limit, max(0, q.Offset))...)
}

// Days returns the days with events that fit a query, newest first. Only a search for words looks at every event.
func (a *Archive) Days(ctx context.Context, q event.Query) ([]event.Day, error) {
	index, where, args := find(q)
	count, from := "sum(events)", "days"
	if strings.TrimSpace(q.Text) != "" {
		count, from = "count(*)", "events INDEXED BY "+index
	}
	rows, err := a.reader().QueryContext(ctx,
		`SELECT day, `+count+` FROM `+from+` WHERE `+where+` GROUP BY day ORDER BY day DESC`, args...)
	if err != nil {
		return nil, indexError(text.IndexRead, err)
	}
	defer func() { _ = rows.Close() }()
	var list []event.Day
	for rows.Next() {
		var d event.Day
		if err := rows.Scan(&d.Day, &d.Events); err != nil {
			return nil, indexError(text.IndexRead, err)
		}
		list = append(list, d)
	}
	if err := rows.Err(); err != nil {
		return nil, indexError(text.IndexRead, err)
	}
	return list, nil
}

// Choices returns the cameras and labels that have events, sorted.
func (a *Archive) Choices(ctx context.Context) (c event.Choices, err error) {
	if c.Cameras, err = a.texts(ctx, `SELECT DISTINCT camera FROM days ORDER BY camera`); err != nil {
		return event.Choices{}, err
	}
	if c.Labels, err = a.texts(ctx, `SELECT DISTINCT label FROM days WHERE label <> '' ORDER BY label`); err != nil {
		return event.Choices{}, err
	}
	return c, nil
}

func (a *Archive) texts(ctx context.Context, query string, args ...any) (list []string, err error) {
	rows, err := a.reader().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, indexError(text.IndexRead, err)
	}
	defer func() { _ = rows.Close() }()
	list = []string{}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, indexError(text.IndexRead, err)
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		return nil, indexError(text.IndexRead, err)
	}
	return list, nil
}

// Totals returns the number of events, and the size of their clips in bytes.
func (a *Archive) Totals(ctx context.Context) (events int, bytes int64, err error) {
	err = a.reader().QueryRowContext(ctx,
		`SELECT coalesce(sum(events), 0), coalesce(sum(bytes), 0) FROM days`).Scan(&events, &bytes)
	if err != nil {
		err = indexError(text.IndexRead, err)
	}
	return events, bytes, err
}

// mostAround bounds the events that Around reads. Those nearest to the time asked for come first.
const mostAround = 500

// Around returns the events of a camera, or of all cameras for "", whose window overlaps from to to, oldest first. It
// finds events whose time lies at most longest outside of from to to.
func (a *Archive) Around(ctx context.Context, camera string, from, to time.Time,
	longest time.Duration) ([]event.Event, error) {
	list, err := a.scan(ctx, `SELECT drive, event FROM events WHERE time BETWEEN ? AND ? AND (?3 = '' OR camera = ?3)
		ORDER BY abs(time - ?4) LIMIT ?5`, from.Add(-longest).UnixMilli(), to.Add(longest).UnixMilli(), camera,
		from.Add(to.Sub(from)/2).UnixMilli(), mostAround)
	slices.SortFunc(list, func(a, b event.Event) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID))
	})
	return slices.DeleteFunc(list, func(e event.Event) bool { return e.Until.Before(from) || e.From.After(to) }), err
}

// scan returns the events of a query for the columns drive and event. Each event gets the path where its drive was seen
// last.
func (a *Archive) scan(ctx context.Context, q string, args ...any) ([]event.Event, error) {
	list, err := a.scanIn(ctx, a.reader(), q, args...)
	return list, a.reportCorruption(err)
}

func (a *Archive) scanIn(ctx context.Context, db *sql.DB, q string, args ...any) (list []event.Event, err error) {
	rows, err := db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, indexError(text.IndexRead, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key int64
		var b []byte
		var e event.Event
		if err := rows.Scan(&key, &b); err != nil {
			return nil, indexError(text.IndexRead, err)
		}
		if err := json.Unmarshal(b, &e); err != nil {
			return nil, indexError(text.IndexRead, fmt.Errorf("%w: %w", errDamaged, err))
		}
		d, ok := a.drive(func(d known) bool { return d.key == key })
		// Perhaps a program that knows no drives wrote it.
		if ok && e.Drive == "" && e.Archive != "" && e.Archive != d.path {
			if other, there := a.drive(func(o known) bool { return o.path == e.Archive }); there {
				d = other
			}
		}
		if ok {
			e.Drive, e.Archive = d.id, d.path
		}
		list = append(list, e)
	}
	if err := rows.Err(); err != nil {
		return nil, indexError(text.IndexRead, err)
	}
	return list, nil
}

// --- Errors ---

// IndexError is an error of the index, as opposed to an error of the archive drive.
type IndexError struct {
	Doing text.Message // IndexOpen, IndexRead or IndexWrite
	Err   error
}

func (e *IndexError) Error() string { return e.Said().String() }
func (e *IndexError) Unwrap() error { return e.Err }

// Said says the error.
func (e *IndexError) Said() text.Text { return e.Doing.With(e.Err) }

func indexError(doing text.Message, err error) error { return &IndexError{doing, err} }

// damaged reports whether an error means that the index's file is damaged, or hints at it. Preroll's own statements are
// right. So if SQLite rejects a statement, the tables or events are probably not what they were.
func damaged(err error) bool { return corrupt(err) || code(err) == sqlite3.SQLITE_ERROR }

// corrupt reports whether an error proves that the index's file is damaged.
func corrupt(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT:
		return true
	}
	// A file that ends too early: the index was cut, or its log is not the one that was written.
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_IOERR_SHORT_READ {
		return true
	}
	return errors.Is(err, errDamaged)
}

// passing reports whether an error of opening the index may pass by itself: its disk is full or fails, or another
// program holds the index.
func passing(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_READONLY:
		return true
	}
	return disk.Full(err)
}

// code returns SQLite's primary result code, or 0 if err is not from SQLite.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}
