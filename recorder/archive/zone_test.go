package archive

import (
	"os"
	"os/exec"
	"testing"
	"time"
	_ "time/tzdata" // some machines lack the time zones

	"github.com/preroll/preroll/recorder/event"
)

// TestDaylightSaving saves an event every ten minutes over the nights in which the clocks go forward and back. No name
// comes twice, no event is lost, and the list has the events in their true order. A process has one time zone, so the
// test runs itself in a process with another time zone.
func TestDaylightSaving(t *testing.T) {
	const zone = "Europe/Berlin"
	if os.Getenv("TZ") != zone {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDaylightSaving$", "-test.v")
		cmd.Env = append(os.Environ(), "TZ="+zone)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	for _, night := range []struct {
		begin string
		hours int // from midnight to four
	}{{"2026-03-29T00:00:00+01:00", 3}, {"2026-10-25T00:00:00+02:00", 5}} {
		t.Run(night.begin, func(t *testing.T) {
			begin, err := time.Parse(time.RFC3339, night.begin)
			if err != nil {
				t.Fatal(err)
			}
			root := t.TempDir()
			a := openArchive(t, t.TempDir(), root)
			stems := map[string]bool{}
			n := night.hours * 6
			var want []string
			for i := range n {
				at := begin.Add(time.Duration(i) * 10 * time.Minute)
				e := saved(t, a, "c", at.UTC().Format("20060102T150405Z"), at, 1, nil)
				if stems[e.Stem] {
					t.Errorf("the name %s came twice", e.Stem)
				}
				stems[e.Stem] = true
				want = append([]string{e.ID}, want...)
			}
			if last := begin.Add(time.Duration(n) * 10 * time.Minute).Local(); last.Hour() != 4 {
				t.Errorf("the night ends at %s", last)
			}
			for _, a := range []*Archive{a, func() *Archive {
				b := openArchive(t, t.TempDir(), root)
				if found, faults, err := b.Reindex(t.Context()); found != n || faults != nil || err != nil {
					t.Errorf("rebuilt: %d, %v, %v", found, faults, err)
				}
				return b
			}()} {
				list, err := a.List(t.Context(), event.Query{Limit: 100})
				if err != nil {
					t.Fatal(err)
				}
				for i, e := range list {
					if e.ID != want[i] {
						t.Fatalf("place %d holds %s, want %s", i, e.ID, want[i])
					}
				}
				if days, err := a.Days(t.Context(), event.Query{}); err != nil || len(days) != 1 ||
					days[0].Events != n {
					t.Errorf("%v, %v", days, err)
				}
			}
		})
	}
}
