package recorder

import (
	"context"
	"io"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/outbox"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// newOutbox makes the outbox of word for phones and programs. say may be nil.
func (r *Recorder) newOutbox(say func(language string, t text.Text) string) *outbox.Outbox {
	return outbox.New(outbox.Options{State: r.paths.State, Settings: r.Settings, Picture: r.wordPicture,
		Changed: r.hub.statusChanged, Log: r.log, Started: r.started, Devices: r.wordDevices, Keys: r.pushKeys,
		Away: r.away.Load, Gone: func(device string) { _ = r.setWord(device, nil) },
		Say: func(t text.Text) string {
			if say == nil {
				return t.String()
			}
			return say(r.Settings().Language, t)
		}})
}

// wordWidth is the width of a picture of a camera that goes out with word of an alarm, in pixels.
const wordWidth = 640

// wordPicture returns a picture of an event: what its camera shows now, or the thumbnail of its clip.
func (r *Recorder) wordPicture(ctx context.Context, e event.Event) ([]byte, error) {
	if !e.State.Ended() || e.Thumbnail == "" {
		return r.cameras.Still(ctx, e.Camera, wordWidth)
	}
	root, err := r.archive.On(e)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	f, _, err := durable.OpenPlain(root, archive.In(e, e.Thumbnail))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, 4<<20))
}

// lastingProblem is how long a problem lasts before word of it goes out.
const lastingProblem = time.Minute

// tellOfProblems sends word of each problem that lasts, once while it is there, until ctx ends.
func (r *Recorder) tellOfProblems(ctx context.Context) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	type lasting struct {
		since time.Time
		told  bool
	}
	problems := map[string]lasting{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if len(r.Settings().Targets) == 0 && len(r.wordDevices()) == 0 {
			clear(problems)
			continue
		}

		there := map[string]lasting{}
		for _, p := range r.Status(ctx).Problems {
			key := p.Code + " " + p.About
			l, known := problems[key]
			if !known {
				l.since = time.Now()
			}
			if p.Code != "target" && !l.told && time.Since(l.since) > lastingProblem {
				l.told = r.outbox.Problem(p) // nobody is told in quiet hours, and then later
			}
			there[key] = l
		}
		problems = there
	}
}

// TryTarget sends a test to a target, with a picture of a camera if there is one.
func (r *Recorder) TryTarget(ctx context.Context, id string) error {
	var picture []byte
	for _, c := range r.cameras.Status() {
		if c.State == status.Recording {
			picture, _ = r.cameras.Still(ctx, c.ID, wordWidth)
			break
		}
	}
	return r.outbox.Try(ctx, id, picture)
}
