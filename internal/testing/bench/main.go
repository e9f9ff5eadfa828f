//go:build linux

// Command bench measures what Preroll claims, in one run on one machine: how exact clips are, how soon their pre-roll
// is durable, and what recording costs beside a plain `ffmpeg -c copy` on the same streams at the same time. It also
// measures the mail server, the tray and the window. `make bench` builds what bench needs and starts it. bench prints
// numbers and does not judge them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/smtp"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	ctx context.Context
	dir string // on disk
	ram string // on the RAM disk
	bin string
}

func run(ctx context.Context) error {
	mails := flag.Int("mails", 30, "mails for each GOP length")
	idle := flag.Duration("idle", 5*time.Minute, "time that 8 cameras record with no event")
	one := flag.Duration("one", time.Minute, "time that 1 camera records with no event")
	only := flag.String("only", "", "exact, one, eight, crowd, mail, web, tray, window, grid, play or million")
	events := flag.Int("events", 1_000_000, "events of the part million")
	flag.Parse()
	b := &bench{ctx: ctx}
	var err error
	if b.bin, err = filepath.Abs(".build"); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "preroll-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	if b.ram, err = os.MkdirTemp("/dev/shm", "preroll-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.ram) }()
	for _, part := range []struct {
		name string
		do   func() error
	}{
		{"exact", func() error { return b.exactness(*mails) }},
		{"one", func() error { return b.cost(1, *one) }},
		{"eight", func() error { return b.cost(8, *idle) }},
		{"crowd", func() error { return b.crowd(64, time.Minute) }},
		{"mail", func() error { return b.mail(2000) }},
		{"web", func() error { return b.web(30 * time.Second) }},
		{"tray", func() error { return b.tray(8) }},
		{"window", b.windows},
		{"grid", func() error { return b.grid(16) }},
		{"play", b.play},
		{"million", func() error { return b.million(*events) }},
	} {
		if *only == "" || *only == part.name {
			if err := part.do(); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
	}
	return nil
}

// recorder is a Preroll that is measured.
type recorder struct {
	cmd     *exec.Cmd
	client  *control.Client
	archive string
	file    string
	log     *os.File
}

func (b *bench) settings(name string, cameras []config.Camera) (config.Settings, string) {
	s := config.Default()
	s.RAMDisk.Path, s.Archive.Path = filepath.Join(b.ram, name), filepath.Join(b.dir, name+"-archive")
	s.Archive.MinFree = 0
	s.SMTP.Listen = "127.0.0.1:0"
	s.Cameras = cameras
	return s, filepath.Join(b.dir, name+".toml")
}

// start starts a program with its own settings and environment, and waits until the program answers.
func (b *bench) start(program string, s config.Settings, file string, env []string, args ...string) (*recorder, error) {
	if err := config.Save(file, s); err != nil {
		return nil, err
	}
	r := &recorder{archive: s.Archive.Path, file: file}
	run := filepath.Join(b.dir, "run")
	state := filepath.Join(b.dir, "state")
	for _, d := range []string{run, state} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	var err error
	if r.log, err = os.Create(file + ".log"); err != nil {
		return nil, err
	}
	r.cmd = exec.Command(filepath.Join(b.bin, program), append(args, "--config", file)...)
	r.cmd.Env = append(append(os.Environ(), env...), "XDG_RUNTIME_DIR="+run, "XDG_STATE_HOME="+state, "HOME="+b.dir)
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		for _, socket := range globbed(filepath.Join(run, "preroll-*.sock")) {
			c := control.NewClient(socket)
			if st, err := c.Status(b.ctx); err == nil && st.Settings == file && st.SMTP.Listen != "" {
				r.client = c
				return r, nil
			}
			c.Close()
		}
		if time.Now().After(deadline) || b.ctx.Err() != nil {
			r.stop()
			return nil, fmt.Errorf("%s does not start; see %s", program, r.log.Name())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (r *recorder) stop() {
	_ = r.cmd.Process.Signal(os.Interrupt)
	_ = r.cmd.Wait()
	if r.client != nil {
		r.client.Close()
	}
	_ = r.log.Close()
}

func globbed(pattern string) []string {
	list, _ := filepath.Glob(pattern)
	return list
}

func (r *recorder) wait(ctx context.Context, limit time.Duration, ok func(status.Status) bool) error {
	deadline := time.Now().Add(limit)
	for {
		s, err := r.client.Status(ctx)
		if err != nil {
			return err
		}
		if ok(s) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s in vain; %+v", limit, s.Cameras)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func filled(length time.Duration) func(status.Status) bool {
	return func(s status.Status) bool {
		return !slices.ContainsFunc(s.Cameras, func(c status.Camera) bool { return c.PreRoll.D() < length })
	}
}

// --- Exactness ---

// shot is one clip of the part exact. early and late say, in seconds, how far the clip reaches beyond what was asked.
type shot struct {
	early, late, durable, saved float64
	faults                      []string
}

// exactness sends mails at random times to cameras with GOPs of 1 s and 2 s, and checks every frame of every clip.
func (b *bench) exactness(mails int) error {
	const each = 5 // cameras of each kind, so that the part takes minutes and not an hour
	fmt.Printf("\n== exactness: %d mails for each GOP length, pre-roll 10 s, post-roll 10 s, 640x360, 10 frames a second\n", mails)
	kinds := []time.Duration{time.Second, 2 * time.Second}
	cams := map[time.Duration]*camtest.Camera{}
	var list []config.Camera
	gops := map[string]time.Duration{}
	for _, gop := range kinds {
		m := camtest.Small(int(gop.Seconds() * 10))
		file, err := m.File(b.ctx)
		if err != nil {
			return err
		}
		c, err := camtest.Start(camtest.Options{Video: file, FPS: float64(m.FPS)})
		if err != nil {
			return err
		}
		defer c.Close()
		cams[gop] = c
		for n := range each {
			cfg := config.NewCamera()
			cfg.ID, cfg.URL = fmt.Sprintf("gop%.0fs-%d", gop.Seconds(), n), c.URL()
			list = append(list, cfg)
			gops[cfg.ID] = gop
		}
	}
	s, file := b.settings("exact", list)
	s.Clip.PostRoll = config.Duration(10 * time.Second)
	r, err := b.start("preroll", s, file, nil, "record")
	if err != nil {
		return err
	}
	defer r.stop()
	if err := r.wait(b.ctx, 2*time.Minute, filled(14*time.Second)); err != nil {
		return err
	}
	st, err := r.client.Status(b.ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	shots := map[time.Duration][]shot{}
	var errs []error
	var wg sync.WaitGroup
	for id, gop := range gops {
		wg.Go(func() {
			for range mails / each {
				time.Sleep(rand.N(4 * time.Second))
				x, err := b.one(r, st.SMTP.Listen, id, s, cams[gop].Info())
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else {
					shots[gop] = append(shots[gop], x)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	var durable []float64
	for _, gop := range kinds {
		var early, late, saved []float64
		var faults []string
		for _, x := range shots[gop] {
			early, late, saved = append(early, x.early), append(late, x.late), append(saved, x.saved)
			durable = append(durable, x.durable)
			faults = append(faults, x.faults...)
		}
		fmt.Printf("GOP %s: %d clips, %d faults %v\n", gop, len(early), len(faults), faults)
		fmt.Printf("  begins before (trigger - 10 s), s:   %s   (allowed: 0 to %.0f)\n", spread(early), 2*gop.Seconds())
		fmt.Printf("  ends after (trigger + 10 s), s:      %s   (allowed: 0 and more)\n", spread(late))
		fmt.Printf("  saved after the post-roll's end, s:  %s\n", spread(saved))
	}
	fmt.Printf("pre-roll durable on the archive after the mail's session began, s: %s\n", spread(durable))
	return errors.Join(errs...)
}

// one sends a mail, waits for its clip and checks every frame.
func (b *bench) one(r *recorder, addr, id string, s config.Settings, info camtest.Info) (x shot, err error) {
	began := time.Now()
	if _, err := mailTime(addr, id); err != nil {
		return x, err
	}
	e, err := b.ended(r, id, began)
	if err != nil {
		return x, err
	}
	x.saved = time.Since(began.Add(s.Clip.PostRoll.D())).Seconds()
	x.durable = e.Receipt.DurableAfter.D().Seconds()
	rep, err := camtest.Check(b.ctx, filepath.Join(r.archive, filepath.FromSlash(e.Folder), e.Clips[0].File), info,
		e.Time)
	if err != nil {
		return x, err
	}
	x.early = began.Add(-s.Clip.PreRoll.D()).Sub(rep.First).Seconds()
	x.late = rep.Last.Add(time.Duration(float64(time.Second) / info.FPS)).Sub(began.Add(s.Clip.PostRoll.D())).Seconds()
	x.faults = rep.Gaps
	if rep.StartTime != 0 || !rep.FrontIndex {
		x.faults = append(x.faults, fmt.Sprintf("starts at %v, index in front %v", rep.StartTime, rep.FrontIndex))
	}
	return x, nil
}

// mailTime sends an alarm mail and returns how long its delivery took.
func mailTime(addr, id string) (time.Duration, error) {
	began := time.Now()
	c, err := smtp.Dial(addr)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	if err := errors.Join(c.Mail("cam@camera"), c.Rcpt(id+"@preroll")); err != nil {
		return 0, err
	}
	w, err := c.Data()
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(w, "Subject: Motion\r\n\r\nmotion\r\n")
	err = w.Close()
	return time.Since(began), errors.Join(err, c.Quit())
}

// ended waits for the end of the event that a camera's mail began.
func (b *bench) ended(r *recorder, id string, began time.Time) (event.Event, error) {
	for {
		list, err := r.client.Events(b.ctx, event.Query{Camera: id, Limit: 1})
		if err != nil {
			return event.Event{}, err
		}
		if len(list) == 1 && list[0].Time.After(began) && list[0].State.Ended() {
			if e := list[0]; e.State != event.Saved || len(e.Clips) != 1 {
				return e, fmt.Errorf("%s: %s %s", id, e.State, e.Reason)
			}
			return list[0], nil
		}
		if time.Since(began) > 3*time.Minute {
			return event.Event{}, fmt.Errorf("%s: no clip", id)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// spread formats a distribution.
func spread(v []float64) string {
	if len(v) == 0 {
		return "none"
	}
	slices.Sort(v)
	at := func(q float64) float64 { return v[min(len(v)-1, int(q*float64(len(v))))] }
	return fmt.Sprintf("min %.3f  median %.3f  99th %.3f  max %.3f", v[0], at(.5), at(.99), v[len(v)-1])
}

// --- Cost ---

// cost records n cameras for a while without an event. A plain FFmpeg per camera runs on the same streams at the same
// time. cost measures CPU time and memory of both.
func (b *bench) cost(n int, length time.Duration) error {
	fmt.Printf("\n== cost: %d cameras, 1920x1080, 15 frames a second, 4 Mbit/s, %s, no event\n", n, length)
	url, _, stop, err := b.camsim()
	if err != nil {
		return err
	}
	defer stop()
	s, file := b.settings(fmt.Sprintf("cost%d", n), same(n, url))
	r, plain, end, err := b.beside(s, file, url, n)
	if err != nil {
		return err
	}
	defer end()
	if err := r.wait(b.ctx, 2*time.Minute, filled(10*time.Second)); err != nil {
		return err
	}
	b.compare(r, plain, n, length, nil)
	fmt.Printf("bytes on the archive drive after %s with no event: %d\n", length, bytesUnder(r.archive))
	return nil
}

// beside starts a recorder, and a plain FFmpeg on the same stream for each of its n cameras.
func (b *bench) beside(s config.Settings, file, url string, n int) (r *recorder, pids []int, end func(), err error) {
	if r, err = b.start("preroll", s, file, nil, "record"); err != nil {
		return nil, nil, nil, err
	}
	var plain []*exec.Cmd
	end = func() {
		r.stop()
		for _, c := range plain {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}
	for i := range n {
		dir := filepath.Join(b.ram, fmt.Sprintf("plain%d-%d", n, i))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			end()
			return nil, nil, nil, err
		}
		c := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", url, "-map", "0:v:0",
			"-c", "copy", "-f", "hls", "-hls_time", "1", "-hls_list_size", "100",
			"-hls_flags", "delete_segments", "-hls_segment_type", "fmp4", "-hls_segment_filename", dir+"/%06d.m4s",
			dir+"/live.m3u8")
		if err := c.Start(); err != nil {
			end()
			return nil, nil, nil, err
		}
		plain, pids = append(plain, c), append(pids, c.Process.Pid)
	}
	return r, pids, end, nil
}

// compare measures what a recorder and plain FFmpegs use in the same time. look is called every second, unless nil.
func (b *bench) compare(r *recorder, plain []int, n int, length time.Duration, look func()) {
	all := append([]int{r.cmd.Process.Pid}, children(r.cmd.Process.Pid)...)
	before := [2]float64{cpu(all...), cpu(plain...)}
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(time.Second) {
		if look != nil {
			look()
		}
	}
	minutes := length.Minutes() * float64(n)
	own, ref := (cpu(all...)-before[0])/minutes, (cpu(plain...)-before[1])/minutes
	fmt.Printf("CPU seconds a camera-minute: Preroll %.3f, plain FFmpeg %.3f; ratio %.3f\n", own, ref, own/ref)
	fmt.Printf("memory, PSS: Preroll %.1f MB in %d process(es), plain FFmpegs %.1f MB; peak RSS of Preroll %.1f MB\n",
		pss(all...), len(all), pss(plain...), peak(all...))
}

// crowd records many cameras beside as many plain FFmpegs, and sends a mail for each camera at the same moment.
func (b *bench) crowd(n int, length time.Duration) error {
	fmt.Printf("\n== crowd: %d cameras, 1280x720, 15 frames a second, 1 Mbit/s, GOP 2 s, %s; then a mail for each at once\n", n, length)
	url, truth, stop, err := b.camsim("-width", "1280", "-height", "720", "-kbit", "1000")
	if err != nil {
		return err
	}
	defer stop()
	s, file := b.settings(fmt.Sprintf("crowd%d", n), same(n, url))
	s.Clip.PostRoll = config.Duration(10 * time.Second)
	s.RAMDisk.Budget = 2 * config.GiB
	r, plain, end, err := b.beside(s, file, url, n)
	if err != nil {
		return err
	}
	defer end()
	if err := r.wait(b.ctx, 3*time.Minute, filled(14*time.Second)); err != nil {
		return err
	}
	late := 0.0
	b.compare(r, plain, n, length, func() {
		if st, err := r.client.Status(b.ctx); err == nil {
			for _, c := range st.Cameras {
				late = max(late, time.Since(c.Newest).Seconds())
			}
		}
	})
	fmt.Printf("newest complete segment of any camera was at most %.2f s old (GOP 2 s)\n", late)
	st, err := r.client.Status(b.ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var errs []error
	var answered, early, lates []float64
	var faults []string
	var wg sync.WaitGroup
	began := time.Now()
	for i := range n {
		wg.Go(func() {
			took, err := mailTime(st.SMTP.Listen, fmt.Sprintf("cam%d", i))
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
			answered = append(answered, took.Seconds())
		})
	}
	wg.Wait()
	for i := range n {
		id := fmt.Sprintf("cam%d", i)
		e, err := b.ended(r, id, began)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		rep, err := camtest.Check(b.ctx, filepath.Join(r.archive, filepath.FromSlash(e.Folder), e.Clips[0].File), truth,
			e.Time)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		early = append(early, e.Time.Add(-s.Clip.PreRoll.D()).Sub(rep.First).Seconds())
		lates = append(lates, rep.Last.Add(time.Second/15).Sub(e.Time.Add(s.Clip.PostRoll.D())).Seconds())
		faults = append(faults, rep.Gaps...)
	}
	fmt.Printf("mails answered after, s: %s\n", spread(answered))
	fmt.Printf("clips: %d, faults %v; begin early, s: %s; end late, s: %s\n", len(early), faults, spread(early),
		spread(lates))
	return errors.Join(errs...)
}

func bytesUnder(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if fi, err := d.Info(); err == nil {
				n += fi.Size()
			}
		}
		return nil
	})
	return n
}
