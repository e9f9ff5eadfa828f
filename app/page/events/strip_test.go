package events

import (
	"image/color"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"

	"github.com/preroll/preroll/internal/testing/pagetest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// TestOutagesAreInTheDay checks that the day shows a camera that was away, also one without an event, and when Preroll
// itself did not run.
func TestOutagesAreInTheDay(t *testing.T) {
	noon := pagetest.Noon
	f := &pagetest.Fake{Config: config.Default(), Away: []status.Outage{
		{Camera: "roof", From: noon.Add(-3 * time.Hour), To: noon.Add(-2 * time.Hour), Text: text.Plain("no route")},
		{From: noon.Add(-time.Hour), To: noon.Add(-30 * time.Minute), Text: text.NotRunning.With()}}}
	w, p := filled(t, f, 4)
	w.Settle()
	s := p.strip
	row := -1
	for i, id := range s.cameras {
		if id == "roof" {
			row = i
		}
	}
	if len(s.cameras) != 3 || row < 0 {
		t.Fatalf("rows: %v", s.cameras)
	}
	at := func(row int, off time.Duration) fyne.Position {
		x := s.x(noon.Add(off).Sub(s.begin), float64(s.width()))
		return fyne.NewPos(s.left()+float32(x), s.top()+s.row()*(float32(row)+0.5))
	}
	hover := func(row int, off time.Duration) string {
		s.MouseMoved(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: at(row, off)}})
		return s.words
	}
	if got := hover(row, -150*time.Minute); !strings.Contains(got, "09:00 – 10:00  no route") {
		t.Errorf("the camera's outage: %q", got)
	}
	if got := hover((row+1)%3, -150*time.Minute); strings.Contains(got, "no route") {
		t.Errorf("another camera's outage: %q", got)
	}
	for i := range s.cameras {
		if got := hover(i, -52*time.Minute); !strings.Contains(got, "11:00 – 11:30  Preroll was not running") {
			t.Errorf("row %d: %q", i, got)
		}
	}
	// A camera goes away: the day is asked for again, though no event has come.
	s.MouseOut()
	f.Away = append(f.Away, status.Outage{Camera: "gate", From: noon.Add(-10 * time.Minute), To: w.Env.Now(),
		Text: text.Plain("switched off")})
	w.Status.Cameras[0].State = status.Waiting
	w.Changed(control.Update{Status: w.Status}, false)
	w.Settle()
	if len(s.outages) != 3 || !s.lasts(s.outages[2]) || s.lasts(s.outages[0]) {
		t.Errorf("outages: %v", s.outages)
	}
	m := s.draw(240, 48)
	_, g, _, _ := m.At(95, 8+16*row).RGBA() // 09:30
	r, _, _, _ := m.At(95, 8+16*row).RGBA()
	if r < 2*g {
		t.Errorf("the outage is not red: %v", m.At(95, 8+16*row))
	}
}

// TestAnEventAtTheEndOfTheDayIsSeen draws an alarm of the last second of the hours that are shown.
func TestAnEventAtTheEndOfTheDayIsSeen(t *testing.T) {
	f := &pagetest.Fake{Config: config.Default()}
	w, p := filled(t, f, 1)
	w.Settle()
	s := p.strip
	wide := func() (n int) {
		m := s.draw(400, 16*len(s.cameras))
		for x := range 400 {
			for y := range 16 * len(s.cameras) {
				if m.At(x, y) == color.Color(color.NRGBAModel.Convert(theme.Color(theme.ColorNamePrimary))) {
					n++
					break
				}
			}
		}
		return n
	}
	before := wide()
	from, _ := s.span(s.events[0])
	s.to = from + time.Second
	if after := wide(); before < 2 || after < 2 {
		t.Errorf("the event is %d pixels wide, at the end %d", before, after)
	}
}
