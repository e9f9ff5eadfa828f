package tray

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/assets"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

func init() { words.Use("en") }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)

func camera(id, name string, s status.CameraState) status.Camera {
	return status.Camera{ID: id, Name: name, State: s, Notify: true}
}

func TestState(t *testing.T) {
	rec, off, wait := camera("a", "Gate", status.Recording), camera("b", "Yard", status.Off),
		camera("c", "Shed", status.Waiting)
	trouble := []status.Problem{{Text: text.Plain("Shed: The camera does not answer")}}
	hour := status.Pause{On: true, Until: noon.Add(time.Hour)}
	for _, tc := range []struct {
		name    string
		status  *status.Status
		open    int
		icon    assets.Tray
		tooltip string
	}{
		{"no recorder", nil, 0, assets.Attention, "Preroll is not recording"},
		{"no camera", &status.Status{}, 0, assets.Idle, "Preroll: no camera is set up"},
		{"all off", &status.Status{Cameras: []status.Camera{off}}, 0, assets.Idle, "Preroll: no camera is set up"},
		{"recording", &status.Status{Cameras: []status.Camera{rec, off}}, 0, assets.Recording,
			"Preroll: recording 1 camera"},
		{"two", &status.Status{Cameras: []status.Camera{rec, rec}}, 0, assets.Recording,
			"Preroll: recording 2 cameras"},
		{"one connects", &status.Status{Cameras: []status.Camera{rec, wait}}, 0, assets.Recording,
			"Preroll: recording 1 of 2 cameras"},
		{"trouble", &status.Status{Cameras: []status.Camera{rec, wait}, Problems: trouble}, 0, assets.Attention,
			"Preroll: Shed: The camera does not answer"},
		{"saving", &status.Status{Cameras: []status.Camera{rec}, Problems: trouble}, 2, assets.Saving,
			"Preroll: saving 2 clips"},
		{"paused", &status.Status{Cameras: []status.Camera{rec}, Pause: hour}, 0, assets.Paused,
			"Preroll: paused until 13:00"},
		{"paused until tomorrow", &status.Status{Cameras: []status.Camera{rec},
			Pause: status.Pause{On: true, Until: noon.AddDate(0, 0, 1)}}, 0, assets.Paused,
			"Preroll: paused until 2026-11-23 12:00"},
		{"paused for ever", &status.Status{Cameras: []status.Camera{rec}, Pause: status.Pause{On: true}}, 0,
			assets.Paused, "Preroll: paused until you resume"},
		{"paused while saving", &status.Status{Cameras: []status.Camera{rec}, Pause: hour}, 1, assets.Saving,
			"Preroll: saving 1 clip · paused until 13:00"},
		{"paused in trouble", &status.Status{Cameras: []status.Camera{rec}, Problems: trouble, Pause: hour}, 0,
			assets.Attention, "Preroll: Shed: The camera does not answer · paused until 13:00"},
		{"a long text", &status.Status{Problems: []status.Problem{{Text: text.Plain(strings.Repeat("ä\n", 200))}}}, 0,
			assets.Attention, "Preroll: " + strings.Repeat("ä ", 54) + "ä…"},
	} {
		m := modelOf(noon, tc.status, tc.open, nil, 0, true)
		if m.icon != tc.icon || m.tooltip != tc.tooltip {
			t.Errorf("%s: %s, %q", tc.name, m.icon, m.tooltip)
		}
		if len([]rune(m.tooltip)) > longTooltip {
			t.Errorf("%s: the tooltip has %d runes", tc.name, len([]rune(m.tooltip)))
		}
		if len(m.icon.Bytes()) == 0 {
			t.Errorf("%s: no picture for %s", tc.name, m.icon)
		}
	}
}

// lines lists the entries of a menu, one per line.
func lines(menu []entry) (l []string) {
	for _, e := range menu {
		l = append(l, e.title)
		for _, k := range lines(e.kids) {
			l = append(l, "> "+k)
		}
	}
	return l
}

func TestMenu(t *testing.T) {
	gate, yard := camera("a", "Gate", status.Recording), camera("b", "", status.Connecting)
	s := status.Status{Cameras: []status.Camera{gate, yard, camera("c", "Shed", status.Off)},
		Archive: status.Archive{Path: "/archive"}}
	one := status.Status{Cameras: []status.Camera{gate}, Pause: status.Pause{On: true}}
	many := status.Status{}
	for i := range 40 {
		many.Cameras = append(many.Cameras, camera(fmt.Sprint(i), fmt.Sprint("Camera ", i), status.Recording))
	}
	ended := []event.Event{
		{ID: "4", CameraName: "Front door", Label: "person", Time: noon.Add(-time.Hour), Folder: "a/b",
			Clips: []event.Clip{{File: "x.mp4"}}},
		{ID: "3", Camera: "a", Time: noon.AddDate(0, 0, -1)},
		{ID: "2", Camera: "a", Label: "car", Time: noon.AddDate(0, 0, -2)},
		{ID: "1", Camera: "a", Label: "car", Time: noon.AddDate(0, 0, -3)},
	}
	for _, tc := range []struct {
		name   string
		status *status.Status
		ended  []event.Event
		window bool
		want   []string
	}{
		{"no recorder", nil, nil, true, []string{"Events", "Cameras", "Health", "Settings", "", "Quit"}},
		{"no recorder, no window", nil, nil, false, []string{"", "Quit"}},
		{"two cameras", &s, ended, true,
			[]string{"Events", "11:00  Front door: person", "Yesterday 12:00  a", "2026-11-20 12:00  a: car",
				"Save a clip now", "> Gate", "> b", "> All cameras", "Pause", "> For 15 minutes", "> For 1 hour",
				"> Until I resume", "Cameras", "Health", "Open archive folder", "Settings", "", "Quit"}},
		{"no window", &s, ended, false,
			[]string{"11:00  Front door: person", "Save a clip now", "> Gate", "> b", "> All cameras",
				"Pause", "> For 15 minutes", "> For 1 hour", "> Until I resume", "Open archive folder", "", "Quit"}},
		{"paused", &one, nil, true, []string{"Events", "Save a clip now", "> Gate", "Resume", "Cameras",
			"Health", "Settings", "", "Quit"}},
	} {
		if got := lines(modelOf(noon, tc.status, 0, tc.ended, 0, tc.window).menu); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %q\nwant %q", tc.name, got, tc.want)
		}
	}
	if got := modelOf(noon, &s, 0, ended, 2, true).menu[0].title; got != "Events: 2 new" {
		t.Errorf("two new events: %q", got)
	}
	if got := modelOf(noon, &s, 0, ended, keptEnded, true).menu[0].title; got != "Events: 50+ new" {
		t.Errorf("many new events: %q", got)
	}
	save := saveMenu(&many, true)
	if n := len(save); n != menuCameras+2 || save[n-2].do.do != doPage || save[n-1].do.do != doSaveAll {
		t.Errorf("40 cameras: %q", lines(save))
	}
	menu := modelOf(noon, &s, 0, ended, 0, true).menu
	if want := (command{do: doEvent, id: "4"}); menu[1].do != want {
		t.Errorf("a clip: %+v", menu[1].do)
	}
	plain := modelOf(noon, &s, 0, ended, 0, false).menu
	if want := (command{do: doFile, path: "/archive/a/b/x.mp4"}); plain[0].do != want {
		t.Errorf("a clip without a window: %+v", plain[0].do)
	}
	if want := (command{do: doEvent, id: "3"}); menu[2].do != want {
		t.Errorf("an event without a clip: %+v", menu[2].do)
	}
	s.RAM.Used, s.Cameras[0].PreRoll, s.Cameras[0].BitRate = 5, event.Seconds(time.Second), 1e6
	if again := modelOf(noon.Add(time.Minute), &s, 0, ended, 0, true).menu; !reflect.DeepEqual(menu, again) {
		t.Errorf("numbers change the menu: %q", lines(again))
	}
}

func TestLabel(t *testing.T) {
	for _, tc := range []struct{ title, system, want string }{
		{"a_b & c__d", "linux", "a__b & c____d"},
		{"a_b & c", "windows", "a_b && c"},
		{"a_b & c", "darwin", "a_b & c"},
		{"a\tb\x00c\u2028d", "windows", "a b c d"},
		{strings.Repeat("x", 100), "linux", strings.Repeat("x", longLabel-1) + "…"},
	} {
		if got := label(tc.title, tc.system); got != tc.want {
			t.Errorf("%q on %s: %q, want %q", tc.title, tc.system, got, tc.want)
		}
	}
}

func TestNewest(t *testing.T) {
	e := func(id string, hour int, s event.State) event.Event {
		return event.Event{ID: id, Time: noon.Add(time.Duration(hour) * time.Hour), State: s}
	}
	list := newest(nil, []event.Event{e("a", 1, event.Saved), e("b", 3, event.Failed), e("c", 2, event.Recording)}, nil)
	list = newest(list, []event.Event{e("c", 2, event.Incomplete), e("a", 1, event.Saved), e("d", 4, event.Saved)},
		[]string{"d"})
	ids := ""
	for _, e := range list {
		ids += e.ID
	}
	if ids != "bca" {
		t.Errorf("newest: %s", ids)
	}
}

func TestLacksRAMDisk(t *testing.T) {
	for _, tc := range []struct {
		path, key string
		want      bool
	}{
		{"/Volumes/PrerollRAM/preroll", "ram-gone", true},
		{"/Volumes/PrerollRAM", "ram-gone", true},
		{"/Volumes/PrerollRAM/preroll", "ram-disk", false},
		{"/Volumes/PrerollRAM2/preroll", "ram-gone", false},
		{"/Users/me/ram", "ram-gone", false},
	} {
		if got := lacksRAMDisk(&status.Status{RAM: status.RAM{Path: tc.path},
			Problems: []status.Problem{{Code: tc.key}}}); got != tc.want {
			t.Errorf("%s, %s: %v", tc.path, tc.key, got)
		}
	}
	if lacksRAMDisk(nil) {
		t.Error("no status")
	}
}
