package tray

import (
	"fmt"
	"strings"

	"github.com/preroll/preroll/app/notify"
	"github.com/preroll/preroll/assets"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// model is all that the tray shows. It is made from what the recorder says and from nothing else.
type model struct {
	icon    assets.Tray
	tooltip string
	cameras []entry // those of which a clip can be saved now
	archive string
}

type entry struct{ id, title string }

// modelOf draws the tray of a recorder; a nil status means that none answers.
func modelOf(s *status.Status, open int) model {
	if s == nil {
		return model{icon: assets.Attention, tooltip: "Preroll: the recorder does not run"}
	}
	m := model{icon: assets.Recording, archive: s.Archive.Path}
	recording, enabled := 0, 0
	for _, c := range s.Cameras {
		if c.State == status.Off {
			continue
		}
		enabled++
		m.cameras = append(m.cameras, entry{c.ID, c.Name})
		if c.State == status.Recording {
			recording++
		}
	}
	switch {
	case open > 0:
		m.icon = assets.Saving
		m.tooltip = "Preroll: saving " + plural(open, "clip", "clips")
	case enabled == 0:
		m.icon = assets.Idle
		m.tooltip = "Preroll: no camera is set up"
	case len(s.Problems) > 0:
		m.icon = assets.Attention
		m.tooltip = "Preroll: " + s.Problems[0].Text
	default:
		m.tooltip = "Preroll: recording " + plural(recording, "camera", "cameras")
	}
	if m.icon == assets.Recording && recording < enabled {
		m.tooltip = fmt.Sprintf("Preroll: recording %d of %d cameras", recording, enabled)
	}
	return m
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// noteOf is what a user is told when an event has ended.
func noteOf(e event.Event) notify.Note {
	n := notify.Note{Key: e.ID, Title: e.Title() + ": clip saved"}
	parts := []string{e.Label, e.Time.Local().Format("15:04:05"), fmt.Sprintf("%.0f s", e.Length().Seconds()), config.ByteSize(e.Bytes()).String()}
	switch e.State {
	case event.Incomplete:
		n.Title = e.Title() + ": clip saved, but not complete"
		parts = append(parts, e.Reason)
	case event.Failed:
		n.Title = e.Title() + ": no clip"
		parts = []string{e.Label, e.Time.Local().Format("15:04:05"), e.Reason}
	}
	n.Body = strings.Join(parts, " · ")
	return n
}
