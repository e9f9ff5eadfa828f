// Package metrics writes the state of a recorder, and what it did since its start, in the text form of Prometheus.
//
// The form is https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format. Names follow
// https://prometheus.io/docs/practices/naming/: base units, and _total for what only grows.
package metrics

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

// buckets are the upper bounds of the time until pre-roll is durable, in seconds.
var buckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Counters counts what ended since the start. The zero value is ready. Methods may be called from any goroutine.
type Counters struct {
	mu      sync.Mutex // guards everything below
	events  map[ending]int
	missing map[string]time.Duration // length of gaps, by camera
	durable [12]int                  // by bucket, not summed up; the last one is for what is longer
	waited  time.Duration            // sum of the times in durable
}

type ending struct{ camera, state string }

// Ended counts an event that has ended.
func (c *Counters) Ended(e event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events == nil {
		c.events, c.missing = map[ending]int{}, map[string]time.Duration{}
	}
	c.events[ending{e.Camera, string(e.State)}]++
	for _, g := range e.Gaps {
		c.missing[e.Camera] += max(0, g.To.Sub(g.From))
	}
	if d := e.Receipt.DurableAfter.D(); d > 0 {
		i, _ := slices.BinarySearch(buckets, d.Seconds())
		c.durable[i]++
		c.waited += d
	}
}

// Write writes the measures of a recorder with the given state.
func (c *Counters) Write(out io.Writer, s status.Status) error {
	w := &writer{}
	w.gauge("preroll_info", "The version that runs.", sample{labels("version", s.Version), 1})
	w.gauge("preroll_start_time_seconds", "When the recorder started, as Unix time.", unix(s.Started))
	w.gauge("preroll_paused", "Whether alarms save nothing now.", sample{"", truth(s.Pause.On)})
	w.gauge("preroll_ram_used_bytes", "What rings and holds take on the RAM disk.", sample{"", float64(s.RAM.Used)})
	w.gauge("preroll_ram_budget_bytes", "What they may take.", sample{"", float64(s.RAM.Budget)})
	w.gauge("preroll_archive_events", "Events in the list.", sample{"", float64(s.Archive.Events)})
	w.gauge("preroll_archive_clips_bytes", "Size of their clips.", sample{"", float64(s.Archive.Bytes)})
	w.gauge("preroll_archive_free_bytes", "Free space of the archive drive.", sample{"", float64(s.Archive.Free)})
	w.counter("preroll_mails_total", "Alarm mails that were accepted.", sample{"", float64(s.SMTP.Mails)})
	w.counter("preroll_mail_connections_refused_total", "Connections to the mail server from addresses that are not allowed.",
		sample{"", float64(s.SMTP.Refused)})
	w.counter("preroll_calls_refused_total", "Calls by HTTP without a token, or from addresses that are not allowed.",
		sample{"", float64(s.Calls.Refused)})
	w.cameras(s.Cameras)
	w.targets(s.Targets)
	w.problems(s.Problems)
	c.write(w)
	_, err := io.WriteString(out, w.String())
	return err
}

// cameras writes the state of the cameras.
func (w *writer) cameras(list []status.Camera) {
	of := func(value func(status.Camera) float64) (samples []sample) {
		for _, c := range list {
			samples = append(samples, sample{labels("camera", c.ID), value(c)})
		}
		return samples
	}
	w.gauge("preroll_camera_enabled", "Whether a camera is switched on.",
		of(func(c status.Camera) float64 { return truth(c.State != status.Off) })...)
	w.gauge("preroll_camera_recording", "Whether video of a camera comes in.",
		of(func(c status.Camera) float64 { return truth(c.State == status.Recording) })...)
	w.gauge("preroll_camera_ring_seconds", "Length of a camera's video in RAM.",
		of(func(c status.Camera) float64 { return c.PreRoll.D().Seconds() })...)
	w.gauge("preroll_camera_ring_bytes", "Size of a camera's video in RAM.",
		of(func(c status.Camera) float64 { return float64(c.Bytes) })...)
	w.gauge("preroll_camera_bytes_per_second", "What a camera sends.",
		of(func(c status.Camera) float64 { return c.BitRate / 8 })...)
	w.gauge("preroll_camera_last_trigger_seconds", "When a camera was triggered last, as Unix time; 0: not since the start.",
		of(func(c status.Camera) float64 { return unix(c.LastTrigger).value })...)
}

// targets writes how word goes out.
func (w *writer) targets(list []status.Target) {
	var waiting, sent []sample
	for _, t := range list {
		waiting = append(waiting, sample{labels("target", t.ID), float64(t.Waiting)})
		sent = append(sent, sample{labels("target", t.ID), float64(t.Sent)})
	}
	w.gauge("preroll_words_waiting", "Word that a target has not taken yet.", waiting...)
	w.counter("preroll_words_sent_total", "Word that a target took.", sent...)
}

// problems writes how many problems there are of each kind.
func (w *writer) problems(list []status.Problem) {
	count := map[string]int{}
	for _, p := range list {
		count[p.Code]++
	}
	var samples []sample
	for _, code := range slices.Sorted(maps.Keys(count)) {
		samples = append(samples, sample{labels("code", code), float64(count[code])})
	}
	w.gauge("preroll_problems", "What needs a person, by kind.", samples...)
}

func (c *Counters) write(w *writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ended, missing []sample
	for _, e := range slices.SortedFunc(maps.Keys(c.events), func(a, b ending) int {
		return cmp.Or(strings.Compare(a.camera, b.camera), strings.Compare(a.state, b.state))
	}) {
		ended = append(ended, sample{labels("camera", e.camera, "state", e.state), float64(c.events[e])})
	}
	for _, camera := range slices.Sorted(maps.Keys(c.missing)) {
		missing = append(missing, sample{labels("camera", camera), c.missing[camera].Seconds()})
	}
	w.counter("preroll_events_total", "Events that ended, by how they ended.", ended...)
	w.counter("preroll_gap_seconds_total", "Video that events asked for and did not get.", missing...)

	const name = "preroll_durable_seconds"
	w.head(name, "histogram", "From the first alarm of an event until its pre-roll is durable.")
	sum := 0
	for i, most := range buckets {
		sum += c.durable[i]
		w.sample(name+"_bucket", sample{labels("le", number(most)), float64(sum)})
	}
	sum += c.durable[len(buckets)]
	w.sample(name+"_bucket", sample{labels("le", "+Inf"), float64(sum)})
	w.sample(name+"_sum", sample{"", c.waited.Seconds()})
	w.sample(name+"_count", sample{"", float64(sum)})
}

// --- The form ---

// sample is one value, with its labels as they are written.
type sample struct {
	labels string
	value  float64
}

type writer struct{ strings.Builder }

func (w *writer) head(name, kind, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (w *writer) sample(name string, s sample) {
	fmt.Fprintf(w, "%s%s %s\n", name, s.labels, number(s.value))
}

func (w *writer) gauge(name, help string, samples ...sample) { w.family(name, "gauge", help, samples) }
func (w *writer) counter(name, help string, samples ...sample) {
	w.family(name, "counter", help, samples)
}

func (w *writer) family(name, kind, help string, samples []sample) {
	if len(samples) == 0 {
		return
	}
	w.head(name, kind, help)
	for _, s := range samples {
		w.sample(name, s)
	}
}

// labels formats pairs of names and values.
func labels(pairs ...string) string {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	var list []string
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, pairs[i]+`="`+escape.Replace(pairs[i+1])+`"`)
	}
	return "{" + strings.Join(list, ",") + "}"
}

func number(f float64) string { return fmt.Sprintf("%.15g", f) }

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func unix(t time.Time) sample {
	if t.IsZero() {
		return sample{}
	}
	return sample{"", float64(t.UnixMilli()) / 1000}
}
