package archive

import (
	"os"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/event"
)

func TestNext(t *testing.T) {
	now := time.Now()
	free := func(n int64) func(string) (int64, error) { return func(string) (int64, error) { return n, nil } }
	for _, tc := range []struct {
		name   string
		limits Limits
		want   string
	}{
		{"no limit", Limits{}, ""},
		{"age", Limits{MaxAge: 10 * 24 * time.Hour}, "failed max_age in 96h0m0s"},
		{"too old already", Limits{MaxAge: time.Hour, MaxSize: 1}, "failed max_age in -143h0m0s"},
		{"too large", Limits{MaxAge: 10 * 24 * time.Hour, MaxSize: 2000}, "e1 max_size"},
		{"nearly too large", Limits{MaxAge: 10 * 24 * time.Hour, MaxSize: 4200}, "e1 max_size"},
		{"large enough", Limits{MaxAge: 10 * 24 * time.Hour, MaxSize: 4300}, "failed max_age in 96h0m0s"},
		{"nearly too full", Limits{MaxAge: 10 * 24 * time.Hour, MinFree: 1000, Free: free(1049)}, "e1 min_free"},
		{"room enough", Limits{MaxAge: 10 * 24 * time.Hour, MinFree: 1000, Free: free(1050)},
			"failed max_age in 96h0m0s"},
		{"drive away", Limits{MinFree: 1000, Free: func(string) (int64, error) { return 0, os.ErrNotExist }},
			"e1 min_free"},
		{"size only", Limits{MaxSize: 1 << 40, MinFree: 1, Free: free(1 << 40)}, "e1 max_size"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := openArchive(t, t.TempDir(), t.TempDir())
			put := func(id string, days int, state event.State, bytes int64, protected bool) {
				e := event.Event{ID: id, Camera: "c", Time: now.Add(time.Duration(-days) * 24 * time.Hour),
					State: state, Protected: protected, Archive: a.Root(), Folder: "c", Stem: id}
				if bytes > 0 {
					e.Clips = []event.Clip{{Bytes: bytes}}
				}
				if err := a.Put(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			put("open", 9, event.Recording, 0, false)
			put("protected", 8, event.Saved, 1000, true)
			put("failed", 6, event.Failed, 0, false)
			put("e1", 5, event.Saved, 1500, false)
			put("e2", 4, event.Incomplete, 1500, false)
			got := ""
			n, err := a.Next(t.Context(), tc.limits, now)
			if n != nil {
				got = n.Event.ID + " " + n.Why
				if !n.When.IsZero() {
					got += " in " + n.When.Sub(now).Round(time.Minute).String()
				}
			}
			if got != tc.want || err != nil {
				t.Errorf("%q, want %q, %v", got, tc.want, err)
			}
		})
	}
	a := openArchive(t, t.TempDir(), t.TempDir())
	if n, err := a.Next(t.Context(), Limits{MaxAge: time.Hour, MaxSize: 1}, now); n != nil || err != nil {
		t.Errorf("of an empty archive: %+v, %v", n, err)
	}
}
