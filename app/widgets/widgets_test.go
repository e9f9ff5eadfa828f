package widgets

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
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
		if got := cut(tc.text, tc.width, false, wide); got != tc.want {
			t.Errorf("%q in %v: %q", tc.text, tc.width, got)
		}
	}
}

// TestRowsKeepTheirPlaceInAMillion scrolls to the end of a million rows, where a float32 distance from the top is off
// by pixels. It checks that neighbouring rows touch.
func TestRowsKeepTheirPlaceInAMillion(t *testing.T) {
	test.NewTempApp(t)
	r := NewRows()
	r.Nth = func(i int) int { return i%1001 - 1 }
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
	if b := r.Shown[777_777]; b == nil || b.Position().Y < -1 || b.Position().Y+rowHeight() > r.Size().Height+1 {
		t.Error("the cursor is not seen")
	}
}

// TestTilesKeepTheirPlaceInAMillion does the same with several rows in a line. The last line of a heading is not full.
func TestTilesKeepTheirPlaceInAMillion(t *testing.T) {
	test.NewTempApp(t)
	r := NewRows()
	r.Nth = func(i int) int { return i%1001 - 1 }
	r.Create = func(bool) fyne.CanvasObject { return widget.NewLabel("") }
	r.Update = func(int, bool, fyne.CanvasObject) {}
	r.Tile, r.Below = 200, 50
	w := test.NewTempWindow(t, r)
	w.Resize(fyne.NewSize(900, 600))
	r.SetCount(1_001_000)
	columns := r.columns()
	if columns != 4 {
		t.Fatalf("%d tiles of 200 in 900", columns)
	}
	for _, at := range []int{0, 1, 500_003, r.count - 1} {
		r.Jump(at)
		for range 50 {
			r.scroll(13)
		}
		for range 20 {
			r.scroll(-11)
		}
		y := -r.Into
		for i := r.Top; i < r.count && r.Shown[i] != nil; i = r.next(i) {
			for n := i; n < r.next(i); n++ {
				p, size := r.Shown[n].Position(), r.Shown[n].Size()
				if p.Y < y-.01 || p.Y > y+.01 || p.X != size.Width*float32(n-i) || p.X+size.Width > 900 {
					t.Fatalf("row %d of line %d is at %v, want %v", n, i, p, y)
				}
			}
			y += r.height(i)
		}
		if y < r.Size().Height-.01 {
			t.Errorf("at %d there is room below: %v of %v", at, y, r.Size().Height)
		}
	}

	// The bar is where it was dragged to, and never goes back while the list is scrolled down.
	r.SetCount(101)
	_, length := r.bar.thumbAt()
	for _, want := range []float32{0, 50, 160, 333} {
		r.bar.moveTo(want)
		if got, _ := r.bar.thumbAt(); got < want-1.5 || got > want+1.5 || want+length > 600 {
			t.Errorf("dragged to %v, the thumb is at %v", want, got)
		}
	}
	r.Jump(0)
	for before := float32(0); r.Top < 60; {
		r.scroll(7)
		got, _ := r.bar.thumbAt()
		if got < before-1.5 {
			t.Fatalf("at row %d the thumb goes from %v back to %v", r.Top, before, got)
		}
		before = got
	}
	r.SetCount(1_001_000)
	key := func(names ...fyne.KeyName) int {
		for _, n := range names {
			r.TypedKey(&fyne.KeyEvent{Name: n})
		}
		return r.Cursor
	}
	for _, tc := range []struct {
		from int
		keys []fyne.KeyName
		want int
	}{
		{1, []fyne.KeyName{fyne.KeyRight, fyne.KeyDown}, 6},
		{1, []fyne.KeyName{fyne.KeyUp}, 1},
		{999, []fyne.KeyName{fyne.KeyDown}, 1004},             // from the last line of a heading to the next heading
		{1000, []fyne.KeyName{fyne.KeyRight}, 1002},           // in reading order
		{1004, []fyne.KeyName{fyne.KeyUp, fyne.KeyLeft}, 998}, // and back
		{1_000_999, []fyne.KeyName{fyne.KeyDown}, 1_000_999},  // the last one
		{777_785, []fyne.KeyName{fyne.KeyDown, fyne.KeyUp}, 777_785},
	} {
		r.SetCursor(tc.from)
		if got := key(tc.keys...); got != tc.want || r.Shown[got] == nil {
			t.Errorf("%v from %d: %d, want %d", tc.keys, tc.from, got, tc.want)
		}
	}

	w.Resize(fyne.NewSize(500, 600)) // other lines, and the top row begins one
	if r.columns() != 2 || r.start(r.Top) != r.Top || r.Shown[r.Top] == nil {
		t.Errorf("narrower: %d columns, top %d", r.columns(), r.Top)
	}
	r.Tile = 0
	r.Reset()
	if n := len(r.inner.Objects); n > 12 || r.Shown[r.Top] == nil {
		t.Errorf("as a list: %d objects", n)
	}
}

func TestNamesAreCutInTheMiddle(t *testing.T) {
	wide := func(s string) float32 { return float32(len([]rune(s))) }
	a, b := "A camera with a long name, front", "A camera with a long name, back"
	if x, y := cut(a, 20, true, wide), cut(b, 20, true, wide); x == y || len([]rune(x)) > 20 ||
		x != "A camera with…front" {
		t.Errorf("got %q and %q", x, y)
	}
	if got := Shorten("short", 5); got != "short" {
		t.Errorf("got %q", got)
	}
}

func TestGridFillsTheWidth(t *testing.T) {
	test.NewTempApp(t)
	g := &Grid{Width: 250, Height: 104, Ratio: 9.0 / 16}
	for _, tc := range []struct {
		name          string
		n             int
		width, height float32
		columns       int
	}{
		{"one camera", 1, 1840, 980, 2}, {"four", 4, 1840, 980, 3}, {"sixteen on a large screen", 16, 1840, 980, 6},
		{"a small window", 4, 820, 500, 3}, {"narrower than a card", 4, 100, 500, 1}, {"forty", 40, 820, 500, 3},
	} {
		columns, cell := g.fit(tc.n, tc.width, tc.height)
		if columns != tc.columns {
			t.Errorf("%s: %d columns, want %d", tc.name, columns, tc.columns)
		}
		if whole := cell.Width * float32(columns); whole > tc.width+1 || whole < tc.width-60 {
			t.Errorf("%s: %v of %v points are used", tc.name, whole, tc.width)
		}
	}
	if columns, cell := g.fit(16, 1840, 980); cell.Height*float32((16+columns-1)/columns) > 980 {
		t.Errorf("sixteen cameras need %v points of height", cell.Height*3)
	}
}

func TestDateField(t *testing.T) {
	test.NewTempApp(t)
	d := NewDateField(DateWords{Day: func(t time.Time) string { return t.Format("2.1.2006") },
		Month: func(t time.Time) string { return t.Format("January") }, Weekdays: []string{"Mo", "Di", "Mi", "Do", "Fr",
			"Sa", "So"}, None: "Any day", Today: "Today"})
	now := time.Date(2026, 11, 30, 15, 0, 0, 0, time.Local)
	d.Now = func() time.Time { return now }
	var got []string
	d.OnChanged = func(t *time.Time) {
		if t == nil {
			got = append(got, "none")
		} else {
			got = append(got, t.Format(time.DateOnly))
		}
	}
	d.Counts = func(then func(map[string]int)) { then(map[string]int{"2026-11-03": 12}) }
	w := test.NewTempWindow(t, d)
	w.Resize(fyne.NewSize(300, 200)) // smaller than the calendar
	top := func() fyne.CanvasObject { return w.Canvas().Overlays().Top() }
	test.Tap(d)
	if top() == nil {
		t.Fatal("no calendar opens")
	}
	if k := d.open; k.cell.day.Day() != 30 || len(k.days.Objects) != 7+42 {
		t.Errorf("the cursor is on %v, %d cells", k.cell.day, len(k.days.Objects))
	}
	key := func(names ...fyne.KeyName) {
		for _, n := range names {
			w.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: n})
		}
	}
	key(fyne.KeyPageDown, fyne.KeyReturn) // 30 December has not come yet
	if top() == nil || len(got) > 0 {
		t.Errorf("a day in the future is chosen: %v", got)
	}
	key(fyne.KeyPageUp, fyne.KeyPageUp, fyne.KeyUp, fyne.KeyLeft, fyne.KeyReturn) // 30 October, the 23rd, the 22nd
	test.Tap(d)
	key(fyne.KeyEscape)
	if top() != nil {
		t.Error("Escape does not close the calendar")
	}
	d.SetDate(nil)
	if want := "2026-10-22 none"; strings.Join(got, " ") != want || d.Text != "Any day" {
		t.Errorf("got %v, %q; want %s", got, d.Text, want)
	}
}

func TestRangeOfDays(t *testing.T) {
	test.NewTempApp(t)
	day := func(t time.Time) string { return t.Format("2.1.") }
	d := NewDateField(DateWords{Day: day, Month: day, Weekdays: make([]string, 7), None: "Any day", Today: "Today",
		Range: func(a, b time.Time) string { return day(a) + "-" + day(b) },
		Last:  func(n int) string { return fmt.Sprintf("%d days", n) }})
	d.Ranges = true
	d.Now = func() time.Time { return time.Date(2026, 11, 20, 15, 0, 0, 0, time.Local) }
	w := test.NewTempWindow(t, d)
	w.Resize(fyne.NewSize(500, 500))
	cell := func(n int) *dayCell {
		for _, o := range d.open.days.Objects {
			if c, ok := o.(*dayCell); ok && c.day.Day() == n {
				return c
			}
		}
		t.Fatalf("no cell %d", n)
		return nil
	}
	drag := func(from, to int) {
		test.Tap(d)
		a, b := cell(from), cell(to)
		a.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{
			Position: b.Position().Subtract(a.Position()).AddXY(3, 3)}})
		a.DragEnd()
	}
	for _, tc := range []struct {
		from, to int
		want     string
	}{{3, 12, "3.11.-12.11."}, {12, 3, "3.11.-12.11."}, {5, 5, "5.11."}, {18, 25, "18.11.-20.11."}} {
		drag(tc.from, tc.to)
		if d.Text != tc.want || (d.Until == nil) != (tc.from == tc.to) {
			t.Errorf("from %d to %d: %q, until %v", tc.from, tc.to, d.Text, d.Until)
		}
	}
	d.Ranges = false // a click with an unsteady hand is a click
	drag(7, 8)
	if d.Text != "8.11." {
		t.Errorf("without ranges: %q", d.Text)
	}
	d.Ranges = true
	drag(18, 25)
	test.Tap(d)
	if k := d.open; !k.chosen(cell(19).day) || k.chosen(cell(17).day) {
		t.Error("the range is not shown")
	}
	for _, o := range d.open.popup.Content.(*fyne.Container).Objects[0].(*fyne.Container).Objects {
		if foot, ok := o.(*fyne.Container); ok && len(foot.Objects) == 5 {
			test.Tap(foot.Objects[1].(*widget.Button))
		}
	}
	if d.Text != "14.11.-20.11." {
		t.Errorf("seven days: %q", d.Text)
	}
	d.SetDate(nil)
	if d.Until != nil || d.Text != "Any day" {
		t.Errorf("none: %v, %q", d.Until, d.Text)
	}
}

func TestTimelineOfAStream(t *testing.T) {
	test.NewTempApp(t)
	var sought time.Duration
	l := NewTimeline(func(at time.Duration) { sought = at }, func(*fyne.KeyEvent) {})
	l.Resize(fyne.NewSize(100+knobWidth, lineHeight))
	l.Load(0, []time.Duration{70 * time.Second})
	l.Grow(50*time.Second, 150*time.Second)
	l.want(50 + knobWidth/2)
	if sought != 100*time.Second {
		t.Errorf("the middle of 50 to 150 s is %s", sought)
	}
	l.want(22 + knobWidth/2) // near the mark
	if sought != 70*time.Second {
		t.Errorf("a click on the alarm goes to %s", sought)
	}
}

// TestFlow narrows a row of objects. None may overlap another or leave the width, and the first one stays useful.
func TestFlow(t *testing.T) {
	test.NewTempApp(t)
	f := &Flow{Least: 100}
	c := container.New(f, widget.NewEntry(), Fixed(80, 0, widget.NewLabel("")), Fixed(80, 0, widget.NewLabel("")),
		Fixed(80, 0, widget.NewLabel("")))
	for _, tc := range []struct {
		width float32
		rows  int
	}{{400, 1}, {360, 1}, {340, 2}, {260, 2}, {200, 3}, {90, 4}, {500, 1}} {
		c.Resize(fyne.NewSize(tc.width, 40))
		if f.rows != tc.rows {
			t.Errorf("%v wide: %d rows, want %d", tc.width, f.rows, tc.rows)
		}
		if w := c.Objects[0].Size().Width; w < min(tc.width, 100) {
			t.Errorf("%v wide: the first one has %v", tc.width, w)
		}
		for i, a := range c.Objects {
			if a.Position().X < 0 || a.Position().X+a.Size().Width > tc.width+1 {
				t.Errorf("%v wide: object %d at %v, %v", tc.width, i, a.Position(), a.Size())
			}
			for j, b := range c.Objects[:i] {
				if p, q := a.Position(), b.Position(); p.Y == q.Y && p.X < q.X+b.Size().Width {
					t.Errorf("%v wide: objects %d and %d overlap", tc.width, j, i)
				}
			}
		}
	}
}

// TestAKeyHidesTheTip presses a key in the player while the tip of a button is shown.
func TestAKeyHidesTheTip(t *testing.T) {
	test.NewTempApp(t)
	w := test.NewTempWindow(t, nil)
	var typed []fyne.KeyName
	line := NewTimeline(nil, func(e *fyne.KeyEvent) { typed = append(typed, e.Name) })
	w.SetContent(WithTips(line, w.Canvas()))
	content, _ := w.Content().(*fyne.Container)
	tips, _ := content.Objects[1].(*fyne.Container)
	tips.Add(widget.NewLabel("Full screen (F)"))
	line.TypedKey(&fyne.KeyEvent{Name: fyne.KeyF})
	if len(tips.Objects) != 0 || len(typed) != 1 || len(content.Objects) != 2 {
		t.Errorf("%d tips, typed %v, %d objects", len(tips.Objects), typed, len(content.Objects))
	}
	w.SetContent(line) // a window without tips
	line.TypedKey(&fyne.KeyEvent{Name: fyne.KeyF})
}
