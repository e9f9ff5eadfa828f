package page_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"fyne.io/fyne/v2"

	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
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

// TestARecorderThatIsAwayIsOneTrouble checks that the channels of a recorder that is switched off make one line, and
// that other troubles keep their own.
func TestARecorderThatIsAwayIsOneTrouble(t *testing.T) {
	w := pagetest.New(t, &pagetest.Fake{})
	s := pagetest.Status("/a")
	s.Cameras, s.Problems = nil, nil
	for i, why := range []string{"No route to 192.0.2.9", "No route to 192.0.2.9", "The password is wrong",
		"No route to 192.0.2.9"} {
		id := fmt.Sprint("c", i)
		s.Cameras = append(s.Cameras, status.Camera{ID: id, Name: "Camera " + id, State: status.Waiting,
			Text: text.Plain(why)})
		s.Problems = append(s.Problems, status.Problem{Code: "camera", About: id,
			Text: text.Plain("Camera " + id + ": " + why), Hint: text.Plain("Look at it.")})
	}
	s.Problems = append(s.Problems, status.Problem{Code: "ram-short", Text: text.Plain("Memory is short")})
	w.Env.Status = s
	var got []string
	for _, tr := range w.Env.Troubles() {
		got = append(got, tr.Text+" ["+tr.Button+"]")
	}
	want := []string{"Camera c0, Camera c1, Camera c3: No route to 192.0.2.9. Look at it. [Cameras]",
		"Camera c2: The password is wrong. Look at it. [Camera]", "Memory is short.  [Memory]"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
