package recorder

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/access"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/live"
	"github.com/preroll/preroll/recorder/outbox"
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

	keys sync.Mutex // held while the keys for push services are read or made

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
		PushKey: func() (string, error) { k, err := r.pushKeys(); return k.Public, err }, SetWord: r.setWord,
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

// --- Word for devices ---

// pushKeys returns the keys for push services, and makes them on first use.
func (r *Recorder) pushKeys() (k outbox.Keys, err error) {
	r.web.keys.Lock() // not mu, because a folder may hang
	defer r.web.keys.Unlock()
	path := filepath.Join(r.paths.State, "push-keys.json")
	b, err := os.ReadFile(path)
	if err == nil && json.Unmarshal(b, &k) == nil && k.Private != "" && k.Public != "" {
		return k, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if k, err = outbox.NewKeys(); err != nil {
		return k, err
	}
	if b, err = json.Marshal(k); err == nil {
		err = durable.WriteFile(path, b, 0o600)
	}
	return k, err
}

// setWord lets a device get word, or not any more for nil.
func (r *Recorder) setWord(device string, p *status.Push) error {
	if p != nil && (!outbox.PushService(p.Endpoint) || len(p.Key) > 200 || len(p.Auth) > 100) {
		return text.NoPushService.Error()
	}
	err := r.web.devices.SetWord(device, p)
	r.hub.statusChanged()
	return err
}

// wordDevices returns the paired devices that want word. They are told what the desktop is told.
func (r *Recorder) wordDevices() (list []config.Target) {
	s := r.Settings()
	if s.Web.Listen == "" {
		return nil
	}
	var cameras []string
	for _, c := range s.Cameras {
		if c.Notify {
			cameras = append(cameras, c.ID)
		}
	}
	r.web.devices.Words(func(c status.Caller, p status.Push) {
		t := outbox.PushTarget(c.ID, c.Name, p.Endpoint, p.Key, p.Auth)
		t.Alarm, t.Saved = s.Notify.Alarm && cameras != nil, s.Notify.Saved && cameras != nil
		t.Trouble, t.Quiet, t.Cameras = s.Notify.Trouble, s.Notify.Quiet, cameras
		list = append(list, t)
	})
	return list
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
