package events

import (
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// Sizes of the strip at the usual text size.
const (
	stripRow   = 16          // height of a camera's row
	stripHours = 20          // height of the hours above
	stripNames = 220         // max width of the names
	stripRows  = 6           // max number of rows
	stripPart  = 1000        // events that are asked for at once
	stripLeast = time.Minute // the shortest stretch of time that can be shown
	wholeDay   = 24 * time.Hour
)

// strip shows a day from left to right: a row for each camera, with its events, what is missing in them, and when the
// camera was not recorded. The wheel zooms, dragging moves, and a click opens an event.
type strip struct {
	widget.BaseWidget
	env    *page.Env
	open   func(event.Event)
	resize func()             // the number of rows has changed
	filter func() event.Query // what the list shows

	widest  float32 // width of the longest name
	day     string  // such as "2026-11-22"
	begin   time.Time
	events  []event.Event // of the day, newest first
	outages []status.Outage
	drawn   time.Time // when a lasting outage was drawn last
	known   time.Time // when the outages were asked for
	cameras []string  // ids, a row each
	all     int       // cameras that would have a row if there was room
	wanted  string    // the day that was to be shown last
	asked   string    // the day that was asked for last
	asking  bool
	stale   bool

	from, to time.Duration // the part of the day that is shown
	hovered  *event.Event
	outage   *status.Outage // below the mouse

	picture *canvas.Raster
	names   []*widgets.Line
	hours   []*canvas.Text
	said    *widgets.Line // of the event below the mouse, or the day
	words   string        // in it
}

func newStrip(env *page.Env, open func(event.Event), resize func(), filter func() event.Query) *strip {
	s := &strip{env: env, open: open, resize: resize, filter: filter, to: wholeDay,
		said: widgets.NewLine(fyne.TextStyle{})}
	s.picture = canvas.NewRaster(s.draw)
	s.ExtendBaseWidget(s)
	return s
}

// show shows a day. The whole day is seen, unless it is the one that is shown already.
func (s *strip) show(day string, stale bool) {
	s.stale, s.wanted = s.stale || stale, day
	if day == "" || s.asking || s.asked == day && !s.stale || !s.Visible() {
		return
	}
	s.asked, s.asking, s.stale = day, true, false
	from, _ := time.ParseInLocation(time.DateOnly, day, time.Local)
	q := s.filter()
	q.Day, q.Until, q.Limit = day, "", stripPart
	s.env.Work.Go(func() {
		var list []event.Event
		part, err := []event.Event(nil), error(nil)
		for full := true; full && err == nil; full = len(part) == stripPart {
			q.Offset = len(list)
			part, err = s.env.Client.Events(s.env.Ctx, q)
			list = append(list, part...)
		}
		var outages []status.Outage
		if err == nil { // without them the strip shows the events alone
			outages, _ = s.env.Client.Outages(s.env.Ctx, from, from.AddDate(0, 0, 1))
		}
		s.env.Do(func() {
			s.asking = false
			if err != nil {
				s.asked = ""
				return
			}
			s.known = s.env.Now()
			s.load(day, list, outages)
			s.show(s.wanted, false)
		})
	})
}

func (s *strip) load(day string, list []event.Event, outages []status.Outage) {
	s.begin, _ = time.ParseInLocation(time.DateOnly, day, time.Local)
	if day != s.day {
		s.from, s.to = 0, s.whole()
	}
	s.day, s.events, s.outages, s.hovered, s.outage = day, list, outages, nil, nil
	var ids []string
	for _, e := range list {
		if !slices.Contains(ids, e.Camera) {
			ids = append(ids, e.Camera)
		}
	}
	only := s.filter().Camera
	for _, o := range outages {
		if o.Camera != "" && (only == "" || only == o.Camera) && !slices.Contains(ids, o.Camera) {
			ids = append(ids, o.Camera)
		}
	}
	s.all = len(ids)
	busy := map[string]int{}
	for _, e := range list {
		busy[e.Camera]++
	}
	slices.SortStableFunc(ids, func(a, b string) int { return busy[b] - busy[a] })
	ids = ids[:min(len(ids), stripRows)]
	slices.SortFunc(ids, func(a, b string) int {
		return strings.Compare(strings.ToLower(s.env.CameraName(a)), strings.ToLower(s.env.CameraName(b)))
	})
	s.widest = 0
	for _, id := range ids {
		s.widest = max(s.widest, fyne.MeasureText(s.env.CameraName(id), theme.Size(theme.SizeNameCaptionText),
			fyne.TextStyle{}).Width)
	}
	more := len(ids) != len(s.cameras)
	s.cameras = ids
	s.Refresh()
	if more {
		s.resize()
	}
}

// whole returns the length of the day, which is not always 24 h.
func (s *strip) whole() time.Duration { return s.begin.AddDate(0, 0, 1).Sub(s.begin) }

// --- Places ---

func (s *strip) left() float32 {
	return min(s.widest, stripNames*widgets.Scale(), s.Size().Width/4) + 2*theme.Padding()
}
func (s *strip) top() float32   { return stripHours * widgets.Scale() }
func (s *strip) row() float32   { return stripRow * widgets.Scale() }
func (s *strip) width() float32 { return max(1, s.Size().Width-s.left()) }

// at returns the time of the day at a distance from the left end of the rows.
func (s *strip) at(x float32) time.Duration {
	return s.from + time.Duration(float64(x)/float64(s.width())*float64(s.to-s.from))
}

// x returns the distance of a time of the day from the left end of the rows, for a width.
func (s *strip) x(at time.Duration, width float64) float64 {
	return float64(at-s.from) / float64(s.to-s.from) * width
}

// span returns when an event began and ended.
func (s *strip) span(e event.Event) (from, to time.Duration) {
	first, last := e.From, e.Until
	if len(e.Clips) > 0 {
		first, last = e.Clips[0].Start, e.Clips[len(e.Clips)-1].End
	}
	if first.IsZero() || last.Before(first) {
		first, last = e.Time, e.LastTrigger
	}
	return first.Sub(s.begin), max(last.Sub(s.begin), first.Sub(s.begin)+time.Second)
}

// endOf returns when an outage ended. One that lasts goes on to now.
func (s *strip) endOf(o status.Outage) time.Time {
	if s.lasts(o) {
		return s.env.Now()
	}
	return o.To
}

func (s *strip) lasts(o status.Outage) bool { return o.To.After(s.known.Add(-2 * time.Second)) }

// tick lets an outage grow that lasts.
func (s *strip) tick() {
	if s.Visible() && slices.ContainsFunc(s.outages, s.lasts) && s.env.Now().Sub(s.drawn) > growTime {
		s.drawn = s.env.Now()
		canvas.Refresh(s.picture)
	}
}

// growTime is how often an outage that lasts is drawn longer.
const growTime = 20 * time.Second

// find returns the event at a point, or nil.
func (s *strip) find(p fyne.Position) *event.Event {
	row := int((p.Y - s.top()) / s.row())
	if p.Y < s.top() || row >= len(s.cameras) || p.X < s.left() {
		return nil
	}
	best, far := -1, 5.0
	for i, e := range s.events {
		if e.Camera != s.cameras[row] {
			continue
		}
		from, to := s.span(e)
		a, b := s.x(from, float64(s.width())), s.x(to, float64(s.width()))
		x := float64(p.X - s.left())
		if off := max(a-x, x-b, 0); off < far {
			best, far = i, off
		}
	}
	if best < 0 {
		return nil
	}
	return &s.events[best]
}

// findOutage returns the outage at a point, or nil.
func (s *strip) findOutage(p fyne.Position) *status.Outage {
	row := int((p.Y - s.top()) / s.row())
	if p.Y < s.top() || row >= len(s.cameras) || p.X < s.left() {
		return nil
	}
	at, slack := s.begin.Add(s.at(p.X-s.left())), s.at(2)-s.at(0)
	for i, o := range s.outages {
		if (o.Camera == "" || o.Camera == s.cameras[row]) && at.After(o.From.Add(-slack)) &&
			at.Before(s.endOf(o).Add(slack)) {
			return &s.outages[i]
		}
	}
	return nil
}

// --- Mouse ---

// Tapped opens the event that is clicked.
func (s *strip) Tapped(e *fyne.PointEvent) {
	if found := s.find(e.Position); found != nil {
		s.open(*found)
	}
}

// Scrolled shows more or less of the day around the mouse.
func (s *strip) Scrolled(e *fyne.ScrollEvent) {
	mid := s.at(max(0, e.Position.X-s.left()))
	length := time.Duration(float64(s.to-s.from) * math.Pow(0.98, float64(e.Scrolled.DY)))
	length = min(max(length, stripLeast), s.whole())
	part := float64(mid-s.from) / float64(s.to-s.from)
	s.look(mid-time.Duration(part*float64(length)), length)
}

// Dragged moves along the day.
func (s *strip) Dragged(e *fyne.DragEvent) {
	by := time.Duration(float64(e.Dragged.DX) / float64(s.width()) * float64(s.to-s.from))
	s.look(s.from-by, s.to-s.from)
}

// DragEnd does nothing.
func (s *strip) DragEnd() {}

func (s *strip) look(from, length time.Duration) {
	s.from = min(max(0, from), s.whole()-length)
	s.to = s.from + length
	s.Refresh()
}

// MouseIn does nothing.
func (s *strip) MouseIn(*desktop.MouseEvent) {}

// MouseMoved says which event or outage is below the mouse.
func (s *strip) MouseMoved(e *desktop.MouseEvent) {
	s.hover(s.find(e.Position), s.findOutage(e.Position))
}

// MouseOut says nothing of an event any more.
func (s *strip) MouseOut() { s.hover(nil, nil) }

func (s *strip) hover(e *event.Event, o *status.Outage) {
	if s.hovered == e && s.outage == o {
		return
	}
	s.hovered, s.outage = e, o
	s.say()
	canvas.Refresh(s.picture)
}

// say names the event below the mouse, or the day.
func (s *strip) say() {
	text := ""
	if !s.begin.IsZero() {
		text = words.Day(s.begin, s.env.Now())
	}
	if n := len(s.cameras); n < s.all {
		text += "  " + words.L("%d of %d cameras", n, s.all)
	}
	if s.to-s.from < s.whole() {
		text += "  " + s.clock(s.from) + " – " + s.clock(s.to)
	}
	if o := s.outage; o != nil {
		form, end := "15:04", s.endOf(*o)
		if end.Sub(o.From) < 2*time.Minute {
			form = "15:04:05"
		}
		text = o.From.Local().Format(form) + " – " + end.Local().Format(form) + "  " + words.Say(o.Text)
	}
	if e := s.hovered; e != nil {
		text = e.Time.Local().Format("15:04:05") + "  " + page.LabelOf(*e)
	}
	if text != s.words {
		s.words = text
		s.said.Set(text, theme.ColorNameForeground)
		s.placeHours()
	}
}

func (s *strip) clock(at time.Duration) string { return s.begin.Add(at).Format("15:04") }

// Cursor shows that an event can be clicked.
func (s *strip) Cursor() desktop.Cursor {
	if s.hovered != nil {
		return desktop.PointerCursor
	}
	return desktop.DefaultCursor
}

// --- Drawing ---

// draw draws the rows into a picture of a size in pixels.
func (s *strip) draw(w, h int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	if len(s.cameras) == 0 || w == 0 {
		return m
	}
	fill := func(x0, x1 float64, y0, y1 int, c color.Color) {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		if x0 < float64(w) { // what has just begun is as wide as the rest
			x0 = min(x0, float64(w-2))
		}
		for y := max(0, y0); y < min(h, y1); y++ {
			for x := max(0, int(x0)); x < min(w, max(int(x1), int(x0)+2)); x++ {
				m.SetNRGBA(x, y, n)
			}
		}
	}
	row := float64(h) / float64(len(s.cameras))
	ground, line := theme.Color(theme.ColorNameInputBackground), theme.Color(theme.ColorNameSeparator)
	for i := range s.cameras {
		fill(0, float64(w), int(row*float64(i))+1, int(row*float64(i+1))-1, ground)
	}
	for at, step := time.Duration(0), s.step(); at <= s.whole(); at += step {
		if x := s.x(at, float64(w)); x >= 0 && x < float64(w) {
			fill(x, x+1, 0, h, line)
		}
	}
	for _, o := range s.outages {
		for i, id := range s.cameras {
			if o.Camera == "" || o.Camera == id {
				mid := int(row * (float64(i) + 0.5))
				fill(s.x(o.From.Sub(s.begin), float64(w)), s.x(s.endOf(o).Sub(s.begin), float64(w)),
					mid-h/len(s.cameras)/8-1,
					mid+h/len(s.cameras)/8+1, theme.Color(theme.ColorNameError))
			}
		}
	}
	for i := range slices.Backward(s.events) {
		e := &s.events[i]
		at := slices.Index(s.cameras, e.Camera)
		from, to := s.span(*e)
		if at < 0 || to < s.from || from > s.to {
			continue
		}
		y0, y1 := int(row*float64(at))+2, int(row*float64(at+1))-2
		_, importance := s.env.StateOf(*e)
		name := widgets.ColourOf(importance)
		switch {
		case e == s.hovered:
			name = theme.ColorNameForeground
		case e.State == event.Saved:
			name = theme.ColorNamePrimary
		}
		fill(s.x(from, float64(w)), s.x(to, float64(w)), y0, y1, theme.Color(name))
		for _, g := range e.Gaps {
			fill(s.x(g.From.Sub(s.begin), float64(w)), s.x(g.To.Sub(s.begin), float64(w)), y0, y1,
				theme.Color(theme.ColorNameError))
		}
	}
	return m
}

// step returns the time between two lines, so that their words have room.
func (s *strip) step() time.Duration {
	for _, step := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour,
		3 * time.Hour} {
		if float64(step)/float64(s.to-s.from)*float64(s.width()) > 60*float64(widgets.Scale()) {
			return step
		}
	}
	return 6 * time.Hour
}

// CreateRenderer shows the hours, the names and the rows.
func (s *strip) CreateRenderer() fyne.WidgetRenderer { return &stripRenderer{s} }

type stripRenderer struct{ s *strip }

// MinSize leaves room for the rows.
func (r *stripRenderer) MinSize() fyne.Size {
	return fyne.NewSize(300, r.s.top()+r.s.row()*float32(max(1, len(r.s.cameras))))
}

// Layout places the words and the picture.
func (r *stripRenderer) Layout(fyne.Size) {
	s := r.s
	s.picture.Move(fyne.NewPos(s.left(), s.top()))
	s.picture.Resize(fyne.NewSize(s.width(), s.row()*float32(max(1, len(s.cameras)))))
	s.said.Move(fyne.NewPos(0, 0))
	s.said.Resize(fyne.NewSize(s.left()+s.width()/2, s.top()))
	for i, n := range s.names {
		n.Move(fyne.NewPos(0, s.top()+s.row()*float32(i)-2))
		n.Resize(fyne.NewSize(s.left()-theme.Padding(), s.row()))
	}
	s.placeHours()
}

// placeHours shows the hours, but for those where the words on the left are.
func (s *strip) placeHours() {
	taken := fyne.MeasureText(s.words, theme.TextSize(), fyne.TextStyle{}).Width + theme.InnerPadding()
	i := 0
	for at, step := time.Duration(0), s.step(); at <= s.whole() && i < len(s.hours); at += step {
		x := float32(s.x(at, float64(s.width())))
		t := s.hours[i]
		t.Text, t.TextSize, t.Color = s.clock(at), theme.Size(theme.SizeNameCaptionText),
			theme.Color(theme.ColorNameDisabled)
		left := s.left() + x - t.MinSize().Width - 2
		if left < taken || x > s.width() {
			continue
		}
		t.Move(fyne.NewPos(left, 2))
		t.Show()
		i++
	}
	for ; i < len(s.hours); i++ {
		s.hours[i].Hide()
	}
}

// Refresh draws all of it.
func (r *stripRenderer) Refresh() {
	s := r.s
	for len(s.names) < len(s.cameras) {
		n := widgets.NewLine(fyne.TextStyle{})
		n.Name, n.Small = true, true
		s.names = append(s.names, n)
	}
	s.names = s.names[:len(s.cameras)]
	for len(s.hours) < 28 {
		s.hours = append(s.hours, canvas.NewText("", color.Transparent))
	}
	for i, id := range s.cameras {
		s.names[i].Set(s.env.CameraName(id), theme.ColorNameForeground)
	}
	s.say()
	r.Layout(s.Size())
	canvas.Refresh(s)
}

// Destroy does nothing.
func (r *stripRenderer) Destroy() {}

// Objects returns the parts.
func (r *stripRenderer) Objects() []fyne.CanvasObject {
	list := []fyne.CanvasObject{r.s.picture, r.s.said}
	for _, n := range r.s.names {
		list = append(list, n)
	}
	for _, t := range r.s.hours {
		list = append(list, t)
	}
	return list
}
