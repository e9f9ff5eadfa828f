package events

import (
	"cmp"
	"context"
	"image"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"github.com/preroll/preroll/app/page"
	"github.com/preroll/preroll/app/player"
	"github.com/preroll/preroll/app/widgets"
	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/event"
)

// --- Other cameras of the same incident ---

// others offers the clips of other cameras that were filmed at the same time. One of them is shown beside the event's
// own, in step.
type others struct {
	v       *eventView
	row     *fyne.Container
	list    []event.Event // one for each camera
	buttons []*widget.Button
	shown   int // index in list, or -1
}

// How far before and after a clip the alarm of another clip of the same time may lie, and how many events are looked
// at.
const (
	around     = 30 * time.Minute
	mostAround = 1000
)

// maxOthers is how many other cameras are offered, so that their buttons leave room for the picture.
const maxOthers = 8

func newOthers(v *eventView) *others {
	o := &others{v: v, row: container.New(&widgets.Flow{}), shown: -1}
	o.row.Hide()
	return o
}

// find looks for the clips of other cameras.
func (o *others) find() {
	e := o.v.event
	from, to := spanOf(e)
	o.v.env.Work.Go(func() {
		select {
		case <-time.After(restFirst): // the first picture comes first
		case <-o.v.env.Ctx.Done():
			return
		}
		list, err := o.v.env.Client.Events(o.v.env.Ctx, event.Query{After: from.Add(-around), Before: to.Add(around),
			Limit: mostAround})
		if err != nil {
			return // it is only an offer
		}
		list = slices.DeleteFunc(list, func(other event.Event) bool {
			a, b := spanOf(other)
			return other.Camera == e.Camera || len(other.Clips) == 0 || !a.Before(to) || !b.After(from)
		})
		slices.SortStableFunc(list, func(a, b event.Event) int { // the one that began nearest comes first
			return cmp.Compare(a.Time.Sub(e.Time).Abs(), b.Time.Sub(e.Time).Abs())
		})
		var each []event.Event
		for _, other := range list {
			if len(each) < maxOthers &&
				!slices.ContainsFunc(each, func(x event.Event) bool { return x.Camera == other.Camera }) {
				each = append(each, other)
			}
		}
		o.v.env.Do(func() {
			if o.v.event.ID == e.ID && o.v.opened {
				o.offer(each)
			}
		})
	})
}

// spanOf returns the time that the clips of an event show.
func spanOf(e event.Event) (from, to time.Time) {
	if len(e.Clips) == 0 {
		return e.Time, e.Time
	}
	return e.Clips[0].Start, e.Clips[len(e.Clips)-1].End
}

// lacks reports whether an event, which has just changed, should be offered and is not.
func (o *others) lacks(e event.Event) bool {
	from, to := spanOf(o.v.event)
	a, b := spanOf(e)
	return e.Camera != o.v.event.Camera && len(e.Clips) > 0 && a.Before(to) && b.After(from) &&
		!slices.ContainsFunc(o.list, func(x event.Event) bool { return x.ID == e.ID })
}

func (o *others) offer(list []event.Event) {
	shown := ""
	if o.shown >= 0 {
		shown = o.list[o.shown].ID
	}
	o.clear()
	o.list = list
	o.shown = slices.IndexFunc(list, func(e event.Event) bool { return e.ID == shown })
	label := widget.NewLabel(words.L("At the same time:"))
	label.Importance = widget.LowImportance
	o.row.Objects = []fyne.CanvasObject{label}
	for i, e := range list {
		b := widget.NewButton(widgets.Shorten(o.v.env.CameraName(e.Camera), longName), func() { o.toggle(i) })
		o.buttons = append(o.buttons, b)
		o.row.Add(b)
	}
	o.mark()
	widgets.SetVisible(o.row, len(list) > 0)
	o.v.content.Refresh()
}

// longName is the length of a camera's name on a button, in characters.
const longName = 24

// toggle shows the clip of another camera, or no more.
func (o *others) toggle(i int) {
	if i >= len(o.list) || !o.v.opened {
		return
	}
	if o.shown == i {
		o.shown = -1
		o.v.player.Beside(nil)
	} else {
		o.shown = i
		e, own := o.list[i], o.v.event.Clips[o.v.clip]
		c := slices.MaxFunc(e.Clips, func(a, b event.Clip) int { return cmp.Compare(overlap(a, own), overlap(b, own)) })
		o.v.player.Beside(&page.Video{Source: player.Source{Path: o.v.env.Path(e, c.File), Length: c.Length.D()},
			Name: o.v.env.CameraName(e.Camera), Start: c.Start})
	}
	o.mark()
}

// mark shows which camera is shown.
func (o *others) mark() {
	for n, b := range o.buttons {
		b.Importance = widget.MediumImportance
		if n == o.shown {
			b.Importance = widget.HighImportance
		}
		b.Refresh()
	}
}

// overlap returns how much of the same time two clips show.
func overlap(a, b event.Clip) time.Duration {
	from, to := a.Start, a.End
	if b.Start.After(from) {
		from = b.Start
	}
	if b.End.Before(to) {
		to = b.End
	}
	return to.Sub(from)
}

// clear offers nothing.
func (o *others) clear() {
	o.list, o.buttons, o.shown = nil, nil, -1
	widgets.SetVisible(o.row, false)
}

// --- Neighbours ---

// ahead holds the first pictures of the events above and below the one that is open, so that going there shows a
// picture at once.
type ahead struct {
	v        *eventView
	pictures map[string]image.Image // by the event's id
	cancel   context.CancelFunc
}

// restFirst is how long an event is open before other cameras are looked for.
const restFirst = 250 * time.Millisecond

// restBefore is how long an event is open before its neighbours are decoded.
const restBefore = 600 * time.Millisecond

// load decodes the first pictures of the neighbours, once the user stays for a while.
func (a *ahead) load() {
	a.stop()
	v := a.v
	known := v.env.Known()
	if known == nil || known.FFmpeg.Path == "" {
		return
	}
	ctx, cancel := context.WithCancel(v.env.Ctx)
	a.cancel = cancel
	list := v.list.neighbours()
	kept := map[string]image.Image{}
	for _, e := range list {
		if m := a.pictures[e.ID]; m != nil {
			kept[e.ID] = m
		}
	}
	a.pictures = kept
	list = slices.DeleteFunc(list, func(e event.Event) bool {
		return len(e.Clips) == 0 || kept[e.ID] != nil || isAway(v.env, e)
	})
	box, ffmpeg := v.player.Box(), known.FFmpeg
	v.env.Work.Go(func() {
		defer cancel()
		select {
		case <-time.After(restBefore):
		case <-ctx.Done():
			return
		}
		for _, e := range list {
			m, err := player.Grab(ctx, ffmpeg.Path, ffmpeg.Version, player.Source{Path: v.env.Path(e, e.Clips[0].File),
				Length: e.Clips[0].Length.D()}, 0, box)
			if err != nil {
				continue // the player says why, if the event is opened
			}
			v.env.Do(func() { a.pictures[e.ID] = m })
		}
	})
}

// stop ends what is being decoded.
func (a *ahead) stop() {
	if a.cancel != nil {
		a.cancel()
	}
}
