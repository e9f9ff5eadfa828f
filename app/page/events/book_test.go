package events

import (
	"fmt"
	"testing"
	"time"

	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/event"
)

func TestRow(t *testing.T) {
	late := pagetest.Event(1, event.Incomplete)
	late.Reason, late.TriggerCount = "The first 3 s are missing.", 4
	for _, tc := range []struct {
		e                    event.Event
		title, detail, state string
		i                    widget.Importance
	}{
		{pagetest.Event(1, event.Saved), "12:01:00   Gate", "person  ·  1:11  ·  5.2 MB",
			"Saved, begins 11 s before the alarm",
			widget.LowImportance},
		{late, "12:01:00   Gate", "person  ·  4 alarms  ·  1:11  ·  5.2 MB", "Not complete: The first 3 s are missing.",
			widget.WarningImportance},
		{pagetest.Event(59, event.Recording), "12:59:00   Gate", "person", "Saving: 70 of 70 s", widget.HighImportance},
		{pagetest.Event(60, event.Recording), "13:00:00   Gate", "person", "Saving: 10 of 70 s", widget.HighImportance},
		{pagetest.Event(1, event.Finishing), "12:01:00   Gate", "person", "Saving: finishing the clip",
			widget.HighImportance},
		{pagetest.Event(1, event.Failed), "12:01:00   Gate", "person", "No clip: ", widget.DangerImportance},
	} {
		r := rowOf(&page.Env{Now: func() time.Time { return pagetest.Noon.Add(time.Hour) }}, tc.e)
		if r.title != tc.title || r.detail != tc.detail || r.state != tc.state || r.importance != tc.i {
			t.Errorf("%+v", r)
		}
	}
}

func TestBook(t *testing.T) {
	b := newBook([]event.Day{{Day: "2026-11-22", Events: 3}, {Day: "2026-11-20", Events: 120}})
	if b.rows != 125 || b.events != 123 {
		t.Fatalf("%d rows, %d events", b.rows, b.events)
	}
	for _, tc := range []struct {
		row int
		day string
		n   int
	}{{0, "2026-11-22", -1}, {1, "2026-11-22", 0}, {3, "2026-11-22", 2}, {4, "2026-11-20", -1}, {5, "2026-11-20", 0},
		{124, "2026-11-20", 119}} {
		d, n := b.at(tc.row)
		if d.Day != tc.day || n != tc.n || n >= 0 && b.row(d.Day, n) != tc.row {
			t.Errorf("row %d: %s %d", tc.row, d.Day, n)
		}
	}
	if b.row("2026-11-22", 3) != -1 || b.row("2026-11-21", 0) != -1 {
		t.Error("a row that is not there")
	}
	_, key, ok := b.event(5 + 70)
	if ok || key != (pageKey{"2026-11-20", 1}) {
		t.Errorf("page %v, %v", key, ok)
	}
	page := make([]event.Event, pageSize)
	page[20].ID = "x"
	b.keep(key, page)
	if e, _, ok := b.event(5 + 70); !ok || e.ID != "x" || b.find("x") != 75 {
		t.Errorf("event %q, found at %d", e.ID, b.find("x"))
	}
	if b.replace(event.Event{ID: "x", Label: "new"}) != 75 || b.replace(event.Event{ID: "y"}) != -1 {
		t.Error("not replaced")
	}
	// Two events more today, one less on the other day, and a new day between them.
	to := b.update([]event.Day{{Day: "2026-11-22", Events: 5}, {Day: "2026-11-21", Events: 1},
		{Day: "2026-11-20", Events: 120}}, nil)
	if to.find("x") != 75+4 || b.move(75, to) != 79 || b.move(1, to) != 3 || b.move(0, to) != 0 || b.move(4, to) != 8 {
		t.Errorf("moved: %d, %d, %d", to.find("x"), b.move(75, to), b.move(1, to))
	}
	if again := to.update(to.days, map[string]bool{"2026-11-20": true}); again.find("x") != -1 {
		t.Error("a stale day was kept")
	}
	for i := range keptPages + 5 {
		to.keep(pageKey{"2026-11-20", i}, nil)
	}
	if len(to.pages) != keptPages || len(to.used) != keptPages {
		t.Errorf("%d pages kept", len(to.pages))
	}
	empty := newBook(nil)
	if empty.rows != 0 || b.move(75, empty) != 0 {
		t.Error("an empty book")
	}
}

func TestMarks(t *testing.T) {
	e := pagetest.Event(0, event.Saved)
	e.Triggers = []event.Trigger{{Time: pagetest.Noon.Add(-20 * time.Second)}, {Time: pagetest.Noon},
		{Time: pagetest.Noon.Add(30 * time.Second)},
		{Time: pagetest.Noon.Add(2 * time.Minute)}}
	if got := fmt.Sprint(marksOf(e, e.Clips[0].Start, e.Clips[0].Length.D())); got != "[10s 40s]" {
		t.Error(got)
	}
}
