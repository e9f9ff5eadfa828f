package index

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/event"
)

// openIndex opens an index that is closed when the test ends.
func openIndex(t testing.TB, state string) *Index {
	t.Helper()
	x, err := Open(t.Context(), options(t, state))
	if err == nil {
		err = x.Ready(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() })
	return x
}

func options(t testing.TB, state string) Options {
	return Options{State: state, Root: func() string { return filepath.Join(state, "archive") },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Noted: func(error) {}}
}

func ids(list []event.Event) string {
	var s []string
	for _, e := range list {
		s = append(s, e.ID)
	}
	return strings.Join(s, " ")
}

// check compares the sums in days with the events themselves.
func check(t *testing.T, x *Index) {
	t.Helper()
	const sums = `SELECT coalesce(group_concat(day || ' ' || camera || ' ' || label || ' ' || events || ' ' || bytes, char(10)), '') FROM `
	var kept, counted string
	err := errors.Join(x.db.QueryRowContext(t.Context(),
		sums+`(SELECT * FROM days ORDER BY day, camera, label)`).Scan(&kept),
		x.db.QueryRowContext(t.Context(),
			sums+
				`(SELECT day, camera, label, count(*) AS events, sum(bytes) AS bytes FROM events GROUP BY day, camera, label ORDER BY day, camera, label)`).Scan(&counted))
	if err != nil || kept != counted {
		t.Errorf("the sums are\n%s\nand the events\n%s\n%v", kept, counted, err)
	}
}

func TestListPages(t *testing.T) {
	x := openIndex(t, t.TempDir())
	at := time.Now().Truncate(time.Millisecond)
	for i := range 10 { // pairs share their time
		if err := x.Put(t.Context(), event.Event{ID: fmt.Sprintf("e%d", i), Camera: []string{"a", "b"}[i%2],
			Time: at.Add(time.Duration(i/2) * time.Second), State: event.Failed}); err != nil {
			t.Fatal(err)
		}
	}
	var all []event.Event
	q := event.Query{Limit: 3}
	for {
		list, err := x.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		all = append(all, list...)
		last := list[len(list)-1]
		q.Before, q.BeforeID = last.Time, last.ID
	}
	if got := ids(all); got != "e9 e8 e7 e6 e5 e4 e3 e2 e1 e0" {
		t.Error(got)
	}
	if list, err := x.List(t.Context(), event.Query{Camera: "b"}); err != nil || ids(list) != "e9 e7 e5 e3 e1" {
		t.Errorf("%s, %v", ids(list), err)
	}
	whole := event.Event{ID: "f", Camera: "a", Time: at, State: event.Saved, Protected: true}
	if err := x.Put(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		only event.Only
		want int
	}{{"", 11}, {event.OnlyProtected, 1}, {event.OnlyNotWhole, 10}} {
		q := event.Query{Only: tc.only}
		list, err := x.List(t.Context(), q)
		days, derr := x.Days(t.Context(), q)
		if err != nil || derr != nil || len(list) != tc.want || len(days) != 1 || days[0].Events != tc.want {
			t.Errorf("%q: got %d events and %v, want %d; %v, %v", tc.only, len(list), days, tc.want, err, derr)
		}
	}
	if _, err := x.Get(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestPutIsAllOrNothing(t *testing.T) {
	x := openIndex(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Put(ctx, event.Event{ID: "x", Camera: "c", Time: time.Now()}); err == nil {
		t.Error("written with an ended context")
	}
	if n, _, err := x.Totals(t.Context()); n != 0 || err != nil {
		t.Errorf("%d events, %v", n, err)
	}
}

// TestPartsOfTime checks ranges of days, and what is new since a time but for some events.
func TestPartsOfTime(t *testing.T) {
	x := openIndex(t, t.TempDir())
	list := some()
	if err := x.Put(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		q    event.Query
		want string
		days int
	}{
		{event.Query{Day: "2026-11-21", Until: "2026-11-22"}, "e00 e01 e02 e03 e04 e05 e06 e07", 2},
		{event.Query{Day: "2026-11-20", Until: "2026-11-20"}, "e08 e09 e10 e11", 1},
		{event.Query{Day: "2026-11-21", Until: "2026-11-22", Camera: "door"}, "e01 e03 e05 e07", 2},
		{event.Query{After: list[6].Time, Without: "e00,e05"}, "e01 e02 e03 e04", 2},
		{event.Query{After: list[2].Time, Only: event.OnlyProtected}, "", 0},
		{event.Query{After: list[6].Time, Without: "x') OR 1 --"}, "e00 e01 e02 e03 e04 e05", 2},
	} {
		got, err := x.List(t.Context(), tc.q)
		days, derr := x.Days(t.Context(), tc.q)
		n := 0
		for _, d := range days {
			n += d.Events
		}
		if err != nil || derr != nil || ids(got) != tc.want || len(days) != tc.days || n != len(got) {
			t.Errorf("%+v: got %q on %v, want %q; %v, %v", tc.q, ids(got), days, tc.want, err, derr)
		}
	}
}

// some returns events of three days and two cameras.
func some() []event.Event {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)
	var list []event.Event
	for i := range 12 {
		e := event.Event{ID: fmt.Sprintf("e%02d", i), Camera: []string{"gate", "door"}[i%2],
			CameraName: []string{"Gate", "Tür"}[i%2], Label: []string{"motion", "person", "motion"}[i%3],
			Time: at.AddDate(0, 0, -i/4).Add(time.Duration(-i) * time.Minute), State: event.Saved,
			Clips: []event.Clip{{Bytes: int64(100 + i)}}}
		e.Add(event.Trigger{Source: event.Mail, Sender: "cam@home", Subject: fmt.Sprintf("100%% ALARM_%d", i)})
		list = append(list, e)
	}
	list[3].State, list[3].Reason = event.Incomplete, "The last 4 s are missing: The camera does not answer."
	return list
}

func TestFind(t *testing.T) {
	x := openIndex(t, t.TempDir())
	if err := x.Put(t.Context(), some()...); err != nil {
		t.Fatal(err)
	}
	check(t, x)
	for _, tc := range []struct {
		name string
		q    event.Query
		want string
		days string
	}{
		{"all", event.Query{}, "e00 e01 e02 e03 e04 e05 e06 e07 e08 e09 e10 e11",
			"2026-11-22 4, 2026-11-21 4, 2026-11-20 4"},
		{"page", event.Query{Offset: 2, Limit: 3}, "e02 e03 e04", ""},
		{"day", event.Query{Day: "2026-11-21"}, "e04 e05 e06 e07", "2026-11-21 4"},
		{"page of a day", event.Query{Day: "2026-11-21", Offset: 1, Limit: 2}, "e05 e06", ""},
		{"behind a day", event.Query{Day: "2026-11-21", Offset: 9}, "", ""},
		{"no such day", event.Query{Day: "yesterday"}, "", ""},
		{"camera", event.Query{Camera: "door"}, "e01 e03 e05 e07 e09 e11", "2026-11-22 2, 2026-11-21 2, 2026-11-20 2"},
		{"label", event.Query{Label: "person"}, "e01 e04 e07 e10", "2026-11-22 1, 2026-11-21 2, 2026-11-20 1"},
		{"camera, label and day", event.Query{Camera: "door", Label: "person", Day: "2026-11-21"}, "e07",
			"2026-11-21 1"},
		{"word", event.Query{Text: "PERSON"}, "e01 e04 e07 e10", "2026-11-22 1, 2026-11-21 2, 2026-11-20 1"},
		{"word with an umlaut", event.Query{Text: "TÜR"}, "e01 e03 e05 e07 e09 e11",
			"2026-11-22 2, 2026-11-21 2, 2026-11-20 2"},
		{"two words anywhere", event.Query{Text: " Alarm_1  gate "}, "e10", "2026-11-20 1"},
		{"no wildcards", event.Query{Text: "100% alarm_"}, "e00 e01 e02 e03 e04 e05 e06 e07 e08 e09 e10 e11",
			"2026-11-22 4, 2026-11-21 4, 2026-11-20 4"},
		{"percent is a percent", event.Query{Text: "m%n"}, "", ""},
		{"a quote", event.Query{Text: `' OR 1=1 --"`}, "", ""},
		{"sender", event.Query{Text: "cam@home", Camera: "gate", Limit: 2}, "e00 e02",
			"2026-11-22 2, 2026-11-21 2, 2026-11-20 2"},
		{"reason", event.Query{Text: "does not answer"}, "e03", "2026-11-22 1"},
		{"not across texts", event.Query{Text: "gatemotion"}, "", ""},
		{"broken text", event.Query{Text: "\xff\x00"}, "", ""},
		{"blank text", event.Query{Text: "  ", Day: "2026-11-22"}, "e00 e01 e02 e03", "2026-11-22 4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list, err := x.List(t.Context(), tc.q)
			if err != nil || ids(list) != tc.want {
				t.Errorf("%s, want %s, %v", ids(list), tc.want, err)
			}
			days, err := x.Days(t.Context(), tc.q)
			var got []string
			for _, d := range days {
				got = append(got, fmt.Sprintf("%s %d", d.Day, d.Events))
			}
			if tc.days != "" && strings.Join(got, ", ") != tc.days || err != nil {
				t.Errorf("%v, want %s, %v", got, tc.days, err)
			}
		})
	}
	if c, err := x.Choices(t.Context()); err != nil || fmt.Sprint(c) != "{[door gate] [motion person]}" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestSumsFollow(t *testing.T) {
	x := openIndex(t, t.TempDir())
	want := func(what string, events int, bytes int64) {
		t.Helper()
		check(t, x)
		if n, b, err := x.Totals(t.Context()); n != events || b != bytes || err != nil {
			t.Errorf("%s: %d events, %d bytes, %v", what, n, b, err)
		}
	}
	want("empty", 0, 0)
	if c, err := x.Choices(t.Context()); err != nil || c.Cameras == nil || c.Labels == nil {
		t.Errorf("%+v, %v", c, err)
	}
	list := some()
	put := func(e ...event.Event) {
		t.Helper()
		if err := x.Put(t.Context(), e...); err != nil {
			t.Fatal(err)
		}
	}
	put(list...)
	put(list...) // again
	want("put twice", 12, 1266)
	e := list[0]
	e.Label, e.Camera, e.Time, e.Clips = "animal", "yard", e.Time.AddDate(0, 0, 1), []event.Clip{{Bytes: 1000}}
	put(e)
	want("changed", 12, 2166)
	e.Clips = nil
	put(e)
	want("without clip", 12, 1166)
	for _, e := range list {
		if err := x.Remove(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
	}
	want("empty again", 0, 0)
	var rows int
	if err := x.db.QueryRowContext(t.Context(), `SELECT count(*) FROM days`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d sums of nothing, %v", rows, err)
	}
}

// oldIndex makes an index of the first form, which had no version.
func oldIndex(t *testing.T, state string, list []event.Event) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(state, Name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(t.Context(), `CREATE TABLE events (id TEXT PRIMARY KEY, camera TEXT NOT NULL, time INTEGER NOT NULL, state TEXT NOT NULL, protected INTEGER NOT NULL, bytes INTEGER NOT NULL, event TEXT NOT NULL) STRICT;
		CREATE INDEX events_time ON events (time, id);
		CREATE INDEX events_camera ON events (camera, time, id);
		CREATE INDEX events_open ON events (state) WHERE state IN ('recording', 'finishing');`)
	for _, e := range list {
		b, jerr := json.Marshal(e)
		err = errors.Join(err, jerr)
		_, xerr := db.ExecContext(t.Context(), `INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)`, e.ID, e.Camera,
			e.Time.UnixMilli(), string(e.State), e.Protected, e.Bytes(), string(b))
		err = errors.Join(err, xerr)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOldIndexIsBroughtUpToDate(t *testing.T) {
	state := t.TempDir()
	oldIndex(t, state, some())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ended, options(t, state)); err == nil {
		t.Error("opened with an ended context")
	}
	for range 2 { // the second time there is nothing to do
		x := openIndex(t, state)
		check(t, x)
		if n, b, err := x.Totals(t.Context()); n != 12 || b != 1266 || err != nil {
			t.Errorf("%d events, %d bytes, %v", n, b, err)
		}
		if list, err := x.List(t.Context(), event.Query{Day: "2026-11-21", Text: "tür person"}); err != nil ||
			ids(list) != "e07" {
			t.Errorf("%s, %v", ids(list), err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestIndexThatCannotBeUsed checks that an index that this program cannot use is set aside and a new one is created.
func TestIndexThatCannotBeUsed(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(t *testing.T, state string)
	}{
		{"newer", func(t *testing.T, state string) {
			x := openIndex(t, state)
			if _, err := x.db.ExecContext(t.Context(), `PRAGMA user_version = 99`); err != nil {
				t.Fatal(err)
			}
			_ = x.Close()
		}},
		{"an event that is none", func(t *testing.T, state string) {
			oldIndex(t, state, some())
			db, err := sql.Open("sqlite", filepath.Join(state, Name))
			if err == nil {
				_, err = db.ExecContext(t.Context(), `UPDATE events SET event = '{' WHERE id = 'e05'`)
				err = errors.Join(err, db.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			state := t.TempDir()
			tc.make(t, state)
			x := openIndex(t, state)
			put1(t, x, "new", event.Recording)
			stored(t, x, "new")
			if kept, err := filepath.Glob(filepath.Join(state, Name+".damaged-*")); err != nil || len(kept) == 0 {
				t.Errorf("kept %v, %v", kept, err)
			}
		})
	}
}

// TestDamagedIndexIsSetAside checks that a damaged index is kept under another name and a new one is created.
func TestDamagedIndexIsSetAside(t *testing.T) {
	state := t.TempDir()
	bad := bytes.Repeat([]byte("x"), 8192)
	if err := os.WriteFile(filepath.Join(state, Name), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	x := openIndex(t, state)
	if err := x.Put(t.Context(), some()...); err != nil {
		t.Error(err)
	}
	kept, err := filepath.Glob(filepath.Join(state, Name+".damaged-*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	if b, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(b, bad) {
		t.Errorf("the damaged index was changed: %v", err)
	}
}

// TestPagesAcrossTimeZones checks that consecutive pages skip and repeat nothing, even if the days were counted in
// another time zone.
func TestPagesAcrossTimeZones(t *testing.T) {
	x := openIndex(t, t.TempDir())
	if err := x.Put(t.Context(), some()...); err != nil {
		t.Fatal(err)
	}
	if _, err := x.db.ExecContext(t.Context(),
		`UPDATE events SET day = date(day, '+1 day') WHERE id IN ('e03', 'e05', 'e06')`); err != nil {
		t.Fatal(err)
	}
	check(t, x)
	all, err := x.List(t.Context(), event.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var paged []event.Event
	q := event.Query{Limit: 2}
	for len(paged) < 20 {
		page, err := x.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
		q.Before, q.BeforeID = page[len(page)-1].Time, page[len(page)-1].ID
	}
	if ids(paged) != ids(all) || len(all) != 12 {
		t.Errorf("%s, want %s", ids(paged), ids(all))
	}
}

func TestAround(t *testing.T) {
	x := openIndex(t, t.TempDir())
	at := time.Now()
	for _, e := range []struct {
		id, camera  string
		from, until time.Duration
	}{{"long", "a", -9 * time.Minute, time.Minute}, {"before", "a", -9 * time.Minute, -8 * time.Minute},
		{"other", "b", -time.Minute, time.Minute}, {"late", "a", 5 * time.Minute, 6 * time.Minute},
		{"after", "a", 11 * time.Minute, 12 * time.Minute}} {
		if err := x.Put(t.Context(), event.Event{ID: e.id, Camera: e.camera, Time: at.Add(e.from + 10*time.Second),
			From: at.Add(e.from), Until: at.Add(e.until), State: event.Saved}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range mostAround { // a crowd long before hides nothing
		from := at.Add(-9*time.Minute - 30*time.Second)
		if err := x.Put(t.Context(), event.Event{ID: fmt.Sprint("crowd", i), Camera: "c", Time: from, From: from,
			Until: from.Add(time.Second), State: event.Saved}); err != nil {
			t.Fatal(err)
		}
	}
	for camera, want := range map[string]string{"": "long other late", "a": "long late", "nobody": ""} {
		list, err := x.Around(t.Context(), camera, at.Add(-time.Minute), at.Add(10*time.Minute), 10*time.Minute)
		if err != nil || ids(list) != want {
			t.Errorf("%q: %s, want %s, %v", camera, ids(list), want, err)
		}
	}
}
