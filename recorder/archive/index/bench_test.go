package index

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/event"
)

// many is the number of events in the benchmarks: ten busy cameras for three years.
const many = 1_000_000

// pile makes an index of many events. One day in a hundred has ten times as many events as the others; busy is one of
// these days.
func pile(b *testing.B) (x *Index, busy string) {
	x = openIndex(b, b.TempDir())
	random := rand.New(rand.NewPCG(1, 2))
	labels := []string{"motion", "person", "vehicle", "line crossing"}
	began := time.Now()
	var list []event.Event
	day := time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)
	busy = dayOf(day)
	for n, d := 0, 0; n < many; d++ {
		of := 840
		if d%100 == 0 {
			of = 8400
		}
		for range min(of, many-n) {
			at := day.AddDate(0, 0, -d).Add(time.Duration(random.IntN(11*3600*1000)) * time.Millisecond)
			c := random.IntN(10)
			e := event.Event{ID: fmt.Sprintf("%s-%08x", at.UTC().Format("20060102T150405.000Z"), n),
				Camera: fmt.Sprintf("camera-%d", c), CameraName: fmt.Sprintf("Türkamera %d", c),
				Time: at, Label: labels[random.IntN(4)], State: event.Saved, From: at.Add(-10 * time.Second),
				Until: at.Add(time.Minute), SavedAt: at.Add(time.Minute)}
			for i := range 3 {
				e.Add(event.Trigger{Time: at.Add(time.Duration(i) * time.Second), Source: event.Mail, Label: e.Label,
					Sender:  fmt.Sprintf("camera-%d@home.example", c),
					Subject: fmt.Sprintf("Alarm %s %s", e.Label, at.Format(time.DateTime)), From: "192.168.1.20"})
			}
			e.Folder, e.Stem = e.Camera+at.Format("/2006/01/02"),
				at.Format("2006-01-02_15-04-05-0700")+"_"+strings.ReplaceAll(e.Label, " ", "-")
			e.Thumbnail = e.Stem + ".jpg"
			e.Clips = []event.Clip{{File: e.Stem + ".mp4", Start: e.From, End: e.Until,
				Length: event.Seconds(70 * time.Second), Frames: 1050, Bytes: 18_000_000,
				SHA256: strings.Repeat("0123456789abcdef", 4)}}
			list = append(list, e)
			if n++; len(list) == 10_000 || n == many {
				if err := x.Put(b.Context(), list...); err != nil {
					b.Fatal(err)
				}
				list = list[:0]
			}
		}
	}
	b.Logf("%d events written in %s, %.0f a second", many, time.Since(began).Round(time.Second),
		many/time.Since(began).Seconds())
	return x, busy
}

// BenchmarkIndex measures the queries of a window with a million events in the index.
func BenchmarkIndex(b *testing.B) {
	x, busy := pile(b)
	list := func(q event.Query, want int) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				if l, err := x.List(b.Context(), q); err != nil || len(l) != want {
					b.Fatalf("%d events, %v", len(l), err)
				}
			}
		}
	}
	days := func(q event.Query) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				if l, err := x.Days(b.Context(), q); err != nil || len(l) == 0 {
					b.Fatalf("%d days, %v", len(l), err)
				}
			}
		}
	}
	b.Run("Days", days(event.Query{}))
	b.Run("Days/camera", days(event.Query{Camera: "camera-3"}))
	b.Run("Days/label", days(event.Query{Label: "person"}))
	b.Run("Days/text/common", days(event.Query{Text: "TÜRKAMERA person"}))
	b.Run("Days/text/rare", days(event.Query{Text: "2026-11-22"}))
	b.Run("List/first", list(event.Query{}, 100))
	b.Run("List/day/deep", list(event.Query{Day: busy, Offset: 8000}, 100))
	b.Run("List/day/camera", list(event.Query{Day: busy, Camera: "camera-3", Offset: 600}, 100))
	b.Run("List/day/label", list(event.Query{Day: busy, Label: "person", Offset: 1500}, 100))
	b.Run("List/day/text", list(event.Query{Day: busy, Text: "türkamera vehicle", Offset: 1500}, 100))
	b.Run("List/camera/deep", list(event.Query{Camera: "camera-3", Offset: 50_000}, 100))
	b.Run("List/deep", list(event.Query{Offset: 900_000}, 100))
	b.Run("Totals", func(b *testing.B) {
		for b.Loop() {
			if n, _, err := x.Totals(b.Context()); n < many || err != nil {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("Choices", func(b *testing.B) {
		for b.Loop() {
			if c, err := x.Choices(b.Context()); len(c.Cameras) != 10 || len(c.Labels) != 4 || err != nil {
				b.Fatal(c, err)
			}
		}
	})
	b.Run("Put", func(b *testing.B) {
		l, err := x.List(b.Context(), event.Query{Limit: 1})
		if err != nil {
			b.Fatal(err)
		}
		for n := 0; b.Loop(); n++ {
			e := l[0]
			e.ID = fmt.Sprintf("new-%d", n)
			if err := x.Put(b.Context(), e); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRecreate measures how soon an alarm can be noted when the index of a million events is damaged, and how much
// memory that takes. It also measures how long retention takes if very many of the oldest events are protected.
func BenchmarkRecreate(b *testing.B) {
	x, _ := pile(b)
	if _, err := x.db.ExecContext(b.Context(),
		`UPDATE events SET protected = 1 WHERE rowid IN (SELECT rowid FROM events ORDER BY time LIMIT 100000)`); err != nil {
		b.Fatal(err)
	}
	b.Run("Oldest", func(b *testing.B) {
		for b.Loop() {
			if e, err := x.Oldest(b.Context(), Drive{Key: 1}, Old{Bytes: 1, Limit: 1}); err != nil || len(e) == 0 {
				b.Fatal(e, err)
			}
		}
	})
	b.Run("Recreate", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			b.StopTimer()
			state := b.TempDir()
			if _, err := x.db.ExecContext(b.Context(), `VACUUM INTO ?`, filepath.Join(state, Name)); err != nil {
				b.Fatal(err)
			}
			f, err := os.OpenFile(filepath.Join(state, Name), os.O_RDWR, 0)
			if err == nil {
				_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, 1<<20), 100)
				err = errors.Join(err, f.Close())
			}
			if err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			b.StartTimer()
			c, err := Open(b.Context(), options(b, state))
			if err == nil {
				err = c.Put(b.Context(), event.Event{ID: "new", Camera: "c", Time: time.Now(), State: event.Recording})
			}
			b.StopTimer()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/1e6, "MB")
			if err := errors.Join(err, c.Close()); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}
