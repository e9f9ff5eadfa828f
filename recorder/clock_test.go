package recorder

import (
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
)

// TestCameraClockIsSet sets the clocks of cameras forward and back, a little and a lot, seconds before an alarm and in
// the middle of its event. No frame may be lost or doubled, and the pre-roll must be as long as asked.
func TestCameraClockIsSet(t *testing.T) {
	t.Parallel()
	jumps := map[string]time.Duration{
		"two-seconds": 2 * time.Second, "twenty-seconds": 20 * time.Second, "hour": time.Hour,
		"back-little": -1500 * time.Millisecond, "back-twenty": -20 * time.Second, "back-two-hours": -2 * time.Hour,
	}
	var cfg []config.Camera
	cams := map[string]*camtest.Camera{}
	for id := range jumps {
		cams[id] = startCamera(t, camtest.Small(10), camtest.Options{Audio: map[string]string{"hour": "pcma"}[id]})
		cfg = append(cfg, testCamera(id, cams[id]))
	}
	s := testSettings(t, cfg...)
	s.Clip.PreRoll, s.Clip.PostRoll = config.Duration(8*time.Second), config.Duration(6*time.Second)
	r := start(t, s, t.TempDir())
	for id := range jumps {
		r.filled(id, 12*time.Second)
	}
	for id, d := range jumps {
		cams[id].Jump(d)
	}
	jumped := time.Now()
	r.wait("four seconds", 10*time.Second, func() bool { return time.Since(jumped) > 4*time.Second })
	began := map[string]time.Time{}
	for id := range jumps {
		began[id] = r.mail(id, "Motion", "")
	}
	again := time.Now()
	r.wait("three seconds", 10*time.Second, func() bool { return time.Since(again) > 3*time.Second })
	for id, d := range jumps {
		cams[id].Jump(-d)
	}
	for id := range jumps {
		e := r.ended(id, 1, 60*time.Second)[0]
		if e.State != event.Saved || len(e.Clips) != 1 {
			t.Errorf("%s: %s, %s", id, e.State, e.Reason)
			continue
		}
		rep, err := camtest.Check(t.Context(), r.archive.Path(e, e.Clips[0].File), cams[id].Info(), e.Time)
		if err != nil {
			t.Error(err)
			continue
		}
		if rep.Gaps != nil {
			t.Errorf("%s: %v", id, rep.Gaps)
		}
		covers(t, rep, cams[id].Info(), began[id], began[id], s, 2*time.Second)
	}
}
