package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/recorder/control"
)

// late is a page that is built when it is first needed. The first picture of the window does not wait for it, and a
// page that nobody opens costs nothing.
type late[P page.Page] struct {
	build func() P
	page  P
	built bool
	box   *fyne.Container
}

func newLate[P page.Page](build func() P) *late[P] {
	return &late[P]{build: build, box: container.NewStack()}
}

// get returns the page, built and following the recorder.
func (l *late[P]) get() P {
	if !l.built {
		l.built = true
		l.page = l.build()
		l.page.Update(control.Update{}, true)
		l.box.Add(l.page.Content())
	}
	return l.page
}

func (l *late[P]) Content() fyne.CanvasObject { return l.box }

func (l *late[P]) Show() { l.get().Show() }

func (l *late[P]) Hide() {
	if l.built {
		l.page.Hide()
	}
}

func (l *late[P]) Update(u control.Update, first bool) {
	if l.built {
		l.page.Update(u, first)
	}
}

func (l *late[P]) Tick() {
	if l.built {
		l.page.Tick()
	}
}

func (l *late[P]) Key(k *fyne.KeyEvent) {
	if l.built {
		l.page.Key(k)
	}
}
