package window

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/host"
	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// guide sets up a recorder in four short steps: RAM disk, archive, camera, mail. Each step is tested before the next
// one. The guide edits a copy of the settings. The copy is put in force before the last step, because that step waits
// for a real mail.
type guide struct {
	env     *env
	content *fyne.Container
	body    *fyne.Container
	edit    config.Settings
	camera  config.Camera
	step    int
	auto    bool       // may come by itself, once
	covers  func(bool) // hides the pages below, or shows them again
	began   time.Time
	ready   [4]bool

	title, lead *widget.Label
	scroll      *container.Scroll
	dots        []*canvas.Circle
	back        *widget.Button
	next        *answer
	demo, leave *widget.Button
	fault       *widget.Label

	ram, archive       *folderStep
	brand              *widget.Select
	address, url       *widget.Entry
	user, password     *widget.Entry
	name               *widget.Entry
	sub                *widget.Check
	hint               *widget.Label
	search             *widget.Button
	found              *fyne.Container
	tester             *cameraTest
	untested           *widget.Button
	typedURL, building bool
	help               *mailHelp
	arrived            *widget.Label
	waiting            *widget.ProgressBarInfinite
	steps              [4]fyne.CanvasObject
}

// folderStep asks for a folder and shows what the folder is good for.
type folderStep struct {
	g       *guide
	use     string
	entry   *widget.Entry
	result  *widget.Label
	offers  *fyne.Container
	offered fyne.CanvasObject
	asked   int
}

func newGuide(env *env, covers func(bool)) *guide {
	g := &guide{env: env, auto: true, covers: covers}
	g.title = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	g.title.SizeName = theme.SizeNameHeadingText
	g.lead = widget.NewLabel("")
	g.lead.Wrapping = fyne.TextWrapWord
	dots := container.NewHBox(layout.NewSpacer())
	for range 4 {
		d := canvas.NewCircle(theme.Color(theme.ColorNameDisabled))
		g.dots = append(g.dots, d)
		dots.Add(container.NewCenter(container.NewGridWrap(fyne.NewSize(10, 10), d)))
	}
	g.back = widget.NewButtonWithIcon(words.L("Back"), theme.NavigateBackIcon(), func() { g.turn(g.step - 1) })
	g.next = newAnswer(words.L("Next"), g.forth, nil)
	g.next.Icon, g.next.IconPlacement, g.next.Importance = theme.NavigateNextIcon(), widget.ButtonIconTrailingText,
		widget.HighImportance
	g.demo = widget.NewButtonWithIcon(words.L("Try it with the demo camera"), theme.MediaPlayIcon(), g.tryDemo)
	g.leave = widget.NewButton(words.L("Later"), g.hide)
	g.fault = widget.NewLabel("")
	g.fault.Wrapping, g.fault.Importance = fyne.TextWrapWord, widget.DangerImportance
	g.fault.Hide()

	g.ram = g.newFolderStep("ram")
	g.archive = g.newFolderStep("archive")
	g.steps = [4]fyne.CanvasObject{g.ramStep(), g.archiveStep(), g.cameraStep(), g.mailStep()}
	g.body = container.NewStack(g.steps[:]...)
	g.scroll = container.NewVScroll(container.NewPadded(g.body))
	foot := container.NewVBox(g.fault, widget.NewSeparator(),
		container.NewHBox(g.leave, g.demo, layout.NewSpacer(), g.back, g.next))
	head := container.NewVBox(container.NewBorder(nil, nil, nil, dots, g.title), g.lead, widget.NewSeparator())
	g.content = container.NewStack(newBackdrop(theme.ColorNameBackground, "", 0),
		container.NewPadded(container.NewPadded(container.New(narrow{760},
			container.NewBorder(head, foot, nil, nil, g.scroll)))))
	return g
}

func (g *guide) newFolderStep(use string) *folderStep {
	f := &folderStep{g: g, use: use, entry: widget.NewEntry(), result: widget.NewLabel(""), offers: container.NewHBox()}
	f.result.Wrapping = fyne.TextWrapWord
	f.offered = field("", "", f.offers)
	f.offered.Hide()
	f.entry.OnChanged = func(string) { f.lookSoon() }
	return f
}

func (g *guide) ramStep() fyne.CanvasObject {
	rows := container.NewVBox(field(words.L("Folder"), words.L("on a RAM disk"), g.ram.entry), g.ram.offered,
		field("", "", g.ram.result))
	if host.CanMakeRAMDisk() {
		create := widget.NewButtonWithIcon(words.L("Make a RAM disk"), theme.ContentAddIcon(), func() {
			var path string
			g.env.try(func(ctx context.Context) (err error) {
				path, err = host.MakeRAMDisk(ctx, int64(g.edit.RAMDisk.Budget)*5/4)
				return err
			}, func() {
				if path != "" {
					g.ram.entry.SetText(path)
				}
			})
		})
		rows.Add(field("", words.L("It is made again after each start of the computer."), container.NewHBox(create)))
	}
	return rows
}

func (g *guide) archiveStep() fyne.CanvasObject {
	choose := widget.NewButtonWithIcon(words.L("Choose"), theme.FolderOpenIcon(), func() {
		dialog.ShowFolderOpen(func(u fyne.ListableURI, err error) {
			if err == nil && u != nil {
				g.archive.entry.SetText(u.Path())
			}
		}, g.env.win)
	})
	return container.NewVBox(field(words.L("Folder"), words.L("on a drive with room for your clips"),
		container.NewBorder(nil, nil, nil, choose, g.archive.entry)), field("", "", g.archive.result))
}

func (g *guide) cameraStep() fyne.CanvasObject {
	var names []string
	for _, b := range config.Brands {
		names = append(names, brandName(b))
	}
	g.brand = widget.NewSelect(names, func(string) { g.build() })
	g.name, g.address, g.url, g.user, g.password = widget.NewEntry(), widget.NewEntry(), widget.NewEntry(),
		widget.NewEntry(), widget.NewPasswordEntry()
	g.name.SetPlaceHolder(words.L("Front door"))
	g.address.SetPlaceHolder("192.168.1.20")
	g.url.SetPlaceHolder("rtsp://192.168.1.20/stream1")
	g.user.SetPlaceHolder(words.L("as in the camera"))
	g.password.SetPlaceHolder(words.L("as in the camera"))
	g.address.OnChanged = func(string) { g.build() }
	g.sub = widget.NewCheck(words.L("The smaller of its two streams"), func(bool) { g.build() })
	g.url.OnChanged = func(v string) {
		if clean, user, password := config.SplitURL(v); user != "" || password != "" {
			g.user.SetText(user)
			g.password.SetText(password.Reveal())
			g.url.SetText(clean)
			return
		}
		if !g.building {
			g.typedURL = v != ""
		}
		g.untest()
	}
	for _, e := range []*widget.Entry{g.user, g.password} {
		e.OnChanged = func(string) { g.untest() }
	}
	g.hint = widget.NewLabel("")
	g.hint.Wrapping, g.hint.Importance, g.hint.SizeName = fyne.TextWrapWord, widget.LowImportance,
		theme.SizeNameCaptionText
	g.search = widget.NewButtonWithIcon(words.L("Search the network"), theme.SearchIcon(), g.discover)
	g.found = container.NewVBox()
	g.tester = newCameraTest(g.env, g.typedCamera)
	g.tester.told = func() { g.scroll.ScrollToBottom() }
	g.tester.done = func(ok bool) {
		g.ready[2] = ok
		shown(g.untested, !ok)
		g.draw()
		g.scroll.ScrollToBottom()
	}
	g.untested = widget.NewButton(words.L("Use it all the same"), func() { g.ready[2] = true; g.forth() })
	g.untested.Hide()
	return container.NewVBox(
		field("", "", container.NewHBox(g.search)), g.found,
		field(words.L("Name"), "", g.name),
		field(words.L("Brand"), "", g.brand),
		field(words.L("Address"), words.L("the camera's IP address, as your router or its app shows it"), g.address),
		field(words.L("User"), "", g.user),
		field(words.L("Password"), "", g.password),
		field(words.L("RTSP address"), words.L("made from the above; change it where you know better"), g.url),
		field("", "", g.sub),
		field("", "", g.hint),
		field("", "", g.tester.content),
		field("", "", container.NewHBox(g.untested)))
}

func (g *guide) mailStep() fyne.CanvasObject {
	g.help = newMailHelp()
	g.arrived = widget.NewLabel("")
	g.arrived.Wrapping = fyne.TextWrapWord
	g.waiting = widget.NewProgressBarInfinite()
	g.waiting.Stop()
	return container.NewVBox(g.arrived, container.New(fixedHeight{4}, g.waiting), widget.NewSeparator(), g.help.content)
}

// --- Following the recorder ---

// update follows the recorder. If no camera is set up, the guide opens by itself, once.
func (g *guide) update(control.Update) {
	s := g.env.status
	if s != nil && g.auto {
		g.auto = false
		if len(s.Cameras) == 0 && !g.content.Visible() {
			g.show()
		}
	}
	if g.content.Visible() && g.step == 3 {
		g.drawMail()
	}
}

// show starts the guide with the settings in force.
func (g *guide) show() {
	g.auto = false
	g.env.work.Go(func() {
		s, err := g.env.client.Settings(g.env.ctx)
		g.env.do(func() {
			if err != nil {
				g.env.fail(err)
				return
			}
			g.start(s)
		})
	})
}

func (g *guide) start(s config.Settings) {
	g.edit, g.ready, g.typedURL = s, [4]bool{3: true}, false
	g.camera = newCamera(s, "")
	g.name.SetText(g.camera.Name)
	g.address.SetText("")
	g.url.SetText("")
	g.user.SetText("")
	g.password.SetText("")
	g.sub.SetChecked(false)
	g.found.RemoveAll()
	g.brand.SetSelectedIndex(len(config.Brands) - 1)
	g.content.Show()
	g.covers(true)
	g.env.win.Canvas().Unfocus()
	g.turn(0)
	g.ram.entry.SetText(s.RAMDisk.Path)
	g.archive.entry.SetText(s.Archive.Path)
	g.ram.check()
	g.archive.check()
	g.env.win.Content().Refresh()
}

func (g *guide) hide() {
	g.auto = false
	g.waiting.Stop()
	g.content.Hide()
	g.covers(false)
	g.env.win.Content().Refresh()
}

// leads are the title and the purpose of each step.
var leads = [4][2]string{
	{"Memory",
		"Preroll keeps the last seconds of every camera in memory, so that no disk is worn while nothing happens. Where may it do so?"},
	{"Archive", "When a camera reports an alarm, its clip is saved here for good."},
	{"Camera",
		"Choose the brand and type the camera's address, its user and its password; or search the network for it."},
	{"Alarm mail", "The camera tells Preroll of an alarm by mail, which never leaves your network."},
}

func (g *guide) turn(step int) {
	g.step = max(0, min(step, 3))
	for i, s := range g.steps {
		shown(s, i == g.step)
	}
	g.title.SetText(words.L("Step %d of 4: %s", g.step+1, words.L(leads[g.step][0])))
	g.lead.SetText(words.L(leads[g.step][1]))
	g.say("")
	g.scroll.ScrollToTop()
	if g.step == 3 {
		g.began = g.env.now()
		g.waiting.Start()
		g.drawMail()
	} else {
		g.waiting.Stop()
	}
	g.draw()
	switch g.step {
	case 2:
		g.env.work.Go(func() { // later, so that the key that led here is not typed into the address
			g.env.do(func() { g.env.win.Canvas().Focus(g.address) })
		})
	default:
		g.env.win.Canvas().Focus(g.next)
	}
}

func (g *guide) draw() {
	for i, d := range g.dots {
		name := theme.ColorNameDisabled
		if i <= g.step {
			name = theme.ColorNamePrimary
		}
		d.FillColor = theme.Color(name)
		d.Refresh()
	}
	if off := g.next.Disabled(); off == g.ready[g.step] {
		able(g.next, off)
		if c := g.env.win.Canvas(); off && c.Focused() == nil {
			c.Focus(g.next) // Enter or Space goes on
		}
	}
	able(g.back, g.step > 0)
	shown(g.demo, g.step < 3 && !slices.ContainsFunc(g.edit.Cameras, func(c config.Camera) bool {
		return c.URL == config.DemoURL
	}))
	shown(g.leave, g.step < 3)
	text := words.L("Next")
	if g.step == 3 {
		text = words.L("Finish")
	}
	g.next.SetText(text)
	g.content.Refresh()
}

func (g *guide) say(text string) {
	g.fault.SetText(text)
	shown(g.fault, text != "")
	g.content.Refresh()
}

// forth goes to the next step. Before the last step it puts the settings in force.
func (g *guide) forth() {
	switch g.step {
	case 2:
		c := g.typedCamera()
		s := g.edit.Clone()
		was := func(o config.Camera) bool { return o.ID == g.camera.ID } // from before Back was pressed
		s.Cameras = append(slices.DeleteFunc(s.Cameras, was), c)
		g.apply(s, func() {
			g.camera = c
			g.turn(3)
		})
	case 3:
		g.hide()
		g.env.open(instance.Request{Page: "events"})
	default:
		g.turn(g.step + 1)
	}
}

// apply puts settings in force. It shows their faults below the step.
func (g *guide) apply(s config.Settings, then func()) {
	g.next.Disable()
	g.demo.Disable()
	g.say("")
	g.env.work.Go(func() {
		err := g.env.client.Apply(g.env.ctx, s)
		var fresh config.Settings
		if err == nil {
			fresh, err = g.env.client.Settings(g.env.ctx)
		}
		g.env.do(func() {
			g.demo.Enable()
			if err != nil {
				g.draw()
				g.say(faultsOf(err))
				return
			}
			g.edit = fresh
			then()
		})
	})
}

// brandName returns the name of a brand. The name for all other brands is translated.
func brandName(b config.Brand) string {
	if b.Name == config.Other {
		return words.Say(text.BrandOtherName.With())
	}
	return b.Name
}

// faultsOf lists the faults of settings that were refused.
func faultsOf(err error) string {
	var e *control.Error
	if !errors.As(err, &e) || len(e.Faults) == 0 {
		return words.Error(err)
	}
	var lines []string
	for _, f := range e.Faults {
		lines = append(lines, f.Value+" "+words.Say(f.Rule))
	}
	return strings.Join(lines, "\n")
}

// --- The camera ---

// tryDemo sets up the demo camera and shows the page of its events.
func (g *guide) tryDemo() {
	s := g.edit.Clone()
	c := config.DemoCamera()
	s.Cameras = append(s.Cameras, c)
	g.apply(s, func() {
		g.hide()
		g.env.open(instance.Request{Page: "events"})
		g.env.toast(words.L("The demo camera records. Press \"Send a test alarm\" and watch."))
	})
}

// typedCamera returns the camera with the values of the fields.
func (g *guide) typedCamera() config.Camera {
	c := g.camera
	if n := strings.TrimSpace(g.name.Text); n != "" && n != c.Name {
		c = newCamera(g.edit, n)
	}
	c.URL, c.Username, c.Password = strings.TrimSpace(g.url.Text), strings.TrimSpace(g.user.Text),
		config.Secret(g.password.Text)
	return c
}

// build makes the RTSP address from brand and address, unless the user typed an RTSP address.
func (g *guide) build() {
	i := g.brand.SelectedIndex()
	if i < 0 || i >= len(config.Brands) {
		return
	}
	b := config.Brands[i]
	g.hint.SetText(words.Say(b.Hint))
	if g.typedURL {
		return
	}
	g.building = true
	if a := strings.TrimSpace(g.address.Text); a != "" {
		g.url.SetText(b.URL(a, g.sub.Checked, 1))
	} else {
		g.url.SetText("")
	}
	g.building = false
}

// untest drops the result of the test after a field has changed.
func (g *guide) untest() {
	g.ready[2] = false
	g.tester.clear()
	g.untested.Hide()
	g.draw()
}

// discover lists the cameras that answer on the network.
func (g *guide) discover() {
	g.search.Disable()
	g.found.Objects = []fyne.CanvasObject{field("", "", widget.NewLabel(words.L("Searching for some seconds …")))}
	g.found.Refresh()
	var list []status.DiscoveredCamera
	g.env.try(func(ctx context.Context) (err error) {
		list, err = g.env.client.Discover(ctx)
		return err
	}, func() {
		g.search.Enable()
		g.found.RemoveAll()
		if len(list) == 0 {
			g.found.Add(field("", "",
				wrapped(words.L("No camera answered. Many must have ONVIF switched on first; type the address below instead."))))
		}
		for _, f := range list {
			text := strings.Join(slices.DeleteFunc([]string{f.Address, f.Name, f.Model}, func(s string) bool {
				return s == ""
			}), "  ·  ")
			b := widget.NewButtonWithIcon(text, theme.MediaVideoIcon(), func() { g.useDiscovered(f) })
			b.Alignment = widget.ButtonAlignLeading
			g.found.Add(field("", "", b))
		}
		g.found.Refresh()
		g.content.Refresh()
	})
}

// useDiscovered fills the fields with a camera that was found.
func (g *guide) useDiscovered(f status.DiscoveredCamera) {
	g.typedURL = false
	for i, b := range config.Brands {
		if b.Name == f.Brand {
			g.brand.SetSelectedIndex(i)
		}
	}
	g.address.SetText(f.Address)
	if f.Name != "" {
		g.name.SetText(f.Name)
	}
	g.env.win.Canvas().Focus(g.user)
}

func wrapped(text string) *widget.Label {
	l := widget.NewLabel(text)
	l.Wrapping = fyne.TextWrapWord
	return l
}

// --- The mail ---

// drawMail shows what to type into the camera, and the mail once it has come.
func (g *guide) drawMail() {
	s := g.env.status
	if i := g.brand.SelectedIndex(); i >= 0 {
		g.help.known = config.Brands[i].Name
	}
	g.help.set(g.edit, g.camera, s, g.env.hosts())
	text, importance, here := arrivalOf(s, g.camera, g.began)
	if g.arrived.Text != text {
		g.arrived.Importance = importance
		g.arrived.SetText(text)
		g.content.Refresh()
	}
	if here {
		g.waiting.Stop()
		g.waiting.Hide()
	} else {
		g.waiting.Show()
	}
}

// arrivalOf says whether a mail of the camera has come since the given time. here reports it.
func arrivalOf(s *status.Status, c config.Camera, since time.Time) (text string, i widget.Importance, here bool) {
	switch {
	case s == nil:
		return headline(nil), widget.WarningImportance, false
	case !s.SMTP.Error.IsZero():
		return words.Say(s.SMTP.Error), widget.DangerImportance, false
	case s.SMTP.Last == nil || s.SMTP.Last.Time.Before(since):
		return words.L("Waiting for a mail from the camera …"), widget.MediumImportance, false
	}
	m := *s.SMTP.Last
	from := words.L("from %s to %s, subject \"%s\"", m.From, strings.Join(m.To, ", "), m.Subject)
	switch {
	case slices.Contains(m.Cameras, c.ID) && m.Test:
		return words.L("The test mail of %s is here: %s. All is set up.", c.Title(), from), widget.SuccessImportance,
			true
	case slices.Contains(m.Cameras, c.ID):
		return words.L("An alarm mail of %s is here: %s. Its clip is being saved. All is set up.", c.Title(), from),
			widget.SuccessImportance, true
	case len(m.Cameras) == 0:
		return words.L("A mail is here, %s, but it fits no camera: type the recipient from above into the camera.",
			from), widget.WarningImportance, false
	}
	return words.L("A mail is here, %s, but it is for another camera: type the recipient from above into the camera.",
		from), widget.WarningImportance, false
}

// --- Folders ---

// typing is how long to wait after the last key before the typed folder is checked.
const typing = 500 * time.Millisecond

// lookSoon checks the folder once the user has stopped typing.
func (f *folderStep) lookSoon() {
	g := f.g
	f.apply()
	asked := f.asked
	g.env.work.Go(func() {
		select {
		case <-time.After(typing):
		case <-g.env.ctx.Done():
			return
		}
		g.env.do(func() {
			if asked == f.asked {
				f.check()
			}
		})
	})
}

// apply puts the folder into the edited copy, untested.
func (f *folderStep) apply() (path string, step int) {
	g := f.g
	path = strings.TrimSpace(f.entry.Text)
	if f.use == "archive" {
		step = 1
		g.edit.Archive.Path = path
	} else {
		g.edit.RAMDisk.Path = path
	}
	g.ready[step] = false
	f.asked++
	f.showResult(words.L("Looking …"), widget.MediumImportance)
	g.draw()
	return path, step
}

// check asks the recorder what the folder is good for.
func (f *folderStep) check() {
	g := f.g
	path, n := f.apply()
	asked := f.asked
	edit := g.edit.Clone()
	g.env.work.Go(func() {
		d, err := g.env.client.Folder(g.env.ctx, path, f.use)
		g.env.do(func() {
			if asked != f.asked {
				return
			}
			if err != nil {
				f.showResult(words.Error(err), widget.DangerImportance)
				return
			}
			text, importance, ok := folderOf(d, f.use, edit)
			g.ready[n] = ok
			f.offers.RemoveAll()
			for _, s := range d.Suggest {
				if s != path {
					f.offers.Add(widget.NewButton(words.L("Use %s", s), func() { f.entry.SetText(s) }))
				}
			}
			shown(f.offered, len(f.offers.Objects) > 0)
			f.showResult(text, importance)
			g.draw()
		})
	})
}

func (f *folderStep) showResult(text string, i widget.Importance) {
	f.result.Importance = i
	f.result.SetText(text)
}

// usualRate is the assumed bit rate of an unknown camera in bytes per second: 4 Mbit/s.
const usualRate = 4e6 / 8

// folderOf says what a folder is good for. ok reports whether the folder can be used.
func folderOf(d status.Folder, use string, s config.Settings) (text string, i widget.Importance, ok bool) {
	if !d.Fault.IsZero() {
		return strings.TrimSpace(sentence(words.L("The folder %s", words.Say(d.Fault))) + " " + words.Say(d.Hint)),
			widget.DangerImportance, false
	}
	kind := d.Kind
	if kind == "" {
		kind = "?"
	}
	if use == "archive" {
		text = words.L("%s, %s free.", kind, config.ByteSize(d.Free))
		if d.Speed > 0 {
			text += " " + words.L("It takes %.0f MB a second, which is enough for about %d cameras at once.",
				d.Speed/1e6, int(d.Speed/usualRate))
		}
		clip := usualRate * (s.Clip.PreRoll.D() + s.Clip.PostRoll.D()).Seconds()
		text += " " + words.L("There is room for about %d clips of %.0f s.", int(float64(d.Free)/clip),
			(s.Clip.PreRoll.D()+s.Clip.PostRoll.D()).Seconds())
		if d.RAM {
			return text + " " + words.L("But it is RAM: all clips are lost when the computer is switched off."),
				widget.WarningImportance, true
		}
		return text, widget.SuccessImportance, true
	}
	budget := min(int64(s.RAMDisk.Budget), d.Free)
	each := usualRate * s.RAMDisk.Keep.D().Seconds()
	n := int(float64(budget) / each)
	text = words.L("%s, %s free, of which Preroll uses at most %s.", kind, config.ByteSize(d.Free),
		config.ByteSize(budget))
	if n > 0 {
		text += " " + words.L("That holds the last %.0f s of %d cameras with 4 Mbit/s each.",
			s.RAMDisk.Keep.D().Seconds(), n)
	} else {
		text += " " + words.L("That holds the last %.0f s of one camera with 4 Mbit/s.", float64(budget)/usualRate)
	}
	switch {
	case d.RAM:
		return words.L("This is RAM: %s", text), widget.SuccessImportance, true
	case !d.Known:
		return words.L("Nobody can tell whether this is RAM: %s Every second of video is written to it, all day.",
			text), widget.WarningImportance, true
	}
	return words.L("This is a disk and not RAM: %s", text) + " " + words.Say(d.Hint), widget.WarningImportance, true
}

// sentence adds a full stop to a text, unless the text ends with one or with a question mark.
func sentence(text string) string {
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}
