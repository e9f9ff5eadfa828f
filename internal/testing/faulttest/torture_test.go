//go:build linux

package faulttest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// setting reads a number from the environment variable PREROLL_TORTURE_name, or returns usual.
func setting(t *testing.T, name string, usual uint64) uint64 {
	t.Helper()
	s := os.Getenv("PREROLL_TORTURE_" + name)
	if s == "" {
		return usual
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		t.Fatalf("PREROLL_TORTURE_%s: %v", name, err)
	}
	return n
}

// TestTorture injects random faults for a while (PREROLL_TORTURE_SECONDS, _CAMERAS), by a plan that is the same for the
// same seed (_SEED). Then it checks that Preroll kept its promises.
func TestTorture(t *testing.T) {
	t.Parallel()
	length := time.Duration(setting(t, "SECONDS", 30)) * time.Second
	cameras := int(setting(t, "CAMERAS", 4))
	usual := uint64(5) // the short test repeats one seed; `make torture` tries another each time
	if os.Getenv("PREROLL_TORTURE_SECONDS") != "" {
		usual = uint64(time.Now().UnixNano())
	}
	seed := setting(t, "SEED", usual)
	ctx := t.Context()

	all := []CameraOptions{{GOP: 10}, {GOP: 5, Audio: "pcma"}, {GOP: 20, H265: true}, {GOP: 50}}
	opt := Options{Seed: seed, PreRoll: 6 * time.Second, PostRoll: 5 * time.Second, Longest: 20 * time.Second,
		RAM: 64 << 20, Drive: true}
	for n := range cameras {
		c := all[n%len(all)]
		switch os.Getenv("PREROLL_TORTURE_INGEST") { // what reads the cameras: Preroll alone, FFmpeg, or both
		case "ffmpeg":
			c.FFmpeg = true
		case "both":
			c.FFmpeg = n%2 == 1
		}
		opt.Cameras = append(opt.Cameras, c)
	}
	opt.RAM *= int64(1 + cameras/4)
	plan := NewPlan(seed, length, cameras)
	say("torture of %s: %d cameras, seed %d, plan %s of %d faults\n", length, cameras, seed, plan.Hash(), len(plan))

	w := newWorld(t, opt)
	try(t, w.Start(ctx, ""))
	try(t, w.Filled(ctx, opt.PreRoll))
	for _, c := range w.Cameras {
		if m := w.Mails.Send(c.ID, false); !m.Accepted() {
			t.Fatalf("the first mail for %s was not accepted: %d %v", c.ID, m.Code, m.Err)
		}
	}
	_, err := w.Settle(ctx, 2*time.Minute)
	try(t, err)
	before, err := w.use(ctx)
	try(t, err)

	if err := w.Carry(ctx, plan, length); err != nil {
		t.Errorf("the plan was not carried out: %v", err)
	}
	if w.pid() == 0 {
		try(t, w.Start(ctx, ""))
	}
	if _, err := w.Settle(ctx, 5*time.Minute); err != nil {
		t.Error(err)
	}
	for _, c := range w.Cameras { // everything works as before
		if m := w.Mails.Send(c.ID, false); !m.Accepted() {
			t.Errorf("the last mail for %s was not accepted: %d %v", c.ID, m.Code, m.Err)
		}
	}
	events, err := w.Settle(ctx, 2*time.Minute)
	if err != nil {
		t.Error(err)
	}
	atOnce, err := w.use(ctx)
	try(t, err)
	// An idle Go process collects garbage every two minutes and then returns the memory.
	if length >= 10*time.Minute {
		sleep(ctx, 150*time.Second)
	}
	after, err := w.use(ctx)
	try(t, err)
	if n := len(w.ffmpegs(false)); n > cameras {
		t.Errorf("%d FFmpegs are running for %d cameras", n, cameras)
	}
	try(t, w.Stop(ctx))
	r := w.Check(ctx, events)

	counts := w.Faults.Counts()
	total := 0
	for _, n := range counts {
		total += n
	}
	say("faults injected: %d of %d kinds, in %d processes\n", total, len(counts), w.starts)
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		say("  %4d  %s\n", counts[k], k)
	}
	say("%s", r)
	say("before: %s\nafter:  %s\nidle:   %s\n", before, atOnce, after)
	if after.Memory > before.Memory+(16<<20) || after.Files > before.Files+8 || after.Threads > before.Threads+8 ||
		after.Routines > before.Routines+8 {
		t.Errorf("Preroll takes more after the faults than before: %s, then %s", before, after)
	}
	show(t, w, r)
	if t.Failed() {
		t.Logf("repeat it with PREROLL_TORTURE_SEED=%d PREROLL_TORTURE_SECONDS=%.0f PREROLL_TORTURE_CAMERAS=%d", seed,
			length.Seconds(), cameras)
	}
}

// say prints a line of the summary in a long or verbose test, even if the test passes.
func say(format string, args ...any) {
	if os.Getenv("PREROLL_TORTURE_SECONDS") != "" || testing.Verbose() {
		fmt.Print(strings.TrimRight(fmt.Sprintf(format, args...), "\n") + "\n")
	}
}

// TestPlanRepeats compares plans of equal and of different seeds.
func TestPlanRepeats(t *testing.T) {
	t.Parallel()
	a, b, c := NewPlan(1, time.Hour, 4), NewPlan(1, time.Hour, 4), NewPlan(2, time.Hour, 4)
	if a.Hash() != b.Hash() || a.Hash() == c.Hash() {
		t.Errorf("plans of the seeds 1, 1 and 2: %s, %s, %s", a.Hash(), b.Hash(), c.Hash())
	}
	kinds := map[string]bool{}
	for _, s := range a {
		kinds[s.Kind] = true
	}
	if len(kinds) != len(Kinds) {
		t.Errorf("a plan of an hour has %d of %d kinds", len(kinds), len(Kinds))
	}
	if half := NewPlan(3, 30*time.Minute, 4); len(half) < 200 {
		t.Errorf("a plan of half an hour has %d faults, want 200", len(half))
	}
}
