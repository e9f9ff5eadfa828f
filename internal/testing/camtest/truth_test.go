package camtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

// TestTimes maps counters at 10 frames per second to times. One round of the loop takes 10 s.
func TestTimes(t *testing.T) {
	t.Parallel()
	info := func(start float64, first int) Info { return Info{Start: at(start), FPS: 10, Loop: 100, First: first} }
	two := []Span{
		{Info: info(0, 0), From: at(0), To: at(60)},
		{Info: info(60.05, 1000), From: at(60.05)},
	}
	const no = -1.0
	tests := []struct {
		name     string
		counters []int
		near     float64
		want     []float64 // seconds after noon
	}{
		{"nothing", nil, 0, nil},
		{"in order", []int{7, 8, 9}, 30.5, []float64{30.7, 30.8, 30.9}},
		{"near is past half a turn of the second frame", []int{50, 51}, 30.1, []float64{35, 35.1}},
		{"over the end of the loop", []int{98, 99, 0, 1}, 30, []float64{29.8, 29.9, 30, 30.1}},
		{"unreadable", []int{Bad, 8, Bad, 10}, 30.5, []float64{no, 30.8, no, 31}},
		{"no loop has it", []int{7, 500, 1100}, 30.5, []float64{30.7, no, no}},
		{"a doubled frame", []int{7, 8, 8, 9}, 30.5, []float64{30.7, 30.8, 30.8, 30.9}},
		{"a hole of more than half a turn", []int{7, 8, 70, 71}, 30.5, []float64{30.7, 30.8, 37, 37.1}},
		{"a hole over the end of the loop", []int{97, 98, 40, 41}, 30, []float64{29.7, 29.8, 34, 34.1}},
		{"a misread one carries none with it", []int{7, 8, 79, 10, 11}, 30.5, []float64{30.7, 30.8, 37.9, 31, 31.1}},
		{"from loop to loop", []int{98, 99, 1000, 1001}, 61, []float64{59.8, 59.9, 60.05, 60.15}},
		{"near is in the next loop", []int{40, 41}, 62, []float64{54, 54.1}},
		{"near is before the loop", []int{1003}, 50, []float64{60.35}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			shown := Times(tt.counters, two, at(tt.near))
			if len(shown) != len(tt.want) {
				t.Fatalf("%d frames, want %d", len(shown), len(tt.want))
			}
			for i, x := range shown {
				switch want := tt.want[i]; {
				case want == no && (x.Span != -1 || !x.Time.IsZero()):
					t.Errorf("frame %d is %+v, want it unreadable", i, x)
				case want != no && x.Time.Sub(at(want)).Abs() > time.Microsecond:
					t.Errorf("frame %d at %v, want %v", i, x.Time.Sub(noon).Seconds(), want)
				case want != no && (x.Span == 1) != (want > 60):
					t.Errorf("frame %d is of span %d", i, x.Span)
				}
			}
		})
	}
}

func TestGaps(t *testing.T) {
	t.Parallel()
	info := Info{FPS: 10, Loop: 100, First: 1000}
	got := info.Gaps([]int{1098, 1099, 1000, 1001, 1003, 1004, Bad, 1006, 5})
	want := []string{"frame 4: 1003 after 1001", "frame 6: unreadable", "frame 8: 5 after 1006"}
	if !slices.Equal(got, want) {
		t.Errorf("gaps are %q, want %q", got, want)
	}
}

// TestFirst makes loops that differ only in their counters.
func TestFirst(t *testing.T) {
	t.Parallel()
	var names []string
	for _, first := range []int{0, 1000, 70000} {
		file := encode(t, tiny(first, 10))
		names = append(names, filepath.Base(file))
		v, err := loadVideo(file, fps)
		if err != nil {
			t.Fatal(err)
		}
		if v.first != first || len(v.units) != 200 {
			t.Errorf("%s begins with %d and has %d frames", file, v.first, len(v.units))
		}
		counters, err := Frames(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		if len(counters) != 200 || counters[0] != first ||
			len((Info{FPS: fps, Loop: 200, First: first}).Gaps(counters)) > 0 {
			t.Errorf("%s shows %v", file, counters)
		}
	}
	if slices.Sort(names); len(slices.Compact(names)) != 3 {
		t.Errorf("names are %v", names)
	}
}

func TestFramesOfNoVideo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(file, []byte(strings.Repeat("no video", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []bool{false, true} {
		if c, err := FramesOf(t.Context(), file, damaged); err == nil {
			t.Errorf("a file without video has %d frames", len(c))
		}
	}
}
