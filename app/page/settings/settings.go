// Package settings is the page Settings. Each tab has a file of its own, which declares its fields.
package settings

import (
	"reflect"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/host"
	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// Page edits a copy of the settings. Save puts the copy in force. Cancel loads the recorder's settings again.
type Page struct {
	env     *page.Env
	content fyne.CanvasObject
	tabs    *container.AppTabs

	base    config.Settings // in force in the recorder
	edit    config.Settings // in the fields
	prefs   desktopPrefs    // the window's own settings in force
	wish    desktopPrefs    // the window's own settings in the fields
	loaded  bool
	add     *widget.Button
	shown   bool
	chosen  int // index of the shown camera, -1 for none
	filling bool
	saving  bool
	replace *config.Settings // what was changed elsewhere, if Save was refused for it: the next Save replaces it
	savedAt time.Time        // when settings were saved here last
	fields  []*textField
	adding  int                         // index of the tab whose form is being made
	folded  map[int][]*widget.Accordion // by tab

	OnEdited func(edited bool) // the fields differ from what is in force, or no more

	pick     *widget.Select
	remove   *widget.Button
	form     *fyne.Container // of the chosen camera
	none     *widget.Label
	enabled  *widget.Check
	audio    *widget.Check
	ingest   *widget.Select
	tell     *widget.Check
	tester   *page.CameraTest
	password *textField
	mailHelp *page.MailHelp
	lagRow   fyne.CanvasObject
	lagText  *widget.Label
	lagUse   *widget.Button
	lag      config.Duration // mail lag of the chosen camera
	smtp     *widget.Label
	portUse  *widget.Button // takes a free port instead of one that is taken

	callState *widget.Label
	callers   *fyne.Container // a row for each
	targets   *fyne.Container // a row for each
	away      *widget.Check
	targeted  string // what the rows of the targets say
	webState  *widget.Label
	devices   *fyne.Container // a row for each
	pairing   *widget.Button
	group     *widget.Check
	oldTLS    *widget.Check
	keepMail  *widget.Check

	ramText     *widget.Label
	next        *widget.Label
	alarm       *widget.Check
	saved       *widget.Check
	trouble     *widget.Check
	cameras     *widget.CheckGroup
	login       *widget.Check
	updates     *widget.Check
	theme       *widget.Select
	text        *widget.Select
	language    *widget.Select
	about       *widget.Label
	diagnostics *widget.Button

	paired       func() // hides the pairing code, when one more device is paired; nil if none is shown
	pairedBefore int

	message *widget.Label
	save    *widget.Button
	cancel  *widget.Button
}

var (
	themes        = []string{"", "light", "dark"}
	languages     = append([]string{""}, config.Languages...)
	languageNames = []string{"Same as system", "English", "Deutsch", "Français"}
	themeNames    = []string{"Same as system", "Light", "Dark"}
)

// New makes the page.
func New(env *page.Env) *Page {
	p := &Page{env: env, chosen: -1, OnEdited: func(bool) {}, folded: map[int][]*widget.Accordion{}}
	p.message = widget.NewLabel("")
	p.message.Wrapping = fyne.TextWrapWord
	p.save = widgets.Important(widget.NewButtonWithIcon(words.L("Save"), theme.ConfirmIcon(), p.apply))
	p.cancel = widget.NewButton(words.L("Cancel"), func() {
		p.savedAt = time.Time{}
		p.say("", widget.MediumImportance)
		p.wish = p.prefs
		p.showSettings(p.base)
		p.Load()
	})
	p.tabs = container.NewAppTabs()
	for _, t := range []struct {
		name string
		form func() fyne.CanvasObject
	}{{words.L("Cameras"), p.cameraForm}, {words.L("Recording"), p.recordingForm}, {words.L("Archive"), p.archiveForm},
		{words.L("Alarm mail"), p.mailForm}, {words.L("Notifications"), p.notifyForm}, {words.L("Phone"), p.phoneForm},
		{words.L("General"), p.generalForm}} {
		p.adding = len(p.tabs.Items)
		p.tabs.Append(container.NewTabItem(t.name, widgets.NewScroll(container.NewPadded(container.New(
			widgets.Narrow{Width: 720}, t.form())))))
	}
	p.tabs.OnSelected = func(*container.TabItem) {
		p.filling = true
		p.fillCameras() // one tab may have changed what another tab shows
		p.filling = false
		p.refreshHints()
	}
	foot := container.NewVBox(widget.NewSeparator(),
		container.NewBorder(nil, nil, nil, container.NewVBox(container.NewHBox(p.cancel, p.save)), p.message))
	p.content = container.NewBorder(nil, container.NewPadded(foot), nil, nil, p.tabs)
	p.fill()
	return p
}

// edited reports whether the fields differ from what is in force.
func (p *Page) edited() bool {
	return p.loaded && (!reflect.DeepEqual(p.base, p.edit) || p.prefs != p.wish ||
		slices.ContainsFunc(p.fields, func(f *textField) bool { return f.err != nil }))
}

// Unsaved reports whether something was changed here that is not in force.
func (p *Page) Unsaved() bool { return p.edited() }

// Load loads the recorder's settings. What the user has edited here stays.
func (p *Page) Load() {
	p.env.Work.Go(func() {
		s, err := p.env.Client.Settings(p.env.Ctx)
		login, lerr := host.StartsAtLogin()
		p.env.Do(func() {
			if err != nil { // the page already says that no recorder runs
				return
			}
			if p.edited() {
				p.merge(s)
				return
			}
			prefs := p.env.App.Preferences()
			o := desktopPrefs{login: login && lerr == nil, theme: prefs.String(widgets.PrefTheme),
				text: prefs.FloatWithFallback(widgets.PrefText, 1)}
			if p.loaded && reflect.DeepEqual(s, p.base) && o == p.prefs {
				return
			}
			p.prefs, p.wish = o, o
			p.showSettings(s)
		})
	})
}

// merge takes what was changed elsewhere while the fields are edited, such as a camera that the guide has added.
func (p *Page) merge(s config.Settings) {
	busy := slices.ContainsFunc(p.fields, func(f *textField) bool {
		return f.err != nil || p.env.Window.Canvas().Focused() == f.entry // which somebody types in
	})
	if p.saving || busy || reflect.DeepEqual(s, p.base) {
		return
	}
	if edit, conflict := config.Merge(p.base, p.edit, s); !conflict {
		p.showEdited(s, edit)
	}
}

func (p *Page) showSettings(s config.Settings) { p.showEdited(s, s.Clone()) }

// showEdited shows settings that differ from those in force.
func (p *Page) showEdited(s, edit config.Settings) {
	if p.replace != nil {
		p.replace = nil
		p.say("", widget.MediumImportance)
	}
	if p.chosen >= 0 && p.chosen < len(p.edit.Cameras) { // the same camera stays in the form
		id := p.edit.Cameras[p.chosen].ID
		if i := slices.IndexFunc(edit.Cameras, func(c config.Camera) bool { return c.ID == id }); i >= 0 {
			p.chosen = i
		}
	}
	p.base, p.edit, p.loaded = s, edit, true
	p.none.SetText(
		words.L("Add a camera to begin. You need its network address, and the user and password of the camera itself."))
	p.add.Enable()
	if p.chosen >= len(edit.Cameras) || p.chosen < 0 {
		p.chosen = min(0, len(edit.Cameras)-1)
	}
	p.fill()
	p.refreshHints()
}

// Open shows a tab.
func (p *Page) Open(t page.SettingsTab) { p.tabs.SelectIndex(int(t)) }

// Reveal scrolls to a field of the tab that is shown.
func (p *Page) Reveal(o fyne.CanvasObject) {
	if s, ok := p.tabs.Selected().Content.(*widgets.Scroll); ok && o != p.save && o != p.cancel {
		s.Reveal(o)
	}
}

// Content returns what the page shows.
func (p *Page) Content() fyne.CanvasObject { return p.content }

// Show takes the recorder's settings, unless they are being edited.
func (p *Page) Show() {
	p.shown = true
	p.Load()
	p.loadCallers()
	p.loadDevices()
}

// Hide reminds of what is not saved. It stays in the fields.
func (p *Page) Hide() {
	if p.shown && p.edited() {
		p.env.ToastWith(words.L("The settings are not saved yet."), words.L("Save"), func() {
			p.env.Go(instance.Request{Page: "settings"}) // which shows what is refused
			p.apply()
		})
	}
	p.shown = false
}

// Tick takes back that the settings are saved, after a while.
func (p *Page) Tick() {
	if p.env.Status != nil {
		p.saySaved(*p.env.Status)
	}
}

// Key does nothing: the page has no keys.
func (p *Page) Key(*fyne.KeyEvent) {}

// Update follows the recorder: it comes, goes, or listens elsewhere.
func (p *Page) Update(control.Update, bool) {
	gone := words.L("Preroll is not recording.")
	s := p.env.Status
	if s == nil {
		p.save.Disable()
		if !p.loaded {
			p.add.Disable()
		}
		if p.env.Gone {
			p.none.SetText(gone)
			p.say(gone, widget.WarningImportance)
		}
		return
	}
	if p.message.Text == gone {
		p.say("", widget.MediumImportance)
	}
	p.saySaved(*s)
	p.Load()
	p.draw()
	if p.paired != nil {
		p.loadDevices()
	}
}

// refreshHints asks for what the tab Archive shows in addition to the settings: the event that will be deleted next.
func (p *Page) refreshHints() {
	if p.tabs == nil || p.tabs.SelectedIndex() != 2 || !p.loaded {
		return
	}
	p.env.Work.Go(func() {
		n, err := p.env.Client.Next(p.env.Ctx)
		p.env.Do(func() {
			if err == nil {
				p.next.SetText(nextOf(n, p.env.Status != nil && p.env.Status.Archive.Events > 0))
			}
		})
	})
}

// fill writes the edited copy into the fields.
func (p *Page) fill() {
	p.filling = true
	some := p.chosen >= 0 && p.chosen < len(p.edit.Cameras)
	p.fillCameras()
	for _, f := range p.fields {
		f.err = nil // of a value that is no longer shown
		f.entry.SetText(f.get(&p.edit))
	}
	widgets.SetVisible(p.form, some)
	widgets.SetVisible(p.none, !some)
	widgets.SetVisible(p.remove, some)
	if some {
		c := p.edit.Cameras[p.chosen]
		p.password.entry.SetPlaceHolder(words.L("as in the camera"))
		if c.Password == config.Unchanged {
			p.password.entry.SetPlaceHolder(words.L("saved; type to change it"))
		}
		p.enabled.SetChecked(c.Enabled)
		p.audio.SetChecked(c.Audio)
		p.ingest.SetSelectedIndex(max(0, slices.Index(ingests, c.Ingest)))
		widgets.SetEnabled(p.ingest, c.RTSP())
	}

	p.showTargets()
	p.tester.Clear()
	p.group.SetChecked(p.edit.Archive.Group)
	p.oldTLS.SetChecked(p.edit.SMTP.OldTLS)
	p.keepMail.SetChecked(p.edit.SMTP.KeepMail)
	n := p.edit.Notify
	p.alarm.SetChecked(n.Alarm)
	p.saved.SetChecked(n.Saved)
	p.trouble.SetChecked(n.Trouble)
	p.login.SetChecked(p.wish.login)
	p.updates.SetChecked(p.edit.Update.Check)
	p.theme.SetSelectedIndex(max(0, slices.Index(themes, p.wish.theme)))
	p.language.SetSelectedIndex(max(0, slices.Index(languages, p.edit.Language)))
	for i, s := range widgets.TextSizes {
		if s.Scale == p.wish.text || i == 0 {
			p.text.SetSelectedIndex(i)
		}
	}
	p.filling = false
	p.check()
}

// draw shows what follows from the edited copy.
func (p *Page) draw() {
	if s := p.env.Status; s != nil {
		widgets.SetEnabled(p.save, !p.saving)
		p.ramText.SetText(page.RAMOf(*s, p.edit.RAMDisk.Keep.D()))
		text := listeningOf(s.SMTP)
		if s.SMTP.Refused > 0 {
			text += " " + words.L("%d connections came from networks that are not allowed.", s.SMTP.Refused)
		}
		p.smtp.SetText(text)
		taken, free, is := page.TakenPort(s.SMTP.Ports)
		widgets.SetVisible(p.portUse, is)
		p.portUse.SetText(words.L("Use port %d", free))
		p.portUse.OnTapped = func() {
			page.ReplacePort(&p.base.SMTP, taken, free)
			page.ReplacePort(&p.edit.SMTP, taken, free)
			p.fill()
			p.env.UsePort(taken, free)
		}
		p.callState.SetText(callStateOf(s.Calls))
		p.drawPhone(s.Web)
		p.filling = true
		p.away.SetChecked(s.Away)
		p.filling = false
		asks := func(t status.Target) bool { return t.Away }
		widgets.SetVisible(p.away, s.Away || slices.ContainsFunc(s.Targets, asks))
		p.showTargets()
		about := words.L("Preroll %s, FFmpeg %s\nSettings file: %s", s.Version, s.FFmpeg.Version, s.Settings)
		if s.Update != nil {
			about += "\n" + words.L("There is a newer version, %s: %s", s.Update.Version, s.Update.URL)
		}
		p.about.SetText(about)
	}

	if p.chosen >= 0 && p.chosen < len(p.edit.Cameras) {
		p.drawLag(p.edit.Cameras[p.chosen])
		p.mailHelp.Set(p.edit, p.edit.Cameras[p.chosen], p.env.Status, p.env.Hosts())
	}
}
