package events

import (
	"fmt"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
)

// TestOthersAreOffered checks that the clips of other cameras are offered that were filmed at the same time, and no
// others.
func TestOthersAreOffered(t *testing.T) {
	at := func(id, camera string, off time.Duration) event.Event {
		e := pagetest.Event(0, event.Saved)
		e.ID, e.Camera, e.CameraName, e.Time = id, camera, camera, pagetest.Noon.Add(off)
		e.Clips[0].Start, e.Clips[0].End = e.Time.Add(-10*time.Second), e.Time.Add(time.Minute)
		return e
	}
	f := &pagetest.Fake{Config: config.Default(), Stored: []event.Event{
		at("after", "roof", 2*time.Minute),
		at("later", "attic", 65*time.Second),
		at("soon", "yard", 50*time.Second), at("own", "gate", 0), at("same", "gate", -time.Second),
		at("near", "yard", -5*time.Second), at("long", "Drive", -30*time.Second), at("before", "hall", -2*time.Minute)}}
	w, p := filled(t, f, 0)
	known := pagetest.Status(t.TempDir())
	known.FFmpeg.Path = "/bin/false"
	w.Env.Status = known
	p.openEvent(f.Stored[3])
	w.Settle()
	o := p.detail.others
	if !o.row.Visible() || len(o.list) != 3 || o.list[0].ID != "near" || o.list[1].ID != "long" ||
		o.list[2].ID != "later" {
		t.Fatalf("offered: %v", o.list)
	}
	test.Tap(o.buttons[1])
	w.Settle()
	if o.shown != 1 || o.buttons[1].Importance != widget.HighImportance || o.buttons[0].Importance != 0 {
		t.Errorf("shown %d", o.shown)
	}
	p.detail.typed(&fyne.KeyEvent{Name: fyne.KeyB})
	if o.shown != -1 {
		t.Errorf("B leaves %d", o.shown)
	}
	p.neighbour(1)
	w.Settle()
	if p.detail.event.ID != "same" || o.shown != -1 {
		t.Errorf("of the next event %d is shown", o.shown)
	}
	p.closeEvent()
	if o.row.Visible() {
		t.Error("others of a closed event")
	}
}

// TestManyOthersNeedNoWiderWindow opens an event that a dozen cameras of long names filmed.
func TestManyOthersNeedNoWiderWindow(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	for i := range 12 {
		e := pagetest.Event(0, event.Saved)
		e.ID, e.Camera = fmt.Sprint("event-", i), fmt.Sprint("camera-", i)
		e.CameraName = fmt.Sprint("Car park behind the house ", i)
		e.Clips[0].Start, e.Clips[0].End = e.Time.Add(-10*time.Second), e.Time.Add(time.Minute)
		f.Stored = append(f.Stored, e)
	}
	w, p := filled(t, f, 0)
	known := pagetest.Status(t.TempDir())
	known.FFmpeg.Path = "/bin/false"
	w.Env.Status = known
	before := p.detail.content.MinSize().Width
	p.openEvent(f.Stored[0])
	w.Settle()
	if n := len(p.detail.others.buttons); n != maxOthers {
		t.Fatalf("%d are offered", n)
	}
	if after := p.detail.content.MinSize().Width; after > max(before, 700) {
		t.Errorf("the event needs a width of %v, before %v", after, before)
	}
}

// TestOthersAreOfferedOnceTheyAreSaved opens an event whose neighbour is saved a moment later.
func TestOthersAreOfferedOnceTheyAreSaved(t *testing.T) {
	own, other := pagetest.Event(0, event.Saved), pagetest.Event(0, event.Saved)
	own.ID, other.ID, other.Camera = "own", "other", "yard"
	for _, e := range []*event.Event{&own, &other} {
		e.Clips[0].Start, e.Clips[0].End = e.Time.Add(-10*time.Second), e.Time.Add(time.Minute)
	}
	f := &pagetest.Fake{Config: config.Default(), Stored: []event.Event{own}}
	w, p := filled(t, f, 0)
	known := pagetest.Status(t.TempDir())
	known.FFmpeg.Path = "/bin/false"
	w.Env.Status = known
	p.openEvent(own)
	w.Settle()
	if p.detail.others.row.Visible() {
		t.Fatal("nothing is there to be offered")
	}
	f.Stored = append(f.Stored, other)
	w.Changed(control.Update{Events: []event.Event{other}}, false)
	w.Settle()
	if len(p.detail.others.list) != 1 {
		t.Error("the clip that came later is not offered")
	}
	p.closeEvent()
}
