package index

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/preroll/preroll/recorder/event"
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
func (x *Index) migrate(ctx context.Context) error {
	has, drives, err := formOf(ctx, x.db)
	if err != nil || has == version && drives {
		return err
	}
	began := time.Now()
	tx, err := x.db.BeginTx(ctx, nil)
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
	if err := x.migrateDrives(ctx, tx); err != nil { // from here on, triggers keep the sums
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if filled > 0 {
		x.log.Info("index brought to its new form", "events", filled,
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
func (x *Index) migrateDrives(ctx context.Context, tx *sql.Tx) error {
	var mark int
	if err := tx.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&mark); err != nil {
		return err
	}
	root := x.root()
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
		if _, err := tx.ExecContext(ctx, `INSERT INTO drives VALUES (?, ?, ?, ?)`, i+1, LegacyID(int64(i+1)),
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
