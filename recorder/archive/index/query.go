package index

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

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
	switch {
	case q.Until != "":
		conds, args = append(conds, "day BETWEEN ? AND ?"), append(args, q.Day, q.Until)
	case q.Day != "":
		conds, args = append(conds, "day = ?"), append(args, q.Day)
	}
	if !q.After.IsZero() {
		conds, args = append(conds, "time > ?"), append(args, q.After.UnixMilli())
	}
	if q.Without != "" {
		ids, _ := json.Marshal(strings.Split(q.Without, ",")) // strings always have a form in JSON
		conds, args = append(conds, "id NOT IN (SELECT value FROM json_each(?))"), append(args, string(ids))
	}
	switch q.Only {
	case event.OnlyProtected:
		conds = append(conds, "protected = 1")
	case event.OnlyNotWhole:
		conds = append(conds, "state IN ('incomplete', 'failed')")
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
func (x *Index) List(ctx context.Context, q event.Query) ([]event.Event, error) {
	index, where, args := find(q)
	if !q.Before.IsZero() {
		day := dayOf(q.Before)

		// Use the day as it was counted. It differs from dayOf if this machine's time zone has changed.
		if q.BeforeID != "" {
			if err := x.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&day) },
				`SELECT day FROM events WHERE id = ?`, q.BeforeID); err != nil {
				return nil, err
			}
		}
		where += " AND (day, time, id) < (?, ?, ?)"
		args = append(args, day, q.Before.UnixMilli(), q.BeforeID)
	}

	if q.Limit <= 0 {
		q.Limit = 100
	}

	// Read the JSON only of the events that are returned.
	return x.events(ctx, `FROM (SELECT rowid AS row FROM events INDEXED BY `+index+` WHERE `+where+
		` ORDER BY day DESC, time DESC, id DESC LIMIT ? OFFSET ?) CROSS JOIN events ON events.rowid = row ORDER BY day DESC, time DESC, id DESC`,
		append(args, q.Limit, max(0, q.Offset))...)
}

// Days returns the days with events that fit a query, newest first. Only a search for words, for a kind of events, or
// for those after a time looks at every event.
func (x *Index) Days(ctx context.Context, q event.Query) (list []event.Day, err error) {
	index, where, args := find(q)
	count, from := "sum(events)", "days"
	if strings.TrimSpace(q.Text) != "" || q.Only != "" || !q.After.IsZero() || q.Without != "" {
		count, from = "count(*)", "events INDEXED BY "+index
	}
	err = x.query(ctx, func(rows *sql.Rows) error {
		var d event.Day
		err := rows.Scan(&d.Day, &d.Events)
		list = append(list, d)
		return err
	}, `SELECT day, `+count+` FROM `+from+` WHERE `+where+` GROUP BY day ORDER BY day DESC`, args...)
	return list, err
}

// Choices returns the cameras and labels that have events, sorted.
func (x *Index) Choices(ctx context.Context) (event.Choices, error) {
	c := event.Choices{Cameras: []string{}, Labels: []string{}}
	into := func(list *[]string) func(*sql.Rows) error {
		return func(rows *sql.Rows) error {
			var s string
			err := rows.Scan(&s)
			*list = append(*list, s)
			return err
		}
	}

	if err := x.query(ctx, into(&c.Cameras), `SELECT DISTINCT camera FROM days ORDER BY camera`); err != nil {
		return event.Choices{}, err
	}
	err := x.query(ctx, into(&c.Labels), `SELECT DISTINCT label FROM days WHERE label <> '' ORDER BY label`)
	return c, err
}

// Totals returns the number of events, and the size of their clips in bytes.
func (x *Index) Totals(ctx context.Context) (events int, bytes int64, err error) {
	err = x.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&events, &bytes) },
		`SELECT coalesce(sum(events), 0), coalesce(sum(bytes), 0) FROM days`)
	return events, bytes, err
}

// mostAround bounds the events that Around reads. Those nearest to the time asked for come first.
const mostAround = 500

// Around returns the events of a camera, or of all cameras for "", whose window overlaps from to to, oldest first. It
// finds events whose time lies at most longest outside of from to to.
func (x *Index) Around(ctx context.Context, camera string, from, to time.Time,
	longest time.Duration) ([]event.Event, error) {
	list, err := x.events(ctx, `FROM events WHERE time BETWEEN ? AND ? AND (?3 = '' OR camera = ?3)
		ORDER BY abs(time - ?4) LIMIT ?5`, from.Add(-longest).UnixMilli(), to.Add(longest).UnixMilli(), camera,
		from.Add(to.Sub(from)/2).UnixMilli(), mostAround)
	slices.SortFunc(list, func(a, b event.Event) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID))
	})
	return slices.DeleteFunc(list, func(e event.Event) bool { return e.Until.Before(from) || e.From.After(to) }), err
}

// ErrNotFound is the error for an event that is not in the index.
var ErrNotFound = text.NoSuchEvent.Error()

// Get returns the event with an id.
func (x *Index) Get(ctx context.Context, id string) (event.Event, error) {
	list, err := x.events(ctx, `FROM events WHERE id = ?`, id)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("event %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return event.Event{}, err
	}
	return list[0], nil
}

// unfinished selects the open events, oldest first.
const unfinished = `FROM events WHERE state IN ('recording', 'finishing') ORDER BY time, id`

// Unfinished returns the events that are still open, oldest first. After a start they are those that a crash
// interrupted.
func (x *Index) Unfinished(ctx context.Context) ([]event.Event, error) {
	return x.events(ctx, unfinished)
}

// --- Events of one drive ---

// Newest returns the newest events on a drive that have video.
func (x *Index) Newest(ctx context.Context, d Drive, limit int) ([]event.Event, error) {
	return x.events(ctx, `FROM events WHERE drive = ? AND bytes > 0 ORDER BY time DESC LIMIT ?`, d.Key, limit)
}

// Old selects events that retention may remove.
type Old struct {
	After event.Event // events behind this one, by time and id; the zero value: all
	Until time.Time   // only events before it; zero: all
	Bytes int64       // only events with clips of at least this size
	Limit int
}

// Oldest returns the oldest events on a drive that are neither open nor protected, oldest first.
func (x *Index) Oldest(ctx context.Context, d Drive, o Old) ([]event.Event, error) {
	at, until := int64(math.MinInt64), int64(math.MaxInt64)
	if o.After.ID != "" {
		at = o.After.Time.UnixMilli()
	}
	if !o.Until.IsZero() {
		until = o.Until.UnixMilli()
	}
	return x.events(ctx, `FROM events INDEXED BY events_old WHERE drive = ? AND protected = 0 AND state NOT IN ('recording', 'finishing')
		AND (time, id) > (?, ?) AND time < ? AND bytes >= ? ORDER BY time, id LIMIT ?`, d.Key, at, o.After.ID, until, o.Bytes, o.Limit)
}

// Missed returns the ids of ended events with video on a drive that a round of filling did not find, in the order of
// their ids and behind the id after. An event that cannot be read is among them.
func (x *Index) Missed(ctx context.Context, d Drive, round int64, after string, limit int) (ids []string, err error) {
	err = x.query(ctx, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, `SELECT id FROM events WHERE drive = ? AND seen < ? AND state NOT IN ('recording', 'finishing') AND bytes > 0 AND id > ?
		ORDER BY id LIMIT ?`, d.Key, round, after, limit)
	return ids, err
}

// --- Reading ---

// query calls each for every row of a query.
func (x *Index) query(ctx context.Context, each func(*sql.Rows) error, q string, args ...any) error {
	err := queryIn(ctx, x.reader(), each, q, args...)
	if err == nil {
		return nil
	}
	if damaged(err) {
		x.doubt()
	}
	return newError(text.IndexRead, err)
}

func queryIn(ctx context.Context, db *sql.DB, each func(*sql.Rows) error, q string, args ...any) error {
	rows, err := db.QueryContext(ctx, q, args...)
	if err != nil {
		return err
	}
	for err == nil && rows.Next() {
		err = each(rows)
	}
	return errors.Join(err, rows.Err(), rows.Close())
}

// events returns the events that the rest of a SELECT finds in the table events. Each event gets the path where its
// drive was seen last.
func (x *Index) events(ctx context.Context, from string, args ...any) (list []event.Event, err error) {
	err = x.query(ctx, x.into(&list), `SELECT drive, event `+from, args...)
	return list, err
}

// into returns a function that appends the event of a row with the columns drive and event.
func (x *Index) into(list *[]event.Event) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var key int64
		var b []byte
		var e event.Event
		if err := rows.Scan(&key, &b); err != nil {
			return err
		}
		if err := json.Unmarshal(b, &e); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		d, ok := x.Drive(func(d Drive) bool { return d.Key == key })

		// Perhaps a program that knows no drives wrote it.
		if ok && e.Drive == "" && e.Archive != "" && e.Archive != d.Path {
			if other, there := x.Drive(func(o Drive) bool { return o.Path == e.Archive }); there {
				d = other
			}
		}
		if ok {
			e.Drive, e.Archive = d.ID, d.Path
		}
		*list = append(*list, e)
		return nil
	}
}
