// Package pagetest lets the tests of the window's pages draw a page on Fyne's test driver, with a fake recorder behind
// a real control socket.
package pagetest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
)

// Main runs the tests of a package in English, in UTC and with an empty home.
func Main(m *testing.M) int {
	time.Local = time.UTC // pictures and texts show times
	words.Use("en")
	home, err := os.MkdirTemp("", "preroll-window-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(home) }()
	_ = os.Setenv("XDG_CONFIG_HOME", home)
	_ = os.Setenv("HOME", home)
	return m.Run()
}

// Serve serves a fake on a control socket until the test ends. It returns a client of it, and the socket's folder.
func Serve(t *testing.T, f *Fake) (ctx context.Context, client *control.Client, dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pw") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	ln, err := control.Listen(socket, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = control.Serve(ctx, ln, f, nil)
	}()
	client = control.NewClient(socket)
	t.Cleanup(func() {
		client.Close()
		cancel()
		<-done
		_ = os.RemoveAll(dir)
	})
	return ctx, client, dir
}

// Hands runs on the goroutine of the test what work hands over to the main goroutine. Fyne's test driver would run it
// at once on the calling goroutine.
type Hands struct{ handed chan func() }

// NewHands takes over what env hands over. The work ends before the test does.
func NewHands(t *testing.T, env *page.Env) *Hands {
	h := &Hands{make(chan func(), 1000)}
	env.Do = func(f func()) { h.handed <- f }
	t.Cleanup(func() { h.Settle(&env.Work) })
	return h
}

// Settle waits for the work off the main goroutine, and runs what the work hands over.
func (h *Hands) Settle(work *sync.WaitGroup) {
	for {
		work.Wait()
		select {
		case f := <-h.handed:
			f()
		default:
			return
		}
	}
}

// Rig is a page on Fyne's test driver, with a fake recorder.
type Rig struct {
	*page.Env
	Asked  []instance.Request // other pages and events that the page turned to
	Edited []string           // cameras whose settings the page turned to
	Tabs   []page.SettingsTab // tabs of the settings that the page turned to

	Reopened []page.SettingsTab // tabs at which the window was to open again
	Alone    bool               // there is no tray that could do so

	hands *Hands
	page  page.Page
}

// New returns a rig without a page.
func New(t *testing.T, f *Fake) *Rig {
	t.Helper()
	ctx, client, dir := Serve(t, f)
	a := test.NewTempApp(t)
	r := &Rig{Env: &page.Env{Ctx: ctx, App: a, Client: client, Window: a.NewWindow("Preroll"), Now: time.Now,
		Hosts: page.Addresses, Toasts: widgets.NewToast()}}
	r.Paths.File = filepath.Join(dir, "preroll.toml")
	r.Go = func(q instance.Request) { r.Asked = append(r.Asked, q) }
	r.EditCamera = func(id string) { r.Edited = append(r.Edited, id) }
	r.OpenSettings = func(t page.SettingsTab) { r.Tabs = append(r.Tabs, t) }
	r.ShowMails = func() { r.Asked = append(r.Asked, instance.Request{Page: "health"}) }
	r.Reopen = func(t page.SettingsTab) bool {
		r.Do(func() { r.Reopened = append(r.Reopened, t) })
		return !r.Alone
	}
	r.FillScreen = func(fyne.CanvasObject, bool) {}
	r.hands = NewHands(t, r.Env)
	return r
}

// Open puts a page into the window.
func (r *Rig) Open(p page.Page) {
	r.page = p
	r.Window.SetContent(container.NewStack(p.Content())) // as in the window, below other objects
	r.Window.Resize(fyne.NewSize(900, 600))
}

// Changed passes on what a recorder reports, as the window does.
func (r *Rig) Changed(u control.Update, first bool) {
	if u.Status != nil {
		r.Status, r.Last, r.Gone = u.Status, u.Status, false
	}
	r.page.Update(u, first)
}

// Settle waits for the work off the main goroutine, and runs what the work hands over.
func (r *Rig) Settle() { r.hands.Settle(&r.Work) }

// walk calls visit for an object and for the visible objects below it.
func walk(o fyne.CanvasObject, visit func(fyne.CanvasObject)) {
	if !o.Visible() {
		return
	}
	visit(o)
	switch x := o.(type) {
	case *fyne.Container:
		for _, c := range x.Objects {
			walk(c, visit)
		}
	case fyne.Widget:
		for _, c := range test.WidgetRenderer(x).Objects() {
			walk(c, visit)
		}
	}
}

// Find returns the visible button with a text, or with a tip if it shows only an icon, below an object; or nil.
func Find(o fyne.CanvasObject, text string) (found fyne.Tappable) {
	walk(o, func(o fyne.CanvasObject) {
		switch x := o.(type) {
		case *widget.Button:
			if x.Text == text {
				found = x
			}
		case *widgets.Answer:
			if x.Text == text {
				found = x
			}
		case *widgets.IconButton:
			if x.ToolTip() == text {
				found = x
			}
		}
	})
	return found
}

// Texts returns the visible texts below an object, one a line.
func Texts(o fyne.CanvasObject) string {
	var list []string
	walk(o, func(o fyne.CanvasObject) {
		if l, ok := o.(*widget.Label); ok {
			list = append(list, l.Text)
		}
	})
	return strings.Join(list, "\n")
}

// Images returns the number of visible pictures below an object, without icons.
func Images(o fyne.CanvasObject) (n int) {
	walk(o, func(o fyne.CanvasObject) {
		if m, ok := o.(*canvas.Image); ok && m.Image != nil && m.Resource == nil {
			n++
		}
	})
	return n
}

// LabelsFit wants the label of each field of a page to be shown whole, in every language.
func LabelsFit(t *testing.T, newPage func(*page.Env) page.Page) {
	t.Cleanup(func() { words.Use("en") })
	for _, language := range config.Languages {
		words.Use(language)
		p := newPage(New(t, &Fake{Config: config.Default()}).Env)
		for _, o := range test.LaidOutObjects(p.Content()) {
			l, ok := o.(*widget.Label)
			if !ok || l.Truncation != fyne.TextTruncateEllipsis {
				continue
			}
			whole := widget.NewLabelWithStyle(l.Text, l.Alignment, l.TextStyle)
			whole.SizeName = l.SizeName
			if got := whole.MinSize().Width; got > widgets.LabelWidth && l.Size().Width <= widgets.LabelWidth {
				t.Errorf("%s: %q needs %.0f points, and has %d", language, l.Text, got, widgets.LabelWidth)
			}
		}
	}
}

// --- What a recorder has ---

// Noon is the time of the events.
var Noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Event returns an event n minutes after noon.
func Event(n int, state event.State) event.Event {
	e := event.Event{ID: fmt.Sprintf("e%03d", n), Camera: "gate", CameraName: "Gate", Label: "person", State: state,
		Time: Noon.Add(time.Duration(n) * time.Minute), TriggerCount: 1}
	e.From, e.Until = e.Time.Add(-10*time.Second), e.Time.Add(time.Minute)
	if state == event.Saved || state == event.Incomplete {
		e.Clips = []event.Clip{{File: "x.mp4", Bytes: 5 << 20, Length: event.Seconds(71 * time.Second), Start: e.From,
			SHA256: strings.Repeat("0f", 32)}}
		e.Receipt = event.Receipt{PreRollAsked: event.Seconds(10 * time.Second),
			PreRollGot: event.Seconds(11 * time.Second), PostRollAsked: event.Seconds(time.Minute),
			PostRollGot: event.Seconds(60 * time.Second), DurableAfter: event.Seconds(6 * time.Millisecond)}
	}
	return e
}

// Events returns n events of two cameras on several days, newest first.
func Events(n int) (list []event.Event) {
	for i := range n {
		e := Event(-i, event.Saved)
		e.Time = Noon.Add(-time.Duration(i) * 40 * time.Minute)
		if i%2 == 1 {
			e.Camera, e.CameraName, e.Label = "yard", "Yard", "motion"
		}
		list = append(list, e)
	}
	return list
}

// Status returns the status of a recorder with one camera.
func Status(archive string) *status.Status {
	return &status.Status{
		Version: "1.0", FFmpeg: status.FFmpeg{Version: "5.1.9"}, Settings: "/home/me/.config/preroll/preroll.toml",
		Archive: status.Archive{Path: archive, Free: 120 << 30, Events: 35, Bytes: 3 << 30},
		RAM: status.RAM{Path: "/dev/shm/preroll", Kind: "tmpfs", IsRAM: true, Used: 60 << 20, Budget: 1 << 30,
			Need: 100 << 20, Keep: event.Seconds(100 * time.Second)},
		SMTP: status.SMTP{Listen: "[::]:2525", Mails: 12},
		Cameras: []status.Camera{{ID: "gate", Name: "Gate", State: status.Recording, Since: Noon,
			PreRoll: event.Seconds(100 * time.Second), BitRate: 2.1e6, Bytes: 26 << 20,
			Streams: source.Streams{Video: "h264", Width: 1920, Height: 1080}}},
	}
}

// Picture returns a picture of a camera.
func Picture() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 320, 180))
	for i := range m.Pix {
		m.Pix[i] = uint8(i / 900)
		if i%4 == 3 {
			m.Pix[i] = 0xff
		}
	}
	return m
}

// JPEG returns Picture as a JPEG.
func JPEG() []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, Picture(), nil)
	return b.Bytes()
}
