package settings

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

func TestMain(m *testing.M) { os.Exit(pagetest.Main(m)) }

// open returns the page on Fyne's test driver, with a fake recorder.
func open(t *testing.T, f *pagetest.Fake) (*pagetest.Rig, *Page) {
	t.Helper()
	w := pagetest.New(t, f)
	p := New(w.Env)
	w.Open(p)
	return w, p
}

func TestSettingsPage(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	cam := config.DemoCamera()
	cam.Password = "old-secret"
	f.Config.Cameras = []config.Camera{cam}
	w, p := open(t, f)
	w.Status = pagetest.Status("")
	p.Load()
	w.Settle()
	entry := func(key string) *widget.Entry {
		i := slices.IndexFunc(p.fields, func(f *textField) bool { return f.key == key })
		return &p.fields[i].entry.Entry
	}
	if entry("camera.name").Text != "Demo camera" || entry("camera.password").Text != "" ||
		!strings.Contains(entry("camera.password").PlaceHolder, "saved") || p.edited() {
		t.Fatalf("loaded %q, edited %v", entry("camera.name").Text, p.edited())
	}
	p.edit.Cameras = append(p.edit.Cameras, page.NewCamera(p.edit, ""))
	p.chosen = 1
	p.fill()
	entry("camera.name").SetText("Front Door")
	entry("camera.url").SetText("file:///etc/passwd")
	if f := p.fields[1]; !f.fault.Visible() || !strings.Contains(f.fault.Text, "must begin with rtsp") {
		t.Errorf("the engine's rule does not show: %q", f.fault.Text)
	}
	entry("camera.url").SetText("rtsp://admin:pass@192.0.2.1/x")
	if entry("camera.url").Text != "rtsp://192.0.2.1/x" || entry("camera.username").Text != "admin" ||
		entry("camera.password").Text != "pass" || p.fields[1].fault.Visible() {
		t.Errorf("a pasted login: %q %q", entry("camera.url").Text, entry("camera.username").Text)
	}
	entry("camera.pre_roll").SetText("15s")
	p.apply()
	w.Settle()
	if len(f.Applied) != 1 {
		t.Fatalf("message: %s", p.message.Text)
	}
	got := f.Applied[0]
	if len(got.Cameras) != 2 || got.Cameras[0].Password != "old-secret" || got.Cameras[1].URL != "rtsp://192.0.2.1/x" ||
		got.Cameras[1].Password != "pass" || got.Cameras[1].ID != "camera-2" ||
		got.Cameras[1].PreRoll.D() != 15*time.Second {
		t.Errorf("applied %+v", got.Cameras)
	}
	if p.edited() || !strings.Contains(p.message.Text, "Saved") {
		t.Errorf("after saving: %q", p.message.Text)
	}
	for _, bad := range []struct{ key, value, says string }{
		{"clip.pre_roll", "5 parsecs", "length of time"}, {"ram_disk.budget", "much", "size with its unit"},
		{"archive.path", "relative", "must be"},
		{"smtp.listen", "99999", "must"}, {"smtp.allow", "private, nonsense", "network"},
		{"notify.quiet", "late", "two times of day"}, {"ram_disk.keep", "1s", "must be"},
	} {
		was := entry(bad.key).Text
		entry(bad.key).SetText(bad.value)
		i := slices.IndexFunc(p.fields, func(f *textField) bool { return f.key == bad.key })
		if !p.fields[i].fault.Visible() || !strings.Contains(p.fields[i].fault.Text, bad.says) {
			t.Errorf("%s = %q: %q", bad.key, bad.value, p.fields[i].fault.Text)
		}
		entry(bad.key).SetText(was)
		if p.fields[i].fault.Visible() {
			t.Errorf("%s: the fault stays: %q", bad.key, p.fields[i].fault.Text)
		}
	}
	f.Refuse = config.ValidationErrors{{Key: "archive.path", Rule: text.Plain("must be a folder, and it is a file")},
		{Key: "camera[2].url", Rule: text.Plain("must be right")}}
	p.alarm.SetChecked(false)
	p.apply()
	w.Settle()
	if want := "Archive folder must be a folder, and it is a file.\nFront Door, Address must be right."; p.message.Text != want {
		t.Errorf("faults: %q", p.message.Text)
	}
	f.Refuse = nil
	f.Config.Clip.PostRoll = config.Duration(33 * time.Second) // changed by somebody else
	shed := config.DemoCamera()
	shed.ID = "shed"
	f.Config.Cameras = append(f.Config.Cameras, shed)
	p.apply()
	w.Settle()
	last := f.Applied[len(f.Applied)-1]
	if last.Clip.PostRoll.D() != 33*time.Second || last.Notify.Alarm || len(last.Cameras) != 3 || p.edited() ||
		entry("clip.post_roll").Text != "33 s" {
		t.Errorf("merged: %q, %+v", p.message.Text, last)
	}
	entry("clip.post_roll").SetText("20 s")
	f.Config.Clip.PostRoll = config.Duration(44 * time.Second)
	p.apply()
	w.Settle()
	if !strings.Contains(p.message.Text, "also changed elsewhere") || f.Config.Clip.PostRoll.D() != 44*time.Second {
		t.Errorf("changed elsewhere: %q", p.message.Text)
	}
	test.Tap(p.cancel)
	w.Settle()
	if p.edited() || entry("clip.post_roll").Text != "44 s" || p.alarm.Checked {
		t.Error("cancel kept the edit")
	}
	entry("clip.post_roll").SetText("20 s")
	f.Config.Clip.PostRoll = config.Duration(55 * time.Second)
	p.apply()
	w.Settle()
	p.apply()
	w.Settle()
	if f.Config.Clip.PostRoll.D() != 20*time.Second || p.edited() {
		t.Errorf("saved a second time: %q", p.message.Text)
	}
	p.theme.SetSelectedIndex(2)
	if !p.edited() {
		t.Error("a new theme is no edit")
	}
	p.apply()
	w.Settle()
	if w.App.Preferences().String(widgets.PrefTheme) != "dark" || p.edited() {
		t.Error("the theme was not kept")
	}
}

// TestACameraOfTheGuideIsShownBesideAnEdit adds a camera elsewhere while a name is edited, and saves.
func TestACameraOfTheGuideIsShownBesideAnEdit(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	door, yard := config.DemoCamera(), config.DemoCamera()
	door.ID, door.Name, yard.ID, yard.Name = "door", "Door", "yard", "Yard"
	f.Config.Cameras = []config.Camera{door}
	w, p := open(t, f)
	w.Status = pagetest.Status("")
	p.Load()
	w.Settle()
	for _, field := range p.fields {
		if field.key == "camera.name" {
			field.entry.SetText("North door")
		}
	}
	f.Config.Cameras = append(f.Config.Cameras, yard)
	p.Load()
	w.Settle()
	if !slices.Equal(p.pick.Options, []string{"North door (door)", "Yard (yard)"}) || !p.edited() {
		t.Errorf("cameras: %v", p.pick.Options)
	}
	p.apply()
	w.Settle()
	if got := f.Config.Cameras; len(got) != 2 || got[0].Name != "North door" || got[1].Name != "Yard" {
		t.Errorf("saved: %+v", got)
	}
}

// TestSettingsThatChangeUnderAnEdit removes a camera while the one after it is edited, and changes values elsewhere
// after Save was refused for another one.
func TestSettingsThatChangeUnderAnEdit(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	for _, id := range []string{"a", "b", "c"} {
		c := config.DemoCamera()
		c.ID, c.Name = id, strings.ToUpper(id)
		f.Config.Cameras = append(f.Config.Cameras, c)
	}
	w, p := open(t, f)
	w.Status = pagetest.Status("")
	p.Load()
	w.Settle()
	entry := func(key string) *widgets.Entry {
		return p.fields[slices.IndexFunc(p.fields, func(f *textField) bool { return f.key == key })].entry
	}
	p.pick.SetSelectedIndex(1)
	entry("camera.name").SetText("Back")
	w.Window.Canvas().Focus(entry("camera.username"))
	entry("camera.username").SetText("me ")
	f.Config.Cameras = slices.Delete(f.Config.Cameras, 0, 1)
	p.Load()
	w.Settle()
	if entry("camera.username").Text != "me " || len(p.edit.Cameras) != 3 {
		t.Error("what somebody types is rewritten")
	}
	w.Window.Canvas().Unfocus()
	p.Load()
	w.Settle()
	entry("camera.username").SetText("user-of-b")
	p.apply()
	w.Settle()
	if got := f.Config.Cameras; len(got) != 2 || got[0].ID != "b" || got[0].Username != "user-of-b" ||
		got[0].Name != "Back" || got[1].Username != "" {
		t.Errorf("saved: %+v", got)
	}

	entry("clip.post_roll").SetText("20 s")
	f.Config.Clip.PostRoll = config.Duration(44 * time.Second)
	p.apply()
	w.Settle()
	entry("archive.max_age").SetText("10 days")
	f.Config.Archive.MaxAge = config.Duration(365 * 24 * time.Hour)
	p.apply()
	w.Settle()
	if f.Config.Archive.MaxAge.D() != 365*24*time.Hour || !strings.Contains(p.message.Text, "also changed elsewhere") {
		t.Errorf("a limit that was changed since then is replaced: %s, %q", f.Config.Archive.MaxAge, p.message.Text)
	}
	test.Tap(p.cancel)
	w.Settle()
	p.Tick()
	if p.message.Text != "" || p.edited() {
		t.Errorf("after Cancel: %q", p.message.Text)
	}
}

func TestSettingsAreEditedMeanwhile(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	for _, id := range []string{"gate", "yard"} {
		c := config.DemoCamera()
		c.ID, c.Name, c.Notify = id, strings.ToUpper(id), true
		f.Config.Cameras = append(f.Config.Cameras, c)
	}
	w, p := open(t, f)
	w.Status = pagetest.Status("")
	p.Load()
	w.Settle()
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
	w.Changed(control.Update{Status: w.Status}, false)
	if !p.save.Disabled() {
		t.Error("it can be saved twice at once")
	}
	at("clip.post_roll").entry.SetText("45s")
	w.Settle()
	if len(f.Applied) != 1 || at("clip.post_roll").entry.Text != "45s" || !p.edited() || p.save.Disabled() {
		t.Errorf("typed meanwhile: %q, edited %v", at("clip.post_roll").entry.Text, p.edited())
	}
	p.apply()
	w.Settle()
	if len(f.Applied) != 2 || f.Applied[1].Clip.PostRoll.D() != 45*time.Second || p.edited() {
		t.Errorf("saved %d times: %s", len(f.Applied), p.message.Text)
	}
}

func TestMailSettings(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	cam := config.DemoCamera()
	cam.ID, cam.Mail = "gate", []string{"gate", "subject: a, b"}
	f.Config.Cameras = []config.Camera{cam}
	w, p := open(t, f)
	w.Status = pagetest.Status("")
	p.Load()
	w.Settle()
	at := func(key string) *textField {
		return p.fields[slices.IndexFunc(p.fields, func(f *textField) bool { return f.key == key })]
	}
	if at("camera.mail").entry.Text != "gate\nsubject: a, b" || at("smtp.listen").entry.Text != "2525" ||
		at("camera.mail_lag").entry.Text != "" || p.lagRow.Visible() {
		t.Errorf("loaded %q, %q, %q", at("camera.mail").entry.Text, at("smtp.listen").entry.Text,
			at("camera.mail_lag").entry.Text)
	}
	for _, bad := range []struct{ key, value, says string }{
		{"smtp.listen", "2525, 2525", "only once"}, {"smtp.listen_tls", "x", "must be"},
		{"camera.mail", "gate\nto: x &", "ends with &"}, {"camera.mail_lag", "2h", "must be"},
		{"camera.mail_lag", "late", "length of time"},
	} {
		was := at(bad.key).entry.Text
		at(bad.key).entry.SetText(bad.value)
		if x := at(bad.key).fault; !x.Visible() || !strings.Contains(x.Text, bad.says) {
			t.Errorf("%s = %q: %q", bad.key, bad.value, x.Text)
		}
		at(bad.key).entry.SetText(was)
		if at(bad.key).fault.Visible() {
			t.Errorf("%s: the fault stays", bad.key)
		}
	}
	w.Status.Cameras[0].MailLag = event.Seconds(8 * time.Second)
	w.Status.SMTP.Ports = []status.Port{{Listen: "[::]:2525"}, {Listen: "[::]:465", TLS: true},
		{Listen: ":25",
			Error: text.Plain(
				"this user may not listen on port 25; choose one above 1023 in smtp.listen, such as :2525")}}
	w.Changed(control.Update{Status: w.Status}, false)
	w.Settle()
	if want := "Listening on port 2525, port 465 (TLS only).\nThis user may not listen on port 25; choose one above 1023 in smtp.listen, such as :2525."; p.smtp.Text != want {
		t.Errorf("ports: %q", p.smtp.Text)
	}
	if !p.lagRow.Visible() || !strings.Contains(p.lagText.Text, "about 8 s") {
		t.Errorf("late mails: %v %q", p.lagRow.Visible(), p.lagText.Text)
	}
	test.Tap(p.lagUse)
	if p.lagRow.Visible() {
		t.Error("it is offered again")
	}
	at("smtp.listen").entry.SetText("2525, 127.0.0.1:25 587")
	at("smtp.listen_tls").entry.SetText("465")
	at("camera.mail").entry.SetText("gate\n\n channel: 3 & to: nvr\n")
	p.oldTLS.SetChecked(true)
	p.keepMail.SetChecked(true)
	p.apply()
	w.Settle()
	if len(f.Applied) != 1 {
		t.Fatalf("message: %s", p.message.Text)
	}
	got := f.Applied[0]
	if s := got.SMTP; s.Listen != ":2525, 127.0.0.1:25, :587" || s.ListenTLS != ":465" || !s.OldTLS || !s.KeepMail {
		t.Errorf("%+v", s)
	}
	if c := got.Cameras[0]; c.MailLag.D() != 8*time.Second ||
		fmt.Sprintf("%q", c.Mail) != `["gate" "channel: 3 & to: nvr"]` {
		t.Errorf("%+v", c)
	}
}

func TestNextOf(t *testing.T) {
	e := pagetest.Event(0, event.Saved)
	for _, tc := range []struct {
		n    *event.Next
		any  bool
		want string
	}{
		{nil, false, "The archive is empty."},
		{nil, true, "Nothing will be deleted soon."},
		{&event.Next{Event: e, Why: "max_age", When: pagetest.Noon.AddDate(0, 0, 30)}, true,
			"Next to be deleted: Gate of 2026-11-22 12:00, on 2026-12-22 12:00, because of its age."},
		{&event.Next{Event: e, Why: "min_free"}, true,
			"Next to be deleted: Gate of 2026-11-22 12:00, as soon as room is needed."},
	} {
		if got := nextOf(tc.n, tc.any); got != tc.want {
			t.Errorf("%q", got)
		}
	}
}

// unlisted are settings that the page shows otherwise than by a field with their key, or not at all.
var unlisted = []string{
	"version",                                         // of the file's form
	"language",                                        // a choice
	"archive.group", "smtp.old_tls", "smtp.keep_mail", // check boxes
	"notify.alarm", "notify.saved", "notify.trouble", // check boxes
	"update.check",                                                     // a check box
	"web.proxies",                                                      // for those who run a proxy, in the file
	"target",                                                           // a dialog
	"camera.id",                                                        // made of the name
	"camera.enabled", "camera.audio", "camera.notify", "camera.ingest", // boxes, a choice, a button
}

// TestEverySettingHasAField wants a field for each setting.
func TestEverySettingHasAField(t *testing.T) {
	_, p := open(t, &pagetest.Fake{Config: config.Default()})
	var keys []string
	for _, f := range p.fields {
		keys = append(keys, f.key)
	}
	var walk func(prefix string, v reflect.Type)
	walk = func(prefix string, v reflect.Type) {
		for i := range v.NumField() {
			f := v.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			key := prefix + name
			switch {
			case name == "" || name == "-":
			case name == "camera":
				walk("camera.", f.Type.Elem())
			case f.Type.Kind() == reflect.Struct:
				walk(key+".", f.Type)
			case slices.Contains(keys, key) == slices.Contains(unlisted, key):
				t.Errorf("%s has a field: %t, is unlisted: %t", key, slices.Contains(keys, key),
					slices.Contains(unlisted, key))
			}
		}
	}
	walk("", reflect.TypeFor[config.Settings]())
}

func TestLabelsFit(t *testing.T) {
	pagetest.LabelsFit(t, func(env *page.Env) page.Page { return New(env) })
}

// TestDevices pairs a phone: the code goes away when the phone is in. Then it shuts the phone out.
func TestDevices(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(), State: pagetest.Status("")}
	w, p := open(t, f)
	w.Hosts = func() []string { return []string{"192.168.1.5"} }
	w.Changed(control.Update{Status: f.State}, true)
	p.Show()
	w.Settle()
	if said := pagetest.Texts(p.devices); said != "No device is paired." ||
		p.webState.Text != "There are no web pages." || !p.pairing.Disabled() {
		t.Errorf("got %q, %q", said, p.webState.Text)
	}
	f.State.Web = status.Web{Listen: "[::]:8443"}
	w.Changed(control.Update{Status: f.State}, false)
	w.Settle()
	if p.webState.Text != "Open https://192.168.1.5:8443 on the phone." || p.pairing.Disabled() {
		t.Errorf("got %q, %t", p.webState.Text, p.pairing.Disabled())
	}
	test.Tap(p.pairing)
	w.Settle()
	shown := func() bool { return w.Window.Canvas().Overlays().Top() != nil }
	if !shown() || !strings.Contains(pagetest.Texts(w.Window.Canvas().Overlays().Top()), "ABCD-EFGH") {
		t.Fatal("no code is shown")
	}
	f.Paired = []status.Caller{{ID: "1", Name: "iPhone", Made: pagetest.Noon}}
	w.Changed(control.Update{Status: f.State}, false)
	w.Settle()
	if shown() || !strings.Contains(pagetest.Texts(p.devices), "iPhone") {
		t.Errorf("the code is still shown, or the phone is not: %q", pagetest.Texts(p.devices))
	}
	test.Tap(pagetest.Find(p.devices, "Remove"))
	test.Tap(pagetest.Find(w.Window.Canvas().Overlays().Top(), "Remove"))
	w.Settle()
	if len(f.Paired) != 0 || pagetest.Texts(p.devices) != "No device is paired." {
		t.Errorf("got %+v, %q", f.Paired, pagetest.Texts(p.devices))
	}
	f.State.Web = status.Web{Error: text.PortTaken.With(8443, "web.listen")}
	w.Changed(control.Update{Status: f.State}, false)
	if !strings.HasPrefix(p.webState.Text, "Port 8443") {
		t.Errorf("got %q", p.webState.Text)
	}
}

// TestCallers lets somebody call, shows the address once, and takes the right away.
func TestCallers(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(), State: pagetest.Status("")}
	f.Config.Cameras = []config.Camera{config.DemoCamera()}
	w, p := open(t, f)
	w.Changed(control.Update{Status: f.State}, true)
	p.Show()
	w.Settle()
	if said := pagetest.Texts(p.callers); said != "Nobody may call." || p.callState.Text != "No call comes in." {
		t.Errorf("got %q, %q", said, p.callState.Text)
	}
	top := func() fyne.CanvasObject { return w.Window.Canvas().Overlays().Top() }
	p.askCaller()
	if add := pagetest.Find(top(), "Add"); !add.(fyne.Disableable).Disabled() {
		t.Error("a caller without a name may be added")
	}
	w.Window.Canvas().Focused().(*widgets.Entry).SetText(" Home Assistant ")
	test.Tap(pagetest.Find(top(), "Add"))
	w.Settle()
	said := pagetest.Texts(top())
	if !strings.Contains(said, "/api/trigger/CAMERA?token=TOKEN") || !strings.Contains(said, "such as gate") ||
		!strings.Contains(said, "No call comes in yet") {
		t.Errorf("the address: got %q", said)
	}
	test.Tap(pagetest.Find(top(), "Copy"))
	if got := w.App.Clipboard().Content(); !strings.HasSuffix(got, "/api/trigger/CAMERA?token=TOKEN") {
		t.Errorf("copied %q", got)
	}
	test.Tap(pagetest.Find(top(), "Close"))
	if len(f.Calling) != 1 || f.Calling[0].Name != "Home Assistant" || f.Calling[0].Camera != "" ||
		!strings.Contains(pagetest.Texts(p.callers), "Home Assistant\nevery camera  ·  no call since the start") {
		t.Errorf("got %+v, %q", f.Calling, pagetest.Texts(p.callers))
	}

	f.State.Calls = status.Calls{Listen: "[::]:8025"}
	w.Changed(control.Update{Status: f.State}, false)
	if p.callState.Text != "Listening on port 8025." {
		t.Errorf("got %q", p.callState.Text)
	}
	w.Hosts = func() []string { return []string{"192.0.2.50"} }
	got := p.callAddress(control.NewCaller{Caller: status.Caller{Camera: "gate"}, Token: "T"})
	if got != "http://192.0.2.50:8025/api/trigger/gate?token=T" {
		t.Errorf("got %q", got)
	}
	test.Tap(pagetest.Find(p.callers, "Remove"))
	test.Tap(pagetest.Find(top(), "Remove"))
	w.Settle()
	if len(f.Calling) != 0 || pagetest.Texts(p.callers) != "Nobody may call." {
		t.Errorf("got %+v", f.Calling)
	}
}

// TestTargets adds a phone, edits it and removes it. A test goes only where word goes.
func TestTargets(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(), State: pagetest.Status("")}
	w, p := open(t, f)
	w.Changed(control.Update{Status: f.State}, true)
	p.Show()
	w.Settle()
	top := func() fyne.CanvasObject { return w.Window.Canvas().Overlays().Top() }
	if got := pagetest.Texts(p.targets); got != "None yet." {
		t.Errorf("got %q", got)
	}
	add := config.NewTarget()
	add.ID = "target"
	p.editTarget(add)
	done := pagetest.Find(top(), "Done")
	if !done.(fyne.Disableable).Disabled() || !strings.Contains(pagetest.Texts(top()), "Address must begin with http") {
		t.Errorf("a target without an address: %q", pagetest.Texts(top()))
	}
	test.Tap(pagetest.Find(top(), "Cancel"))
	add.URL, add.Token = "https://ntfy.sh/x", "s3cret"
	p.editTarget(add)
	w.Window.Canvas().Focused().(*widgets.Entry).SetText("My phone")
	test.Tap(pagetest.Find(top(), "Done"))
	if !p.edited() || !strings.Contains(pagetest.Texts(p.targets), "My phone\nntfy") {
		t.Errorf("got %q, edited %t", pagetest.Texts(p.targets), p.edited())
	}
	if !pagetest.Find(p.targets, "Try").(fyne.Disableable).Disabled() {
		t.Error("a target that is not saved may be tried")
	}
	p.apply()
	w.Settle()
	if len(f.Applied) != 1 || len(f.Applied[0].Targets) != 1 || f.Applied[0].Targets[0].Name != "My phone" ||
		f.Applied[0].Targets[0].Token != "s3cret" {
		t.Fatalf("got %+v, %q", f.Applied, p.message.Text)
	}
	test.Tap(pagetest.Find(p.targets, "Try"))
	w.Settle()
	if !slices.Equal(f.Tried, []string{"target"}) || !w.Toasts.Box.Visible() {
		t.Errorf("tried %v", f.Tried)
	}

	// The token is kept, though nobody sees it.
	p.editTarget(p.edit.Targets[0])
	w.Window.Canvas().Focused().(*widgets.Entry).SetText("Her phone")
	test.Tap(pagetest.Find(top(), "Done"))
	p.apply()
	w.Settle()
	if got := f.Config.Targets[0]; got.Name != "Her phone" || got.Token != "s3cret" {
		t.Errorf("got %+v", got)
	}

	// The pencil edits what the page shows, also what its row does not say. A letter that is taken back changes
	// nothing.
	p.tabs.SelectIndex(4)
	pencil := pagetest.Find(p.targets, "Edit")
	test.Tap(pencil)
	for _, o := range test.LaidOutObjects(top()) {
		if c, ok := o.(*widget.Check); ok && c.Text == "Alarms" {
			test.Tap(c)
		}
		if e, ok := o.(*widgets.Entry); ok && e.Password {
			e.SetText("x")
			e.SetText("")
		}
	}
	test.Tap(pagetest.Find(top(), "Done"))
	if got := p.edit.Targets[0]; got.Alarm || got.Token != config.Unchanged {
		t.Errorf("got %+v", got)
	}
	test.Tap(pencil)
	test.Tap(pagetest.Find(top(), "Done"))
	if p.edit.Targets[0].Alarm {
		t.Error("the second edit brought the alarms back")
	}
}

// TestTheFocusIsScrolledTo gives the keyboard focus to a field that is out of sight.
func TestTheFocusIsScrolledTo(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := open(t, f)
	w.Window.Resize(fyne.NewSize(700, 300))
	p.Open(page.TabRecording)
	var field *textField
	for _, one := range p.fields {
		if one.key == "ram_disk.budget" {
			field = one
		}
	}
	place := func() float32 { return fyne.CurrentApp().Driver().AbsolutePositionForObject(field.entry).Y }
	if place() < 300 {
		t.Fatal("the field can be seen without scrolling")
	}
	p.Reveal(field.entry)
	if at := place(); at < 0 || at+field.entry.Size().Height > 300 {
		t.Errorf("the field is at %v", at)
	}
	before := place()
	p.Reveal(p.save)
	if place() != before {
		t.Error("a button below the form scrolled it")
	}
}

func TestLogIsShown(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default(), Logged: []string{"level=INFO msg=started", "level=WARN msg=full"}}
	w, p := open(t, f)
	w.Settle()
	p.showLog()
	w.Settle()
	top := w.Window.Canvas().Overlays().Top()
	if top == nil || !strings.Contains(pagetest.Texts(top), "msg=started\nlevel=WARN msg=full") {
		t.Fatal("the log is not shown")
	}
	test.Tap(pagetest.Find(top, "Copy"))
	if got := fyne.CurrentApp().Clipboard().Content(); !strings.HasSuffix(got, "msg=full") {
		t.Errorf("copied %q", got)
	}
	test.Tap(pagetest.Find(top, "Close"))
	if w.Window.Canvas().Overlays().Top() != nil {
		t.Error("it does not close")
	}
}

// TestLanguageReopensTheWindow saves another language, and then another text size where nothing can open the window.
func TestLanguageReopensTheWindow(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := open(t, f)
	w.Status = pagetest.Status("")
	p.Load()
	w.Settle()
	p.Open(page.TabGeneral)
	p.theme.SetSelectedIndex(1)
	p.apply()
	w.Settle()
	if len(w.Reopened) != 0 {
		t.Errorf("opened again at %v for other colours", w.Reopened)
	}
	p.language.SetSelectedIndex(2)
	p.apply()
	w.Settle()
	if f.Config.Language != "de" || !slices.Equal(w.Reopened, []page.SettingsTab{page.TabGeneral}) {
		t.Errorf("language %q, opened again at %v", f.Config.Language, w.Reopened)
	}
	w.Alone = true
	p.text.SetSelectedIndex(2)
	p.apply()
	w.Settle()
	if len(w.Reopened) != 2 || p.message.Text != "Saved. It takes effect when the window is opened again." {
		t.Errorf("opened again at %v, %q", w.Reopened, p.message.Text)
	}
}

// TestAPortTurnsOutTaken saves settings of which the recorder only tells afterwards that they cannot work.
func TestAPortTurnsOutTaken(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := open(t, f)
	w.Status = pagetest.Status("")
	p.Load()
	w.Settle()
	p.theme.SetSelectedIndex(1)
	p.apply()
	w.Settle()
	if p.message.Text != "Saved." {
		t.Fatalf("%q", p.message.Text)
	}
	s := *w.Status
	s.Problems = []status.Problem{{Code: "smtp", Text: text.MailNotListening.With()}}
	s.SMTP.Ports = []status.Port{{Listen: ":25", Error: text.PortTakenFree.With(25, 2526, "smtp.listen", 2526)}}
	w.Changed(control.Update{Status: &s}, false)
	w.Settle()
	if p.message.Text != "Saved, but: the alarm mail server is not listening. Port 25 is taken by another program. "+
		"Port 2526 is free; the cameras must then send to it." {
		t.Errorf("%q", p.message.Text)
	}
	later := time.Minute
	w.Env.Now = func() time.Time { return time.Now().Add(later) }
	w.Changed(control.Update{Status: &s}, false)
	if !strings.Contains(p.message.Text, "Saved, but: ") {
		t.Errorf("a minute later: %q", p.message.Text)
	}
	free := s
	free.Problems = nil
	w.Changed(control.Update{Status: &free}, false)
	w.Settle()
	if p.message.Text != "Saved." {
		t.Errorf("with another port: %q", p.message.Text)
	}
	later = 2 * time.Minute
	p.Tick()
	if p.message.Text != "" {
		t.Errorf("another minute later: %q", p.message.Text)
	}
	if got := listeningOf(s.SMTP); !strings.HasSuffix(got,
		"\nPort 25 is taken by another program. Port 2526 is free; the cameras must then send to it.") {
		t.Errorf("%q", got)
	}
}

// TestEmptyTheTrash asks before events are removed for good, and only if there are any.
func TestEmptyTheTrash(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := open(t, f)
	p.emptyTrash()
	w.Settle()
	if w.Window.Canvas().Overlays().Top() != nil || !w.Toasts.Box.Visible() {
		t.Error("an empty trash can be emptied")
	}
	f.InTrash = pagetest.Events(3)
	p.emptyTrash()
	w.Settle()
	top := w.Window.Canvas().Overlays().Top()
	if top == nil || !strings.Contains(pagetest.Texts(top), "Delete 3 events for good?") {
		t.Errorf("asked: %v", top)
	}
}
