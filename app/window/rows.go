package window

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Heights of a row and of a heading.
const (
	rowHeight    = 76
	headerHeight = 44
)

// rows is a list that stays exact and quick with a million rows and headings. Its position is a row and the distance
// into that row. A float32 could not hold the distance from the top. Only visible rows have objects.
type rows struct {
	widget.BaseWidget
	count  int
	header func(i int) bool
	create func(header bool) fyne.CanvasObject
	update func(i int, header bool, o fyne.CanvasObject)
	tapped func(i int, m fyne.KeyModifier)
	typed  func(k *fyne.KeyEvent, m fyne.KeyModifier)

	top    int     // first visible row
	into   float32 // how much of the top row is scrolled away
	cursor int     // row that keys act on, or -1
	keyed  bool    // has the keyboard focus

	shown map[int]*rowBox
	spare [2][]*rowBox // unused boxes of rows and of headings
	inner *fyne.Container
	bar   *scrollBar
}

func newRows() *rows {
	r := &rows{cursor: -1, shown: map[int]*rowBox{}, inner: container.NewWithoutLayout()}
	r.bar = &scrollBar{r: r, thumb: canvas.NewRectangle(color.Transparent)}
	r.bar.ExtendBaseWidget(r.bar)
	r.ExtendBaseWidget(r)
	return r
}

func (r *rows) height(i int) float32 {
	if r.header(i) {
		return headerHeight
	}
	return rowHeight
}

// --- Position ---

// setCount sets the number of rows and shows the rows.
func (r *rows) setCount(n int) {
	r.count = n
	if r.cursor >= n {
		r.cursor = -1
	}
	r.top = max(0, min(r.top, n-1))
	r.Refresh()
}

// scroll moves the rows by a distance. A positive distance moves towards the end.
func (r *rows) scroll(dy float32) {
	r.into += dy
	r.clampScroll()
	r.place(false)
}

// clampScroll corrects the position: into lies within the top row, and no space is left below the last row.
func (r *rows) clampScroll() {
	for r.into < 0 && r.top > 0 {
		r.top--
		r.into += r.height(r.top)
	}
	for r.top < r.count-1 && r.into >= r.height(r.top) {
		r.into -= r.height(r.top)
		r.top++
	}
	r.into = max(0, r.into)
	rest := -r.into
	for i := r.top; i < r.count && rest < r.Size().Height; i++ {
		rest += r.height(i)
	}
	if room := r.Size().Height - rest; room > 0 {
		for r.into -= room; r.into < 0 && r.top > 0; {
			r.top--
			r.into += r.height(r.top)
		}
		r.into = max(0, r.into)
	}
}

// reveal scrolls as little as necessary to show a row.
func (r *rows) reveal(i int) {
	if i < 0 || i >= r.count {
		return
	}
	switch {
	case i <= r.top:
		r.top, r.into = i, 0
		if i > 0 && r.header(i-1) { // a heading belongs to its first row
			r.top--
		}
	default:
		y := -r.into
		for n := r.top; n <= i && y <= r.Size().Height; n++ {
			y += r.height(n)
		}
		if y > r.Size().Height {
			r.top, r.into = i, r.height(i)-r.Size().Height
		}
	}
	r.clampScroll()
	r.place(false)
}

// jump shows a row at the top.
func (r *rows) jump(i int) {
	r.top, r.into = max(0, min(i, r.count-1)), 0
	r.clampScroll()
	r.place(false)
}

// place puts an object at every visible row. It updates the content of objects that are there already only if again is
// set.
func (r *rows) place(again bool) {
	size := r.Size()
	if size.Height <= 0 {
		return
	}
	y := -r.into
	last := r.top
	for last < r.count && y < size.Height {
		y += r.height(last)
		last++
	}
	for i, b := range r.shown {
		if i < r.top || i >= last || b.header != r.header(i) {
			b.Move(fyne.NewPos(0, -2*rowHeight)) // moved out of sight; to hide and show it would redraw all of it
			delete(r.shown, i)
			r.spare[kind(b.header)] = append(r.spare[kind(b.header)], b)
		}
	}
	y = -r.into
	for i := r.top; i < last; i++ {
		h := r.height(i)
		b, there := r.shown[i]
		if !there {
			b = r.box(r.header(i))
			b.row = i
			r.shown[i] = b
		}
		b.Resize(fyne.NewSize(size.Width-barWidth, h))
		b.Move(fyne.NewPos(0, y))
		if !there || again {
			r.update(i, b.header, b.content)
			b.mark()
		}
		y += h
	}
	r.bar.place()
}

func kind(header bool) int {
	if header {
		return 1
	}
	return 0
}

func (r *rows) box(header bool) *rowBox {
	k := kind(header)
	if n := len(r.spare[k]); n > 0 {
		b := r.spare[k][n-1]
		r.spare[k] = r.spare[k][:n-1]
		return b
	}
	b := &rowBox{r: r, header: header, content: r.create(header), ground: canvas.NewRectangle(color.Transparent)}
	b.ground.CornerRadius = theme.SelectionRadiusSize()
	b.ExtendBaseWidget(b)
	r.inner.Add(b)
	return b
}

// refreshRow redraws a row if it is visible.
func (r *rows) refreshRow(i int) {
	if b, ok := r.shown[i]; ok {
		r.update(i, b.header, b.content)
		b.mark()
	}
}

// --- Cursor and keys ---

// setCursor moves the cursor to a row and makes the row visible.
func (r *rows) setCursor(i int) {
	old := r.cursor
	r.cursor = i
	for _, n := range []int{old, i} {
		if b, ok := r.shown[n]; ok {
			b.mark()
		}
	}
	r.reveal(i)
}

// step moves the cursor by n rows and skips headings.
func (r *rows) step(n int) {
	if r.count == 0 {
		return
	}
	d := 1
	if n < 0 {
		d = -1
	}
	at := r.cursor
	if at < 0 {
		at, n, d = r.top-1, 1, 1
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
		r.setCursor(at)
	}
}

func (r *rows) page() int { return max(1, int(r.Size().Height/rowHeight)-1) }

// Scrolled moves the rows by the mouse wheel.
func (r *rows) Scrolled(e *fyne.ScrollEvent) { r.scroll(-e.Scrolled.DY) }

// FocusGained shows that the list has the keyboard focus.
func (r *rows) FocusGained() {
	r.keyed = true
	r.place(true)
}

// FocusLost removes the mark of FocusGained.
func (r *rows) FocusLost() {
	r.keyed = false
	r.place(true)
}

// TypedRune does nothing, because letters also come as keys.
func (r *rows) TypedRune(rune) {}

// TypedKey moves the cursor. It passes all other keys to typed.
func (r *rows) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyUp:
		r.step(-1)
	case fyne.KeyDown:
		r.step(1)
	case fyne.KeyPageUp:
		r.step(-r.page())
	case fyne.KeyPageDown:
		r.step(r.page())
	case fyne.KeyHome:
		r.cursor = -1
		r.jump(0)
		r.step(1)
	case fyne.KeyEnd:
		r.cursor = r.count
		r.step(-1)
	default:
		r.typed(e, modifiers())
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
func (r *rows) CreateRenderer() fyne.WidgetRenderer {
	return &rowsRenderer{r: r, clip: container.NewClip(r.inner)}
}

type rowsRenderer struct {
	r    *rows
	clip *container.Clip
}

func (r *rowsRenderer) Layout(size fyne.Size) {
	r.clip.Resize(size)
	r.r.bar.Move(fyne.NewPos(size.Width-barWidth, 0))
	r.r.bar.Resize(fyne.NewSize(barWidth, size.Height))
	r.r.clampScroll()
	r.r.place(false)
}

func (r *rowsRenderer) MinSize() fyne.Size           { return fyne.NewSize(200, rowHeight) }
func (r *rowsRenderer) Destroy()                     {}
func (r *rowsRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.clip, r.r.bar} }
func (r *rowsRenderer) Refresh() {
	r.r.clampScroll()
	r.r.place(true)
	canvas.Refresh(r.clip)
}

// --- Boxes and the scroll bar ---

// rowBox is the object of one row: its content on a background that shows the cursor and the mouse.
type rowBox struct {
	widget.BaseWidget
	r        *rows
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
	case b.row == b.r.cursor && b.r.keyed:
		name = theme.ColorNameFocus
	case b.hovered:
		name = theme.ColorNameHover
	case b.row == b.r.cursor:
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

// MouseMoved does nothing.
func (b *rowBox) MouseMoved(*desktop.MouseEvent) {}

// MouseOut removes the mark of MouseIn.
func (b *rowBox) MouseOut() {
	b.hovered = false
	b.mark()
}

// Tapped moves the cursor to the row and opens or picks it.
func (b *rowBox) Tapped(*fyne.PointEvent) {
	m := b.modifier
	b.modifier = 0
	if !b.header {
		b.r.setCursor(b.row)
		b.r.tapped(b.row, m)
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
	r     *rows
	thumb *canvas.Rectangle
	grip  float32 // where the thumb was grabbed; negative if it is not grabbed
}

// thumbAt returns the position and length of the thumb. Both are 0 if all rows fit.
func (b *scrollBar) thumbAt() (y, length float32) {
	h := b.Size().Height
	seen := max(1, float32(len(b.r.shown)))
	if b.r.count == 0 || int(seen) >= b.r.count && b.r.top == 0 && b.r.into == 0 {
		return 0, 0
	}
	length = max(32, h*seen/float32(b.r.count))
	at := (float64(b.r.top) + float64(b.r.into/rowHeight)) / max(1, float64(b.r.count)-float64(seen)+1)
	return float32(min(1, at)) * (h - length), length
}

func (b *scrollBar) place() {
	y, length := b.thumbAt()
	b.thumb.FillColor = theme.Color(theme.ColorNameScrollBar)
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
	f := float64(min(1, max(0, y/room))) * (float64(b.r.count) - float64(len(b.r.shown)) + 1)
	b.r.top = max(0, min(int(f), b.r.count-1))
	b.r.into = float32(f-float64(b.r.top)) * b.r.height(b.r.top)
	b.r.clampScroll()
	b.r.place(false)
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
		b.r.scroll(-h + rowHeight)
	case e.Position.Y > y+length:
		b.r.scroll(h - rowHeight)
	}
}

// CreateRenderer shows the thumb.
func (b *scrollBar) CreateRenderer() fyne.WidgetRenderer {
	b.grip = -1
	return widget.NewSimpleRenderer(container.NewWithoutLayout(b.thumb))
}
