package window

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

func TestRow(t *testing.T) {
	late := ev(1, event.Incomplete)
	late.Reason, late.TriggerCount = "The first 3 s are missing.", 4
	for _, tc := range []struct {
		e                    event.Event
		title, detail, state string
		i                    widget.Importance
	}{
		{ev(1, event.Saved), "12:01:00   Gate", "person  ·  1:11  ·  5 MiB", "Saved, begins 11 s before the alarm",
			widget.LowImportance},
		{late, "12:01:00   Gate", "person  ·  4 alarms  ·  1:11  ·  5 MiB", "Not complete: The first 3 s are missing.",
			widget.WarningImportance},
		{ev(59, event.Recording), "12:59:00   Gate", "person", "Saving: 70 of 70 s", widget.HighImportance},
		{ev(60, event.Recording), "13:00:00   Gate", "person", "Saving: 10 of 70 s", widget.HighImportance},
		{ev(1, event.Finishing), "12:01:00   Gate", "person", "Saving: finishing the clip", widget.HighImportance},
		{ev(1, event.Failed), "12:01:00   Gate", "person", "No clip: ", widget.DangerImportance},
	} {
		r := rowOf(tc.e, noon.Add(time.Hour))
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

// TestRowsKeepTheirPlaceInAMillion scrolls to the end of a million rows, where a float32 distance from the top is off
// by pixels. It checks that neighbouring rows touch.
func TestRowsKeepTheirPlaceInAMillion(t *testing.T) {
	w := rig(t, &fake{})
	p := w.events
	var days []event.Day
	for i := range 1000 {
		days = append(days, event.Day{Day: noon.AddDate(0, 0, -i).Format("2006-01-02"), Events: 1000})
	}
	w.status = demoStatus("")
	p.setDays(days, event.Choices{})
	w.win.Resize(fyne.NewSize(900, 600))
	p.draw()
	r := p.rows
	if r.count != 1_001_000 {
		t.Fatalf("%d rows", r.count)
	}
	for _, at := range []int{0, 1, 500_000, r.count - 1} {
		r.jump(at)
		for range 50 {
			r.scroll(13)
		}
		for range 20 {
			r.scroll(-11)
		}
		y := -r.into
		for i := r.top; r.shown[i] != nil; i++ {
			if got := r.shown[i].Position().Y; got < y-.01 || got > y+.01 || r.shown[i].row != i {
				t.Fatalf("row %d is at %v, want %v", i, got, y)
			}
			y += r.height(i)
		}
		if y < r.Size().Height-.01 {
			t.Errorf("at %d there is room below: %v of %v", at, y, r.Size().Height)
		}
	}
	if n := len(r.inner.Objects); n > 40 {
		t.Errorf("%d objects for what is seen", n)
	}
	r.cursor = 0
	r.setCursor(777_777)
	if b := r.shown[777_777]; b == nil || b.Position().Y < -1 || b.Position().Y+rowHeight > r.Size().Height+1 {
		t.Error("the cursor is not seen")
	}
	settle(w)
}

func TestCameraID(t *testing.T) {
	for name, want := range map[string]string{"Front Door": "front-door", "  Tür 2!": "tur-2",
		"Caméra Straße": "camera-strasse", "": "camera",
		"门": "camera", "taken": "taken-2",
		strings.Repeat("long ", 40): "long-long-long-long-long-long-long-long-long-long"} {
		got := cameraID(name, []string{"taken"})
		c := config.DemoCamera()
		c.ID = got
		if f := config.ValidateCamera(config.Default(), c); got != want || f != nil {
			t.Errorf("%q: %q, %v", name, got, f)
		}
	}
}

func TestHeadline(t *testing.T) {
	rec, off, wait := status.Camera{Name: "Gate", State: status.Recording}, status.Camera{State: status.Off},
		status.Camera{State: status.Waiting}
	for _, tc := range []struct {
		s    *status.Status
		want string
	}{
		{nil, "The recorder does not run. Start it with: preroll"},
		{&status.Status{}, "No camera is set up yet"},
		{&status.Status{Cameras: []status.Camera{off}}, "No camera is set up yet"},
		{&status.Status{Cameras: []status.Camera{wait}}, "No camera is recording yet"},
		{&status.Status{Cameras: []status.Camera{off, rec}}, "Recording Gate"},
		{&status.Status{Cameras: []status.Camera{rec, wait}}, "Recording 1 of 2 cameras"},
		{&status.Status{Cameras: []status.Camera{rec, rec}}, "Recording 2 cameras"},
		{&status.Status{Cameras: []status.Camera{rec}, Pause: status.Pause{On: true}},
			"Paused: alarms save nothing until you resume"},
		{&status.Status{Cameras: []status.Camera{rec}, Pause: status.Pause{On: true, Until: noon}},
			"Paused until 12:00: alarms save nothing"},
	} {
		if got := headline(tc.s); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func TestStateLine(t *testing.T) {
	at := noon.Add(14 * time.Second)
	for _, tc := range []struct {
		c    status.Camera
		want string
	}{
		{status.Camera{State: status.Off}, "Switched off"},
		{status.Camera{State: status.Connecting, Since: noon}, "Connecting, for 14 s"},
		{status.Camera{State: status.Recording, Since: noon.Add(-3 * time.Hour)}, "Recording for 3 h"},
		{status.Camera{State: status.Waiting, Since: noon, Text: text.Plain("The camera sends no picture"),
			Hint:  text.Plain("Restart it."),
			Retry: at.Add(7 * time.Second)},
			"The camera sends no picture. No video for 14 s, trying again in 8 s. Restart it."},
		{status.Camera{State: status.Waiting, Since: noon, Text: text.Plain("Waits for the RAM disk")},
			"Waits for the RAM disk. No video for 14 s."},
	} {
		if got, _ := stateLine(tc.c, at); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func TestRAMAgainstTheBudget(t *testing.T) {
	s := status.Status{RAM: status.RAM{Used: 1 << 30, Budget: 1 << 30, Need: 2 << 30}}
	if got := ramOf(s, 100*time.Second); !strings.Contains(got, "would need 2 GiB") ||
		!strings.Contains(got, "about 50 s") {
		t.Error(got)
	}
	s.RAM.Need = 1 << 29
	if got := ramOf(s, 100*time.Second); !strings.Contains(got, "they fit") {
		t.Error(got)
	}
}

func TestWhenOf(t *testing.T) {
	day := noon.AddDate(0, 0, -2)
	for text, want := range map[string]string{"14:05": "2026-11-20 14:05:00", " 7:30:15 ": "2026-11-20 07:30:15",
		"9": "2026-11-20 09:00:00", "": "", "25:00": "", "now": ""} {
		got, err := whenOf(&day, text, noon)
		if (err != nil) != (want == "") || err == nil && got.Format("2006-01-02 15:04:05") != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestMailOf(t *testing.T) {
	s := config.Default()
	c := config.NewCamera()
	c.ID, c.Mail = "gate", []string{"two words", "x"}
	if got := fmt.Sprint(mailOf(s, c, nil,
		[]string{"192.0.2.1",
			"192.0.2.2"})[:3]); got != "[{Mail server 192.0.2.1 / 192.0.2.2 192.0.2.1} {Port 2525 2525} {Recipient x@preroll x@preroll}]" {
		t.Error(got)
	}
	s.SMTP.Listen, s.SMTP.Username, c.Mail = "127.0.0.1:0", "cam", []string{"nvr@home"}
	now := &status.Status{SMTP: status.SMTP{Listen: "127.0.0.1:40025"}}
	if got := fmt.Sprint(mailOf(s, c, now,
		[]string{"a"})[:4]); got != "[{Mail server 127.0.0.1 127.0.0.1} {Port 40025 40025} {Recipient nvr@home nvr@home} {User cam cam}]" {
		t.Error(got)
	}
}

func TestFolderOf(t *testing.T) {
	s := config.Default()
	for _, tc := range []struct {
		d    status.Folder
		use  string
		says string
		ok   bool
	}{
		{status.Folder{Kind: "tmpfs", RAM: true, Known: true, Free: 8 << 30}, "ram",
			"This is RAM: tmpfs, 8 GiB free, of which Preroll uses at most 1 GiB. That holds the last 100 s of 21 cameras", true},
		{status.Folder{Kind: "tmpfs", RAM: true, Known: true, Free: 20 << 20}, "ram",
			"That holds the last 42 s of one camera", true},
		{status.Folder{Kind: "ext4", Known: true, Free: 8 << 30, Hint: text.Plain("Use /dev/shm/preroll.")}, "ram",
			"This is a disk and not RAM", true},
		{status.Folder{Kind: "hfs", Free: 8 << 30}, "ram", "Nobody can tell whether this is RAM", true},
		{status.Folder{Fault: text.Plain("cannot be made")}, "ram", "cannot be made.", false},
		{status.Folder{Kind: "ext4", Known: true, Free: 350 << 20, Speed: 50e6}, "archive",
			"It takes 50 MB a second, which is enough for about 100 cameras at once. There is room for about 10 clips of 70 s.", true},
		{status.Folder{Kind: "tmpfs", Known: true, RAM: true, Free: 350 << 20}, "archive", "all clips are lost", true},
	} {
		if text, _, ok := folderOf(tc.d, tc.use, s); ok != tc.ok || !strings.Contains(text, tc.says) {
			t.Errorf("%+v: %v, %q", tc.d, ok, text)
		}
	}
}

func TestNextOf(t *testing.T) {
	e := ev(0, event.Saved)
	for _, tc := range []struct {
		n    *event.Next
		any  bool
		want string
	}{
		{nil, false, "The archive is empty."},
		{nil, true, "Nothing will be deleted soon."},
		{&event.Next{Event: e, Why: "max_age", When: noon.AddDate(0, 0, 30)}, true,
			"Next to be deleted: Gate of 2026-11-22 12:00, on 2026-12-22 12:00, because of its age."},
		{&event.Next{Event: e, Why: "min_free"}, true,
			"Next to be deleted: Gate of 2026-11-22 12:00, as soon as room is needed."},
	} {
		if got := nextOf(tc.n, tc.any); got != tc.want {
			t.Errorf("%q", got)
		}
	}
}

func TestMarks(t *testing.T) {
	e := ev(0, event.Saved)
	e.Triggers = []event.Trigger{{Time: noon.Add(-20 * time.Second)}, {Time: noon}, {Time: noon.Add(30 * time.Second)},
		{Time: noon.Add(2 * time.Minute)}}
	if got := fmt.Sprint(marksOf(e, e.Clips[0])); got != "[10s 40s]" {
		t.Error(got)
	}
}
