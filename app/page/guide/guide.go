// Package guide is the guide, which sets Preroll up step by step. It lies over the other pages.
package guide

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/host"
	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/internal/maildoctor"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// The steps of the guide.
const (
	stepWelcome = iota // what Preroll does, and what is wrong with this machine
	stepCamera
	stepMail
	steps
)

// Page sets up a recorder: what Preroll does, a camera, its alarm mail. Memory, archive and FFmpeg are checked without
// a word, and shown if something is wrong with them. The step of the camera is also where every further camera is
// added. The guide edits a copy of the settings. The copy is put in force before the last step, because that step waits
// for a real mail.
type Page struct {
	env     *page.Env
	content *fyne.Container
	body    *fyne.Container
	base    config.Settings // in force when the guide was opened
	edit    config.Settings
	added   []config.Camera // by this visit of the guide, the last one's mail is shown
	step    int
	only    bool       // it was opened to add a camera
	covers  func(bool) // hides the pages below, or shows them again
	began   time.Time
	tested  bool // the camera works, or the user wants it anyway
	usable  [2]bool

	title, lead *widget.Label
	scroll      *widgets.Scroll
	dots        []*canvas.Circle
	back, next  *widgets.Answer
	why         *widget.Label // why next is disabled
	demo, leave *widgets.Answer
	another     *widgets.Answer
	fault       *widget.Label

	ram, archive   *folderStep
	places         fyne.CanvasObject
	right          *widget.Label // one line that says that all is right
	change         *widget.Button
	ffmpeg         fyne.CanvasObject
	missing        *widget.Label // says that FFmpeg is missing, and what to do
	changing       bool
	brand          *widget.Select
	address, url   *widgets.Entry
	user, password *widgets.Entry
	name           *widgets.Entry
	channels       *widgets.Entry
	channelRow     fyne.CanvasObject
	subRow         fyne.CanvasObject
	sub            *widget.Check
	hint           *widget.Label
	search         *widget.Button
	found          *fyne.Container
	tester         *page.CameraTest
	untested       *widget.Button
	typedURL       bool
	building       bool
	help           *page.MailHelp
	others         *widget.Label // recipients of a recorder's channels
	arrived        *widget.Label
	waiting        *widget.ProgressBarInfinite
	parts          [steps]fyne.CanvasObject
}

// folderStep asks for a folder and shows what the folder is good for.
type folderStep struct {
	g       *Page
	use     string
	entry   *widget.Entry
	result  *widget.Label
	offers  *fyne.Container
	offered fyne.CanvasObject
	row     fyne.CanvasObject
	asked   int
	good    bool // nothing needs to be said of the folder
}

// New makes the guide. covers is called with true when the guide comes to lie over the pages, and with false when it
// goes.
func New(env *page.Env, covers func(bool)) *Page {
	g := &Page{env: env, covers: covers}
	g.title = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	g.title.SizeName = theme.SizeNameHeadingText
	g.lead = widget.NewLabel("")
	g.lead.Wrapping = fyne.TextWrapWord
	dots := container.NewHBox(layout.NewSpacer())
	for range steps {
		d := canvas.NewCircle(theme.Color(theme.ColorNameDisabled))
		g.dots = append(g.dots, d)
		dots.Add(container.NewCenter(container.NewGridWrap(fyne.NewSize(10, 10), d)))
	}
	g.back = widgets.NewAnswer(words.L("Back"), func() { g.turn(g.step - 1) }, nil)
	g.back.Icon = theme.NavigateBackIcon()
	g.next = widgets.NewAnswer(words.L("Next"), g.forth, nil)
	g.next.Icon, g.next.IconPlacement, g.next.Importance = theme.NavigateNextIcon(), widget.ButtonIconTrailingText,
		widget.HighImportance
	g.demo = widgets.NewAnswer(words.L("Try it with the demo camera"), g.tryDemo, nil)
	g.demo.Icon = theme.MediaPlayIcon()
	g.leave = widgets.NewAnswer(words.L("Later"), g.Hide, nil)
	g.another = widgets.NewAnswer(words.L("Add another camera"), g.addCamera, nil)
	g.another.Icon = theme.ContentAddIcon()
	g.why = widget.NewLabel("")
	g.why.Importance = widget.LowImportance
	g.fault = widget.NewLabel("")
	g.fault.Wrapping, g.fault.Importance = fyne.TextWrapWord, widget.DangerImportance
	g.fault.Hide()

	g.ram = g.newFolderStep("ram")
	g.archive = g.newFolderStep("archive")
	g.parts = [steps]fyne.CanvasObject{g.welcomeStep(), g.cameraStep(), g.mailStep()}
	g.body = container.NewStack(g.parts[:]...)
	g.scroll = widgets.NewScroll(container.NewPadded(g.body))
	foot := container.NewVBox(g.fault, widget.NewSeparator(),
		container.New(&widgets.Flow{Least: 1}, container.NewHBox(g.leave, g.demo, g.another), g.why, g.back, g.next))
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

// welcomeStep shows what Preroll does, and what is wrong with this machine.
func (g *Page) welcomeStep() fyne.CanvasObject {
	ram := container.NewVBox(widgets.Field(words.L("Memory"), words.L("a folder on a RAM disk"), g.ram.entry),
		g.ram.offered, widgets.Field("", "", g.ram.result))
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
		ram.Add(widgets.Field("", words.L("It is made again after each start of the computer."),
			container.NewHBox(create)))
	}
	g.ram.row = ram
	choose := widget.NewButtonWithIcon(words.L("Choose"), theme.FolderOpenIcon(), func() {
		g.env.ChooseFolder(words.L("Archive folder"), g.archive.entry.Text, g.archive.entry.SetText)
	})
	g.archive.row = container.NewVBox(widgets.Field(words.L("Clips"),
		words.L("a folder on a drive with room for your clips"),
		container.NewBorder(nil, nil, nil, choose, g.archive.entry)), widgets.Field("", "", g.archive.result))
	copyHint := widgets.NewIcon(theme.ContentCopyIcon(), words.L("Copy"), func() {
		fyne.CurrentApp().Clipboard().SetContent(g.missing.Text)
	})
	g.missing = widgets.Wrapped("")
	g.missing.Importance = widget.WarningImportance
	g.ffmpeg = widgets.Field("FFmpeg",
		words.L("Without it there is no demo camera, no pictures and no player; cameras with RTSP are still recorded."),
		container.NewBorder(nil, nil, nil, container.NewVBox(copyHint), g.missing))
	g.right = widgets.Wrapped("")
	g.right.Importance = widget.LowImportance
	g.change = widget.NewButton(words.L("Change"), func() {
		g.changing = true
		g.drawPlaces()
	})
	g.places = container.NewVBox(g.ffmpeg, g.ram.row, g.archive.row,
		container.NewBorder(nil, nil, nil, container.NewVBox(g.change), g.right))
	return container.NewVBox(widgets.NewStory(words.L("last 100 s in memory"), words.L("alarm"),
		words.L("saved as a clip")),
		widgets.Wrapped(words.L("You need your camera's address, user and password. The rest takes about a minute.")),
		g.places)
}

// drawPlaces shows the folders and FFmpeg if something is wrong with them, or if the user wants to change them.
func (g *Page) drawPlaces() {
	s := g.env.Status
	lacks := s != nil && s.FFmpeg.Path == "" && s.FFmpeg.Version == ""
	if lacks {
		g.missing.SetText(words.Say(text.FFmpegMissing.With()) + ". " + words.Say(s.FFmpeg.Hint))
	}
	widgets.SetVisible(g.ffmpeg, lacks)
	widgets.SetVisible(g.ram.row, g.changing || !g.ram.good)
	widgets.SetVisible(g.archive.row, g.changing || !g.archive.good)
	said := words.L("Clips are saved in %s.", g.edit.Archive.Path)
	if age := g.edit.Archive.MaxAge.D(); age > 0 {
		said = words.L("Clips are saved in %s and kept for %s; the settings change that.", g.edit.Archive.Path,
			words.Ago(age))
	}
	g.right.SetText(said)
	widgets.SetVisible(g.right, g.archive.good && !g.changing)
	widgets.SetVisible(g.change, !g.changing)
	widgets.SetEnabled(g.demo, !lacks)
	g.content.Refresh()
}

func (g *Page) cameraStep() fyne.CanvasObject {
	var names []string
	for _, b := range config.Brands {
		names = append(names, page.BrandName(b))
	}
	entry := func() *widgets.Entry {
		e := widgets.NewEntry(g.env.Window, nil)
		e.OnSubmitted = func(string) { g.enter() }
		return e
	}
	g.brand = widget.NewSelect(names, func(string) { g.build() })
	g.name, g.address, g.url, g.user, g.password, g.channels = entry(), entry(), entry(), entry(), entry(), entry()
	g.password.Password = true
	g.name.SetPlaceHolder(words.L("Front door"))
	g.address.SetPlaceHolder("192.168.1.20")
	g.url.SetPlaceHolder("rtsp://192.168.1.20/stream1")
	g.user.SetPlaceHolder(words.L("as in the camera"))
	g.password.SetPlaceHolder(words.L("as in the camera"))
	g.channels.SetPlaceHolder(words.L("only for a recorder, such as 1-4, 7"))
	g.address.OnChanged = g.typedAddress
	g.address.OnLeft = func() { g.address.SetText(g.host()) } // nor does a password stay in sight
	g.channels.OnChanged = func(string) { g.build(); g.untest() }
	g.sub = widget.NewCheck(words.L("Use the low-resolution stream"), func(bool) { g.build() })
	g.url.OnChanged = func(v string) {
		if clean, user, password := config.SplitURL(v); user != "" || password != "" {
			g.user.SetText(user)
			g.password.SetText(password.Reveal())
			g.url.SetText(clean)
			return
		}
		if !g.building {
			g.typedURL = v != ""
			g.offerSub()
		}
		g.untest()
	}

	for _, e := range []*widgets.Entry{g.user, g.password} {
		e.OnChanged = func(string) { g.untest() }
	}
	g.name.OnChanged = func(string) { g.draw() }
	g.hint = widget.NewLabel("")
	g.hint.Wrapping, g.hint.Importance, g.hint.SizeName = fyne.TextWrapWord, widget.LowImportance,
		theme.SizeNameCaptionText
	g.search = widget.NewButtonWithIcon(words.L("Search the network"), theme.SearchIcon(), g.discover)
	g.found = container.NewVBox()
	g.tester = page.NewCameraTest(g.env, g.typedCamera)
	g.tester.Done = func(ok bool) {
		g.tested = ok
		widgets.SetVisible(g.untested, !ok)
		g.draw()
	}
	g.untested = widget.NewButton(words.L("Use it anyway"), func() { g.tested = true; g.forth() })
	g.untested.Hide()
	g.subRow = widgets.Field("", "", g.sub)
	g.channelRow = widgets.Field(words.L("Channels"), "", g.channels)
	fields := container.NewVBox(
		widgets.Field(words.L("Brand"), "", g.brand),
		widgets.Field(words.L("Address"), words.L("the camera's IP address, as your router or its app shows it"),
			g.address),
		widgets.Field(words.L("User"), "", g.user),
		widgets.Field(words.L("Password"), "", g.password),
		widgets.Field(words.L("Name"), "", g.name),
		g.channelRow)
	return container.NewVBox(widgets.Field("", "", container.NewHBox(g.search)), g.found,
		container.New(widgets.SideBar{Width: 330, Below: true}, fields,
			container.NewVBox(g.tester.Content, container.NewHBox(g.untested))),
		widgets.Field(words.L("RTSP address"), words.L("filled in for you; edit if yours differs"), g.url),
		g.subRow,
		widgets.Field("", "", g.hint))
}

func (g *Page) mailStep() fyne.CanvasObject {
	g.help = page.NewMailHelp()
	g.arrived = widget.NewLabel("")
	g.arrived.Wrapping = fyne.TextWrapWord
	g.others = widgets.Wrapped("")
	g.waiting = widget.NewProgressBarInfinite()
	g.waiting.Stop()
	return container.NewVBox(g.arrived, container.New(widgets.FixedHeight{Height: 4}, g.waiting), widget.NewSeparator(),
		g.others, g.help.Content)
}

// --- Following the recorder ---

// Update follows the recorder.
func (g *Page) Update(control.Update, bool) {
	if g.content.Visible() && g.step == stepMail {
		g.drawMail()
	}
}

// Show opens the guide with the settings in force.
func (g *Page) Show() { g.open(false) }

// ShowCamera opens the guide where a camera is added.
func (g *Page) ShowCamera() { g.open(true) }

func (g *Page) open(only bool) {
	g.only = only
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
	g.base, g.edit, g.usable, g.changing, g.added = s, s.Clone(), [2]bool{}, false, nil
	g.clear()
	g.content.Show()
	g.covers(true)
	g.env.Window.Canvas().Unfocus()
	if g.only {
		g.turn(stepCamera)
		return
	}
	g.ram.good, g.archive.good = true, true
	g.turn(stepWelcome)
	g.ram.entry.SetText(s.RAMDisk.Path)
	g.archive.entry.SetText(s.Archive.Path)
	g.ram.check()
	g.archive.check()
	g.env.Window.Content().Refresh()
}

// clear empties the fields of the camera.
func (g *Page) clear() {
	g.typedURL, g.tested = false, false
	for _, e := range []*widgets.Entry{g.name, g.address, g.url, g.user, g.password, g.channels} {
		e.SetText("")
	}
	g.name.SetText(page.NewCamera(g.edit, "").Name)
	g.sub.SetChecked(false)
	g.found.RemoveAll()
	g.brand.SetSelectedIndex(len(config.Brands) - 1)
	g.untest()
}

// addCamera turns to the fields of one more camera.
func (g *Page) addCamera() {
	g.added = nil
	user, password := g.user.Text, g.password.Text // often the same
	g.clear()
	g.user.SetText(user)
	g.password.SetText(password)
	g.turn(stepCamera)
}

// Hide closes the guide.
func (g *Page) Hide() {
	g.waiting.Stop()
	g.content.Hide()
	g.covers(false)
	g.env.Window.Content().Refresh()
}

// Tick does nothing.
func (g *Page) Tick() {}

// Reveal scrolls to a field.
func (g *Page) Reveal(o fyne.CanvasObject) {
	if !slices.Contains([]fyne.CanvasObject{g.next, g.back, g.leave, g.demo, g.another}, o) { // which are below it
		g.scroll.Reveal(o)
	}
}

// Key takes Enter and Escape where no field and no button has the focus.
func (g *Page) Key(k *fyne.KeyEvent) {
	switch {
	case k.Name == fyne.KeyEscape:
		g.escape()
	case k.Name != fyne.KeyReturn && k.Name != fyne.KeyEnter:
	case g.step == stepCamera:
		g.enter()
	case !g.next.Disabled():
		g.forth()
	}
}

// escape goes back a step, or closes the guide. It asks before a camera is lost that was typed.
func (g *Page) escape() {
	switch {
	case g.back.Visible():
		g.turn(g.step - 1)
	case g.unsaved():
		g.env.Confirm(words.L("Close without adding the camera?"), words.L("What you typed is lost then."),
			words.L("Close"), g.Hide)
	default:
		g.Hide()
	}
}

// unsaved reports whether a camera was typed that is not added.
func (g *Page) unsaved() bool {
	if len(g.added) > 0 {
		return !slices.ContainsFunc(g.added, func(c config.Camera) bool { return c.URL == g.typedCamera().URL })
	}
	return g.address.Text+g.user.Text+g.password.Text+g.url.Text != ""
}

// leads are the title and the purpose of each step.
var leads = [steps][2]string{
	{"Welcome to Preroll",
		"Preroll keeps the last seconds of every camera in memory. When a camera reports an alarm, Preroll saves a clip that begins before the alarm."},
	{"Camera", "Choose the brand, type address, user and password, and press Enter; or search the network."},
	{"Alarm mail", "The camera tells Preroll of an alarm by mail, which never leaves your network."},
}

func (g *Page) turn(step int) {
	g.step = max(0, min(step, steps-1))
	for i, s := range g.parts {
		widgets.SetVisible(s, i == g.step)
	}
	g.title.SetText(words.L(leads[g.step][0]))
	g.lead.SetText(words.L(leads[g.step][1]))
	g.say("")
	g.scroll.ScrollToTop()
	if g.step == stepMail {
		g.began = g.env.Now()
		g.waiting.Start()
		g.drawMail()
	} else {
		g.waiting.Stop()
	}

	g.draw()
	if g.step == stepCamera {
		g.env.Work.Go(func() { // later, so that the key that led here is not typed into the address
			g.env.Do(func() { g.env.Window.Canvas().Focus(g.address) })
		})
	} else {
		g.env.Window.Canvas().Unfocus() // Enter goes on
	}
}

// missingPart says why the step is not done, or "" if it is.
func (g *Page) missingPart() string {
	switch {
	case g.step == stepWelcome && !(g.usable[0] && g.usable[1]):
		if g.ram.good && g.archive.good {
			return words.L("Checking this computer …")
		}
		return words.L("First choose a folder that can be used.")
	case g.step == stepCamera && strings.TrimSpace(g.url.Text) == "":
		return words.L("Type the camera's address.")
	case g.step == stepCamera && !g.tested && g.untested.Visible():
		return words.L("The test failed.")
	case g.step == stepCamera && !g.tested:
		return words.L("Press Enter to test the camera.")
	}
	return ""
}

// twice says which camera has the typed address already, or returns "".
func (g *Page) twice() string {
	if g.step != stepCamera {
		return ""
	}
	for _, c := range g.edit.Cameras {
		if c.URL == strings.TrimSpace(g.url.Text) &&
			!slices.ContainsFunc(g.added, func(a config.Camera) bool { return a.ID == c.ID }) {
			return words.L("%s has this address already.", widgets.Shorten(c.Title(), longName))
		}
	}
	return ""
}

// longName is the length in characters of the longest name that is said whole.
const longName = 30

func (g *Page) draw() {
	for i, d := range g.dots {
		name := theme.ColorNameDisabled
		if i <= g.step {
			name = theme.ColorNamePrimary
		}
		d.FillColor = theme.Color(name)
		d.Refresh()
		widgets.SetVisible(d, !g.only)
	}

	lacks := g.missingPart()
	g.why.SetText(cmp.Or(lacks, g.twice()))
	widgets.SetEnabled(g.next, lacks == "")
	widgets.SetVisible(g.back, g.step > 0 && !(g.only && g.step == stepCamera))
	widgets.SetVisible(g.demo, g.step == stepWelcome && !slices.ContainsFunc(g.edit.Cameras,
		func(c config.Camera) bool { return c.URL == config.DemoURL }))
	widgets.SetVisible(g.leave, g.step < stepMail)
	widgets.SetVisible(g.another, g.step == stepMail)
	text := words.L("Next")
	if g.step == stepMail {
		text = words.L("Finish")
	}
	g.leave.SetText(words.L("Later"))
	if len(g.added) > 0 { // they stay
		g.leave.SetText(words.L("Close"))
	} else if g.only {
		g.leave.SetText(words.L("Cancel"))
	}
	g.next.SetText(text)
	g.drawPlaces()
}

func (g *Page) say(text string) {
	g.fault.SetText(text)
	widgets.SetVisible(g.fault, text != "")
	g.content.Refresh()
}

// forth goes to the next step. Before the last step it puts the settings in force.
func (g *Page) forth() {
	switch g.step {
	case stepCamera:
		was := func(o config.Camera) bool { // from before Back was pressed
			return slices.ContainsFunc(g.added, func(c config.Camera) bool { return c.ID == o.ID })
		}
		s := g.edit.Clone()
		s.Cameras = slices.DeleteFunc(s.Cameras, was)
		list := g.typedCameras(s)
		s.Cameras = append(s.Cameras, list...)
		g.apply(s, func() {
			g.added = list
			g.turn(stepMail)
		})
	case stepMail:
		g.Hide()
		if !g.only {
			g.env.Go(instance.Request{Page: "events"})
		}
	default:
		g.turn(g.step + 1)
	}
}

// enter tests the camera, or goes on with a tested one.
func (g *Page) enter() {
	switch {
	case g.tested:
		g.forth()
	case strings.TrimSpace(g.url.Text) != "":
		g.tester.Run()
	}
}

// apply puts settings in force. It shows their faults below the step.
func (g *Page) apply(s config.Settings, then func()) {
	g.next.Disable()
	g.demo.Disable()
	g.say("")
	base := g.base
	g.env.Work.Go(func() {
		fresh, err := g.env.Client.Settings(g.env.Ctx)
		both := false
		if err == nil { // what was changed elsewhere since the guide was opened stays
			s, both = config.Merge(base, s, fresh)
		}
		if err == nil && !both {
			err = g.env.Client.Apply(g.env.Ctx, s)
		}
		if err == nil && !both {
			fresh, err = g.env.Client.Settings(g.env.Ctx)
		}
		g.env.Do(func() {
			g.demo.Enable()
			if err != nil {
				g.draw()
				g.say(faultsOf(err))
				return
			}
			if both { // such as a camera with the same id, which then gets another one
				g.edit, _ = config.Merge(base, g.edit, fresh)
				g.base = fresh
				g.draw()
				g.say(words.L("The settings were changed elsewhere meanwhile. Try it again."))
				return
			}
			g.base, g.edit = fresh, fresh.Clone()
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
		g.env.Toast(words.L("The demo camera is starting. Press the button for a test alarm and watch."))
	})
}

// typedCamera returns the camera with the values of the fields. Of several channels it is the first one.
func (g *Page) typedCamera() config.Camera { return g.typedCameras(g.edit)[0] }

// typedCameras returns the cameras with the values of the fields: one for each channel.
func (g *Page) typedCameras(s config.Settings) (list []config.Camera) {
	channels := []int{1}
	if !g.typedURL && g.channelRow.Visible() {
		channels = channelsOf(g.channels.Text)
	}
	name := strings.TrimSpace(g.name.Text)
	s = s.Clone()
	for _, n := range channels {
		title := name
		if len(channels) > 1 {
			title = strings.TrimSpace(fmt.Sprintf("%s %d", name, n))
		}
		c := page.NewCamera(s, title)
		c.URL, c.Username, c.Password = strings.TrimSpace(g.url.Text), strings.TrimSpace(g.user.Text),
			config.Secret(g.password.Text)
		if len(channels) > 1 || n != 1 {
			c.URL = g.brandURL(n)
		}
		s.Cameras = append(s.Cameras, c)
		list = append(list, c)
	}
	return list
}

// maxChannels is the highest number of a recorder's channel.
const maxChannels = 64

// channelsOf parses channels such as "1-4, 7". Without any it returns the first channel.
func channelsOf(text string) (list []int) {
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
		first, last, _ := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		to := from
		if last != "" {
			to, _ = strconv.Atoi(last)
		}
		for n := max(1, from); err == nil && n <= min(to, maxChannels); n++ {
			if !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
	}
	if list == nil {
		return []int{1}
	}
	return list
}

// typedAddress takes the address of a camera, or a whole URL that somebody typed or pasted.
func (g *Page) typedAddress(v string) {
	if u, whole := wholeURL(v); u != nil {
		if u.User != nil {
			password, _ := u.User.Password()
			g.user.SetText(u.User.Username())
			g.password.SetText(password)
		}
		g.typedURL = len(strings.Trim(u.RequestURI(), "/")) > 0
		if g.typedURL {
			g.url.SetText(whole)
		}
	} else if u, err := url.Parse(g.url.Text); err == nil && u.Host != strings.TrimSpace(v) {
		g.typedURL = false // another camera
	}
	g.build()
}

// wholeURL returns the URL that was typed as an address, perhaps without its beginning, or nil for a mere address.
func wholeURL(v string) (u *url.URL, whole string) {
	v = strings.TrimSpace(v)
	if strings.Contains(v, "/") && !strings.Contains(v, ":/") {
		v = "rtsp://" + v
	}
	if u, err := url.Parse(v); err == nil && u.Host != "" && strings.Contains(v, "://") {
		return u, v
	}
	return nil, ""
}

// host returns the host of the address, which may be a whole URL.
func (g *Page) host() string {
	if u, _ := wholeURL(g.address.Text); u != nil {
		return u.Host
	}
	return strings.TrimSpace(g.address.Text)
}

// brandURL returns the RTSP address of a channel at the typed address.
func (g *Page) brandURL(channel int) string {
	return config.Brands[max(0, g.brand.SelectedIndex())].URL(g.host(), g.sub.Checked, channel)
}

// build makes the RTSP address from brand and address, unless the user typed an RTSP address.
func (g *Page) build() {
	i := g.brand.SelectedIndex()
	if i < 0 || i >= len(config.Brands) {
		return
	}
	b := config.Brands[i]
	g.hint.SetText(words.Say(b.Hint))
	widgets.SetVisible(g.channelRow, b.URL("x", false, 1) != b.URL("x", false, 2))
	g.offerSub()
	if g.typedURL {
		return
	}
	g.building = true
	if g.host() != "" {
		g.url.SetText(g.brandURL(channelsOf(g.channels.Text)[0]))
	} else {
		g.url.SetText("")
	}
	g.building = false
}

// offerSub offers the low-resolution stream if its address is known.
func (g *Page) offerSub() {
	b := config.Brands[max(0, g.brand.SelectedIndex())]
	widgets.SetVisible(g.subRow, !g.typedURL && b.URL("x", false, 1) != b.URL("x", true, 1))
}

// untest drops the result of the test after a field has changed.
func (g *Page) untest() {
	g.tested = false
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
					words.L(
						"No camera answered. Many must have ONVIF switched on first; type the address below instead."))))
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
	if len(g.added) == 0 {
		return
	}
	g.help.Set(g.edit, g.added[0], s, g.env.Hosts())
	var recipients []string
	for _, c := range g.added {
		recipients = append(recipients, c.Title()+": "+maildoctor.RecipientOf(c.ID, c.Mail)+"@preroll")
	}
	g.others.SetText(words.L("Each channel has its own recipient, so that Preroll knows which one it is: %s.",
		strings.Join(recipients, ", ")))
	widgets.SetVisible(g.others, len(recipients) > 1)
	text, importance, here := arrivalOf(s, g.added[0], g.began)
	for _, c := range g.added[1:] {
		if !here {
			text, importance, here = arrivalOf(s, c, g.began)
		}
	}
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
		return words.L("A mail is here, %s, but it fits no camera: type the recipient shown below into the camera.",
			from), widget.WarningImportance, false
	}

	return words.L("A mail is here, %s, but it is for another camera: type the recipient shown below into the camera.",
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
	g.usable[step] = false
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
				f.good = false
				g.draw()
				return
			}
			text, importance, ok := folderOf(d, f.use, edit)
			g.usable[n], f.good = ok, importance == widget.SuccessImportance
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

// slowDrive is a speed in bytes per second that is worth a word.
const slowDrive = 10e6

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
		text = words.L("%s, %s free.", kind, words.Size(d.Free))
		if d.Speed > 0 && d.Speed < slowDrive {
			text += " " + words.L("It takes only %.1f MB a second, which is enough for about %d cameras at once.",
				d.Speed/1e6, int(d.Speed/usualRate))
		} else if d.Speed > 0 {
			text += " " + words.L("Fast enough.")
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
	text = words.L("%s, %s free, of which Preroll uses at most %s.", kind, words.Size(d.Free),
		words.Size(budget))
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
		return words.L("Preroll cannot tell whether this is RAM: %s Every second of video is written to it, all day.",
			text), widget.WarningImportance, true
	}

	return words.L("This is a disk and not RAM: %s", text) + " " + words.Say(d.Hint), widget.WarningImportance, true
}
