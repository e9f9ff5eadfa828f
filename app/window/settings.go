package window

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"net"
	"reflect"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// settingsPage edits a copy of the settings; Save puts it in force, Cancel takes the recorder's own again.
type settingsPage struct {
	w       *window
	content fyne.CanvasObject

	base    config.Settings // as the recorder has them
	edit    config.Settings // as the fields have them
	loaded  bool
	chosen  int // camera that is shown, -1 for none
	filling bool

	body     *fyne.Container
	choose   *widget.Select
	remove   *widget.Button
	form     *fyne.Container // of the chosen camera
	none     *widget.Label
	name     *widget.Entry
	url      *widget.Entry
	user     *widget.Entry
	password *widget.Entry
	mail     *widget.Entry
	enabled  *widget.Check
	audio    *widget.Check
	test     *widget.Button
	result   *widget.Label
	picture  *canvas.Image

	mailHelp *fyne.Container

	ram, archive, pre, post, longest, listen *widget.Entry

	message *widget.Label
	save    *widget.Button
	cancel  *widget.Button
}

func newSettingsPage(w *window) *settingsPage {
	p := &settingsPage{w: w, chosen: -1}
	p.choose = widget.NewSelect(nil, func(string) { p.pick(p.choose.SelectedIndex()) })
	p.choose.PlaceHolder = "No camera yet"
	add := widget.NewButtonWithIcon("Add a camera", theme.ContentAddIcon(), p.addCamera)
	p.remove = widget.NewButtonWithIcon("Remove", theme.DeleteIcon(), p.removeCamera)

	p.name = p.entry("Front door", func(c *config.Camera, v string) { c.Name = v })
	p.url = p.entry("rtsp://192.168.1.20/stream1", nil)
	p.url.OnChanged = func(v string) {
		p.change(func(c *config.Camera) {
			clean, user, password := config.SplitURL(v)
			c.URL = clean
			if user != "" || password != "" { // pasted with the login in it
				c.Username, c.Password = user, password
				p.url.SetText(clean)
				p.user.SetText(user)
				p.password.SetText(password.Reveal())
			}
		})
	}
	p.user = p.entry("as in the camera", func(c *config.Camera, v string) { c.Username = v })
	p.password = widget.NewPasswordEntry()
	p.password.OnChanged = func(v string) { p.change(func(c *config.Camera) { c.Password = config.Secret(v) }) }
	p.mail = p.entry("front-door", func(c *config.Camera, v string) {
		c.Mail = nil
		for m := range strings.SplitSeq(v, ",") {
			if m = strings.TrimSpace(m); m != "" {
				c.Mail = append(c.Mail, m)
			}
		}
	})
	p.enabled = widget.NewCheck("Record this camera", func(on bool) { p.change(func(c *config.Camera) { c.Enabled = on }) })
	p.audio = widget.NewCheck("With sound", func(on bool) { p.change(func(c *config.Camera) { c.Audio = on }) })
	p.test = widget.NewButtonWithIcon("Test camera", theme.SearchIcon(), p.testCamera)
	p.result = widget.NewLabel("")
	p.result.Wrapping = fyne.TextWrapWord
	p.picture = canvas.NewImageFromImage(nil)
	p.picture.FillMode = canvas.ImageFillContain
	p.picture.SetMinSize(fyne.NewSize(320, 180))
	p.picture.Hide()
	p.mailHelp = container.NewVBox()
	p.none = widget.NewLabel("Add a camera to begin. You need its network address, and the user and password of the camera itself.")
	p.none.Wrapping = fyne.TextWrapWord
	p.form = container.NewVBox(
		field("Name", "", p.name),
		field("Address", "from the camera's manual: its RTSP address", p.url),
		field("User", "", p.user),
		field("Password", "", p.password),
		field("Mail names", "recipient, sender or text of the subject; several with commas", p.mail),
		field("", "", container.NewHBox(p.enabled, p.audio, layout.NewSpacer(), p.test)),
		field("", "", container.NewVBox(p.result, p.picture)),
		heading("What to type into this camera's mail settings"),
		p.mailHelp)

	p.ram, p.archive = p.plain(func(s *config.Settings, v string) error { s.RAMDisk.Path = v; return nil }), p.plain(func(s *config.Settings, v string) error { s.Archive.Path = v; return nil })
	p.pre = p.plain(func(s *config.Settings, v string) error { return s.Clip.PreRoll.UnmarshalText([]byte(v)) })
	p.post = p.plain(func(s *config.Settings, v string) error { return s.Clip.PostRoll.UnmarshalText([]byte(v)) })
	p.longest = p.plain(func(s *config.Settings, v string) error { return s.Clip.MaxLength.UnmarshalText([]byte(v)) })
	p.listen = p.plain(func(s *config.Settings, v string) error {
		if v != "" && strings.Trim(v, "0123456789") == "" {
			v = ":" + v
		}
		s.SMTP.Listen = v
		return nil
	})

	p.message = widget.NewLabel("")
	p.message.Wrapping = fyne.TextWrapWord
	p.save = widget.NewButtonWithIcon("Save", theme.ConfirmIcon(), p.apply)
	p.save.Importance = widget.HighImportance
	p.cancel = widget.NewButton("Cancel", func() {
		p.message.SetText("")
		p.take(p.base)
		p.load()
	})

	p.body = container.NewVBox(
		heading("Cameras"),
		container.NewBorder(nil, nil, nil, container.NewHBox(add, p.remove), p.choose),
		p.none, p.form,
		heading("Clips"),
		field("Before the alarm", "such as 10s", p.pre),
		field("After the alarm", "after the last alarm mail, such as 60s", p.post),
		field("Longest clip", "a longer event becomes several clips that join", p.longest),
		heading("Places"),
		field("RAM disk", "a folder in memory; the last seconds of each camera live here", p.ram),
		field("Archive folder", "clips are saved here", container.NewBorder(nil, nil, nil, widget.NewButtonWithIcon("Choose", theme.FolderOpenIcon(), p.chooseFolder), p.archive)),
		heading("Alarm mail"),
		field("Port", "cameras send their alarm mail here, such as 2525", p.listen),
	)
	foot := container.NewVBox(widget.NewSeparator(), container.NewBorder(nil, nil, nil, container.NewHBox(p.cancel, p.save), p.message))
	p.content = container.NewBorder(nil, container.NewPadded(foot), nil, nil, container.NewVScroll(container.NewPadded(container.New(narrow{720}, p.body))))
	p.fill()
	return p
}

func heading(text string) fyne.CanvasObject {
	return container.NewVBox(widget.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Bold: true}), widget.NewSeparator())
}

// labelWidth is the same for every field of the page.
const labelWidth = 150

// field is a labelled field with a hint below it.
func field(label, hint string, o fyne.CanvasObject) fyne.CanvasObject {
	l := widget.NewLabelWithStyle(label, fyne.TextAlignTrailing, fyne.TextStyle{})
	rows := []fyne.CanvasObject{o}
	if hint != "" {
		h := widget.NewRichText(&widget.TextSegment{Text: hint, Style: widget.RichTextStyle{ColorName: theme.ColorNamePlaceHolder, SizeName: theme.SizeNameCaptionText}})
		h.Truncation = fyne.TextTruncateEllipsis
		rows = append(rows, h)
	}
	box := container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()), rows...)
	return container.NewBorder(nil, nil, container.NewVBox(container.NewGridWrap(fyne.NewSize(labelWidth, l.MinSize().Height), l)), nil, box)
}

// entry is a field of the chosen camera.
func (p *settingsPage) entry(example string, set func(*config.Camera, string)) *widget.Entry {
	e := widget.NewEntry()
	e.PlaceHolder = example
	if set != nil {
		e.OnChanged = func(v string) { p.change(func(c *config.Camera) { set(c, strings.TrimSpace(v)) }) }
	}
	return e
}

// plain is a field of the settings as a whole; a value that cannot be read shows at the field.
func (p *settingsPage) plain(set func(*config.Settings, string) error) *widget.Entry {
	e := widget.NewEntry()
	e.OnChanged = func(v string) {
		if p.filling {
			return
		}
		e.SetValidationError(set(&p.edit, strings.TrimSpace(v)))
		p.drawHelp()
	}
	return e
}

// change edits the chosen camera, unless the fields are being filled.
func (p *settingsPage) change(f func(*config.Camera)) {
	if p.filling || p.chosen < 0 {
		return
	}
	f(&p.edit.Cameras[p.chosen])
	p.drawHelp()
}

// edited tells whether the fields say something else than the recorder.
func (p *settingsPage) edited() bool { return p.loaded && !reflect.DeepEqual(p.base, p.edit) }

// load takes the recorder's settings, unless they are being edited here.
func (p *settingsPage) load() {
	if p.edited() {
		return
	}
	p.w.work.Go(func() {
		s, err := p.w.client.Settings(p.w.ctx)
		p.w.do(func() {
			if err != nil || p.edited() || p.loaded && reflect.DeepEqual(s, p.base) {
				return // with an error the page says that no recorder runs
			}
			p.take(s)
		})
	})
}

func (p *settingsPage) take(s config.Settings) {
	p.base, p.edit, p.loaded = s, s.Clone(), true
	if p.chosen >= len(s.Cameras) || p.chosen < 0 {
		p.chosen = min(0, len(s.Cameras)-1)
	}
	p.fill()
}

// statusChanged follows the recorder: it comes, goes, or listens elsewhere.
func (p *settingsPage) statusChanged() {
	if p.w.status == nil {
		p.save.Disable()
		p.message.SetText("The recorder does not run.")
		return
	}
	p.save.Enable()
	if p.message.Text == "The recorder does not run." {
		p.message.SetText("")
	}
	p.load()
	p.drawHelp()
}

// fill writes the edited copy into the fields.
func (p *settingsPage) fill() {
	p.filling = true
	defer func() { p.filling = false }()
	var names []string
	for _, c := range p.edit.Cameras {
		names = append(names, fmt.Sprintf("%s (%s)", c.Title(), c.ID))
	}
	p.choose.Options = names
	if p.chosen >= 0 && p.chosen < len(names) {
		p.choose.SetSelectedIndex(p.chosen)
	} else {
		p.choose.ClearSelected()
	}
	p.choose.Refresh()
	s := p.edit
	p.ram.SetText(s.RAMDisk.Path)
	p.archive.SetText(s.Archive.Path)
	p.pre.SetText(s.Clip.PreRoll.String())
	p.post.SetText(s.Clip.PostRoll.String())
	p.longest.SetText(s.Clip.MaxLength.String())
	p.listen.SetText(strings.TrimPrefix(s.SMTP.Listen, ":"))
	p.fillCamera()
}

func (p *settingsPage) fillCamera() {
	some := p.chosen >= 0 && p.chosen < len(p.edit.Cameras)
	shown(p.form, some)
	shown(p.none, !some)
	shown(p.remove, some)
	defer p.body.Refresh() // what was shown or hidden moves the rest
	if !some {
		return
	}
	c := p.edit.Cameras[p.chosen]
	p.name.SetText(c.Name)
	p.url.SetText(c.URL)
	p.user.SetText(c.Username)
	p.password.PlaceHolder = "as in the camera"
	if c.Password == config.Unchanged {
		p.password.PlaceHolder = "saved; type to change it"
		p.password.SetText("")
	} else {
		p.password.SetText(c.Password.Reveal())
	}
	p.mail.SetText(strings.Join(c.Mail, ", "))
	p.enabled.SetChecked(c.Enabled)
	p.audio.SetChecked(c.Audio)
	p.result.SetText("")
	p.result.Hide()
	p.picture.Hide()
	p.drawHelp()
}

func (p *settingsPage) pick(i int) {
	if p.filling {
		return
	}
	p.chosen = i
	p.filling = true
	p.fillCamera()
	p.filling = false
}

func (p *settingsPage) addCamera() {
	c := config.NewCamera()
	var taken []string
	for _, o := range p.edit.Cameras {
		taken = append(taken, o.ID)
	}
	c.Name = fmt.Sprintf("Camera %d", len(p.edit.Cameras)+1)
	c.ID = cameraID(c.Name, taken)
	c.Mail = []string{c.ID}
	p.edit.Cameras = append(p.edit.Cameras, c)
	p.chosen = len(p.edit.Cameras) - 1
	p.fill()
	p.w.win.Canvas().Focus(p.url)
}

func (p *settingsPage) removeCamera() {
	c := p.edit.Cameras[p.chosen]
	dialog.ShowConfirm("Remove "+c.Title()+"?", "It is no longer recorded once you save. Its clips stay in the archive.", func(yes bool) {
		if yes {
			p.edit.Cameras = slices.Delete(p.edit.Cameras, p.chosen, p.chosen+1)
			p.chosen = min(p.chosen, len(p.edit.Cameras)-1)
			p.fill()
		}
	}, p.w.win)
}

func (p *settingsPage) chooseFolder() {
	dialog.ShowFolderOpen(func(u fyne.ListableURI, err error) {
		if err == nil && u != nil {
			p.archive.SetText(u.Path())
		}
	}, p.w.win)
}

// testCamera connects to the camera as it is typed in, and shows its picture or what is wrong.
func (p *settingsPage) testCamera() {
	c := p.edit.Cameras[p.chosen]
	if rule := config.URLFault(c.URL); rule != "" {
		p.tell(p.result, "The address "+rule, widget.DangerImportance)
		return
	}
	p.test.Disable()
	p.picture.Hide()
	p.tell(p.result, "Connecting to the camera …", widget.MediumImportance)
	var l status.Look
	p.w.work.Go(func() {
		var err error
		l, err = p.w.client.Look(p.w.ctx, c)
		p.w.do(func() {
			p.test.Enable()
			if err != nil {
				p.tell(p.result, err.Error(), widget.DangerImportance)
				return
			}
			sound := "no sound"
			if l.Streams.Audio != "" {
				sound = "sound " + l.Streams.Audio
			}
			p.tell(p.result, fmt.Sprintf("It works: %s, %d x %d, %s.", l.Streams.Video, l.Streams.Width, l.Streams.Height, sound), widget.SuccessImportance)
			if m, err := jpeg.Decode(bytes.NewReader(l.Picture)); err == nil {
				p.picture.Image = m
				p.picture.Refresh()
				p.picture.Show()
				p.body.Refresh()
			}
		})
	})
}

func (p *settingsPage) tell(l *widget.Label, text string, i widget.Importance) {
	l.Importance = i
	l.SetText(text)
	l.Show()
	p.body.Refresh()
}

// apply saves, and shows each fault at its field where it has one.
func (p *settingsPage) apply() {
	p.save.Disable()
	p.tell(p.message, "Saving …", widget.MediumImportance)
	s := p.edit.Clone()
	var fresh config.Settings
	p.w.work.Go(func() {
		err := p.w.client.Apply(p.w.ctx, s)
		if err == nil {
			fresh, err = p.w.client.Settings(p.w.ctx)
		}
		p.w.do(func() {
			p.save.Enable()
			if err != nil {
				p.tell(p.message, p.explain(err), widget.DangerImportance)
				return
			}
			p.take(fresh)
			p.tell(p.message, "Saved. It is in force now.", widget.SuccessImportance)
		})
	})
}

// explain turns the recorder's refusal into lines with the fields' own names.
func (p *settingsPage) explain(err error) string {
	var e *control.Error
	if !errors.As(err, &e) || len(e.Faults) == 0 {
		return err.Error()
	}
	fields := map[string]*widget.Entry{"ram_disk.path": p.ram, "archive.path": p.archive, "clip.pre_roll": p.pre, "clip.post_roll": p.post, "clip.max_length": p.longest, "smtp.listen": p.listen}
	labels := map[string]string{"ram_disk.path": "RAM disk", "archive.path": "Archive folder", "clip.pre_roll": "Before the alarm", "clip.post_roll": "After the alarm", "clip.max_length": "Longest clip", "smtp.listen": "Port"}
	var lines []string
	for _, f := range e.Faults {
		name := labels[f.Key]
		var n int
		var field string
		if name == "" {
			name = f.Key
		}
		if _, serr := fmt.Sscanf(strings.NewReplacer("camera[", "", "].", " ").Replace(f.Key), "%d %s", &n, &field); serr == nil && n >= 1 && n <= len(p.edit.Cameras) {
			name = p.edit.Cameras[n-1].Title() + ", " + map[string]string{"url": "address"}[field]
			if field != "url" {
				name = p.edit.Cameras[n-1].Title() + ", " + field
			}
		}
		if entry := fields[f.Key]; entry != nil {
			entry.SetValidationError(errors.New(f.Rule))
		}
		lines = append(lines, name+" "+f.Rule+".")
	}
	return strings.Join(lines, "\n")
}

// drawHelp shows what to type into the chosen camera, each with a button that copies it.
func (p *settingsPage) drawHelp() {
	if p.chosen < 0 || p.chosen >= len(p.edit.Cameras) {
		return
	}
	c := p.edit.Cameras[p.chosen]
	_, port, err := net.SplitHostPort(p.edit.SMTP.Listen)
	if s := p.w.status; port == "0" && s != nil { // any free one: the recorder knows which
		_, port, err = net.SplitHostPort(s.SMTP.Listen)
	}
	if err != nil {
		port = "?"
	}
	recipient := c.ID
	if len(c.Mail) > 0 && !strings.ContainsAny(c.Mail[0], " <>") {
		recipient = c.Mail[0]
	}
	if !strings.Contains(recipient, "@") {
		recipient += "@preroll"
	}
	rows := [][2]string{{"SMTP server", strings.Join(addresses(), " or ")}, {"Port", port}, {"Recipient", recipient}}
	key := fmt.Sprint(rows)
	if len(p.mailHelp.Objects) > 0 && p.mailHelp.Objects[0].(*fyne.Container).Objects[0].(*widget.Label).Text == key {
		return
	}
	mark := widget.NewLabel(key) // what is shown, so that nothing is drawn twice
	mark.Hide()
	form := container.NewVBox()
	for _, r := range rows {
		form.Add(field(r[0], "", container.NewHBox(widget.NewLabelWithStyle(r[1], fyne.TextAlignLeading, fyne.TextStyle{Monospace: true}), widget.NewButtonWithIcon("", theme.ContentCopyIcon(), func() {
			fyne.CurrentApp().Clipboard().SetContent(strings.Split(r[1], " or ")[0])
		}))))
	}
	note := widget.NewLabel("Encryption: none or STARTTLS. User and password: leave empty, or type anything. Sender: anything. Then switch on mail for the alarms that you want clips of, and press the camera's test button.")
	if p.edit.SMTP.Username != "" {
		note.SetText("Encryption: none or STARTTLS. User and password: those of the settings file's [smtp]. Sender: anything. Then switch on mail for the alarms that you want clips of, and press the camera's test button.")
	}
	note.Wrapping = fyne.TextWrapWord
	p.mailHelp.Objects = []fyne.CanvasObject{container.NewVBox(mark, form, note)}
	p.mailHelp.Refresh()
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
