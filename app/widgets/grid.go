package widgets

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
)

// Grid lays out equal cells that fill the width. A cell is at least Width wide. Its height is Ratio of its width and
// Height more. If all cells can be seen at once, they are as wide as that allows. Sizes are those at the usual text
// size.
type Grid struct {
	Width, Height, Ratio float32
	Scroll               *container.Scroll // that the grid is in; its height is the room

	columns int // of the last layout
	cell    fyne.Size
}

// Layout places the cells.
func (g *Grid) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	if len(objects) == 0 {
		return
	}
	before := g.cell
	g.columns, g.cell = g.fit(len(objects), size.Width, g.Scroll.Size().Height-2*theme.Padding())
	if g.cell != before {
		g.Scroll.Refresh() // the height has changed, and this lays out again
		return
	}
	pad := theme.Padding()
	for i, o := range objects {
		o.Resize(g.cell)
		o.Move(fyne.NewPos(float32(i%g.columns)*(g.cell.Width+pad), float32(i/g.columns)*(g.cell.Height+pad)))
	}
}

// fit returns the fewest columns with which n cells fit into the room, or as many as there is width for.
func (g *Grid) fit(n int, width, height float32) (columns int, cell fyne.Size) {
	pad := theme.Padding()
	most := max(1, int((width+pad)/(g.Width*Scale()+pad)))
	for columns = 1; ; columns++ {
		cell.Width = (width+pad)/float32(columns) - pad
		cell.Height = cell.Width*g.Ratio + g.Height*Scale()
		rows := (n + columns - 1) / columns
		if columns >= most || float32(rows)*(cell.Height+pad)-pad <= height {
			return columns, cell
		}
	}
}

// MinSize returns the height of the last layout.
func (g *Grid) MinSize(objects []fyne.CanvasObject) fyne.Size {
	least := fyne.NewSize(g.Width*Scale(), g.Width*Scale()*g.Ratio+g.Height*Scale())
	if g.columns == 0 || len(objects) == 0 {
		return least
	}
	rows := (len(objects) + g.columns - 1) / g.columns
	return fyne.NewSize(least.Width, float32(rows)*(g.cell.Height+theme.Padding()))
}

// Below lays out an object and below it another of a height, at the usual text size.
type Below struct{ Height, Pad float32 }

// Layout places the two objects.
func (b Below) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	height := b.Height * Scale()
	objects[0].Resize(fyne.NewSize(size.Width, max(0, size.Height-height-b.Pad)))
	objects[1].Move(fyne.NewPos(0, size.Height-height))
	objects[1].Resize(fyne.NewSize(size.Width, height))
}

// MinSize is the height of the second object alone.
func (b Below) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(0, b.Height*Scale()+b.Pad) }
