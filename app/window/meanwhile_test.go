package window

import (
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/player"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

func TestPagesOfAnotherQuestionAreNotShown(t *testing.T) {
	f := &fake{settings: config.Default()}
	w := filled(t, f, 300)
	p := w.events
	p.rows.jump(150) // asks for pages
	if len(p.getting) == 0 {
		t.Fatal("nothing is under way")
	}
	p.label.SetSelectedIndex(1)
	settle(w)
	for i, b := range p.rows.shown {
		if e, _, ok := p.book.event(i); !b.header && (!ok || e.Label != "motion") {
			t.Errorf("row %d: %q", i, e.Label)
		}
	}
}

func TestARangeBeginsWhereItWasBegun(t *testing.T) {
	f := &fake{settings: config.Default()}
	w := filled(t, f, 30)
	p := w.events
	p.tapped(2, fyne.KeyModifierControl)
	first, _, _ := p.book.event(2)
	fresh := ev(10, event.Recording)
	f.events = append([]event.Event{fresh}, f.events...)
	w.changed(control.Update{Events: []event.Event{fresh}}, false)
	settle(w)
	p.unpick()
	p.tapped(4, fyne.KeyModifierShift)
	if _, ok := p.picked[first.ID]; !ok || len(p.picked) != 2 {
		t.Errorf("picked %d, %s among them: %v", len(p.picked), first.ID, ok)
	}
	p.label.SetSelectedIndex(1)
	settle(w)
	p.tapped(2, fyne.KeyModifierShift)
	if len(p.picked) != 0 {
		t.Errorf("a range goes on from another list: %d", len(p.picked))
	}
}

func TestTheRecorderGoesAndComesBack(t *testing.T) {
	f := &fake{settings: config.Default()}
	w := filled(t, f, 3)
	open := ev(20, event.Recording)
	f.events = append([]event.Event{open}, f.events...)
	p := w.events
	p.openEvent(open)
	was := w.path(f.events[1], "x.mp4")
	w.status = nil
	w.changed(control.Update{}, false)
	settle(w)
	if got := w.path(f.events[1], "x.mp4"); got != was || !filepath.IsAbs(got) {
		t.Errorf("a clip's path while no recorder answers: %q", got)
	}
	f.events[0] = ev(20, event.Saved) // no message reported this change
	s := demoStatus(t.TempDir())
	w.changed(control.Update{Status: s, Events: f.events}, true)
	settle(w)
	if p.detail.event.State != event.Saved || !p.detail.player.content.Visible() {
		t.Errorf("it is still shown as %s", p.detail.event.State)
	}
	f.events = f.events[1:]
	w.changed(control.Update{Status: s, Events: f.events}, true)
	settle(w)
	if p.detail.content.Visible() {
		t.Error("an event that was removed meanwhile is still shown")
	}
	// An answer comes after the recorder has gone.
	f.status = s
	w.cameras.poll()
	w.status = nil
	w.changed(control.Update{}, false)
	settle(w)
	if w.status != nil {
		t.Error("a recorder that is gone seems to be there")
	}
}

func TestAnEventIsAskedForBeforeTheFirstStatus(t *testing.T) {
	f := &fake{settings: config.Default(), status: demoStatus(t.TempDir()), events: []event.Event{ev(1, event.Saved)}}
	f.status.FFmpeg.Path = filepath.Join(t.TempDir(), "ffmpeg")
	w := rig(t, f)
	w.guide.auto = false
	w.show(instance.Request{Event: "e001"})
	settle(w)
	v := w.events.detail
	if v.player.p == nil || w.path(v.event, "x.mp4") != filepath.Join(f.status.Archive.Path, "x.mp4") {
		t.Errorf("it is not played: %q", v.player.message.Text)
	}
	w.events.closeEvent()
}

func TestKeysDoNotGoBehindADialog(t *testing.T) {
	f := &fake{settings: config.Default()}
	w := filled(t, f, 3)
	w.events.rows.setCursor(1)
	w.fail(errors.New("no"))
	dialogs := w.win.Canvas().Overlays()
	for _, k := range []fyne.KeyName{fyne.KeyDelete, fyne.KeyE, fyne.KeyReturn, fyne.KeyP} {
		w.typed(&fyne.KeyEvent{Name: k})
	}
	settle(w)
	if len(dialogs.List()) != 1 || w.events.detail.content.Visible() || f.events[0].Protected {
		t.Errorf("%d dialogs", len(dialogs.List()))
	}
}

func TestEnterAndEscapeGiveTheSafeAnswer(t *testing.T) {
	w := rig(t, &fake{})
	c := w.win.Canvas()
	did := 0
	for _, k := range []fyne.KeyName{fyne.KeyReturn, fyne.KeyEscape} {
		w.confirm("Sure?", "", "Yes", func() { did++ })
		c.Focused().TypedKey(&fyne.KeyEvent{Name: k})
		if did != 0 || c.Overlays().Top() != nil {
			t.Errorf("%s did it: %d", k, did)
		}
		w.fail(errors.New("no"))
		if c.Focused().TypedKey(&fyne.KeyEvent{Name: k}); c.Overlays().Top() != nil {
			t.Errorf("%s does not close the error", k)
		}
	}
	w.confirm("Sure?", "", "Yes", func() { did++ })
	c.(interface{ FocusNext() }).FocusNext()
	if c.Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnter}); did != 1 {
		t.Error("the other answer was not given")
	}
}

func TestAnOldPlayersPicturesAreNotShown(t *testing.T) {
	w := rig(t, &fake{})
	v := newPlayerView(w.env)
	v.p = player.New(player.Options{Show: func(player.Frame) {}, State: func(player.State) {}})
	defer v.close()
	old, other := image.NewRGBA(image.Rect(0, 0, 2, 2)), image.NewRGBA(image.Rect(0, 0, 4, 4))
	first := v.turn()
	v.show(first, player.Frame{Picture: old})
	v.state(first, player.State{Err: errors.New("old")})
	second := v.turn()
	v.show(first, player.Frame{Picture: old})
	settle(w)
	if v.picture.Image != nil || v.message.Text != "" {
		t.Errorf("an old picture, %q", v.message.Text)
	}
	v.show(second, player.Frame{Picture: old})
	v.show(second, player.Frame{Picture: other})
	settle(w)
	if v.picture.Image != image.Image(other) {
		t.Error("the newest picture is not shown")
	}
}

func TestNothingIsHandedOverAfterTheEnd(t *testing.T) {
	w := rig(t, &fake{})
	ran := 0
	w.hand(func() { ran++ })
	if ran != 1 || !w.end() || w.end() {
		t.Errorf("ran %d times", ran)
	}
	if w.hand(func() { ran++ }); ran != 1 {
		t.Error("it ran after the end")
	}
}

func TestSettingsAreEditedMeanwhile(t *testing.T) {
	f := &fake{settings: config.Default()}
	for _, id := range []string{"gate", "yard"} {
		c := config.DemoCamera()
		c.ID, c.Name, c.Notify = id, strings.ToUpper(id), true
		f.settings.Cameras = append(f.settings.Cameras, c)
	}
	w := rig(t, f)
	w.guide.auto = false
	w.status = demoStatus("")
	p := w.settings
	p.load()
	settle(w)
	at := func(key string) *textField {
		return p.fields[slices.IndexFunc(p.fields, func(f *textField) bool { return f.key == key })]
	}

	// A value that cannot be read is no fault of another camera.
	at("camera.pre_roll").entry.SetText("a while")
	p.pick.SetSelectedIndex(1)
	if f := at("camera.pre_roll"); f.fault.Visible() || f.err != nil {
		t.Errorf("another camera's fault: %q", f.fault.Text)
	}

	// One tab renames a camera, and another tab switches off the notifications of another camera.
	at("camera.name").entry.SetText("Garden")
	p.tell.SetChecked(false)
	p.tell.SetChecked(true)
	p.tabs.SelectIndex(4)
	if want := []string{"GATE (gate)", "Garden (yard)"}; !slices.Equal(p.cameras.Selected, want) ||
		!slices.Equal(p.cameras.Options, want) {
		t.Errorf("cameras: %v of %v", p.cameras.Selected, p.cameras.Options)
	}
	p.cameras.SetSelected([]string{"Garden (yard)"})
	if p.edit.Cameras[0].Notify || !p.edit.Cameras[1].Notify {
		t.Error("the wrong camera is told of")
	}

	// Saving takes a while. What is typed meanwhile stays, and nothing is saved twice.
	p.apply()
	w.changed(control.Update{Status: w.status}, false)
	if !p.save.Disabled() {
		t.Error("it can be saved twice at once")
	}
	at("clip.post_roll").entry.SetText("45s")
	settle(w)
	if len(f.applied) != 1 || at("clip.post_roll").entry.Text != "45s" || !p.edited() || p.save.Disabled() {
		t.Errorf("typed meanwhile: %q, edited %v", at("clip.post_roll").entry.Text, p.edited())
	}
	p.apply()
	settle(w)
	if len(f.applied) != 2 || f.applied[1].Clip.PostRoll.D() != 45*time.Second || p.edited() {
		t.Errorf("saved %d times: %s", len(f.applied), p.message.Text)
	}
}

func TestToast(t *testing.T) {
	f := &fake{settings: config.Default(), refuse: errors.New("no")}
	w := filled(t, f, 1)
	test.Tap(w.health.mails.assign(status.Unmatched{To: []string{"nobody@nvr"}}).ok)
	settle(w)
	if w.toasts.box.Visible() {
		t.Errorf("it failed, and says %q", w.toasts.text.Text)
	}
	w.toast(strings.Repeat("/a long path", 100))
	if least, room := w.win.Content().MinSize().Width, w.win.Canvas().Size().Width; least > room {
		t.Errorf("a long text makes the window %f wide instead of %f", least, room)
	}
}

func TestFewThumbnailsAreLoadedAtOnce(t *testing.T) {
	w := rig(t, &fake{})
	var mu sync.Mutex
	var order []string
	free := make(chan bool)
	p := &thumbs{env: w.env, cache: map[string]image.Image{}, loaded: func(string) {
	}, load: func(path string) (image.Image, error) {
		<-free
		mu.Lock()
		defer mu.Unlock()
		order = append(order, path)
		return image.NewGray(image.Rect(0, 0, 1, 1)), nil
	}}
	for i := range 2 * keptThumbs {
		p.get(fmt.Sprint(i))
	}
	if p.loading != loaders || len(order) != 0 {
		t.Errorf("%d at once", p.loading)
	}
	close(free)
	settle(w)
	if len(order) != keptThumbs+loaders || !slices.Contains(order[:2*loaders], fmt.Sprint(2*keptThumbs-1)) ||
		p.loading != 0 {
		t.Errorf("%d were loaded, first %v", len(order), order[:2*loaders])
	}
}

func TestExportedNamesStayInTheirFolder(t *testing.T) {
	w := rig(t, &fake{})
	e := ev(1, event.Saved)
	e.Camera = "../../x"
	if got := w.filesOf([]event.Event{e})[0].name; got != "x_x.mp4" {
		t.Errorf("name %q", got)
	}
}

func TestCamerasOfOneName(t *testing.T) {
	w := rig(t, &fake{settings: config.Default()})
	w.guide.auto = false
	s := demoStatus("")
	s.Cameras = append(s.Cameras, status.Camera{ID: "gate-2", Name: "Gate"}, status.Camera{ID: "yard", Name: "Yard"})
	w.changed(control.Update{Status: s}, true)
	settle(w)
	if want := []string{"Gate (gate)", "Gate (gate-2)", "Yard"}; !slices.Equal(w.health.tested.Options, want) {
		t.Errorf("cameras %v", w.health.tested.Options)
	}
}

func TestGuideGoesBack(t *testing.T) {
	f := &fake{settings: config.Default(), folder: status.Folder{Kind: "tmpfs", RAM: true}}
	w := rig(t, f)
	w.changed(control.Update{Status: &status.Status{}}, true)
	settle(w)
	g := w.guide
	for range 20 {
		w.win.Canvas().(interface{ FocusNext() }).FocusNext()
		if w.win.Canvas().Focused() == fyne.Focusable(w.events.search) {
			t.Fatal("the keys go behind the guide")
		}
	}
	for _, name := range []string{"Yard", "Yard", "Garden"} {
		g.turn(2)
		g.name.SetText(name)
		g.url.SetText("rtsp://192.0.2.9/x")
		g.ready[2] = true
		g.forth()
		settle(w)
		if g.step != 3 || len(f.settings.Cameras) != 1 || f.settings.Cameras[0].Name != name ||
			config.Validate(f.settings) != nil {
			t.Errorf("%s: step %d, %d cameras, %q", name, g.step, len(f.settings.Cameras), g.fault.Text)
		}
	}
	g.hide()
	if !w.body.Visible() {
		t.Error("the pages do not come back")
	}
}
