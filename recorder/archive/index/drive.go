package index

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/preroll/preroll/recorder/event"
)

// Drive is what the index knows of an archive drive.
type Drive struct {
	Key    int64  // 0: no drive
	ID     string // what the drive's id file says, or a legacy id
	Path   string // where the drive was seen last
	Filled bool   // the index holds all events on the drive

	indexed bool // the file holds this record as it is
}

// Legacy reports whether the drive has only a legacy id, see LegacyID.
func (d Drive) Legacy() bool { return strings.HasPrefix(d.ID, legacyMark) }

const legacyMark = "legacy-"

// LegacyID returns what stands for the id of a drive from an older index, until something is saved to the drive.
func LegacyID(key int64) string { return fmt.Sprintf("%s%d", legacyMark, key) }

// drivesOf reads the drives from the file.
func drivesOf(ctx context.Context, db *sql.DB) (map[int64]Drive, error) {
	rows, err := db.QueryContext(ctx, `SELECT key, id, path, filled FROM drives`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	list := map[int64]Drive{}
	for rows.Next() {
		d := Drive{indexed: true}
		if err := rows.Scan(&d.Key, &d.ID, &d.Path, &d.Filled); err != nil {
			return nil, err
		}
		if d.ID == "" {
			d.ID = LegacyID(d.Key)
		}
		list[d.Key] = d
	}

	return list, rows.Err()
}

// noteDrives writes the drives that are new or changed to the file. The caller calls done when the change is durable.
func (x *Index) noteDrives(ctx context.Context, tx *sql.Tx) (done func(), err error) {
	list := slices.DeleteFunc(x.Drives(), func(d Drive) bool { return d.indexed })
	for _, d := range list {
		if _, err := tx.ExecContext(ctx, `INSERT INTO drives (key, id, path, filled) VALUES (?, ?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET id=excluded.id, path=excluded.path, filled=excluded.filled`, d.Key, d.ID, d.Path, d.Filled); err != nil {
			return nil, err
		}
	}
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, d := range list {
			if x.drives[d.Key] == d {
				d.indexed = true
				x.drives[d.Key] = d
			}
		}
	}, nil
}

// Loaded reports whether the drives in the index have been read.
func (x *Index) Loaded() bool { return x.loaded.Load() }

// Drives returns the known drives, by key.
func (x *Index) Drives() []Drive {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := make([]Drive, 0, len(x.drives))
	for _, key := range slices.Sorted(maps.Keys(x.drives)) {
		list = append(list, x.drives[key])
	}
	return list
}

// Drive returns the first drive, by key, for which fits returns true.
func (x *Index) Drive(fits func(Drive) bool) (Drive, bool) {
	list := x.Drives()
	if i := slices.IndexFunc(list, fits); i >= 0 {
		return list[i], true
	}
	return Drive{}, false
}

// DriveOf returns the drive that an event lies on.
func (x *Index) DriveOf(e event.Event) (Drive, bool) {
	switch {
	case e.Stem == "" && e.Drive == "":
		return Drive{}, false
	case e.Drive != "":
		return x.Drive(func(d Drive) bool { return d.ID == e.Drive })
	}
	root := filepath.Clean(cmp.Or(e.Archive, x.root()))
	d, ok := x.Drive(func(d Drive) bool { return d.Path == root && d.Legacy() })
	if !ok {
		d, ok = x.Drive(func(d Drive) bool { return d.Path == root })
	}
	return d, ok
}

// keyOf returns the key of the drive that an event lies on, and registers a drive that is not known. The key is 0 for
// an event that has no place yet.
func (x *Index) keyOf(e event.Event) int64 {
	if d, ok := x.DriveOf(e); ok {
		return d.Key
	}
	if e.Stem == "" {
		return 0
	}
	return x.Register(Drive{ID: e.Drive, Path: filepath.Clean(cmp.Or(e.Archive, x.root()))}).Key
}

// Register adds a new drive and returns it with its key. The next change of the index writes it.
func (x *Index) Register(d Drive) Drive {
	x.mu.Lock()
	defer x.mu.Unlock()
	d.Key, d.indexed = 1, false
	for key := range x.drives {
		d.Key = max(d.Key, key+1)
	}
	if d.ID == "" {
		d.ID = LegacyID(d.Key)
	}
	x.drives[d.Key] = d
	return d
}

// Update changes what is known of a drive. The next change of the index writes it.
func (x *Index) Update(key int64, change func(*Drive)) Drive {
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.drives[key]
	change(&d)
	d.indexed = false
	x.drives[key] = d
	return d
}

// --- Filling ---

// Made returns how often the index was recreated.
func (x *Index) Made() int {
	x.writing.Lock()
	defer x.writing.Unlock()
	return x.made
}

// SetFilled notes that the index holds all events on a drive, unless the index was recreated since Made returned made.
func (x *Index) SetFilled(ctx context.Context, d Drive, made int) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	if x.made != made {
		return nil
	}
	x.Update(d.Key, func(d *Drive) { d.Filled = true })
	return x.changeHeld(ctx, func(*sql.Tx) error { return nil })
}

// Lacking returns a channel that gets a value when the index may lack events of a drive.
func (x *Index) Lacking() <-chan struct{} { return x.lacking }

// RequestFill makes Lacking's channel get a value.
func (x *Index) RequestFill() {
	select {
	case x.lacking <- struct{}{}:
	default:
	}
}

// --- Sums ---

// Usage is what a drive holds.
type Usage struct {
	Drive
	Events int
	Bytes  int64 // size of the clips
}

// Usage returns the drives that have events in the index, sorted by path.
func (x *Index) Usage(ctx context.Context) (list []Usage, err error) {
	err = x.query(ctx, func(rows *sql.Rows) error {
		var key int64
		var u Usage
		if err := rows.Scan(&key, &u.Events, &u.Bytes); err != nil {
			return err
		}
		var ok bool
		if u.Drive, ok = x.Drive(func(d Drive) bool { return d.Key == key }); ok {
			list = append(list, u)
		}
		return nil
	}, `SELECT drive, sum(events), sum(bytes) FROM days WHERE drive > 0 GROUP BY drive`)
	slices.SortFunc(list, func(a, b Usage) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.ID, b.ID))
	})
	return list, err
}

// BytesOn returns the size of the clips on a drive.
func (x *Index) BytesOn(ctx context.Context, d Drive) (bytes int64, err error) {
	err = x.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&bytes) },
		`SELECT coalesce(sum(bytes), 0) FROM days WHERE drive = ?`, d.Key)
	return bytes, err
}
