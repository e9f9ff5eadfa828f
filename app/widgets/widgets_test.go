package widgets

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"
)

func TestCut(t *testing.T) {
	wide := func(s string) float32 { return float32(len([]rune(s))) }
	for _, tc := range []struct {
		text  string
		width float32
		want  string
	}{{"short", 10, "short"}, {"just right", 10, "just right"}, {"a little too long", 10, "a little …"},
		{"any", 1, "…"}, {"any", 0, ""}, {"", 5, ""}, {"äöüäöü", 3, "äö…"}} {
		if got := cut(tc.text, tc.width, wide); got != tc.want {
			t.Errorf("%q in %v: %q", tc.text, tc.width, got)
		}
	}
}

// TestRowsKeepTheirPlaceInAMillion scrolls to the end of a million rows, where a float32 distance from the top is off
// by pixels. It checks that neighbouring rows touch.
func TestRowsKeepTheirPlaceInAMillion(t *testing.T) {
	test.NewTempApp(t)
	r := NewRows()
	r.Header = func(i int) bool { return i%1001 == 0 }
	r.Create = func(bool) fyne.CanvasObject { return widget.NewLabel("") }
	r.Update = func(int, bool, fyne.CanvasObject) {}
	w := test.NewTempWindow(t, r)
	w.Resize(fyne.NewSize(900, 600))
	r.SetCount(1_001_000)
	for _, at := range []int{0, 1, 500_000, r.count - 1} {
		r.Jump(at)
		for range 50 {
			r.scroll(13)
		}
		for range 20 {
			r.scroll(-11)
		}
		y := -r.Into
		for i := r.Top; r.Shown[i] != nil; i++ {
			if got := r.Shown[i].Position().Y; got < y-.01 || got > y+.01 || r.Shown[i].row != i {
				t.Fatalf("row %d is at %v, want %v", i, got, y)
			}
			y += r.height(i)
		}
		if y < r.Size().Height-.01 {
			t.Errorf("at %d there is room below: %v of %v", at, y, r.Size().Height)
		}
	}
	if n := len(r.inner.Objects); n > 40 {
		t.Errorf("%d objects for what is seen", n)
	}
	r.Cursor = 0
	r.SetCursor(777_777)
	if b := r.Shown[777_777]; b == nil || b.Position().Y < -1 || b.Position().Y+rowHeight > r.Size().Height+1 {
		t.Error("the cursor is not seen")
	}
}
