package pagetest

import (
	"image"
	imagedraw "image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/control"
)

// look is a way in which every page must be legible.
type look struct {
	name    string
	variant string
	scale   float32   // of the text
	size    fyne.Size // the room that the window's frame leaves
	master  bool      // there is a master of it
}

// looks are the looks of every scene: both themes, the largest text, and the sizes of a small window, of a large one,
// and of a screen of 1920 x 1080 pixels at scale 2.
var looks = []look{
	{"light", "light", 1, fyne.NewSize(827, 600), true},
	{"dark", "dark", 1, fyne.NewSize(827, 600), true},
	{"largest", "light", 1.5, fyne.NewSize(880, 680), true},
	{"light-wide", "light", 1, fyne.NewSize(1847, 1080), false},
	{"dark-wide", "dark", 1, fyne.NewSize(1847, 1080), false},
	{"large", "dark", 1.25, fyne.NewSize(860, 680), false},
	{"twice", "dark", 1, fyne.NewSize(887, 540), false},
}

// Scene is a page as users see it, in a state that is hard on the layout.
type Scene[P page.Page] struct {
	Name string
	Set  func(r *Rig, f *Fake, p P)
}

// Pictures draws the scenes of a page, which newPage makes, in the looks that have a master in testdata, and compares
// them. PREROLL_MASTERS=1 writes the masters again. PREROLL_SHOTS names a folder for pictures in all looks, to be
// looked at by a person, in the language of PREROLL_LANGUAGE.
func Pictures[P page.Page](t *testing.T, newPage func(*page.Env) P, scenes []Scene[P]) {
	poll.RealTime(t)
	shots := os.Getenv("PREROLL_SHOTS")
	language := os.Getenv("PREROLL_LANGUAGE")
	if language != "" {
		words.Use(language)
		t.Cleanup(func() { words.Use("en") })
	}
	for _, sc := range scenes {
		for _, l := range looks {
			if !l.master && shots == "" {
				continue
			}
			name := sc.Name + "-" + l.name
			t.Run(name, func(t *testing.T) {
				m := draw(t, newPage, sc, l)
				if shots != "" {
					writePNG(t, filepath.Join(shots, name+".png"), m)
				}
				if l.master && language == "" {
					Compare(t, name, m)
				}
			})
		}
	}
}

func draw[P page.Page](
	t *testing.T,
	newPage func(*page.Env) P,
	sc Scene[P],
	l look,
) image.Image {
	f := SceneFake()
	r := New(t, f)
	r.Now = func() time.Time { return Noon.Add(time.Hour) }
	r.Hosts = func() []string { return []string{"192.0.2.50"} }
	fyne.CurrentApp().Settings().SetTheme(widgets.Appearance{Theme: theme.DefaultTheme(), Variant: l.variant,
		Scale: l.scale})
	p := newPage(r.Env)
	r.Open(p)
	r.Window.Resize(l.size)
	f.State = SceneStatus()
	r.Changed(control.Update{Status: f.State}, true)
	r.Settle()
	sc.Set(r, f, p)
	for range 3 { // pages, thumbnails, stills: each asks for the next
		r.Settle()
	}
	r.Window.Canvas().Unfocus()
	r.Window.Content().Refresh()
	if least := r.Window.Content().MinSize(); least.Width > l.size.Width || least.Height > l.size.Height {
		t.Errorf("it needs %v, more than the window's %v", least, l.size)
	}
	walk(r.Window.Content(), func(o fyne.CanvasObject) {
		if s, ok := o.(*container.Scroll); ok && s.Direction == container.ScrollVerticalOnly {
			if width := s.Content.MinSize().Width; width > s.Size().Width+1 {
				t.Errorf("what scrolls needs %v, more than its width %v, and is cut", width, s.Size().Width)
			}
		}
	})
	return r.Window.Canvas().Capture()
}

func writePNG(t *testing.T, path string, m image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Compare compares a picture with its master in testdata, or writes the master, see [Pictures]. A few pixels may
// differ, because curves are drawn with floating point.
func Compare(t *testing.T, name string, m image.Image) {
	t.Helper()
	file := filepath.Join("testdata", name+".png")
	if os.Getenv("PREROLL_MASTERS") != "" {
		writePNG(t, file, m)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatalf("no master: %v; write it with PREROLL_MASTERS=1 and look at it", err)
	}
	defer func() { _ = f.Close() }()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if want.Bounds() != m.Bounds() {
		t.Fatalf("the picture is %v, its master %v", m.Bounds(), want.Bounds())
	}
	a, b := toRGBA(want), toRGBA(m)
	different := 0
	for i := 0; i < len(a.Pix); i += 4 {
		for c := range 3 {
			if d := int(a.Pix[i+c]) - int(b.Pix[i+c]); d > 48 || d < -48 {
				different++
				break
			}
		}
	}
	if different > len(a.Pix)/4/2000 {
		out := filepath.Join(os.TempDir(), "preroll-failed-"+filepath.Base(file))
		writePNG(t, out, m)
		t.Errorf("%d pixels differ from %s; the picture is %s", different, file, out)
	}
}

func toRGBA(m image.Image) *image.RGBA {
	out := image.NewRGBA(m.Bounds())
	imagedraw.Draw(out, out.Bounds(), m, m.Bounds().Min, imagedraw.Src)
	return out
}
