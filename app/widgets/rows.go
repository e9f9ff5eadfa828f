package widgets

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// rowHeight and headerHeight are the heights of an event and of the heading of a day.
func rowHeight() float32    { return 76 * Scale() }
func headerHeight() float32 { return 44 * Scale() }

// Rows is a list that stays exact and quick with a million rows and headings. Its position is a row and the distance
// into that row. A float32 could not hold the distance from the top. Only visible rows have objects.
//
// With a width for tiles, several rows of a heading stand beside each other in a line.
type Rows struct {
	widget.BaseWidget
	count  int
	Nth    func(i int) int // number of a row below its heading; negative for a heading
	Tile   float32         // least width of a tile at the usual text size; 0 means one row in a line
	Below  float32         // height below the picture of a tile, which is as high as 9/16 of its width
	Create func(header bool) fyne.CanvasObject
	Update func(i int, header bool, o fyne.CanvasObject)
	Tapped func(i int, m fyne.KeyModifier)
	Typed  func(k *fyne.KeyEvent, m fyne.KeyModifier)

	// Moved is called when other rows have come to the top. Secondary is called for a click with the other button, at a
	// position in the window. Extend is called when a key with Shift moves the cursor. Hovered is called when the mouse
	// moves over a row, at a position in the window, and with a negative row when it leaves the row.
	Moved     func()
	Hovered   func(i int, at fyne.Position)
	Secondary func(i int, at fyne.Position)
	Extend    func(from, to int)

	told   int     // Top, when Moved was called last
	Top    int     // first visible row
	Into   float32 // how much of the top row is scrolled away
	Cursor int     // row that keys act on, or -1
	keyed  bool    // has the keyboard focus

	Shown map[int]*rowBox
	spare [2][]*rowBox // unused boxes of rows and of headings
	inner *fyne.Container
	bar   *scrollBar
}

// NewRows makes an empty list. Nth, Create and Update must be set before SetCount.
func NewRows() *Rows {
	r := &Rows{Cursor: -1, Shown: map[int]*rowBox{}, inner: container.NewWithoutLayout()}
	r.bar = &scrollBar{r: r, thumb: canvas.NewRectangle(color.Transparent)}
	r.bar.ExtendBaseWidget(r.bar)
	r.ExtendBaseWidget(r)
	return r
}

func (r *Rows) header(i int) bool { return r.Nth(i) < 0 }

// columns returns how many tiles a line has.
func (r *Rows) columns() int {
	if r.Tile <= 0 {
		return 1
	}
	return max(1, int((r.Size().Width-barWidth)/(r.Tile*Scale())))
}

func (r *Rows) height(i int) float32 {
	switch {
	case r.header(i):
		return headerHeight()
	case r.Tile > 0:
		return (r.Size().Width-barWidth)/float32(r.columns())*9/16 + r.Below*Scale()
	}
	return rowHeight()
}

// start returns the first row of the line of a row.
func (r *Rows) start(i int) int { return i - max(0, r.Nth(i))%r.columns() }

// next returns the first row of the line after the one that begins with a row.
func (r *Rows) next(i int) int {
	end := i + 1
	for !r.header(i) && end < r.count && end < i+r.columns() && !r.header(end) {
		end++
	}
	return end
}

// Reset creates all rows again, after Create or Tile was changed.
func (r *Rows) Reset() {
	clear(r.Shown)
	r.spare = [2][]*rowBox{}
	r.inner.RemoveAll()
	if r.count > 0 {
		r.Top, r.Into = r.start(r.Top), 0
	}
	r.Refresh()
}

// --- Position ---

// SetCount sets the number of rows and shows the rows.
func (r *Rows) SetCount(n int) {
	for _, b := range r.Shown {
		b.hovered = false
	}
	r.count = n
	if r.Cursor >= n {
		r.Cursor = -1
	}
	r.Top = max(0, min(r.Top, n-1))
	if n > 0 {
		r.Top = r.start(r.Top)
	}
	r.Refresh()
}

// scroll moves the rows by a distance. A positive distance moves towards the end.
func (r *Rows) scroll(dy float32) {
	r.Into += dy
	r.clampScroll()
	r.Place(false)
}

// clampScroll corrects the position: into lies within the top row, and no space is left below the last row.
func (r *Rows) clampScroll() {
	if r.count == 0 {
		r.Top, r.Into = 0, 0
		return
	}
	r.Top = r.start(r.Top) // the width may have changed
	for r.Into < 0 && r.Top > 0 {
		r.Top = r.start(r.Top - 1)
		r.Into += r.height(r.Top)
	}
	for r.next(r.Top) < r.count && r.Into >= r.height(r.Top) {
		r.Into -= r.height(r.Top)
		r.Top = r.next(r.Top)
	}
	r.Into = max(0, r.Into)
	rest := -r.Into
	for i := r.Top; i < r.count && rest < r.Size().Height; i = r.next(i) {
		rest += r.height(i)
	}
	if room := r.Size().Height - rest; room > 0 {
		for r.Into -= room; r.Into < 0 && r.Top > 0; {
			r.Top = r.start(r.Top - 1)
			r.Into += r.height(r.Top)
		}
		r.Into = max(0, r.Into)
	}
}

// reveal scrolls as little as necessary to show a row.
func (r *Rows) reveal(i int) {
	if i < 0 || i >= r.count {
		return
	}
	i = r.start(i)
	switch {
	case i <= r.Top:
		r.Top, r.Into = i, 0
		if i > 0 && r.header(i-1) { // a heading belongs to its first row
			r.Top--
		}
	default:
		y := -r.Into
		for n := r.Top; n <= i && y <= r.Size().Height; n = r.next(n) {
			y += r.height(n)
		}
		if y > r.Size().Height {
			r.Top, r.Into = i, r.height(i)-r.Size().Height
		}
	}

	r.clampScroll()
	r.Place(false)
}

// Jump shows a row at the top.
func (r *Rows) Jump(i int) {
	r.Top, r.Into = max(0, min(i, r.count-1)), 0
	r.clampScroll()
	r.Place(false)
}

// Place puts an object at every visible row. It updates the content of objects that are there already only if again is
// set.
func (r *Rows) Place(again bool) {
	size := r.Size()
	if size.Height <= 0 {
		return
	}
	y := -r.Into
	last := r.Top
	for last < r.count && y < size.Height {
		y += r.height(last)
		last = r.next(last)
	}
	for i, b := range r.Shown {
		if i < r.Top || i >= last || b.header != r.header(i) {
			b.Move(fyne.NewPos(0, -2*b.Size().Height)) // moved out of sight; to hide and show it would redraw all of it
			b.hovered = false                          // the mouse does not leave what moves away from below it
			delete(r.Shown, i)
			r.spare[kind(b.header)] = append(r.spare[kind(b.header)], b)
		}
	}

	y = -r.Into
	for i := r.Top; i < last; i = r.next(i) {
		h, width := r.height(i), size.Width-barWidth
		if !r.header(i) {
			width /= float32(r.columns())
		}
		for n := i; n < r.next(i); n++ {
			b, there := r.Shown[n]
			if !there {
				b = r.box(r.header(n))
				b.row = n
				r.Shown[n] = b
			}
			b.Resize(fyne.NewSize(width, h))
			b.Move(fyne.NewPos(width*float32(n-i), y))
			if !there || again {
				r.Update(n, b.header, b.content)
				b.mark()
			}
		}
		y += h
	}

	r.bar.place()
	if r.Moved != nil && r.Top != r.told {
		r.told = r.Top
		r.Moved()
	}
}

func kind(header bool) int {
	if header {
		return 1
	}
	return 0
}

func (r *Rows) box(header bool) *rowBox {
	k := kind(header)
	if n := len(r.spare[k]); n > 0 {
		b := r.spare[k][n-1]
		r.spare[k] = r.spare[k][:n-1]
		return b
	}
	b := &rowBox{r: r, header: header, content: r.Create(header), ground: canvas.NewRectangle(color.Transparent)}
	b.ground.CornerRadius = theme.SelectionRadiusSize()
	b.ExtendBaseWidget(b)
	r.inner.Add(b)
	return b
}

// Object returns what Create made for a row, if the row is visible.
func (r *Rows) Object(i int) fyne.CanvasObject {
	if b, ok := r.Shown[i]; ok {
		return b.content
	}
	return nil
}

// RefreshRow redraws a row if it is visible.
func (r *Rows) RefreshRow(i int) {
	if b, ok := r.Shown[i]; ok {
		r.Update(i, b.header, b.content)
		b.mark()
	}
}

// --- Cursor and keys ---

// SetCursor moves the cursor to a row and makes the row visible.
func (r *Rows) SetCursor(i int) {
	old := r.Cursor
	r.Cursor = i
	for _, n := range []int{old, i} {
		if b, ok := r.Shown[n]; ok {
			b.mark()
		}
	}
	r.reveal(i)
}

// step moves the cursor by n rows and skips headings.
func (r *Rows) step(n int) {
	if r.count == 0 {
		return
	}
	d := 1
	if n < 0 {
		d = -1
	}
	at := r.Cursor
	if at < 0 {
		at, n, d = r.Top-1, 1, 1
	}
	for n != 0 {
		next := at + d
		for next >= 0 && next < r.count && r.header(next) {
			next += d
		}
		if next < 0 || next >= r.count {
			break
		}
		at = next
		n -= d
	}

	if at >= 0 && !r.header(at) {
		r.SetCursor(at)
	}
}

// stepLines moves the cursor by n lines, and stays in its column if the line has one.
func (r *Rows) stepLines(n int) {
	at := r.Cursor
	if r.columns() == 1 || at < 0 {
		r.step(n)
		return
	}
	column := at - r.start(at)
	for ; n > 0; n-- {
		to := r.next(r.start(at))
		if to < r.count && r.header(to) {
			to++
		}
		if to >= r.count {
			break
		}
		at = min(to+column, r.next(to)-1)
	}
	for ; n < 0; n++ {
		to := r.start(at) - 1
		if to >= 0 && r.header(to) {
			to--
		}
		if to < 0 {
			break
		}
		to = r.start(to)
		at = min(to+column, r.next(to)-1)
	}
	r.SetCursor(at)
}

// page returns how many lines fit.
func (r *Rows) page() int {
	if r.Top >= r.count {
		return 1
	}
	return max(1, int(r.Size().Height/r.height(min(r.Top+1, r.count-1)))-1)
}

// Scrolled moves the rows by the mouse wheel.
func (r *Rows) Scrolled(e *fyne.ScrollEvent) { r.scroll(-e.Scrolled.DY) }

// FocusGained shows that the list has the keyboard focus.
func (r *Rows) FocusGained() {
	r.keyed = true
	r.Place(true)
}

// FocusLost removes the mark of FocusGained.
func (r *Rows) FocusLost() {
	r.keyed = false
	r.Place(true)
}

// TypedRune passes a sign on to the window. Letters also come as keys.
func (r *Rows) TypedRune(sign rune) { PassRune(r, sign) }

// PassRune passes a sign, which a widget with the focus has no use for, on to its window.
func PassRune(o fyne.CanvasObject, sign rune) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(o); c != nil && c.OnTypedRune() != nil {
		c.OnTypedRune()(sign)
	}
}

// PassKey passes a key on to the window of a widget.
func PassKey(o fyne.CanvasObject, e *fyne.KeyEvent) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(o); c != nil && c.OnTypedKey() != nil {
		c.OnTypedKey()(e)
	}
}

// TypedKey moves the cursor. It passes all other keys to typed.
func (r *Rows) TypedKey(e *fyne.KeyEvent) {
	if before := r.Cursor; modifiers()&fyne.KeyModifierShift != 0 && before >= 0 && r.Extend != nil {
		defer func() {
			if r.Cursor != before {
				r.Extend(before, r.Cursor)
			}
		}()
	}
	switch e.Name {
	case fyne.KeyUp:
		r.stepLines(-1)
	case fyne.KeyDown:
		r.stepLines(1)
	case fyne.KeyLeft:
		r.step(-1)
	case fyne.KeyRight:
		r.step(1)
	case fyne.KeyPageUp:
		r.stepLines(-r.page())
	case fyne.KeyPageDown:
		r.stepLines(r.page())
	case fyne.KeyHome:
		r.Cursor = -1
		r.Jump(0)
		r.step(1)
	case fyne.KeyEnd:
		r.Cursor = r.count
		r.step(-1)
	case fyne.KeyF1:
		PassKey(r, e)
	default:
		r.Typed(e, modifiers())
	}
}

// modifiers returns the modifier keys that are held down.
func modifiers() fyne.KeyModifier {
	if d, ok := fyne.CurrentApp().Driver().(desktop.Driver); ok {
		return d.CurrentKeyModifiers()
	}
	return 0
}

// CreateRenderer shows the visible rows and the scroll bar.
func (r *Rows) CreateRenderer() fyne.WidgetRenderer {
	return &rowsRenderer{r: r, clip: container.NewClip(r.inner)}
}

type rowsRenderer struct {
	r    *Rows
	clip *container.Clip
}

func (r *rowsRenderer) Layout(size fyne.Size) {
	r.clip.Resize(size)
	r.r.bar.Move(fyne.NewPos(size.Width-barWidth, 0))
	r.r.bar.Resize(fyne.NewSize(barWidth, size.Height))
	r.r.clampScroll()
	r.r.Place(false)
}

func (r *rowsRenderer) MinSize() fyne.Size           { return fyne.NewSize(200, rowHeight()) }
func (r *rowsRenderer) Destroy()                     {}
func (r *rowsRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.clip, r.r.bar} }
func (r *rowsRenderer) Refresh() {
	r.r.clampScroll()
	r.r.Place(true)
	canvas.Refresh(r.clip)
}

// --- Boxes and the scroll bar ---

// rowBox is the object of one row: its content on a background that shows the cursor and the mouse.
type rowBox struct {
	widget.BaseWidget
	r        *Rows
	row      int
	header   bool
	hovered  bool
	modifier fyne.KeyModifier
	content  fyne.CanvasObject
	ground   *canvas.Rectangle
}

func (b *rowBox) mark() {
	name := fyne.ThemeColorName("")
	switch {
	case b.header:
	case b.row == b.r.Cursor && b.r.keyed:
		name = theme.ColorNameFocus
	case b.hovered:
		name = theme.ColorNameHover
	case b.row == b.r.Cursor:
		name = theme.ColorNameSelection
	}

	fill := color.Color(color.Transparent)
	if name != "" {
		fill = theme.Color(name)
	}
	if b.ground.FillColor != fill {
		b.ground.FillColor = fill
		b.ground.Refresh()
	}
}

// MouseDown remembers which modifier keys are held during the click.
func (b *rowBox) MouseDown(e *desktop.MouseEvent) { b.modifier = e.Modifier }

// MouseUp does nothing.
func (b *rowBox) MouseUp(*desktop.MouseEvent) {}

// MouseIn shows that the row can be clicked.
func (b *rowBox) MouseIn(*desktop.MouseEvent) {
	b.hovered = true
	b.mark()
}

// MouseMoved reports where the mouse is.
func (b *rowBox) MouseMoved(e *desktop.MouseEvent) {
	if b.r.Hovered != nil && !b.header {
		b.r.Hovered(b.row, e.AbsolutePosition)
	}
}

// MouseOut removes the mark of MouseIn.
func (b *rowBox) MouseOut() {
	b.hovered = false
	b.mark()
	if b.r.Hovered != nil {
		b.r.Hovered(-1, fyne.Position{})
	}
}

// Tapped moves the cursor to the row and opens or picks it.
func (b *rowBox) Tapped(*fyne.PointEvent) {
	m := b.modifier
	b.modifier = 0
	if !b.header {
		b.r.SetCursor(b.row)
		b.r.Tapped(b.row, m)
	}
}

// TappedSecondary offers what can be done with the row.
func (b *rowBox) TappedSecondary(e *fyne.PointEvent) {
	if !b.header && b.r.Secondary != nil {
		b.r.SetCursor(b.row)
		b.r.Secondary(b.row, e.AbsolutePosition)
	}
}

// CreateRenderer shows the content on its background.
func (b *rowBox) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(container.NewStack(b.ground, container.NewPadded(b.content)))
}

const barWidth = 14

// scrollBar shows the position in the rows and can move it.
type scrollBar struct {
	widget.BaseWidget
	r     *Rows
	thumb *canvas.Rectangle
	grip  float32 // where the thumb was grabbed; negative if it is not grabbed
}

// thumbAt returns the position and length of the thumb. Both are 0 if all rows fit.
func (b *scrollBar) thumbAt() (y, length float32) {
	h := b.Size().Height
	seen := max(1, float32(len(b.r.Shown)))
	if b.r.count == 0 || int(seen) >= b.r.count && b.r.Top == 0 && b.r.Into == 0 {
		return 0, 0
	}
	length = max(32, h*seen/float32(b.r.count))
	at := (float64(b.r.Top) + float64(b.r.Into/b.r.height(b.r.Top))*float64(b.r.next(b.r.Top)-b.r.Top)) / max(1,
		float64(b.r.count)-float64(seen)+1)
	return float32(min(1, at)) * (h - length), length
}

func (b *scrollBar) place() {
	y, length := b.thumbAt()
	b.thumb.FillColor = color.Transparent
	if length > 0 {
		b.thumb.FillColor = theme.Color(theme.ColorNameScrollBar)
	}
	b.thumb.CornerRadius = 4
	b.thumb.Move(fyne.NewPos(3, y))
	b.thumb.Resize(fyne.NewSize(barWidth-6, length))
	b.thumb.Refresh()
}

func (b *scrollBar) moveTo(y float32) {
	_, length := b.thumbAt()
	room := b.Size().Height - length
	if length == 0 || room <= 0 {
		return
	}
	f := float64(min(1, max(0, y/room))) * (float64(b.r.count) - float64(len(b.r.Shown)) + 1)
	b.r.Top = b.r.start(max(0, min(int(f), b.r.count-1)))
	b.r.Into = float32(f-float64(b.r.Top)) / float32(b.r.next(b.r.Top)-b.r.Top) * b.r.height(b.r.Top)
	b.r.clampScroll()
	b.r.Place(false)
}

// Dragged moves the thumb.
func (b *scrollBar) Dragged(e *fyne.DragEvent) {
	if b.grip < 0 {
		y, length := b.thumbAt()
		if b.grip = e.Position.Y - e.Dragged.DY - y; b.grip < 0 || b.grip > length {
			b.grip = length / 2
		}
	}
	b.moveTo(e.Position.Y - b.grip)
}

// DragEnd releases the thumb.
func (b *scrollBar) DragEnd() { b.grip = -1 }

// Tapped moves the rows by a page towards the click.
func (b *scrollBar) Tapped(e *fyne.PointEvent) {
	y, length := b.thumbAt()
	switch h := b.r.Size().Height; {
	case e.Position.Y < y:
		b.r.scroll(-h + rowHeight())
	case e.Position.Y > y+length:
		b.r.scroll(h - rowHeight())
	}
}

// CreateRenderer shows the thumb.
func (b *scrollBar) CreateRenderer() fyne.WidgetRenderer {
	b.grip = -1
	return widget.NewSimpleRenderer(container.NewWithoutLayout(b.thumb))
}
