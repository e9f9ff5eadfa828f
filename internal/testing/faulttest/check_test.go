//go:build linux

package faulttest

import (
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/recorder/event"
)

// TestShownBehindAGap simulates a camera that restarted its loop during a gap, so that the frames after the gap repeat
// counters from shortly before the gap.
func TestShownBehindAGap(t *testing.T) {
	begin := time.Date(2026, 11, 23, 9, 48, 0, 0, time.UTC)
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	loop := func(from float64, to time.Time) camtest.Span {
		return camtest.Span{Info: camtest.Info{Start: at(from), FPS: fps, Loop: 300, First: 1000}, From: at(from),
			To: to}
	}
	history := []camtest.Span{loop(0, at(20)), loop(30, time.Time{})}
	c := content{clip: event.Clip{Start: at(10), End: at(43)}}
	for n := 1100; n < 1110; n++ { // until 11 s
		c.counters = append(c.counters, n)
	}
	for n := 1107; n < 1130; n++ { // from 40.7 s on
		c.counters = append(c.counters, n)
	}
	gaps := []event.Gap{{From: at(11.1), To: at(25)}, {From: at(25), To: at(40.8)}}
	list := shown(c, history, gaps)
	if len(list) != len(c.counters) {
		t.Fatalf("%d frames of %d", len(list), len(c.counters))
	}
	for i, f := range list {
		want := at(10).Add(time.Duration(i) * time.Second / fps)
		if i >= 10 {
			want = at(40.7).Add(time.Duration(i-10) * time.Second / fps)
		}
		if f.Time.Sub(want).Abs() > time.Millisecond {
			t.Errorf("frame %d left at %s instead of %s", i, clock(f.Time), clock(want))
		}
	}
}
