package metrics

import (
	"bufio"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

var (
	head = regexp.MustCompile(`^# (HELP|TYPE) (preroll_[a-z_]+) (.+)$`)
	line = regexp.MustCompile(`^(preroll_[a-z_]+)(\{([a-z]+="(?:[^"\\]|\\["\\n])*",?)+\})? (-?[0-9.e+]+|\+Inf)$`)
)

func TestWrite(t *testing.T) {
	var c Counters
	at := time.Unix(1_800_000_000, 0)
	c.Ended(event.Event{Camera: "gate", State: event.Saved, Receipt: event.Receipt{DurableAfter: event.Seconds(20e6)}})
	c.Ended(event.Event{Camera: "gate", State: event.Saved,
		Receipt: event.Receipt{DurableAfter: event.Seconds(time.Hour)}})
	c.Ended(event.Event{Camera: "gate", State: event.Incomplete,
		Gaps: []event.Gap{event.NewGap(at, at.Add(1500*time.Millisecond), text.Plain("x"))}})
	s := status.Status{Version: "1.0 \"x\"\n\\", Started: at, RAM: status.RAM{Used: 5, Budget: 1 << 40},
		Cameras: []status.Camera{{ID: "gate", State: status.Recording, PreRoll: event.Seconds(100 * time.Second),
			BitRate: 8e6},
			{ID: "yard", State: status.Off}},
		Targets:  []status.Target{{ID: "phone", Waiting: 2, Sent: 3}},
		Problems: []status.Problem{{Code: "camera"}, {Code: "camera"}, {Code: "smtp"}}}
	var out strings.Builder
	if err := c.Write(&out, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`preroll_info{version="1.0 \"x\"\n\\"} 1`, `preroll_start_time_seconds 1800000000`,
		`preroll_camera_recording{camera="gate"} 1`, `preroll_camera_enabled{camera="yard"} 0`,
		`preroll_camera_ring_seconds{camera="gate"} 100`, `preroll_camera_bytes_per_second{camera="gate"} 1000000`,
		`preroll_words_waiting{target="phone"} 2`, `preroll_words_sent_total{target="phone"} 3`,
		`preroll_ram_budget_bytes 1099511627776`, `preroll_problems{code="camera"} 2`,
		`preroll_events_total{camera="gate",state="saved"} 2`, `preroll_gap_seconds_total{camera="gate"} 1.5`,
		`preroll_durable_seconds_bucket{le="0.01"} 0`, `preroll_durable_seconds_bucket{le="0.025"} 1`,
		`preroll_durable_seconds_bucket{le="30"} 1`, `preroll_durable_seconds_bucket{le="+Inf"} 2`,
		`preroll_durable_seconds_count 2`, `preroll_durable_seconds_sum 3600.02`,
	} {
		if !strings.Contains(out.String(), want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}

	// Each family has its head before its samples, and comes once.
	declared := map[string]int{}
	for in := bufio.NewScanner(strings.NewReader(out.String())); in.Scan(); {
		if m := head.FindStringSubmatch(in.Text()); m != nil {
			declared[m[2]]++
			continue
		}
		m := line.FindStringSubmatch(in.Text())
		if m == nil {
			t.Errorf("not a line of the form: %s", in.Text())
			continue
		}
		family := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(m[1], "")
		if declared[m[1]] != 2 && declared[family] != 2 {
			t.Errorf("%s has no head, or more than one", m[1])
		}
	}

	var none Counters
	out.Reset()
	if err := none.Write(&out, status.Status{}); err != nil ||
		!strings.Contains(out.String(), "preroll_durable_seconds_count 0") {
		t.Errorf("of a recorder that did nothing: %v\n%s", err, out.String())
	}
}

// TestPromtool lets Prometheus's own checker read the measures, where it is installed.
func TestPromtool(t *testing.T) {
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed; TestWrite checks the form")
	}
	var out strings.Builder
	var c Counters
	c.Ended(event.Event{Camera: "gate", State: event.Saved})
	if err := c.Write(&out, status.Status{Cameras: []status.Camera{{ID: "gate"}}}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "check", "metrics")
	cmd.Stdin = strings.NewReader(out.String())
	if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("got %v\n%s", err, said)
	}
}
