package tray

import (
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/assets"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

func TestModel(t *testing.T) {
	rec, off, wait := status.Camera{ID: "a", Name: "Gate", State: status.Recording}, status.Camera{ID: "b", Name: "Yard", State: status.Off}, status.Camera{ID: "c", Name: "Shed", State: status.Waiting}
	for _, tc := range []struct {
		name    string
		status  *status.Status
		open    int
		icon    assets.Tray
		tooltip string
		cameras int
	}{
		{"no recorder", nil, 0, assets.Attention, "Preroll: the recorder does not run", 0},
		{"no camera", &status.Status{}, 0, assets.Idle, "Preroll: no camera is set up", 0},
		{"all off", &status.Status{Cameras: []status.Camera{off}}, 0, assets.Idle, "Preroll: no camera is set up", 0},
		{"recording", &status.Status{Cameras: []status.Camera{rec, off}}, 0, assets.Recording, "Preroll: recording 1 camera", 1},
		{"one connects", &status.Status{Cameras: []status.Camera{rec, wait}}, 0, assets.Recording, "Preroll: recording 1 of 2 cameras", 2},
		{"trouble", &status.Status{Cameras: []status.Camera{rec, wait}, Problems: []status.Problem{{Text: "Shed: The camera does not answer"}}}, 0, assets.Attention, "Preroll: Shed: The camera does not answer", 2},
		{"saving", &status.Status{Cameras: []status.Camera{rec}, Problems: []status.Problem{{Text: "x"}}}, 2, assets.Saving, "Preroll: saving 2 clips", 1},
	} {
		m := modelOf(tc.status, tc.open)
		if m.icon != tc.icon || m.tooltip != tc.tooltip || len(m.cameras) != tc.cameras {
			t.Errorf("%s: %+v", tc.name, m)
		}
		if len(m.icon.Bytes()) == 0 {
			t.Errorf("%s: no picture for %s", tc.name, m.icon)
		}
	}
}

func TestNote(t *testing.T) {
	e := event.Event{ID: "1", Camera: "gate", CameraName: "Gate", Label: "person", Time: time.Now(), State: event.Saved, Clips: []event.Clip{{Bytes: 3 << 20, Length: event.Seconds(70 * time.Second)}}}
	if n := noteOf(e); n.Title != "Gate: clip saved" || !strings.Contains(n.Body, "person") || !strings.Contains(n.Body, "70 s · 3 MiB") {
		t.Errorf("%+v", n)
	}
	e.State, e.Reason, e.Clips = event.Failed, "No video came from the camera.", nil
	if n := noteOf(e); n.Title != "Gate: no clip" || !strings.Contains(n.Body, "No video") {
		t.Errorf("%+v", n)
	}
}
