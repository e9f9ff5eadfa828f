package window

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/host"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// settingsPage edits a copy of the settings; Save puts it in force, Cancel takes the recorder's own again.
type settingsPage struct {
	w       *window
	content fyne.CanvasObject
	tabs    *container.AppTabs

	base    config.Settings // as the recorder has them
	edit    config.Settings // as the fields have them
	prefs   desktopPrefs    // the window's own settings, as they are
	wish    desktopPrefs    // as the fields have them
	loaded  bool
	chosen  int // camera that is shown, -1 for none
	filling bool
	saving  bool
	fields  []*textField

	pick     *widget.Select
	remove   *widget.Button
	form     *fyne.Container // of the chosen camera
	none     *widget.Label
	enabled  *widget.Check
	audio    *widget.Check
	ingest   *widget.Select
	tell     *widget.Check
	tester   *cameraTest
	password *textField
	mailHelp *mailHelp
	lagRow   fyne.CanvasObject
	lagText  *widget.Label
	lagUse   *widget.Button
	lag      config.Duration // by which the camera's mails are late
	smtp     *widget.Label
	group    *widget.Check
	oldTLS   *widget.Check
	keepMail *widget.Check

	ramText  *widget.Label
	next     *widget.Label
	alarm    *widget.Check
	saved    *widget.Check
	trouble  *widget.Check
	cameras  *widget.CheckGroup
	login    *widget.Check
	theme    *widget.Select
	text     *widget.Select
	language *widget.Select
	about    *widget.Label

	message *widget.Label
	save    *widget.Button
	cancel  *widget.Button
}

// desktopPrefs is what belongs to the desktop and not to the recorder.
type desktopPrefs struct {
	login bool
	theme string
	text  float64
}

// textField is a field whose value is text, with the rule that it breaks below it.
type textField struct {
	label string
	key   string // as the engine's faults name it; "camera." stands for the chosen camera
	entry *entry
	fault *widget.Label
	get   func(*config.Settings) string
	set   func(*config.Settings, string) error
	err   error // the value cannot be read
}

var (
	themes        = []string{"", "light", "dark"}
	languages     = append([]string{""}, config.Languages...)
	languageNames = []string{"As the desktop", "English", "Deutsch", "Français"}
	themeNames    = []string{"As the desktop", "Light", "Dark"}
)

func newSettingsPage(w *window) *settingsPage {
	p := &settingsPage{w: w, chosen: -1}
	p.message = widget.NewLabel("")
	p.message.Wrapping = fyne.TextWrapWord
	p.save = important(widget.NewButtonWithIcon(words.L("Save"), theme.ConfirmIcon(), p.apply))
	p.cancel = widget.NewButton(words.L("Cancel"), func() {
		p.say("", widget.MediumImportance)
		p.wish = p.prefs
		p.showSettings(p.base)
		p.load()
	})
	p.tabs = container.NewAppTabs(
		p.tab(words.L("Cameras"), p.cameraForm()),
		p.tab(words.L("Recording"), p.recordingForm()),
		p.tab(words.L("Archive"), p.archiveForm()),
		p.tab(words.L("Alarm mail"), p.mailForm()),
		p.tab(words.L("Notifications"), p.notifyForm()),
		p.tab(words.L("General"), p.generalForm()),
	)
	p.tabs.OnSelected = func(*container.TabItem) {
		p.filling = true
		p.fillCameras() // one tab may have changed what another one shows
		p.filling = false
		p.refreshHints()
	}
	foot := container.NewVBox(widget.NewSeparator(),
		container.NewBorder(nil, nil, nil, container.NewVBox(container.NewHBox(p.cancel, p.save)), p.message))
	p.content = container.NewBorder(nil, container.NewPadded(foot), nil, nil, p.tabs)
	p.fill()
	return p
}

func (p *settingsPage) tab(name string, body fyne.CanvasObject) *container.TabItem {
	return container.NewTabItem(name, container.NewVScroll(container.NewPadded(container.New(narrow{720}, body))))
}

// line makes a text field with its label and hint.
func (p *settingsPage) line(key, label, hint, example string, get func(*config.Settings) string,
	set func(*config.Settings, string) error) (*textField, fyne.CanvasObject) {
	f := &textField{label: label, key: key, entry: newEntry(p.w, nil), fault: widget.NewLabel(""), get: get, set: set}
	f.entry.SetPlaceHolder(example)
	f.entry.AlwaysShowValidationError = true
	f.fault.Wrapping, f.fault.Importance, f.fault.SizeName = fyne.TextWrapWord, widget.DangerImportance,
		theme.SizeNameCaptionText
	f.fault.Hide()
	f.entry.OnChanged = func(v string) {
		if p.filling {
			return
		}
		f.err = f.set(&p.edit, strings.TrimSpace(v))
		p.check()
	}
	p.fields = append(p.fields, f)
	return f, field(label, hint, container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()), f.entry, f.fault))
}

// camera makes a text field of the chosen camera.
func (p *settingsPage) camera(key, label, hint, example string, get func(config.Camera) string,
	set func(*config.Camera, string) error) (*textField, fyne.CanvasObject) {
	return p.line("camera."+key, label, hint, example, func(s *config.Settings) string {
		if p.chosen < 0 || p.chosen >= len(s.Cameras) {
			return ""
		}
		return get(s.Cameras[p.chosen])
	}, func(s *config.Settings, v string) error {
		if p.chosen < 0 || p.chosen >= len(s.Cameras) {
			return nil
		}
		return set(&s.Cameras[p.chosen], v)
	})
}

// change edits the chosen camera, unless the fields are being filled.
func (p *settingsPage) change(f func(*config.Camera)) {
	if p.filling || p.chosen < 0 || p.chosen >= len(p.edit.Cameras) {
		return
	}
	f(&p.edit.Cameras[p.chosen])
	p.check()
}

func (p *settingsPage) cameraForm() fyne.CanvasObject {
	p.pick = widget.NewSelect(nil, func(string) {
		if !p.filling {
			p.chosen = p.pick.SelectedIndex()
			p.fill()
		}
	})
	p.pick.PlaceHolder = words.L("No camera yet")
	add := widget.NewButtonWithIcon(words.L("Add a camera"), theme.ContentAddIcon(), p.addCamera)
	p.remove = widget.NewButtonWithIcon(words.L("Remove"), theme.DeleteIcon(), p.removeCamera)
	p.none = widget.NewLabel(words.L("Add a camera to begin. You need its network address, and the user and password of the camera itself."))
	p.none.Wrapping = fyne.TextWrapWord

	_, name := p.camera("name", words.L("Name"), "", words.L("Front door"), func(c config.Camera) string {
		return c.Name
	}, func(c *config.Camera, v string) error { c.Name = v; return nil })
	url, address := p.camera("url", words.L("Address"),
		words.L("its RTSP address; what you do not know, the guide finds out"), "rtsp://192.168.1.20/stream1",
		func(c config.Camera) string { return c.URL }, nil)
	user, userRow := p.camera("username", words.L("User"), "", words.L("as in the camera"),
		func(c config.Camera) string { return c.Username }, func(c *config.Camera, v string) error {
			c.Username = v
			return nil
		})
	password, passwordRow := p.camera("password", words.L("Password"), "", "", func(c config.Camera) string {
		if c.Password == config.Unchanged {
			return ""
		}
		return c.Password.Reveal()
	}, func(c *config.Camera, v string) error { c.Password = config.Secret(v); return nil })
	password.entry.Password = true
	p.password = password
	url.set = func(s *config.Settings, v string) error {
		if p.chosen < 0 || p.chosen >= len(s.Cameras) {
			return nil
		}
		c := &s.Cameras[p.chosen]
		clean, u, pw := config.SplitURL(v)
		c.URL = clean
		if u != "" || pw != "" { // pasted with the login in it
			c.Username, c.Password = u, pw
			url.entry.SetText(clean)
			user.entry.SetText(u)
			password.entry.SetText(pw.Reveal())
		}
		return nil
	}
	mailField, mail := p.camera("mail", words.L("Mail names"),
		words.L("One a line: a recipient, login, sender or text of the subject. Or a rule: channel: Front Yard, to: nvr & channel: 3, subject: *front*, \"alarm input\": 3"), "front-door", func(c config.Camera) string { return strings.Join(c.Mail, "\n") }, func(c *config.Camera, v string) error {
			c.Mail = nil
			for m := range strings.Lines(v) {
				if m = strings.TrimSpace(m); m != "" {
					c.Mail = append(c.Mail, m)
				}
			}
			return nil
		})
	mailField.entry.MultiLine, mailField.entry.Wrapping = true, fyne.TextWrapOff
	mailField.entry.SetMinRowsVisible(2)
	_, lag := p.camera("mail_lag", words.L("Mails are late by"),
		words.L("such as 8s: clips of mails begin so much earlier; empty: mails are not late"), words.L("not late"),
		func(c config.Camera) string {
			b, _ := c.MailLag.MarshalText()
			return string(b)
		}, func(c *config.Camera, v string) error {
			if v == "" {
				c.MailLag = 0
				return nil
			}
			return c.MailLag.UnmarshalText([]byte(v))
		})
	p.lagText = wrapped("")
	p.lagUse = widget.NewButton("", func() {
		for _, f := range p.fields {
			if f.key == "camera.mail_lag" {
				f.entry.SetText(p.lag.String())
			}
		}
	})
	p.lagRow = field("", "", container.NewBorder(nil, nil, nil, container.NewVBox(p.lagUse), p.lagText))
	_, pre := p.ownLength("pre_roll", words.L("Before the alarm"), func(c *config.Camera) **config.Duration {
		return &c.PreRoll
	})
	_, post := p.ownLength("post_roll", words.L("After the alarm"), func(c *config.Camera) **config.Duration {
		return &c.PostRoll
	})
	_, longest := p.ownLength("max_length", words.L("Longest clip"), func(c *config.Camera) **config.Duration {
		return &c.MaxLength
	})
	p.enabled = widget.NewCheck(words.L("Record this camera"), func(on bool) {
		p.change(func(c *config.Camera) { c.Enabled = on })
	})
	p.audio = widget.NewCheck(words.L("With sound"), func(on bool) {
		p.change(func(c *config.Camera) { c.Audio = on })
	})
	p.ingest = widget.NewSelect([]string{words.L("Preroll, or FFmpeg where that must be"), words.L("Preroll alone"),
		"FFmpeg"}, func(string) {
		p.change(func(c *config.Camera) {
			if i := p.ingest.SelectedIndex(); i >= 0 {
				c.Ingest = ingests[i]
			}
		})
	})
	p.tell = widget.NewCheck(words.L("Notify me"), func(on bool) { p.change(func(c *config.Camera) { c.Notify = on }) })
	p.tester = newCameraTest(p.w, func() config.Camera { return p.edit.Cameras[p.chosen] })
	p.mailHelp = newMailHelp()
	p.form = container.NewVBox(name, address, userRow, passwordRow,
		field("", "", container.NewHBox(p.enabled, p.audio, p.tell)),
		field(words.L("Read by"), "", p.ingest),
		field("", "", p.tester.content),
		heading(words.L("Alarm mail")), mail, p.mailHelp.content,
		heading(words.L("Lengths of this camera")), pre, post, longest, lag, p.lagRow)
	return container.NewVBox(container.NewBorder(nil, nil, nil, container.NewHBox(add, p.remove), p.pick), p.none,
		p.form)
}

// ownLength is a length of the chosen camera; empty means the one of the page Recording.
func (p *settingsPage) ownLength(key, label string,
	of func(*config.Camera) **config.Duration) (*textField, fyne.CanvasObject) {
	return p.camera(key, label, "", words.L("as for all cameras"), func(c config.Camera) string {
		if d := *of(&c); d != nil {
			return d.String()
		}
		return ""
	}, func(c *config.Camera, v string) error {
		if v == "" {
			*of(c) = nil
			return nil
		}
		var d config.Duration
		if err := d.UnmarshalText([]byte(v)); err != nil {
			return err
		}
		*of(c) = &d
		return nil
	})
}

// value makes a field of a duration or a size, which read and write themselves.
func (p *settingsPage) value(key, label, hint, example string, of func(*config.Settings) textValue) fyne.CanvasObject {
	_, row := p.line(key, label, hint, example, func(s *config.Settings) string {
		b, _ := of(s).MarshalText()
		return string(b)
	}, func(s *config.Settings, v string) error { return of(s).UnmarshalText([]byte(v)) })
	return row
}

// textValue is a value that reads and writes itself.
type textValue = interface {
	MarshalText() ([]byte, error)
	UnmarshalText([]byte) error
}

func (p *settingsPage) recordingForm() fyne.CanvasObject {
	p.ramText = widget.NewLabel("")
	p.ramText.Wrapping = fyne.TextWrapWord
	_, ram := p.line("ram_disk.path", words.L("RAM disk"),
		words.L("a folder in memory; the last seconds of each camera live here"), config.DefaultRAMDisk(),
		func(s *config.Settings) string { return s.RAMDisk.Path }, func(s *config.Settings, v string) error {
			s.RAMDisk.Path = v
			return nil
		})
	return container.NewVBox(
		heading(words.L("Clips")),
		p.value("clip.pre_roll", words.L("Before the alarm"), words.L("such as 10s"), "10s",
			func(s *config.Settings) textValue { return &s.Clip.PreRoll }),
		p.value("clip.post_roll", words.L("After the alarm"), words.L("after the last alarm mail, such as 60s"), "60s",
			func(s *config.Settings) textValue { return &s.Clip.PostRoll }),
		p.value("clip.max_length", words.L("Longest clip"), words.L("a longer event becomes several clips that join"),
			"10m", func(s *config.Settings) textValue { return &s.Clip.MaxLength }),
		heading(words.L("Memory")),
		ram,
		p.value("ram_disk.keep", words.L("Keep of each camera"),
			words.L("such as 100s; it must be longer than the pre-roll"), "100s", func(s *config.Settings) textValue {
				return &s.RAMDisk.Keep
			}),
		p.value("ram_disk.budget", words.L("RAM for all cameras"), words.L("such as 1GiB"), "1GiB",
			func(s *config.Settings) textValue { return &s.RAMDisk.Budget }),
		field("", "", p.ramText))
}

func (p *settingsPage) archiveForm() fyne.CanvasObject {
	path, row := p.line("archive.path", words.L("Archive folder"), words.L("clips are saved here"),
		config.DefaultArchive(), func(s *config.Settings) string {
			return s.Archive.Path
		}, func(s *config.Settings, v string) error { s.Archive.Path = v; return nil })
	choose := widget.NewButtonWithIcon(words.L("Choose"), theme.FolderOpenIcon(), func() {
		dialog.ShowFolderOpen(func(u fyne.ListableURI, err error) {
			if err == nil && u != nil {
				path.entry.SetText(u.Path())
			}
		}, p.w.win)
	})
	p.next = widget.NewLabel("")
	p.next.Wrapping = fyne.TextWrapWord
	p.group = widget.NewCheck(words.L("Let the group of the files read them"), func(on bool) {
		if !p.filling {
			p.edit.Archive.Group = on
			p.check()
		}
	})
	return container.NewVBox(
		heading(words.L("Place")), row, field("", "", container.NewHBox(choose)),
		field("", words.L("for a media server on this computer; holds for clips that are saved from then on"), p.group),
		heading(words.L("What is deleted by itself")),
		p.value("archive.max_age", words.L("Keep for"), words.L("such as 30d; empty: for ever"), words.L("for ever"),
			func(s *config.Settings) textValue { return &s.Archive.MaxAge }),
		p.value("archive.max_size", words.L("At most"), words.L("such as 200GB; empty: no limit"), words.L("no limit"),
			func(s *config.Settings) textValue { return &s.Archive.MaxSize }),
		p.value("archive.min_free", words.L("Leave free"), words.L("on the drive, such as 2GiB; empty: nothing"),
			words.L("nothing"), func(s *config.Settings) textValue { return &s.Archive.MinFree }),
		field("", "", p.next))
}

func (p *settingsPage) mailForm() fyne.CanvasObject {
	p.smtp = widget.NewLabel("")
	p.smtp.Wrapping = fyne.TextWrapWord
	ports := func(key, label, hint, example string, of func(*config.Settings) *string) fyne.CanvasObject {
		_, row := p.line(key, label, hint, example, func(s *config.Settings) string {
			return portsText(*of(s))
		}, func(s *config.Settings, v string) error {
			*of(s) = portsValue(v)
			return nil
		})
		return row
	}
	listen := ports("smtp.listen", words.L("Port"),
		words.L("cameras send their alarm mail here, such as 2525; several with commas. Each takes plain mail, STARTTLS and TLS alike"), "2525", func(s *config.Settings) *string { return &s.SMTP.Listen })
	listenTLS := ports("smtp.listen_tls", words.L("Ports for TLS only"),
		words.L("only for cameras that need one; mostly empty"), words.L("none"), func(s *config.Settings) *string {
			return &s.SMTP.ListenTLS
		})
	p.oldTLS = widget.NewCheck(words.L("Accept the old encryption of old cameras (TLS 1.0 and 1.1)"), func(on bool) {
		if !p.filling {
			p.edit.SMTP.OldTLS = on
			p.check()
		}
	})
	p.keepMail = widget.NewCheck(words.L("Keep the mail beside its clip"), func(on bool) {
		if !p.filling {
			p.edit.SMTP.KeepMail = on
			p.check()
		}
	})
	_, allow := p.line("smtp.allow", words.L("Who may send"),
		words.L("networks with commas, such as 192.168.1.0/24; private: every local network"), "private",
		func(s *config.Settings) string {
			return strings.Join(s.SMTP.Allow, ", ")
		}, func(s *config.Settings, v string) error {
			s.SMTP.Allow = nil
			for a := range strings.SplitSeq(v, ",") {
				if a = strings.TrimSpace(a); a != "" {
					s.SMTP.Allow = append(s.SMTP.Allow, a)
				}
			}
			return nil
		})
	_, user := p.line("smtp.username", words.L("User"),
		words.L("empty: any login is accepted, as most cameras need it"), words.L("any"),
		func(s *config.Settings) string { return s.SMTP.Username }, func(s *config.Settings, v string) error {
			s.SMTP.Username = v
			return nil
		})
	password, passwordRow := p.line("smtp.password", words.L("Password"), "", "", func(s *config.Settings) string {
		if s.SMTP.Password == config.Unchanged {
			return ""
		}
		return s.SMTP.Password.Reveal()
	}, func(s *config.Settings, v string) error { s.SMTP.Password = config.Secret(v); return nil })
	password.entry.Password = true
	return container.NewVBox(heading(words.L("Mail server for the cameras")), listen, field("", "", p.smtp), allow,
		user, passwordRow,
		heading(words.L("Encryption")), listenTLS,
		field("",
			words.L("Off is better. Such encryption can be broken, so a camera's login and pictures can be read by others on your network. Switch it on if a camera gives up when encryption begins (the page Health says so) and cannot do without it."), p.oldTLS),
		heading(words.L("Mails")),
		field("",
			words.L("the first mail of each event, as a file that mail programs open; without it only its picture and what it says are kept"), p.keepMail))
}

// portsText shows ports without the colon that stands for every address of this machine.
func portsText(list string) string {
	var out []string
	for l := range strings.SplitSeq(list, ",") {
		out = append(out, strings.TrimPrefix(strings.TrimSpace(l), ":"))
	}
	return strings.Join(out, ", ")
}

// portsValue reads what portsText shows.
func portsValue(text string) string {
	var out []string
	for l := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
		if strings.Trim(l, "0123456789") == "" {
			l = ":" + l
		}
		out = append(out, l)
	}
	return strings.Join(out, ", ")
}

func (p *settingsPage) notifyForm() fyne.CanvasObject {
	check := func(text string, of func(*config.Notify) *bool) *widget.Check {
		return widget.NewCheck(text, func(on bool) {
			if !p.filling {
				*of(&p.edit.Notify) = on
				p.check()
			}
		})
	}
	p.alarm = check(words.L("When an alarm comes and its clip is being saved"), func(n *config.Notify) *bool {
		return &n.Alarm
	})
	p.saved = check(words.L("When a clip is saved"), func(n *config.Notify) *bool { return &n.Saved })
	p.trouble = check(words.L("When something needs me: a camera is away, the archive is full"),
		func(n *config.Notify) *bool { return &n.Trouble })
	_, quiet := p.line("notify.quiet", words.L("Quiet hours"),
		words.L("such as 22:00-07:00: nothing is shown then, and told at their end; empty: never quiet"),
		words.L("never"), func(s *config.Settings) string {
			return s.Notify.Quiet
		}, func(s *config.Settings, v string) error { s.Notify.Quiet = v; return nil })
	p.cameras = widget.NewCheckGroup(nil, func(on []string) {
		if p.filling {
			return
		}
		for i := range p.edit.Cameras {
			p.edit.Cameras[i].Notify = slices.Contains(on, p.cameras.Options[i])
		}
		p.check()
	})
	return container.NewVBox(heading(words.L("Tell me")), p.alarm, p.saved, p.trouble, quiet,
		heading(words.L("Of these cameras")), p.cameras)
}

func (p *settingsPage) generalForm() fyne.CanvasObject {
	names := func(list []string) (out []string) {
		for _, n := range list {
			out = append(out, words.L(n))
		}
		return out
	}
	var sizes []string
	for _, s := range textSizes {
		sizes = append(sizes, words.L(s.name))
	}
	set := func(f func()) {
		if !p.filling {
			f()
			p.check()
		}
	}
	p.login = widget.NewCheck(words.L("Start Preroll when I log in"), func(on bool) {
		set(func() { p.wish.login = on })
	})
	p.theme = widget.NewSelect(names(themeNames), func(string) {
		set(func() { p.wish.theme = themes[p.theme.SelectedIndex()] })
	})
	p.text = widget.NewSelect(sizes, func(string) {
		set(func() { p.wish.text = textSizes[p.text.SelectedIndex()].scale })
	})
	p.language = widget.NewSelect(names(languageNames), func(string) {
		set(func() { p.edit.Language = languages[p.language.SelectedIndex()] })
	})
	_, ffmpeg := p.line("ffmpeg.path", "FFmpeg", words.L("empty: the one beside Preroll or on PATH"),
		words.L("found by itself"), func(s *config.Settings) string {
			return s.FFmpeg.Path
		}, func(s *config.Settings, v string) error { s.FFmpeg.Path = v; return nil })
	p.about = widget.NewLabel("")
	p.about.Wrapping, p.about.Selectable = fyne.TextWrapWord, true
	again := widget.NewButtonWithIcon(words.L("Go through the guide again"), theme.HelpIcon(), func() {
		p.w.guide.show()
	})
	return container.NewVBox(
		heading(words.L("Start")), p.login,
		heading(words.L("Appearance")),
		field(words.L("Colours"), "", p.theme), field(words.L("Text size"), "", p.text),
		field(words.L("Language"), words.L("takes effect when the window is opened again"), p.language),
		heading(words.L("Program")), ffmpeg, field("", "", p.about), field("", "", container.NewHBox(again)))
}

// titles are the cameras' names with their ids, which tell same names apart.
func (p *settingsPage) titles() (list []string) {
	for _, c := range p.edit.Cameras {
		name := []rune(c.Title())
		if len(name) > 50 {
			name = append(name[:50], '…')
		}
		list = append(list, fmt.Sprintf("%s (%s)", string(name), c.ID))
	}
	return list
}

// edited reports whether the fields say something else than what is in force.
func (p *settingsPage) edited() bool {
	return p.loaded && (!reflect.DeepEqual(p.base, p.edit) || p.prefs != p.wish)
}

// load takes the recorder's settings, unless they are being edited here.
func (p *settingsPage) load() {
	if p.edited() {
		return
	}
	p.w.work.Go(func() {
		s, err := p.w.client.Settings(p.w.ctx)
		login, lerr := host.StartsAtLogin()
		p.w.do(func() {
			if err != nil || p.edited() {
				return // with an error the page says that no recorder runs
			}
			prefs := p.w.app.Preferences()
			o := desktopPrefs{login: login && lerr == nil, theme: prefs.String(prefTheme),
				text: prefs.FloatWithFallback(prefText, 1)}
			if p.loaded && reflect.DeepEqual(s, p.base) && o == p.prefs {
				return
			}
			p.prefs, p.wish = o, o
			p.showSettings(s)
			p.w.cameras.draw()
		})
	})
}

func (p *settingsPage) showSettings(s config.Settings) {
	p.base, p.edit, p.loaded = s, s.Clone(), true
	if p.chosen >= len(s.Cameras) || p.chosen < 0 {
		p.chosen = min(0, len(s.Cameras)-1)
	}
	p.fill()
	p.refreshHints()
}

// statusChanged follows the recorder: it comes, goes, or listens elsewhere.
func (p *settingsPage) statusChanged() {
	gone := words.L("The recorder does not run.")
	s := p.w.status
	if s == nil {
		p.save.Disable()
		p.say(gone, widget.WarningImportance)
		return
	}
	if p.message.Text == gone {
		p.say("", widget.MediumImportance)
	}
	p.load()
	p.draw()
}

// refreshHints asks for what the shown page tells beyond the settings.
func (p *settingsPage) refreshHints() {
	if p.tabs == nil || p.tabs.SelectedIndex() != 2 || !p.loaded {
		return
	}
	p.w.work.Go(func() {
		n, err := p.w.client.Next(p.w.ctx)
		p.w.do(func() {
			if err == nil {
				p.next.SetText(nextOf(n, p.w.status != nil && p.w.status.Archive.Events > 0))
			}
		})
	})
}

// nextOf says which event will be deleted next, and why.
func nextOf(n *event.Next, any bool) string {
	switch {
	case !any:
		return words.L("The archive is empty.")
	case n == nil:
		return words.L("Nothing will be deleted soon.")
	}
	what := words.L("%s of %s", n.Event.Title(), n.Event.Time.Local().Format("2006-01-02 15:04"))
	if n.Why == "max_age" {
		return words.L("Next to be deleted: %s, on %s, because of its age.", what,
			n.When.Local().Format("2006-01-02 15:04"))
	}
	return words.L("Next to be deleted: %s, as soon as room is needed.", what)
}

// fill writes the edited copy into the fields.
func (p *settingsPage) fill() {
	p.filling = true
	some := p.chosen >= 0 && p.chosen < len(p.edit.Cameras)
	p.fillCameras()
	for _, f := range p.fields {
		f.err = nil // of a value that is not shown any more
		f.entry.SetText(f.get(&p.edit))
	}
	shown(p.form, some)
	shown(p.none, !some)
	shown(p.remove, some)
	if some {
		c := p.edit.Cameras[p.chosen]
		p.password.entry.SetPlaceHolder(words.L("as in the camera"))
		if c.Password == config.Unchanged {
			p.password.entry.SetPlaceHolder(words.L("saved; type to change it"))
		}
		p.enabled.SetChecked(c.Enabled)
		p.audio.SetChecked(c.Audio)
		p.ingest.SetSelectedIndex(max(0, slices.Index(ingests, c.Ingest)))
		able(p.ingest, c.RTSP())
	}
	p.tester.clear()
	p.group.SetChecked(p.edit.Archive.Group)
	p.oldTLS.SetChecked(p.edit.SMTP.OldTLS)
	p.keepMail.SetChecked(p.edit.SMTP.KeepMail)
	n := p.edit.Notify
	p.alarm.SetChecked(n.Alarm)
	p.saved.SetChecked(n.Saved)
	p.trouble.SetChecked(n.Trouble)
	p.login.SetChecked(p.wish.login)
	p.theme.SetSelectedIndex(max(0, slices.Index(themes, p.wish.theme)))
	p.language.SetSelectedIndex(max(0, slices.Index(languages, p.edit.Language)))
	for i, s := range textSizes {
		if s.scale == p.wish.text || i == 0 {
			p.text.SetSelectedIndex(i)
		}
	}
	p.filling = false
	p.check()
}

// fillCameras writes what two tabs show: the cameras' names, and which of them are told of.
func (p *settingsPage) fillCameras() {
	titles := p.titles()
	p.pick.Options = titles
	if p.chosen >= 0 && p.chosen < len(titles) {
		p.pick.SetSelectedIndex(p.chosen)
		p.tell.SetChecked(p.edit.Cameras[p.chosen].Notify)
	} else {
		p.pick.ClearSelected()
	}
	p.pick.Refresh()
	var on []string
	for i, c := range p.edit.Cameras {
		if c.Notify {
			on = append(on, titles[i])
		}
	}
	p.cameras.Options = titles
	p.cameras.SetSelected(on)
	p.cameras.Refresh()
}

// check marks every field that breaks a rule of the engine's.
func (p *settingsPage) check() {
	if !p.loaded {
		return
	}
	faults := config.Validate(p.edit)
	for _, f := range p.fields {
		err := f.err
		for _, x := range faults {
			if err == nil && p.means(x.Key, f) {
				err = &text.Error{Text: x.Rule}
			}
		}
		text := ""
		if err != nil {
			text = words.Error(err)
		}
		if f.fault.Text != text {
			f.fault.SetText(text)
			f.entry.SetValidationError(err)
			shown(f.fault, text != "")
			p.tabs.Refresh()
		}
	}
	p.draw()
}

// means reports whether a fault's key means a field.
func (p *settingsPage) means(key string, f *textField) bool {
	if i := strings.IndexByte(key, '['); i >= 0 && !strings.HasPrefix(key, "camera[") {
		key = key[:i] // one of a list, such as smtp.allow[2]
	}
	if rest, ok := strings.CutPrefix(key, fmt.Sprintf("camera[%d].", p.chosen+1)); ok {
		rest, _, _ = strings.Cut(rest, "[")
		return f.key == "camera."+rest
	}
	return key == f.key
}

// draw shows what follows from the edited copy.
func (p *settingsPage) draw() {
	if s := p.w.status; s != nil {
		able(p.save, !p.saving)
		p.ramText.SetText(ramOf(*s, p.edit.RAMDisk.Keep.D()))
		text := listeningOf(s.SMTP)
		if s.SMTP.Refused > 0 {
			text += " " + words.L("%d connections came from networks that are not allowed.", s.SMTP.Refused)
		}
		p.smtp.SetText(text)
		p.about.SetText(words.L("Preroll %s, FFmpeg %s\nSettings file: %s", s.Version, s.FFmpeg.Version, s.Settings))
	}
	if p.chosen >= 0 && p.chosen < len(p.edit.Cameras) {
		p.drawLag(p.edit.Cameras[p.chosen])
		p.mailHelp.set(p.edit, p.edit.Cameras[p.chosen], p.w.status, p.w.hosts())
	}
}

// listeningOf says on which ports mail can come in, and what is wrong with the others.
func listeningOf(s status.SMTP) string {
	var lines []string
	if ports := portsOf(s); ports != "" {
		lines = append(lines, words.L("Listening on %s.", ports))
	}
	for _, p := range s.Ports {
		if !p.Error.IsZero() {
			lines = append(lines, sentence(capital(words.Say(p.Error))))
		}
	}
	if len(s.Ports) == 0 && !s.Error.IsZero() {
		lines = append(lines, sentence(capital(words.Say(s.Error))))
	}
	return strings.Join(lines, "\n")
}

// drawLag offers to make up for the time that a camera's mails are late.
func (p *settingsPage) drawLag(c config.Camera) {
	p.lag = 0
	if p.w.status != nil {
		for _, s := range p.w.status.Cameras {
			if s.ID == c.ID {
				p.lag = config.Duration(s.MailLag)
			}
		}
	}
	offered := p.lag > 0 && p.lag != c.MailLag
	if offered {
		p.lagText.SetText(words.L("By the camera's own clock, its mails come about %.0f s after the alarm.",
			p.lag.D().Seconds()))
		p.lagUse.SetText(words.L("Use %s", p.lag))
	}
	if offered != p.lagRow.Visible() {
		shown(p.lagRow, offered)
		p.form.Refresh()
	}
}

// choose shows a camera by its id.
func (p *settingsPage) choose(id string) {
	p.tabs.SelectIndex(0)
	if i := slices.IndexFunc(p.edit.Cameras, func(c config.Camera) bool { return c.ID == id }); i >= 0 {
		p.chosen = i
		p.fill()
	}
}

func (p *settingsPage) addCamera() {
	if !p.loaded {
		return
	}
	p.tabs.SelectIndex(0)
	p.edit.Cameras = append(p.edit.Cameras, newCamera(p.edit, ""))
	p.chosen = len(p.edit.Cameras) - 1
	p.fill()
	for _, f := range p.fields {
		if f.key == "camera.url" {
			p.w.win.Canvas().Focus(f.entry)
		}
	}
}

// newCamera makes a camera with a name and an id that are free.
func newCamera(s config.Settings, name string) config.Camera {
	c := config.NewCamera()
	var taken []string
	for _, o := range s.Cameras {
		taken = append(taken, o.ID)
	}
	if name == "" {
		name = words.L("Camera %d", len(s.Cameras)+1)
	}
	c.Name, c.ID = name, cameraID(name, taken)
	c.Mail = []string{c.ID}
	return c
}

func (p *settingsPage) removeCamera() {
	c := p.edit.Cameras[p.chosen]
	p.w.confirm(words.L("Remove %s?", c.Title()),
		words.L("It is no longer recorded once you save. Its clips stay in the archive."), words.L("Remove"), func() {
			p.edit.Cameras = slices.DeleteFunc(p.edit.Cameras, func(o config.Camera) bool { return o.ID == c.ID })
			p.chosen = min(p.chosen, len(p.edit.Cameras)-1)
			p.fill()
		})
}

func (p *settingsPage) say(text string, i widget.Importance) {
	if p.message.Text == text && p.message.Importance == i {
		return
	}
	p.message.Importance = i
	p.message.SetText(text)
	p.content.Refresh()
}

// apply saves, and shows each fault at its field.
func (p *settingsPage) apply() {
	if faults := config.Validate(p.edit); faults != nil {
		p.say(p.explain(&control.Error{Faults: faults}), widget.DangerImportance)
		return
	}
	for _, f := range p.fields {
		if f.err != nil {
			p.say(words.L("A value cannot be read: see the field marked in red."), widget.DangerImportance)
			return
		}
	}
	p.saving = true
	p.save.Disable()
	p.say(words.L("Saving …"), widget.MediumImportance)
	s, base, wish, was := p.edit.Clone(), p.base, p.wish, p.prefs
	var fresh config.Settings
	p.w.work.Go(func() {
		err := p.store(s, base, &fresh)
		if err == nil && wish.login != was.login {
			err = host.StartAtLogin(wish.login, p.w.paths.File)
		}
		p.w.do(func() {
			p.saving = false
			able(p.save, p.w.status != nil)
			if errors.Is(err, errElsewhere) {
				p.base = fresh
			}
			if err != nil {
				p.say(p.explain(err), widget.DangerImportance)
				return
			}
			prefs := p.w.app.Preferences()
			prefs.SetString(prefTheme, wish.theme)
			prefs.SetFloat(prefText, wish.text)
			if wish.theme != was.theme || wish.text != was.text {
				p.w.app.Settings().SetTheme(appearance{theme.DefaultTheme(), wish.theme, float32(wish.text)})
			}
			p.prefs = wish
			if !reflect.DeepEqual(p.edit, s) { // edited on meanwhile
				p.base = fresh
				p.say(words.L("Saved. It is in force now."), widget.SuccessImportance)
				return
			}
			p.showSettings(fresh)
			p.say(words.L("Saved. It is in force now."), widget.SuccessImportance)
		})
	})
}

var errElsewhere = errors.New("the settings were changed elsewhere meanwhile")

// store puts settings in force, unless others came in force since they were taken for editing.
func (p *settingsPage) store(s, base config.Settings, fresh *config.Settings) (err error) {
	ctx := context.WithoutCancel(p.w.ctx) // a window that is closed does not stop it half way
	if *fresh, err = p.w.client.Settings(ctx); err != nil {
		return err
	}
	if !reflect.DeepEqual(*fresh, base) {
		return errElsewhere
	}
	if err := p.w.client.Apply(ctx, s); err != nil {
		return err
	}
	*fresh, err = p.w.client.Settings(ctx)
	return err
}

// explain turns the recorder's refusal into lines for people.
func (p *settingsPage) explain(err error) string {
	if errors.Is(err, errElsewhere) {
		return words.L("The settings were changed elsewhere meanwhile. Press Save again to replace them by what you see here, or Cancel to see the others.")
	}
	var e *control.Error
	if !errors.As(err, &e) || len(e.Faults) == 0 {
		return words.Error(err)
	}
	var lines []string
	for _, x := range e.Faults {
		name := x.Key
		for _, f := range p.fields {
			if p.means(x.Key, f) {
				name = f.label
				f.entry.SetValidationError(&text.Error{Text: x.Rule})
				f.fault.SetText(words.Say(x.Rule))
				f.fault.Show()
			}
		}
		var n int
		var rest string
		if _, serr := fmt.Sscanf(strings.NewReplacer("camera[", "", "].", " ").Replace(x.Key), "%d %s", &n,
			&rest); serr == nil && n >= 1 && n <= len(p.edit.Cameras) {
			for _, f := range p.fields {
				if f.key == "camera."+rest {
					rest = f.label
				}
			}
			name = p.edit.Cameras[n-1].Title() + ", " + rest
		}
		lines = append(lines, name+" "+words.Say(x.Rule)+".")
	}
	p.tabs.Refresh()
	return strings.Join(lines, "\n")
}

// addresses are this machine's own on the local network.
func addresses() []string {
	var out []string
	list, err := net.InterfaceAddrs()
	if err == nil {
		for _, a := range list {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
				out = append(out, n.IP.String())
			}
		}
	}
	if out == nil {
		out = []string{"127.0.0.1"}
	}
	return out
}

// ingests are the values of the choice what reads a camera, in its order.
var ingests = []config.Ingest{config.IngestAuto, config.IngestRTSP, config.IngestFFmpeg}
