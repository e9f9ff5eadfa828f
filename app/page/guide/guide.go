// Package guide is the guide, which sets Preroll up step by step. It lies over the other pages.
package guide

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
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// Page sets up a recorder in four short steps: RAM disk, archive, camera, mail. Each step is tested before the next
// one. The guide edits a copy of the settings. The copy is put in force before the last step, because that step waits
// for a real mail.
type Page struct {
	env     *page.Env
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
	next        *widgets.Answer
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
	tester             *page.CameraTest
	untested           *widget.Button
	typedURL, building bool
	help               *page.MailHelp
	arrived            *widget.Label
	waiting            *widget.ProgressBarInfinite
	steps              [4]fyne.CanvasObject
}

// folderStep asks for a folder and shows what the folder is good for.
type folderStep struct {
	g       *Page
	use     string
	entry   *widget.Entry
	result  *widget.Label
	offers  *fyne.Container
	offered fyne.CanvasObject
	asked   int
}

// New makes the guide. covers is called with true when the guide comes to lie over the pages, and with false when it
// goes.
func New(env *page.Env, covers func(bool)) *Page {
	g := &Page{env: env, auto: true, covers: covers}
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
	g.next = widgets.NewAnswer(words.L("Next"), g.forth, nil)
	g.next.Icon, g.next.IconPlacement, g.next.Importance = theme.NavigateNextIcon(), widget.ButtonIconTrailingText,
		widget.HighImportance
	g.demo = widget.NewButtonWithIcon(words.L("Try it with the demo camera"), theme.MediaPlayIcon(), g.tryDemo)
	g.leave = widget.NewButton(words.L("Later"), g.Hide)
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
	g.content = container.NewStack(widgets.NewBackdrop(theme.ColorNameBackground, "", 0),
		container.NewPadded(container.NewPadded(container.New(widgets.Narrow{Width: 760},
			container.NewBorder(head, foot, nil, nil, g.scroll)))))
	g.content.Hide()
	return g
}

// Content returns what the guide shows. It is visible while the guide is open.
func (g *Page) Content() fyne.CanvasObject { return g.content }

func (g *Page) newFolderStep(use string) *folderStep {
	f := &folderStep{g: g, use: use, entry: widget.NewEntry(), result: widget.NewLabel(""), offers: container.NewHBox()}
	f.result.Wrapping = fyne.TextWrapWord
	f.offered = widgets.Field("", "", f.offers)
	f.offered.Hide()
	f.entry.OnChanged = func(string) { f.lookSoon() }
	return f
}

func (g *Page) ramStep() fyne.CanvasObject {
	rows := container.NewVBox(widgets.Field(words.L("Folder"), words.L("on a RAM disk"), g.ram.entry), g.ram.offered,
		widgets.Field("", "", g.ram.result))
	if host.CanMakeRAMDisk() {
		create := widget.NewButtonWithIcon(words.L("Make a RAM disk"), theme.ContentAddIcon(), func() {
			var path string
			g.env.Try(func(ctx context.Context) (err error) {
				path, err = host.MakeRAMDisk(ctx, int64(g.edit.RAMDisk.Budget)*5/4)
				return err
			}, func() {
				if path != "" {
					g.ram.entry.SetText(path)
				}
			})
		})
		rows.Add(widgets.Field("", words.L("It is made again after each start of the computer."),
			container.NewHBox(create)))
	}

	return rows
}

func (g *Page) archiveStep() fyne.CanvasObject {
	choose := widget.NewButtonWithIcon(words.L("Choose"), theme.FolderOpenIcon(), func() {
		dialog.ShowFolderOpen(func(u fyne.ListableURI, err error) {
			if err == nil && u != nil {
				g.archive.entry.SetText(u.Path())
			}
		}, g.env.Window)
	})
	return container.NewVBox(widgets.Field(words.L("Folder"), words.L("on a drive with room for your clips"),
		container.NewBorder(nil, nil, nil, choose, g.archive.entry)), widgets.Field("", "", g.archive.result))
}

func (g *Page) cameraStep() fyne.CanvasObject {
	var names []string
	for _, b := range config.Brands {
		names = append(names, page.BrandName(b))
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
	g.tester = page.NewCameraTest(g.env, g.typedCamera)
	g.tester.Told = func() { g.scroll.ScrollToBottom() }
	g.tester.Done = func(ok bool) {
		g.ready[2] = ok
		widgets.SetVisible(g.untested, !ok)
		g.draw()
		g.scroll.ScrollToBottom()
	}
	g.untested = widget.NewButton(words.L("Use it all the same"), func() { g.ready[2] = true; g.forth() })
	g.untested.Hide()
	return container.NewVBox(
		widgets.Field("", "", container.NewHBox(g.search)), g.found,
		widgets.Field(words.L("Name"), "", g.name),
		widgets.Field(words.L("Brand"), "", g.brand),
		widgets.Field(words.L("Address"), words.L("the camera's IP address, as your router or its app shows it"),
			g.address),
		widgets.Field(words.L("User"), "", g.user),
		widgets.Field(words.L("Password"), "", g.password),
		widgets.Field(words.L("RTSP address"), words.L("made from the above; change it where you know better"), g.url),
		widgets.Field("", "", g.sub),
		widgets.Field("", "", g.hint),
		widgets.Field("", "", g.tester.Content),
		widgets.Field("", "", container.NewHBox(g.untested)))
}

func (g *Page) mailStep() fyne.CanvasObject {
	g.help = page.NewMailHelp()
	g.arrived = widget.NewLabel("")
	g.arrived.Wrapping = fyne.TextWrapWord
	g.waiting = widget.NewProgressBarInfinite()
	g.waiting.Stop()
	return container.NewVBox(g.arrived, container.New(widgets.FixedHeight{Height: 4}, g.waiting), widget.NewSeparator(),
		g.help.Content)
}

// --- Following the recorder ---

// Update follows the recorder. If no camera is set up, the guide opens by itself, once.
func (g *Page) Update(control.Update, bool) {
	s := g.env.Status
	if s != nil && g.auto {
		g.auto = false
		if len(s.Cameras) == 0 && !g.content.Visible() {
			g.Show()
		}
	}
	if g.content.Visible() && g.step == 3 {
		g.drawMail()
	}
}

// Show opens the guide with the settings in force.
func (g *Page) Show() {
	g.auto = false
	g.env.Work.Go(func() {
		s, err := g.env.Client.Settings(g.env.Ctx)
		g.env.Do(func() {
			if err != nil {
				g.env.Fail(err)
				return
			}
			g.start(s)
		})
	})
}

func (g *Page) start(s config.Settings) {
	g.edit, g.ready, g.typedURL = s, [4]bool{3: true}, false
	g.camera = page.NewCamera(s, "")
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
	g.env.Window.Canvas().Unfocus()
	g.turn(0)
	g.ram.entry.SetText(s.RAMDisk.Path)
	g.archive.entry.SetText(s.Archive.Path)
	g.ram.check()
	g.archive.check()
	g.env.Window.Content().Refresh()
}

// Hide closes the guide.
func (g *Page) Hide() {
	g.auto = false
	g.waiting.Stop()
	g.content.Hide()
	g.covers(false)
	g.env.Window.Content().Refresh()
}

// Tick does nothing.
func (g *Page) Tick() {}

// Key does nothing.
func (g *Page) Key(*fyne.KeyEvent) {}

// leads are the title and the purpose of each step.
var leads = [4][2]string{
	{"Memory",
		"Preroll keeps the last seconds of every camera in memory, so that no disk is worn while nothing happens. Where may it do so?"},
	{"Archive", "When a camera reports an alarm, its clip is saved here for good."},
	{"Camera",
		"Choose the brand and type the camera's address, its user and its password; or search the network for it."},
	{"Alarm mail", "The camera tells Preroll of an alarm by mail, which never leaves your network."},
}

func (g *Page) turn(step int) {
	g.step = max(0, min(step, 3))
	for i, s := range g.steps {
		widgets.SetVisible(s, i == g.step)
	}
	g.title.SetText(words.L("Step %d of 4: %s", g.step+1, words.L(leads[g.step][0])))
	g.lead.SetText(words.L(leads[g.step][1]))
	g.say("")
	g.scroll.ScrollToTop()
	if g.step == 3 {
		g.began = g.env.Now()
		g.waiting.Start()
		g.drawMail()
	} else {
		g.waiting.Stop()
	}

	g.draw()
	switch g.step {
	case 2:
		g.env.Work.Go(func() { // later, so that the key that led here is not typed into the address
			g.env.Do(func() { g.env.Window.Canvas().Focus(g.address) })
		})
	default:
		g.env.Window.Canvas().Focus(g.next)
	}
}

func (g *Page) draw() {
	for i, d := range g.dots {
		name := theme.ColorNameDisabled
		if i <= g.step {
			name = theme.ColorNamePrimary
		}
		d.FillColor = theme.Color(name)
		d.Refresh()
	}

	if off := g.next.Disabled(); off == g.ready[g.step] {
		widgets.SetEnabled(g.next, off)
		if c := g.env.Window.Canvas(); off && c.Focused() == nil {
			c.Focus(g.next) // Enter or Space goes on
		}
	}
	widgets.SetEnabled(g.back, g.step > 0)
	widgets.SetVisible(g.demo, g.step < 3 && !slices.ContainsFunc(g.edit.Cameras, func(c config.Camera) bool {
		return c.URL == config.DemoURL
	}))
	widgets.SetVisible(g.leave, g.step < 3)
	text := words.L("Next")
	if g.step == 3 {
		text = words.L("Finish")
	}
	g.next.SetText(text)
	g.content.Refresh()
}

func (g *Page) say(text string) {
	g.fault.SetText(text)
	widgets.SetVisible(g.fault, text != "")
	g.content.Refresh()
}

// forth goes to the next step. Before the last step it puts the settings in force.
func (g *Page) forth() {
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
		g.Hide()
		g.env.Go(instance.Request{Page: "events"})
	default:
		g.turn(g.step + 1)
	}
}

// apply puts settings in force. It shows their faults below the step.
func (g *Page) apply(s config.Settings, then func()) {
	g.next.Disable()
	g.demo.Disable()
	g.say("")
	g.env.Work.Go(func() {
		err := g.env.Client.Apply(g.env.Ctx, s)
		var fresh config.Settings
		if err == nil {
			fresh, err = g.env.Client.Settings(g.env.Ctx)
		}
		g.env.Do(func() {
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
func (g *Page) tryDemo() {
	s := g.edit.Clone()
	c := config.DemoCamera()
	s.Cameras = append(s.Cameras, c)
	g.apply(s, func() {
		g.Hide()
		g.env.Go(instance.Request{Page: "events"})
		g.env.Toast(words.L("The demo camera records. Press \"Send a test alarm\" and watch."))
	})
}

// typedCamera returns the camera with the values of the fields.
func (g *Page) typedCamera() config.Camera {
	c := g.camera
	if n := strings.TrimSpace(g.name.Text); n != "" && n != c.Name {
		c = page.NewCamera(g.edit, n)
	}
	c.URL, c.Username, c.Password = strings.TrimSpace(g.url.Text), strings.TrimSpace(g.user.Text),
		config.Secret(g.password.Text)
	return c
}

// build makes the RTSP address from brand and address, unless the user typed an RTSP address.
func (g *Page) build() {
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
func (g *Page) untest() {
	g.ready[2] = false
	g.tester.Clear()
	g.untested.Hide()
	g.draw()
}

// discover lists the cameras that answer on the network.
func (g *Page) discover() {
	g.search.Disable()
	g.found.Objects = []fyne.CanvasObject{widgets.Field("", "",
		widget.NewLabel(words.L("Searching for some seconds …")))}
	g.found.Refresh()
	var list []status.DiscoveredCamera
	g.env.Try(func(ctx context.Context) (err error) {
		list, err = g.env.Client.Discover(ctx)
		return err
	}, func() {
		g.search.Enable()
		g.found.RemoveAll()
		if len(list) == 0 {
			g.found.Add(widgets.Field("", "",
				widgets.Wrapped(
					words.L("No camera answered. Many must have ONVIF switched on first; type the address below instead."))))
		}
		for _, f := range list {
			text := strings.Join(slices.DeleteFunc([]string{f.Address, f.Name, f.Model}, func(s string) bool {
				return s == ""
			}), "  ·  ")
			b := widget.NewButtonWithIcon(text, theme.MediaVideoIcon(), func() { g.useDiscovered(f) })
			b.Alignment = widget.ButtonAlignLeading
			g.found.Add(widgets.Field("", "", b))
		}

		g.found.Refresh()
		g.content.Refresh()
	})
}

// useDiscovered fills the fields with a camera that was found.
func (g *Page) useDiscovered(f status.DiscoveredCamera) {
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
	g.env.Window.Canvas().Focus(g.user)
}

// --- The mail ---

// drawMail shows what to type into the camera, and the mail once it has come.
func (g *Page) drawMail() {
	s := g.env.Status
	if i := g.brand.SelectedIndex(); i >= 0 {
		g.help.Known = config.Brands[i].Name
	}
	g.help.Set(g.edit, g.camera, s, g.env.Hosts())
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
		return page.Headline(nil), widget.WarningImportance, false
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
	g.env.Work.Go(func() {
		select {
		case <-time.After(typing):
		case <-g.env.Ctx.Done():
			return
		}
		g.env.Do(func() {
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
	g.env.Work.Go(func() {
		d, err := g.env.Client.Folder(g.env.Ctx, path, f.use)
		g.env.Do(func() {
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
			widgets.SetVisible(f.offered, len(f.offers.Objects) > 0)
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
		return strings.TrimSpace(page.Sentence(words.L("The folder %s", words.Say(d.Fault))) + " " + words.Say(d.Hint)),
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
