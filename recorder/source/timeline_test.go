package source

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// frame is a frame that a test camera films and sends.
type frame struct{ filmed, stamp, arrival time.Duration }

// film makes frames at a frame rate for the given time. Stamp and arrival are the true time.
func film(fps float64, length time.Duration) (list []frame) {
	for i := 0; ; i++ {
		at := time.Duration(float64(i) / fps * float64(time.Second))
		if at >= length {
			return list
		}
		list = append(list, frame{at, at, at})
	}
}

// skew makes the stamps run at a rate.
func skew(list []frame, rate float64) []frame {
	for i := range list {
		list[i].stamp = time.Duration(float64(list[i].stamp) * rate)
	}
	return list
}

// jitter delays frames at random. Their order stays.
func jitter(list []frame, most time.Duration) []frame {
	r := rand.New(rand.NewPCG(1, 2))
	last := time.Duration(0)
	for i := range list {
		last = max(last, list[i].arrival+time.Duration(r.Int64N(int64(most))))
		list[i].arrival = last
	}
	return list
}

// stall delays frames that arrive between from and to until to.
func stall(list []frame, from, to time.Duration) []frame {
	for i := range list {
		if a := list[i].arrival; a >= from && a < to {
			list[i].arrival = to
		}
	}
	return list
}

// without leaves out the frames filmed between from and to.
func without(list []frame, from, to time.Duration) (out []frame) {
	for _, f := range list {
		if f.filmed < from || f.filmed >= to {
			out = append(out, f)
		}
	}
	return out
}

// leapAt changes the stamps from a time on.
func leapAt(list []frame, at, by time.Duration) []frame {
	for i := range list {
		if list[i].filmed >= at {
			list[i].stamp += by
		}
	}
	return list
}

// ticking makes stamps rise by only one tick from a time on, as FFmpeg does after a discontinuity.
func ticking(list []frame, from time.Duration) []frame {
	i := slices.IndexFunc(list, func(f frame) bool { return f.filmed >= from })
	for k := range list[i:] {
		list[i+k].stamp = list[i].stamp + time.Duration(k)*time.Second/90000
	}
	return list
}

// busier makes all frames late from a time on. Each second has its own lateness.
func busier(list []frame, from time.Duration, late ...time.Duration) []frame {
	for i := range list {
		if n := int((list[i].filmed - from) / time.Second); list[i].filmed >= from && n < len(late) {
			list[i].arrival += late[n]
		}
	}
	return list
}

// bursts makes frames arrive in bursts, each at the end of its interval.
func bursts(list []frame, length time.Duration) []frame {
	for i := range list {
		list[i].arrival = (list[i].arrival/length + 1) * length
	}
	return list
}

// uneven makes frames arrive in bursts of 2 s. The bursts are late by different times.
func uneven(list []frame) []frame {
	for i := range list {
		n := list[i].arrival / (2 * time.Second)
		list[i].arrival = (n+1)*2*time.Second + (n*n%5)*500*time.Millisecond
	}
	return list
}

// run gives frames to a timeline and returns one media time per frame.
func run(list []frame) (media []time.Duration, tl *Timeline) {
	tl = &Timeline{}
	const boot = 1000 * time.Second
	for _, f := range list {
		media = append(media, tl.Add(f.stamp, f.arrival+boot)...)
	}
	media = append(media, tl.Flush()...)
	for i := range media {
		media[i] -= boot
	}
	return media, tl
}

// TestTimeline films with real kinds of cameras and networks. After settle, each frame must be timed as it was filmed,
// to within off, and smoothly where stamps are good.
func TestTimeline(t *testing.T) {
	const minute, ms = time.Minute, time.Millisecond
	for _, tc := range []struct {
		name   string
		frames []frame
		settle time.Duration // times must be right from here on
		off    time.Duration // by which a time may be wrong
		judder time.Duration // by which an interval may differ from the filmed interval
	}{
		{"plain", film(15, minute), 0, time.Millisecond, time.Millisecond},
		{"a network with jitter", jitter(film(15, minute), 80*time.Millisecond), 5 * time.Second, 90 * time.Millisecond,
			4 * time.Millisecond},
		{"1 % slow", skew(film(15, 3*minute), 0.99), minute, 70 * time.Millisecond, 10 * time.Millisecond},
		{"2 % slow", skew(film(15, 3*minute), 0.98), minute, 70 * time.Millisecond, 10 * time.Millisecond},
		{"5 % slow", skew(film(15, 3*minute), 0.95), minute, 70 * time.Millisecond, 10 * time.Millisecond},
		{"10 % slow", skew(film(15, 3*minute), 0.9), minute, 70 * time.Millisecond, 10 * time.Millisecond},
		{"20 % slow", skew(film(15, 3*minute), 0.8), minute, 70 * time.Millisecond, 10 * time.Millisecond},
		{"1 % fast", skew(film(15, 3*minute), 1.01), minute, 70 * time.Millisecond, 10 * time.Millisecond},
		{"5 % fast", skew(film(15, 3*minute), 1.05), minute, 70 * time.Millisecond, 10 * time.Millisecond},
		{"10 % fast", skew(film(15, 3*minute), 1.1), minute, 70 * time.Millisecond, 10 * time.Millisecond},
		{"20 % fast", skew(film(15, 3*minute), 1.2), minute, 70 * time.Millisecond, 10 * time.Millisecond},
		{"20 % slow and jitter", jitter(skew(film(15, 3*minute), 0.8), 80*time.Millisecond), minute,
			150 * time.Millisecond, 20 * time.Millisecond},
		{"stamps of 25 fps, 21 arrive", skew(film(21, 3*minute), 21./25), minute, 70 * time.Millisecond,
			10 * time.Millisecond},
		{"a slight drift", skew(film(15, 10*minute), 1.0005), minute, 70 * time.Millisecond, 5 * time.Millisecond},
		{"busy: 4 s arrive at once", stall(film(15, minute), 20*time.Second, 24*time.Second), 0, 5 * time.Millisecond,
			time.Millisecond},
		{"busy again and again", stall(stall(stall(film(15, minute), 20*time.Second, 21500*time.Millisecond),
			30*time.Second, 33*time.Second), 40*time.Second, 40*time.Second), 0, 5 * time.Millisecond,
			time.Millisecond},
		{"a cached GOP at the start", stall(film(15, minute), 0, 2*time.Second), 0, 5 * time.Millisecond,
			time.Millisecond},
		{"segments of 6 s at once", stall(stall(stall(stall(film(15, minute), 0, 18*time.Second), 18*time.Second,
			24*time.Second), 24*time.Second, 30*time.Second), 30*time.Second, 36*time.Second), 0, 70 * time.Millisecond,
			5 * time.Millisecond},
		{"heaps of 1.2 s", bursts(film(15, 3*minute), 1200*time.Millisecond), 5 * time.Second, 70 * time.Millisecond,
			4 * time.Millisecond},
		{"heaps of 2 s", bursts(film(15, 3*minute), 2*time.Second), 5 * time.Second, 70 * time.Millisecond,
			time.Millisecond},
		{"heaps of 6 s", bursts(film(15, 3*minute), 6*time.Second), 5 * time.Second, 70 * time.Millisecond,
			time.Millisecond},
		{"heaps that come late now and then", uneven(film(15, 3*minute)), 15 * time.Second, 70 * time.Millisecond,
			5 * time.Millisecond},
		{"silent for 5 s", without(film(15, minute), 20*time.Second, 25*time.Second), 0, 5 * time.Millisecond,
			time.Millisecond},
		{"silent for 5 s, its clock too",
			leapAt(without(film(15, minute), 20*time.Second, 25*time.Second), 25*time.Second, -5*time.Second), 0,
			70 * time.Millisecond, time.Millisecond},
		{"silent for 2.5 s, its clock too",
			leapAt(without(film(15, minute), 20*time.Second, 22500*ms), 22500*ms, -2500*ms), 0, 70 * ms, ms},
		{"silent for 1.5 s, its clock too, with jitter",
			jitter(leapAt(without(film(10, minute), 20*time.Second, 21500*ms), 21500*ms, -1500*ms), 80*ms),
			5 * time.Second, 160 * ms, 100 * ms},
		{"a picture a second, silent for 3 s, its clock too",
			leapAt(without(film(1, minute), 20*time.Second, 23*time.Second), 23*time.Second, -2900*ms), 0, 70 * ms, ms},
		{"its clock leaps an hour ahead", leapAt(film(15, minute), 30*time.Second, time.Hour), 0, 70 * time.Millisecond,
			time.Millisecond},
		{"its clock leaps 20 s ahead in its first second",
			leapAt(film(15, minute), 500*time.Millisecond, 20*time.Second), 0, 70 * time.Millisecond, time.Millisecond},
		{"its clock leaps two hours back", leapAt(film(15, minute), 30*time.Second, -2*time.Hour), 0,
			70 * time.Millisecond, time.Millisecond},
		{"its clock leaps back, and FFmpeg counts ticks", ticking(film(15, minute), 30*time.Second), 0,
			210 * time.Millisecond, 200 * time.Millisecond},
		{"late in its first two seconds", jitter(busier(film(10, minute), 0, 450*ms, 450*ms), 80*ms), 15 * time.Second,
			90 * time.Millisecond, 10 * time.Millisecond},
		{"late in its first three seconds", busier(film(10, minute), 0, 850*ms, 450*ms, 450*ms), 15 * time.Second,
			10 * time.Millisecond, 10 * time.Millisecond},
		{"a machine that gets busy", busier(film(15, minute), 3*time.Second, 100*ms, 100*ms, 150*ms, 500*ms, 500*ms,
			700*ms, 800*ms, 800*ms), 0, 5 * time.Millisecond, time.Millisecond},
		{"a machine that is busy now and then",
			busier(busier(film(15, minute), 5*time.Second, 0, 0, 400*ms, 800*ms, 800*ms, 0), 20*time.Second, 300*ms,
				300*ms, 0, 0, 600*ms, 900*ms), 0, 5 * time.Millisecond, time.Millisecond},
		{"a machine that gets busy steadily, then calm",
			jitter(busier(film(15, minute), 3*time.Second, 80*ms, 160*ms, 240*ms, 320*ms, 400*ms, 480*ms, 560*ms,
				640*ms, 720*ms, 800*ms), 80*ms), 40 * time.Second, 90 * time.Millisecond, 10 * time.Millisecond},
		{"its clock leaps within a heap",
			leapAt(stall(film(15, minute), 20*time.Second, 24*time.Second), 22*time.Second, 7*time.Second), 0,
			70 * time.Millisecond, 5 * time.Millisecond},
		{"its clock leaps back within a heap",
			leapAt(stall(film(15, minute), 20*time.Second, 24*time.Second), 22*time.Second, -time.Hour), 0,
			70 * time.Millisecond, 5 * time.Millisecond},
		{"its clock leaps within the cached GOP",
			leapAt(stall(film(15, minute), 0, 3*time.Second), time.Second, time.Hour), 0, 70 * time.Millisecond,
			5 * time.Millisecond},
		{"held up for 10 s, with pictures dropped on the way",
			stall(without(film(10, minute), 26*time.Second, 29*time.Second), 20*time.Second, 30*time.Second), 0,
			70 * time.Millisecond, 5 * time.Millisecond},
		{"held up in its first second, with pictures dropped on the way",
			stall(without(film(10, minute), 7*time.Second, 10*time.Second), 400*time.Millisecond, 10*time.Second), 0,
			70 * time.Millisecond, 5 * time.Millisecond},
		{"a picture every 2 s, 20 s at once", stall(film(0.5, 5*minute), minute, minute+20*time.Second), 0,
			70 * time.Millisecond, 5 * time.Millisecond},
		{"a picture every 8 s", film(0.125, 5*minute), 0, time.Millisecond, time.Millisecond},
		{"a picture every 2 s with jitter", jitter(film(0.5, 5*minute), 80*time.Millisecond), minute,
			90 * time.Millisecond, 90 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			media, _ := run(tc.frames)
			if len(media) != len(tc.frames) {
				t.Fatalf("%d media times for %d frames", len(media), len(tc.frames))
			}
			var worst, judder time.Duration
			for i, f := range tc.frames {
				if f.filmed < tc.settle {
					continue
				}
				worst = max(worst, (media[i] - f.filmed).Abs())
				if i > 0 {
					judder = max(judder, ((media[i] - media[i-1]) - (f.filmed - tc.frames[i-1].filmed)).Abs())
				}
			}
			if worst > tc.off {
				t.Errorf("off by up to %s, want %s", worst, tc.off)
			}
			if judder > tc.judder {
				t.Errorf("intervals are off by up to %s, want %s", judder, tc.judder)
			}
		})
	}
}

// TestTimelineDisbelieves gives stamps that mean nothing. Media times must follow arrival.
func TestTimelineDisbelieves(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, stamp := range map[string]func(i int) time.Duration{
		"random":               func(int) time.Duration { return time.Duration(r.Int64N(int64(13 * time.Hour))) },
		"standing still":       func(int) time.Duration { return time.Hour },
		"back with each frame": func(i int) time.Duration { return time.Duration(-i) * 50 * time.Second },
		"two by two":           func(i int) time.Duration { return time.Duration(i/2) * time.Second / 15 },
		"five times as fast":   func(i int) time.Duration { return time.Duration(i) * time.Second / 3 },
		"five times as slow":   func(i int) time.Duration { return time.Duration(i) * time.Second / 75 },
	} {
		t.Run(name, func(t *testing.T) {
			list := film(15, 5*time.Minute)
			for i := range list {
				list[i].stamp = stamp(i)
			}
			media, tl := run(list)
			if len(media) != len(list) {
				t.Fatalf("%d media times for %d frames", len(media), len(list))
			}
			off := 0
			for i := range list {
				if (media[i] - list[i].filmed).Abs() > 100*time.Millisecond {
					off++
				}
			}
			if off > len(list)/10 {
				t.Errorf("%d of %d frames are off by more than 0.1 s", off, len(list))
			}
			if tl.Believed() {
				t.Error("the stamps are believed")
			}
		})
	}
}

// FuzzTimeline checks that each sample gets one media time, whatever the stamps and arrival times. Media times must
// rise in the order of the samples, and none may lie far in the future.
func FuzzTimeline(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 100, 0, 0, 255, 7})
	f.Add([]byte("the stamps of a camera that nobody understands, one behind the other"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var tl Timeline
		var stamp, arrival, last time.Duration
		arrival = time.Hour
		n := 0
		take := func(times []time.Duration) {
			for _, at := range times {
				if n > 0 && at <= last {
					t.Fatalf("media time %s after %s", at, last)
				}
				last = at
				n++
			}
			if late := last - arrival; n > 0 && late > 3*time.Second+time.Duration(n)*minStep {
				t.Fatalf("media time is %s ahead of arrival", late)
			}
		}
		given := 0
		for i := 0; i+1 < len(data); i += 2 {
			ds := time.Duration(int8(data[i])) * 20 * time.Millisecond
			if data[i] == 127 {
				ds = 20 * time.Hour
			}
			da := time.Duration(data[i+1]) * 2 * time.Millisecond
			if data[i+1] == 255 {
				da = 30 * time.Second
			}
			stamp, arrival = stamp+ds, arrival+da
			take(tl.Add(stamp, arrival))
			given++
			if n > given {
				t.Fatalf("%d media times for %d samples", n, given)
			}
		}
		take(tl.Flush())
		if n != given {
			t.Fatalf("%d media times for %d samples", n, given)
		}
	})
}

// TestCounter checks that sound lies where it arrives.
func TestCounter(t *testing.T) {
	const packet = 40 * time.Millisecond
	for _, tc := range []struct {
		name    string
		arrival func(i int) time.Duration // arrival of packet i
		off     time.Duration
		lost    int // packets that may be left out, in percent
	}{
		{"plain", func(i int) time.Duration { return time.Duration(i+1) * packet }, time.Millisecond, 0},
		{"jitter", func(i int) time.Duration {
			return time.Duration(i+1)*packet + time.Duration(i*i%7)*10*time.Millisecond
		}, 80 * time.Millisecond, 0},
		{"its clock is 1 % slow", func(i int) time.Duration {
			return time.Duration(float64(i+1) * float64(packet) * 1.01)
		}, 200 * time.Millisecond, 0},
		{"its clock is 2 % fast", func(i int) time.Duration {
			return time.Duration(float64(i+1) * float64(packet) * 0.98)
		}, 250 * time.Millisecond, 3},
		{"away for 10 s", func(i int) time.Duration {
			return time.Duration(i+1)*packet + time.Duration(i/500)*10*time.Second
		}, time.Millisecond, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c Counter
			lost, end := 0, time.Duration(0)
			for i := range 3000 {
				arrival := time.Hour + tc.arrival(i)
				at, ok := c.Add(packet, arrival)
				if !ok {
					lost++
					continue
				}
				if at < end {
					t.Fatalf("packet %d begins %s before the one before it ends", i, end-at)
				}
				end = at + packet
				if off := (arrival - packet - at).Abs(); off > tc.off {
					t.Fatalf("packet %d is off by %s", i, off)
				}
			}
			if lost > 30*tc.lost {
				t.Errorf("%d packets were left out", lost)
			}
		})
	}
}
