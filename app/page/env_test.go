package page_test

import (
	"errors"
	"os"
	"testing"

	"fyne.io/fyne/v2"

	"github.com/preroll/preroll/internal/testing/pagetest"
)

func TestMain(m *testing.M) { os.Exit(pagetest.Main(m)) }

func TestEnterAndEscapeGiveTheSafeAnswer(t *testing.T) {
	w := pagetest.New(t, &pagetest.Fake{})
	c := w.Window.Canvas()
	did := 0
	for _, k := range []fyne.KeyName{fyne.KeyReturn, fyne.KeyEscape} {
		w.Confirm("Sure?", "", "Yes", func() { did++ })
		c.Focused().TypedKey(&fyne.KeyEvent{Name: k})
		if did != 0 || c.Overlays().Top() != nil {
			t.Errorf("%s did it: %d", k, did)
		}
		w.Fail(errors.New("no"))
		if c.Focused().TypedKey(&fyne.KeyEvent{Name: k}); c.Overlays().Top() != nil {
			t.Errorf("%s does not close the error", k)
		}
	}
	w.Confirm("Sure?", "", "Yes", func() { did++ })
	c.(interface{ FocusNext() }).FocusNext()
	if c.Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnter}); did != 1 {
		t.Error("the other answer was not given")
	}
}
