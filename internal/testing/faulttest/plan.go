//go:build linux

package faulttest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/sqlfile"
	"github.com/preroll/preroll/recorder/archive/index"
)

// Step is one fault of a plan.
type Step struct {
	At      time.Duration // earliest start, counted from the start of the torture
	Subject string        // what the fault breaks; each subject has one fault at a time
	Kind    string
	For     time.Duration
	Seed    uint64 // for the random choices of the fault
}

// Plan lists the faults in order of time.
type Plan []Step

// NewPlan makes a plan for a length of time. The same arguments give the same plan.
func NewPlan(seed uint64, length time.Duration, cameras int) Plan {
	rng := rand.New(rand.NewPCG(seed, 0))
	var p Plan
	for _, area := range areas {
		subjects := []string{area}
		if area == "camera" {
			subjects = subjects[:0]
			for n := range cameras {
				subjects = append(subjects, fmt.Sprintf("cam%d", n+1))
			}
		}
		var table []Kind
		total := 0
		for _, k := range Kinds {
			if k.Area == area && (k.Max <= length/4 || !k.Long) {
				table, total = append(table, k), total+k.Weight
			}
		}
		if table == nil {
			continue
		}
		for _, s := range subjects {
			// Each kind comes once before any kind comes twice, as far as time allows. After that, chance decides.
			first := slices.Clone(table)
			rng.Shuffle(len(first), func(i, j int) { first[i], first[j] = first[j], first[i] })
			for at := between(rng, 0, rest[area]); at < length; {
				var k Kind
				if len(first) > 0 {
					k, first = first[0], first[1:]
				} else {
					for n := rng.IntN(total); ; {
						k = table[rng.IntN(len(table))]
						if n -= k.Weight; n < 0 {
							break
						}
					}
				}
				step := Step{at.Round(time.Millisecond), s, k.Name,
					between(rng, k.Min, k.Max).Round(time.Millisecond), rng.Uint64()}
				p = append(p, step)
				at += step.For + between(rng, rest[area]/2, rest[area]*3/2)
			}
		}
	}
	slices.SortStableFunc(p, func(a, b Step) int { return int(a.At - b.At) })
	return p
}

func between(rng *rand.Rand, shortest, longest time.Duration) time.Duration {
	if longest <= shortest {
		return shortest
	}
	return shortest + time.Duration(rng.Int64N(int64(longest-shortest)))
}

// Hash distinguishes plans.
func (p Plan) Hash() string {
	h := sha256.Sum256([]byte(fmt.Sprintf("%v", p)))
	return hex.EncodeToString(h[:6])
}

// Fault is a fault while it strikes.
type Fault struct {
	Step
	World  *World
	Camera *Camera // for faults of the area camera
	Rand   *rand.Rand
}

// Done is a fault that was injected.
type Done struct {
	Step
	Interval
	Err error // why the fault could not be injected
}

// Injected is the ledger of faults.
type Injected struct {
	mu   sync.Mutex // guards list
	list []Done
}

// All returns the faults so far.
func (i *Injected) All() []Done {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.list)
}

// Counts returns how often each kind was injected.
func (i *Injected) Counts() map[string]int {
	counts := map[string]int{}
	for _, d := range i.All() {
		if d.Err == nil {
			counts[d.Kind]++
		}
	}
	return counts
}

// At lists the faults that acted on a camera, or on all cameras, at some time in an interval.
func (i *Injected) At(camera string, s Interval) string {
	var out []string
	for _, d := range i.All() {
		if (d.Subject == camera || !strings.HasPrefix(d.Subject, "cam")) && !d.From.After(s.To) &&
			!d.To.Before(s.From) {
			out = append(out, fmt.Sprintf("%s %s-%s", d.Kind, clock(d.From), clock(d.To)))
		}
	}
	return strings.Join(out, "; ")
}

// Carry carries out the plan while mails arrive at random. Faults of one subject wait for each other. Carry returns
// when all faults are over. The error names the faults that could not be injected.
func (w *World) Carry(ctx context.Context, p Plan, length time.Duration) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, length+5*time.Minute)
	defer cancel()
	bySubject := map[string]Plan{}
	for _, s := range p {
		bySubject[s.Subject] = append(bySubject[s.Subject], s)
	}
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for _, steps := range bySubject {
		wg.Go(func() {
			for _, s := range steps {
				if !sleep(ctx, time.Until(began.Add(s.At))) || time.Since(began) > length {
					return
				}
				if err := w.inject(ctx, s); err != nil {
					mu.Lock()
					errs = append(errs, fmt.Errorf("%s %s at %s: %w", s.Subject, s.Kind, clock(time.Now()), err))
					mu.Unlock()
				}
			}
		})
	}
	for n, c := range w.Cameras {
		rng := rand.New(rand.NewPCG(w.opt.Seed, uint64(n)+1))
		wg.Go(func() {
			for time.Since(began) < length {
				if !sleep(ctx, between(rng, time.Second, 2*w.opt.PostRoll+w.opt.PreRoll)) {
					return
				}
				w.Mails.SendAny(c.ID, rng.IntN(3) == 0)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// sleep waits for d, and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// inject injects one fault and ends it when its time is over.
func (w *World) inject(ctx context.Context, s Step) error {
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == s.Kind })
	f := &Fault{Step: s, World: w, Rand: rand.New(rand.NewPCG(s.Seed, 0))}
	for _, c := range w.Cameras {
		if c.ID == s.Subject {
			f.Camera = c
		}
	}
	free, ok := w.claim(ctx, Kinds[i].Record)
	if !ok {
		return nil
	}
	defer free()
	began := time.Now()
	end, err := Kinds[i].Do(ctx, f)
	if errors.Is(err, errNothing) {
		return nil
	}
	if err == nil && end != nil {
		sleep(ctx, s.For-time.Since(began))
		err = end()
	}
	_, _ = fmt.Fprintf(w.log, "=== %s fault %s %s since %s: %v\n", clock(time.Now()), s.Subject, s.Kind, clock(began),
		err)
	w.Faults.mu.Lock()
	defer w.Faults.mu.Unlock()
	w.Faults.list = append(w.Faults.list, Done{s, Interval{began, time.Now()}, err})
	return err
}

// claim reports whether a fault may strike now. The caller calls free when the fault is over.
func (w *World) claim(ctx context.Context, r record) (free func(), ok bool) {
	switch r {
	case needs:
		return w.records.RUnlock, w.records.TryRLock()
	case takes:
		return func() {
			for late := time.Now().Add(2 * time.Minute); !w.noted(ctx) && time.Now().Before(late) &&
				sleep(ctx, 100*time.Millisecond); {
			}
			w.records.Unlock()
		}, w.records.TryLock()
	}
	return func() {}, true
}

// noted reports whether every open event is in the index and in a second place.
func (w *World) noted(ctx context.Context) bool {
	db, err := sqlfile.Open(filepath.Join(w.state, index.Name), "mode=ro&_pragma=busy_timeout(1000)", 0)
	if err != nil {
		return false
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(ctx,
		"SELECT camera, event ->> 'hold', event ->> 'folder', event ->> 'stem' FROM events WHERE state IN ('recording', 'finishing')")
	if err != nil {
		return false
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var camera string
		var hold, folder, stem sql.NullString
		if rows.Scan(&camera, &hold, &folder, &stem) != nil {
			return false
		}
		there := false
		for _, path := range []string{
			filepath.Join(w.settings.RAMDisk.Path, camera, "pins", hold.String, "event.json"),
			filepath.Join(w.opt.Dir, "backing", "clips", filepath.FromSlash(folder.String), stem.String+".json"),
		} {
			_, err := os.Stat(path)
			there = there || err == nil
		}
		if !there {
			return false
		}
	}
	var mark int
	return rows.Err() == nil && db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&mark) == nil && mark != 0
}

// errNothing is returned by a fault that found nothing to break.
var errNothing = errors.New("there is nothing to break")
