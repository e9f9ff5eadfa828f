package recorder

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
)

// served lets processes ask a recorder on a control socket. It returns a client.
func served(t *testing.T, r *rig) *control.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	ln, err := control.Listen(socket, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = control.Serve(ctx, ln, r.Recorder, func() control.Watcher { return r.Subscribe() }) })
	c := control.NewClient(socket)
	t.Cleanup(func() { cancel(); c.Close(); serving.Wait() })
	return c
}

// TestHandOver passes an open event from one recorder to the next and back, with cameras of several GOP lengths. No
// frame may be lost or doubled, by the counter.
func TestHandOver(t *testing.T) {
	t.Parallel()
	cams := map[string]*camtest.Camera{
		"gop1":  startCamera(t, camtest.Small(10), camtest.Options{}),
		"gop4":  startCamera(t, camtest.Small(40), camtest.Options{Audio: "pcma"}),
		"gop05": startCamera(t, camtest.Small(5), camtest.Options{Skew: 1.001}),
	}
	var list []config.Camera
	for id, c := range cams {
		list = append(list, testCamera(id, c))
	}
	s := testSettings(t, list...)
	s.Clip.PostRoll = config.Duration(12 * time.Second)
	state := t.TempDir()
	r := start(t, s, state)
	for id := range cams {
		r.filled(id, 12*time.Second)
	}
	began := map[string]time.Time{}
	for id := range cams {
		began[id] = r.mail(id, "Motion", "")
	}
	for range 2 {
		<-time.After(2 * time.Second)
		o := Options{Paths: config.Paths{File: filepath.Join(state, "preroll.toml"), State: state}, Settings: s,
			Log: r.Recorder.log}
		early, err := TakeOver(t.Context(), o, served(t, r))
		if err != nil {
			t.Fatal(err)
		}
		if <-r.done; !errors.Is(r.err, ErrHandedOver) {
			t.Fatalf("the recorder that gave its cameras away ended with %v", r.err)
		}
		r = startEarly(t, s, state, early)
	}
	for id, c := range cams {
		e := r.ended(id, 1, 60*time.Second)[0]
		if e.State != event.Saved || len(e.Gaps) > 0 {
			t.Errorf("%s: %+v", id, e)
		}
		covers(t, r.whole(e, c.Info()), c.Info(), began[id], began[id], s, 4*time.Second)
	}
}

// TestHandOverIsTakenBack lets the process that takes over die in the middle. The recorder must go on, and lose no more
// than the time of a new connection.
func TestHandOverIsTakenBack(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	s := testSettings(t, testCamera("cam", cam))
	state := t.TempDir()
	r := start(t, s, state)
	r.filled("cam", 3*time.Second)
	for _, of := range []string{state, "another"} {
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.HandOver(gone, of); err == nil {
			t.Fatal("it was handed over to a process that is gone")
		}
	}
	newest := r.camera("cam").Newest
	r.wait("new segments", 20*time.Second,
		func() bool { return r.camera("cam").Newest.After(newest.Add(3 * time.Second)) })
	select {
	case <-r.done:
		t.Error("it ended")
	default:
	}
}

// TestYield checks how long a recorder that is asked to end waits for whoever stands by.
func TestYield(t *testing.T) {
	t.Parallel()
	r := start(t, testSettings(t), t.TempDir())
	r.Yield(t.Context()) // nobody is there
	ctx, cancel := context.WithCancel(t.Context())
	stood := make(chan error, 1)
	called := make(chan struct{})
	go func() { stood <- r.StandBy(ctx, func() error { close(called); return nil }) }()
	<-called
	yielded := make(chan struct{})
	go func() { r.Yield(t.Context()); close(yielded) }()
	cancel() // it is gone
	if err := <-stood; err != nil {
		t.Error(err)
	}
	<-yielded
	hangs, end := context.WithCancel(t.Context())
	defer end()
	go func() { _ = r.StandBy(hangs, func() error { return nil }) }()
	began := time.Now()
	r.wait("it to stand by", 10*time.Second, func() bool {
		r.succession.mu.Lock()
		defer r.succession.mu.Unlock()
		return r.succession.standing == 1
	})
	r.Yield(t.Context())
	if took := time.Since(began); took < beginTime {
		t.Errorf("it waited %v for one that stands by, want %v", took, beginTime)
	}
}
