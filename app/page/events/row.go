package events

import (
	"strings"
	"time"

	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
)

// row is everything that the list shows of an event.
type row struct {
	title, detail, state string
	importance           widget.Importance
	protected            bool
}

// rowOf returns the content of a row. The day is in the heading above it.
func rowOf(e event.Event, now time.Time) row {
	r := row{title: e.Time.Local().Format("15:04:05") + "   " + e.Title(), protected: e.Protected}
	parts := []string{page.LabelOf(e)}
	if e.TriggerCount > 1 {
		parts = append(parts, words.L("%d alarms", e.TriggerCount))
	}
	if len(e.Clips) > 0 {
		parts = append(parts, words.Length(e.Length()), config.ByteSize(e.Bytes()).String())
	}
	if len(e.Clips) > 1 {
		parts = append(parts, words.L("%d files", len(e.Clips)))
	}
	r.detail = strings.Join(parts, "  ·  ")
	r.state, r.importance = page.StateOf(e, now)
	return r
}
