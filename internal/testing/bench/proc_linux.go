package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/testing/traytest"
)

// ticks is the number of CPU time units per second in /proc, 100 on every Linux.
const ticks = 100

// cpu returns the CPU time of processes, in seconds.
func cpu(pids ...int) (s float64) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		for _, i := range []int{11, 12} { // utime, stime
			n, _ := strconv.ParseFloat(f[i], 64)
			s += n / ticks
		}
	}
	return s
}

// cpuWith returns the time that a process and its ended children have used, in seconds.
func cpuWith(pid int) (s float64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	for _, i := range []int{11, 12, 13, 14} {
		n, _ := strconv.ParseFloat(f[i], 64)
		s += n / ticks
	}
	return s
}

// field sums a line in a /proc file of several processes, in MB.
func field(file, name string, pids []int) (mb float64) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(line, name+":"); ok {
				n, _ := strconv.ParseFloat(strings.Fields(v)[0], 64)
				mb += n / 1024
			}
		}
	}
	return mb
}

func pss(pids ...int) float64  { return field("smaps_rollup", "Pss", pids) }
func peak(pids ...int) float64 { return field("status", "VmHWM", pids) }

// children lists the processes that a process started.
func children(pid int) (list []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if fields[1] == strconv.Itoa(pid) {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			list = append(list, n)
		}
	}
	return list
}

// desk is a private desktop: X server, D-Bus and a tray host.
type desk struct {
	env   []string
	procs []*exec.Cmd
	host  *traytest.Host
	item  traytest.Item
}

func startDesk() (*desk, error) {
	d := &desk{}
	display, err := d.start("Xvfb", "-noreset", "-displayfd", "3", "-screen", "0", "1920x1080x24", "-nolisten", "tcp")
	if err != nil {
		return nil, err
	}
	bus, err := d.start("dbus-daemon", "--session", "--nofork", "--print-address=3")
	if err != nil {
		d.stop()
		return nil, err
	}
	d.env = []string{"DISPLAY=:" + display, "DBUS_SESSION_BUS_ADDRESS=" + bus}
	if d.host, err = traytest.Start(bus); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// start starts a helper, and returns the line that the helper writes to descriptor 3 when ready.
func (d *desk) start(name string, args ...string) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	c := exec.Command(name, args...)
	c.ExtraFiles = []*os.File{w}
	err = c.Start()
	_ = w.Close()
	if err != nil {
		return "", err
	}
	d.procs = append(d.procs, c)
	line, err := bufio.NewReader(r).ReadString('\n')
	return strings.TrimSpace(line), err
}

func (d *desk) icon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var err error
	d.item, err = d.host.Wait(ctx)
	return err
}

// click clicks an entry in the tray's menu.
func (d *desk) click(ctx context.Context, label string) error { return d.item.Click(ctx, label) }

func (d *desk) display() string { return strings.TrimPrefix(d.env[0], "DISPLAY=") }

// tool runs a tool on this desktop and returns its output.
func (d *desk) tool(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), d.env...)
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (d *desk) stop() {
	if d.host != nil {
		_ = d.host.Close()
	}
	for _, c := range d.procs {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}
