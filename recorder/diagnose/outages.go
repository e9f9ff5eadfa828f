package diagnose

import (
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// shortest is the shortest outage. A shorter one is that of a restart in which nothing is lost.
const shortest = time.Second

// Outages returns when cameras were not recorded between two times, in the order of their beginnings. The entries of
// the history are sorted by time. An outage without a camera is one of Preroll itself. One that still lasts ends at to.
func Outages(entries []history.Entry, from, to time.Time) (list []status.Outage) {
	open := map[string]status.Outage{} // by camera
	end := func(camera string, at time.Time) {
		o, ok := open[camera]
		delete(open, camera)
		if o.To = at; ok && o.To.Sub(o.From) >= shortest && o.To.After(from) && o.From.Before(to) {
			list = append(list, o)
		}
	}
	begin := func(n history.Entry, why text.Text) {
		if _, ok := open[n.Camera]; !ok {
			open[n.Camera] = status.Outage{Camera: n.Camera, From: n.Time, Text: why}
		}
	}
	all := func(at time.Time) {
		for camera := range open {
			end(camera, at)
		}
	}
	for _, n := range entries {
		if n.Time.After(to) {
			break
		}
		if n.Kind != history.Stopped {
			end("", n.Time) // whatever happens, Preroll runs
		}
		switch n.Kind {
		case history.Started:
			all(n.Time)
		case history.Stopped:
			if n.Text.Is(text.HandedOver) {
				break
			}
			all(n.Time)
			begin(history.Entry{Time: n.Time}, text.NotRunning.With())
		case history.NotRecording:
			begin(n, n.Text)
		case history.Recording, history.Off:
			end(n.Camera, n.Time)
		}
	}
	all(to)
	slices.SortStableFunc(list, func(a, b status.Outage) int { return a.From.Compare(b.From) })
	return list
}
