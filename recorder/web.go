package recorder

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/access"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/live"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger"
)

// web is what the recorder keeps for the web pages.
type web struct {
	serve   func(context.Context, control.WebHost) error // nil: this program has no web pages
	devices *access.List
	code    access.Code
	changed chan struct{} // the settings of the pages changed, so they restart

	mu    sync.Mutex // guards everything below
	state status.Web
}

// webAgain is the time until a port that is taken is tried again.
const webAgain = 5 * time.Second

// serveWeb serves the web pages while the settings ask for them, and restarts them when the settings change.
func (r *Recorder) serveWeb(ctx context.Context) {
	for ctx.Err() == nil {
		serving, cancel := context.WithCancel(ctx)
		var pages errgroup.Group
		if r.Settings().Web.Listen != "" {
			pages.Go(func() error { r.runWeb(serving); return nil })
		}
		select {
		case <-ctx.Done():
		case <-r.web.changed:
		}
		cancel()
		_ = pages.Wait()
		r.noteWeb("", nil)
	}
}

// runWeb serves the web pages until ctx ends.
func (r *Recorder) runWeb(ctx context.Context) {
	set := r.Settings().Web
	host := control.WebHost{Settings: set, Language: func() string { return r.Settings().Language }, Log: r.log,
		Device: r.web.devices.Find, Pair: r.pair, CodeMade: r.web.code.Made, Remove: r.RemoveDevice,
		Allowed:     trigger.Allowed(set.Allow),
		Trusted:     trigger.Allowed(set.Proxies),
		Certificate: func() (*tls.Certificate, error) { return trigger.Certificate(r.paths.State) },
		Listening:   func(listen string) { r.noteWeb(listen, nil) }}
	for ctx.Err() == nil {
		err := text.WebNotBuilt.Error()
		if r.web.serve != nil {
			err = r.web.serve(ctx, host)
		}
		if ctx.Err() != nil {
			return
		}
		r.noteWeb("", trigger.PortError("web.listen", set.Listen, err))
		timer := time.NewTimer(webAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// noteWeb keeps where the web pages are, or why there are none.
func (r *Recorder) noteWeb(listen string, err error) {
	now := status.Web{Listen: listen, Error: text.Of(err)}
	r.web.mu.Lock()
	was := r.web.state
	r.web.state = now
	r.web.mu.Unlock()
	switch same := was.Listen == now.Listen && was.Error.String() == now.Error.String(); {
	case same:
		return
	case err != nil:
		r.log.Error("there are no web pages", "err", err)
	case listen != "":
		r.log.Info("web pages", "path", listen)
	}
	r.hub.statusChanged()
}

// status returns the state of the web pages.
func (w *web) status() status.Web {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.state
	if err := w.devices.Err(); err != nil && s.Error.IsZero() && s.Listen != "" {
		s.Error = text.Of(err)
	}
	return s
}

// --- Devices ---

// Devices returns the devices that may open the web pages, the oldest first.
func (r *Recorder) Devices() []status.Caller { return r.web.devices.All() }

// PairingCode makes a code that lets one device in. It replaces the code before.
func (r *Recorder) PairingCode() (code string, until time.Time, err error) {
	if r.Settings().Web.Listen == "" {
		return "", until, text.WebIsOff.Error()
	}
	code, until = r.web.code.New(time.Now())
	return code, until, nil
}

// pair lets a device in that has the code, and returns its token.
func (r *Recorder) pair(code, name string) (c status.Caller, token string, err error) {
	if err := r.web.code.Use(code, time.Now()); err != nil {
		return c, "", err
	}
	name = cmp.Or(event.Clean(name, 60), "Browser")
	c, token, err = r.web.devices.Add(status.Caller{Name: name})
	for n := 2; errors.Is(err, access.ErrTaken) && n < 100; n++ {
		c, token, err = r.web.devices.Add(status.Caller{Name: fmt.Sprintf("%s %d", name, n)})
	}
	if err == nil {
		r.log.Info("a device was paired", "sender", c.Name)
		r.hub.statusChanged()
	}
	return c, token, err
}

// RemoveDevice shuts a device out.
func (r *Recorder) RemoveDevice(id string) error {
	err := r.web.devices.Remove(id)
	r.hub.statusChanged()
	return err
}

// --- Video ---

// ringOf returns the ring of a camera, or of its small stream.
func (r *Recorder) ringOf(camera string, small bool) (*ring.Ring, error) {
	if small {
		return r.cameras.Small(camera)
	}
	return r.cameras.Ring(camera)
}

// Live writes the ring of a camera to a sink as it grows, see [live.Stream].
func (r *Recorder) Live(ctx context.Context, camera string, small bool, from, origin time.Time, sink live.Sink) error {
	ring, err := r.ringOf(camera, small)
	if err != nil {
		return err
	}
	return live.Stream(ctx, ring, from, origin, sink)
}

// Spans returns the times for which RAM holds video of a camera.
func (r *Recorder) Spans(camera string, small bool) ([]status.Span, error) {
	ring, err := r.ringOf(camera, small)
	if err != nil {
		return nil, err
	}
	return live.Spans(ring), nil
}

// HLS returns a file of a camera's ring as HLS, see [live.Get].
func (r *Recorder) HLS(ctx context.Context, camera string, small bool, name string, w live.Wish) (live.File, error) {
	ring, err := r.ringOf(camera, small)
	if err != nil {
		return live.File{}, err
	}
	return live.Get(ctx, ring, name, w)
}

// Open opens a file of an event: a clip, its picture, or a clip that is still being saved. The caller closes it.
func (r *Recorder) Open(ctx context.Context, id, file string) (*os.File, error) {
	e, err := r.archive.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	f, err := r.archive.OpenFile(e, file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotPlain) {
		err = text.NoSuchFile.Error()
	}
	return f, err
}
