package clip

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/text"
)

// t0 is the time of the trigger of the tests' event. It is in the future, so that no such event has ended by the real
// clock.
var t0 = time.Date(2099, 11, 29, 12, 0, 0, 0, time.UTC)

func at(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }

// seg returns a segment of a run. from and to are in seconds after t0. The media time at t0 is 100 s.
func seg(run int64, from, to float64) ring.Segment {
	media := func(s float64) time.Duration { return time.Duration((100 + s) * float64(time.Second)) }
	return ring.Segment{Run: run, Number: int(from) + 100, Key: true, Start: at(from), End: at(to),
		Media: [2]time.Duration{media(from), media(to)}}
}

// newCourse returns an event with 10 s of pre-roll and 60 s of post-roll, cut after 100 s.
func newCourse() *course {
	c := &course{post: 60 * time.Second, maxLength: 100 * time.Second,
		ev: event.Event{ID: "e", State: event.Recording, Time: t0, From: at(-10), Until: at(60), Hold: "e"}}
	c.ev.Add(event.Trigger{Time: t0})
	return c
}

// TestCourse takes events through everything that can happen to them. Each step is a word with times and the expected
// result.
//
//	seg RUN FROM TO = VERDICT[ over][ gap]    trigger T = yes|no    deadline LAG = T    expired T = yes|no
//	patient T receiving|silent = yes|no    end T    moved D    until = T    phase = N
func TestCourse(t *testing.T) {
	for name, steps := range map[string]string{
		"one trigger":        `seg 1 -10 -9 = belongs; seg 1 -9 59 = belongs; seg 1 59 60.01 = belongs; seg 1 60.01 61 = late; phase = 1; trigger 30 = no`,
		"over":               `seg 1 -10 59 = belongs; seg 1 59 60.03 = belongs over; phase = 1; trigger 60 = no`,
		"extended":           `seg 1 -10 59 = belongs; trigger 50 = yes; until = 110; seg 1 59 60.03 = belongs; trigger 111 = no; trigger 110 = yes; until = 170`,
		"older trigger":      `trigger -5 = yes; until = 60`,
		"gap":                `seg 1 -10 0 = belongs; seg 1 5 6 = belongs gap; seg 1 6.004 7 = belongs; seg 2 7.006 8 = belongs gap`,
		"late":               `seg 1 -10 0 = belongs; seg 2 61 62 = late; phase = 1`,
		"not late yet":       `seg 1 -10 0 = belongs; seg 2 60 61 = belongs over gap`,
		"split":              `trigger 60 = yes; seg 1 -10 89 = belongs; seg 1 89 91 = splits`,
		"no split in time":   `trigger 60 = yes; seg 1 -10 89 = belongs; seg 1 89 90 = belongs`,
		"margin alone":       `seg 1 -42 59 = belongs; seg 1 60 62 = belongs over gap`,
		"pre-roll alone":     `seg 1 -120 -1 = belongs; seg 1 -1 5 = belongs; seg 1 5 6 = splits`,
		"one long segment":   `seg 1 -120 5 = belongs; seg 1 5 6 = splits`,
		"deadline unknown":   `deadline 0 = 85; deadline 3 = 88`,
		"deadline":           `seg 1 -10 -8 = belongs; deadline 0 = 69; trigger 20 = yes; deadline 1 = 90`,
		"timeout":            `patient 100 receiving = yes; patient 100 silent = no; patient 120 receiving = no`,
		"expired":            `seg 1 -10 0 = belongs; expired 60 = yes; phase = 1; trigger 1 = no`,
		"extended meanwhile": `trigger 30 = yes; expired 60 = no; phase = 0; expired 90 = yes`,
		"camera ends":        `seg 1 -10 0 = belongs; end 5; until = 5; deadline 9 = 5; patient 6 receiving = no; trigger 6 = no; trigger 4 = yes`,
		"camera ends late":   `seg 1 -10 0 = belongs; end 70; until = 60`,
		"clock set":          `seg 1 -10 0 = belongs; moved 3600; until = 3660; trigger 3601 = yes; until = 3661`,
		"conclude":           `seg 1 -10 60.03 = belongs over; conclude; phase = 2; trigger 1 = no`,
		"resumed":            `have 1 -10 -5; seg 1 -10 -9 = known; seg 1 -6 -5 = known; seg 1 -5 -4 = belongs; seg 2 -3 -2 = belongs gap`,
		"resumed, new run":   `have 3 -10 -5; seg 2 -7 -6 = belongs; seg 4 -5.9 -4 = belongs gap`,
		"resumed, nothing":   `seg 1 -10 -9 = belongs`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourse()
			for _, step := range strings.Split(steps, ";") {
				what, want, _ := strings.Cut(strings.TrimSpace(step), " = ")
				f := strings.Fields(what)
				num := func(i int) (v float64) {
					if _, err := fmt.Sscan(f[i], &v); err != nil {
						t.Fatal(err)
					}
					return v
				}
				got := ""
				yes := func(b bool) string { return map[bool]string{true: "yes", false: "no"}[b] }
				switch f[0] {
				case "seg":
					s := seg(int64(num(1)), num(2), num(3))
					v := c.judge(s)
					got = []string{"belongs", "known", "splits", "late"}[v]
					if v == belongs {
						_, gap := c.copied(s)
						if c.reaches(s) {
							got += " over"
						}
						if gap {
							got += " gap"
						}
					}
				case "have":
					s := seg(int64(num(1)), num(2), num(3))
					c.recall([]*part{{whole: fmp4.Whole{Stretches: []fmp4.Chunk{{Run: s.Run, Media: s.Media,
						Wall: [2]time.Time{s.Start, s.End}}}}}})
				case "trigger":
					got = yes(c.trigger(event.Trigger{Time: at(num(1))}))
				case "deadline":
					got = fmt.Sprint(c.deadline(time.Duration(num(1) * float64(time.Second))).Sub(t0).Seconds())
				case "patient":
					got = yes(c.patient(at(num(1)), f[2] == "receiving", 0))
				case "expired":
					got = yes(c.expired(at(num(1))))
				case "until":
					got = fmt.Sprint(c.ev.Until.Sub(t0).Seconds())
				case "phase":
					got = fmt.Sprint(int(c.phase))
				case "end":
					c.end(at(num(1)))
				case "moved":
					c.move(time.Duration(num(1) * float64(time.Second)))
				case "conclude":
					c.conclude()
					if c.ev.Hold != "" || c.ev.State != event.Finishing {
						t.Errorf("%+v", c.ev)
					}
				default:
					t.Fatalf("step %q", step)
				}
				if got != want {
					t.Errorf("%s: %q, want %q", what, got, want)
				}
			}
		})
	}
}

// TestCut checks that a cut moves the triggers after the cut to the next event, and that each trigger belongs to one
// event.
func TestCut(t *testing.T) {
	c := newCourse()
	for _, s := range []float64{20, 50, 80, 95} {
		c.trigger(event.Trigger{Time: at(s)})
	}
	old, next := c.cut("n", seg(1, 90, 91))
	if old.State != event.Finishing || old.Hold != "" || !old.Continued || !old.Until.Equal(at(90)) ||
		old.TriggerCount != 4 || len(old.Triggers) != 4 || !old.LastTrigger.Equal(at(80)) {
		t.Errorf("old: %+v", old)
	}
	if next.ID != "n" || next.Continues != "e" || next.Hold != "e" || !next.From.Equal(at(90)) ||
		!next.Until.Equal(at(155)) || next.TriggerCount != 1 || !next.LastTrigger.Equal(at(95)) ||
		next.State != event.Recording {
		t.Errorf("next: %+v", next)
	}
	if c.ev.State != event.Recording || c.ev.TriggerCount != 5 { // the cut counts only once it is in the index
		t.Errorf("the event itself changed: %+v", c.ev)
	}
}

// TestRecallNamesHoles checks that gaps which an earlier process could not record are found in what this process left,
// and that recorded gaps are not reported twice.
func TestRecallNamesHoles(t *testing.T) {
	c := newCourse()
	c.ev.Gaps = []event.Gap{event.NewGap(at(1.1), at(2.1), text.NoPictureSent.With())}
	stretch := func(run int64, from, to float64) fmp4.Chunk {
		s := seg(run, from, to)
		return fmp4.Chunk{Run: run, Media: s.Media, Wall: [2]time.Time{s.Start, s.End}, Frames: 10}
	}
	set := stretch(2, 6, 7)
	// this machine's clock was set in between
	set.Wall[0], set.Wall[1] = set.Wall[0].Add(time.Hour), set.Wall[1].Add(time.Hour)
	c.recall([]*part{{whole: fmp4.Whole{Stretches: []fmp4.Chunk{stretch(1, 0, 1), stretch(1, 2, 4), stretch(2, 5, 6),
		set}}}})
	want := []event.Gap{c.ev.Gaps[0], event.NewGap(at(4), at(5), text.Interrupted.With())}
	if !slices.EqualFunc(c.ev.Gaps, want, event.Gap.Equal) || c.length != 5*time.Second {
		t.Errorf("gaps %v, length %s", c.ev.Gaps, c.length)
	}
}
