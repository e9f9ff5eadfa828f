package health

import (
	"errors"
	"fmt"
	"image/color"
	"reflect"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/instance"
	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/internal/maildoctor"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
)

// connections shows the last connections to the mail server, their verdicts and their dialogues. While it is visible,
// it asks for them every two seconds.
type connections struct {
	env     *page.Env
	content *fyne.Container
	rows    *fyne.Container
	bad     *widget.Check
	more    *widget.Button
	empty   *widget.Label

	list   []status.Connection // newest first
	fault  string              // why the list is not known, or ""
	most   int                 // max number of shown connections
	seen   bool
	asking bool
	odd    bool // toggles each second, to ask every two seconds
	talk   *talk
}

// fewConnections is how many connections are shown until the user asks for more.
const fewConnections = 6

func newConnections(env *page.Env) *connections {
	p := &connections{env: env, most: fewConnections, rows: container.New(layout.NewCustomPaddedVBoxLayout(0)),
		empty: widgets.Wrapped("")}
	p.empty.Importance = widget.LowImportance
	p.bad = widget.NewCheck(words.L("Problems only"), func(bool) { p.draw() })
	p.more = widget.NewButtonWithIcon(words.L("Show more"), theme.MoveDownIcon(), func() {
		p.most += 4 * fewConnections
		p.draw()
	})
	p.content = container.NewVBox(
		widgets.Wrapped(
			words.L("Recent connections from your cameras, and the result. Click on one to see every word.")),
		container.NewHBox(p.bad), p.rows, p.empty, container.NewHBox(p.more))
	p.draw()
	return p
}

func (p *connections) visible(yes bool) {
	p.seen = yes
	if yes {
		p.ask()
	}
}

// tick runs once a second while the page is visible.
func (p *connections) tick() {
	if p.odd = !p.odd; p.odd {
		p.ask()
	}
}

// ask asks the recorder for the connections, unless an answer is still due.
func (p *connections) ask() {
	if p.asking || !p.seen {
		return
	}
	p.asking = true
	p.env.Work.Go(func() {
		list, err := p.env.Client.Connections(p.env.Ctx)
		p.env.Do(func() {
			p.asking = false
			fault := ""
			if errors.Is(err, control.ErrNotRunning) {
				list, fault = p.list, page.Headline(nil)
			} else if err != nil {
				list, fault = p.list, words.Error(err)
			}
			if fault == p.fault && reflect.DeepEqual(list, p.list) {
				return
			}
			p.list, p.fault = list, fault
			p.draw()
			p.talk.update(list)
		})
	})
}

// fits returns the connections to show.
func (p *connections) fits() []status.Connection {
	return slices.DeleteFunc(slices.Clone(p.list), func(c status.Connection) bool { return p.bad.Checked && c.Good })
}

func (p *connections) draw() {
	list := p.fits()
	some := min(len(list), p.most)
	for len(p.rows.Objects) < some {
		p.rows.Add(newConnectionRow(p))
	}
	for i, o := range p.rows.Objects {
		if i < some {
			o.(*connectionRow).set(list[i])
		}
		widgets.SetVisible(o, i < some)
	}
	text := ""
	switch {
	case p.fault != "":
		text = p.fault
	case len(p.list) == 0:
		text = words.L("None yet. As soon as a camera connects it is listed here, even if its mail fails.")
	case len(list) == 0:
		text = words.L("None of the last %d connections had a problem.", len(p.list))
	}

	p.empty.SetText(text)
	widgets.SetVisible(p.empty, text != "")
	p.more.SetText(words.L("Show older ones (%d)", len(list)-some))
	widgets.SetVisible(p.more, len(list) > some)
	p.content.Refresh()
}

// verdictOf returns the verdict on a connection.
func verdictOf(c status.Connection) string { return page.Capital(words.Say(c.Verdict)) }

// aboutConnection returns one line with what else is worth knowing about a connection.
func (p *connections) aboutConnection(c status.Connection) string {
	parts := []string{words.Moment(c.Time, p.env.Now()), c.From}
	for _, id := range c.Cameras {
		parts = append(parts, p.env.CameraName(id))
	}
	if c.TLS != "" {
		parts = append(parts, c.TLS)
	}
	if c.Open {
		parts = append(parts, words.L("still open"))
	}
	return strings.Join(parts, "  ·  ")
}

// connectionSign returns the icon that shows whether something needs repair.
func connectionSign(c status.Connection) fyne.Resource {
	if c.Good {
		return theme.NewSuccessThemedResource(theme.ConfirmIcon())
	}
	return theme.NewWarningThemedResource(theme.WarningIcon())
}

// --- Rows ---

// connectionRow is one connection in the list. A click, Enter or Space opens it.
type connectionRow struct {
	widget.BaseWidget
	p       *connections
	c       status.Connection
	ground  *canvas.Rectangle
	icon    *widget.Icon
	text    *widget.Label
	detail  *widget.Label
	box     fyne.CanvasObject
	hovered bool
	focused bool
}

func newConnectionRow(p *connections) *connectionRow {
	r := &connectionRow{p: p, ground: canvas.NewRectangle(color.Transparent), icon: widget.NewIcon(nil),
		text: widgets.Wrapped(""), detail: widget.NewLabel("")}
	r.ground.CornerRadius = theme.SelectionRadiusSize()
	r.detail.Importance, r.detail.SizeName, r.detail.Truncation = widget.LowImportance, theme.SizeNameCaptionText,
		fyne.TextTruncateEllipsis
	arrow := container.NewCenter(container.NewGridWrap(fyne.NewSize(20, 20),
		widget.NewIcon(theme.NewDisabledResource(theme.NavigateNextIcon()))))
	r.box = container.NewStack(r.ground,
		container.NewBorder(nil, nil, container.NewVBox(widgets.Fixed(28, 34, r.icon)), arrow,
			container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()*3), r.text, r.detail)))
	r.ExtendBaseWidget(r)
	return r
}

// set shows a connection. It redraws only what changed.
func (r *connectionRow) set(c status.Connection) {
	r.c = c
	text, detail := verdictOf(c), r.p.aboutConnection(c)
	if r.text.Text != text {
		r.text.SetText(text)
	}
	if r.detail.Text != detail {
		r.detail.SetText(detail)
	}
	if sign := connectionSign(c); r.icon.Resource == nil || r.icon.Resource.Name() != sign.Name() {
		r.icon.SetResource(sign)
	}
}

func (r *connectionRow) mark() {
	fill := color.Color(color.Transparent)
	switch {
	case r.focused:
		fill = theme.Color(theme.ColorNameFocus)
	case r.hovered:
		fill = theme.Color(theme.ColorNameHover)
	}
	r.ground.FillColor = fill
	r.ground.Refresh()
}

// Tapped opens the connection.
func (r *connectionRow) Tapped(*fyne.PointEvent) { r.p.open(r.c) }

// MouseIn shows that the row can be clicked.
func (r *connectionRow) MouseIn(*desktop.MouseEvent) { r.hovered = true; r.mark() }

// MouseMoved does nothing.
func (r *connectionRow) MouseMoved(*desktop.MouseEvent) {}

// MouseOut removes the mark of MouseIn.
func (r *connectionRow) MouseOut() { r.hovered = false; r.mark() }

// FocusGained shows that the row has the keyboard focus.
func (r *connectionRow) FocusGained() { r.focused = true; r.mark() }

// FocusLost removes the mark of FocusGained.
func (r *connectionRow) FocusLost() { r.focused = false; r.mark() }

// TypedRune does nothing, because Space also comes as a key.
func (r *connectionRow) TypedRune(rune) {}

// TypedKey opens the connection on Enter and Space.
func (r *connectionRow) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyReturn || k.Name == fyne.KeyEnter || k.Name == fyne.KeySpace {
		r.p.open(r.c)
	}
}

// CreateRenderer shows the row.
func (r *connectionRow) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(r.box)
}

// --- Dialogue ---

// talk is the dialog that shows everything that was said in a connection. It follows a connection that is still open.
type talk struct {
	p       *connections
	c       status.Connection
	box     *dialog.CustomDialog
	icon    *widget.Icon
	verdict *widget.Label
	detail  *widget.Label
	said    *widget.RichText
	toEvent *widget.Button
}

// open shows what was said in a connection.
func (p *connections) open(c status.Connection) {
	t := &talk{p: p, icon: widget.NewIcon(nil), verdict: widgets.Wrapped(""), detail: widgets.Wrapped(""),
		said: widget.NewRichText()}
	t.detail.Importance, t.detail.SizeName = widget.LowImportance, theme.SizeNameCaptionText
	t.said.Wrapping = fyne.TextWrapBreak
	head := container.NewBorder(nil, nil, container.NewVBox(widgets.Fixed(28, 34, t.icon)), nil,
		container.New(layout.NewCustomPaddedVBoxLayout(-theme.Padding()*3), t.verdict, t.detail))
	ground := widgets.NewBackdrop(theme.ColorNameInputBackground, "", theme.InputRadiusSize())
	body := container.NewBorder(head, nil, nil, nil, container.NewStack(ground, container.NewVScroll(t.said)))
	t.box = dialog.NewCustomWithoutButtons(words.L("Connection %d", c.ID), body, p.env.Window)
	away := func() { t.box.Hide() }
	t.box.SetOnClosed(func() { p.talk = nil })
	t.toEvent = widget.NewButtonWithIcon(words.L("Show the event"), theme.MediaVideoIcon(), func() {
		t.box.Hide()
		p.env.Go(instance.Request{Event: t.c.Events[0]})
	})
	done := widgets.NewAnswer(words.L("Close"), away, away)
	done.Importance = widget.HighImportance
	t.box.SetButtons([]fyne.CanvasObject{
		t.toEvent,
		widget.NewButtonWithIcon(words.L("Copy all"), theme.ContentCopyIcon(), func() {
			fyne.CurrentApp().Clipboard().SetContent(maildoctor.Text(t.c))
			p.env.Toast(words.L("Copied."))
		}),
		done})
	t.set(c)
	room := p.env.Window.Canvas().Size()
	t.box.Resize(fyne.NewSize(min(room.Width-60, 860), min(room.Height-40, 620)))
	p.talk = t
	t.box.Show()
	p.env.Window.Canvas().Focus(done)
}

// update follows the connection that is shown.
func (t *talk) update(list []status.Connection) {
	if t == nil {
		return
	}
	for _, c := range list {
		if c.ID == t.c.ID && c.Time.Equal(t.c.Time) && t.c.Open {
			t.set(c)
		}
	}
}

func (t *talk) set(c status.Connection) {
	t.c = c
	t.icon.SetResource(connectionSign(c))
	t.verdict.SetText(verdictOf(c))
	t.detail.SetText(strings.Join([]string{t.p.aboutConnection(c), page.PortOf(c.Port),
		words.L("%.2f s long", c.Length.D().Seconds())}, "  ·  "))
	widgets.SetVisible(t.toEvent, len(c.Events) > 0)
	t.said.Segments = nil
	for _, l := range c.Dialogue {
		var who string
		text, name := words.Say(l.Text), theme.ColorNameForeground
		switch l.Who {
		case "camera":
			who = words.L("camera")
		case "preroll":
			who, name = "Preroll", theme.ColorNamePrimary
		default:
			name = theme.ColorNamePlaceHolder
		}

		style := widget.RichTextStyle{ColorName: name, SizeName: theme.SizeNameCaptionText,
			TextStyle: fyne.TextStyle{Monospace: true}}
		t.said.Segments = append(t.said.Segments,
			&widget.TextSegment{Text: fmt.Sprintf("%7.2f  %-8s %s", l.At.D().Seconds(), who, text), Style: style})
	}

	if len(c.Dialogue) == 0 {
		t.said.Segments = []widget.RichTextSegment{&widget.TextSegment{Text: words.L("Nothing was said."),
			Style: widget.RichTextStyle{ColorName: theme.ColorNamePlaceHolder}}}
	}
	t.said.Refresh()
}
