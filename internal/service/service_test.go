package service

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/status"
)

// TestTold checks when the service manager is told that the recorder is ready and alive.
func TestTold(t *testing.T) {
	began := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	cameras := func(list ...status.Camera) status.Status { return status.Status{Cameras: list} }
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	records := func(newest int) status.Camera {
		return status.Camera{ID: "gate", State: status.Recording, Newest: at(newest)}
	}
	other := func(newest int) status.Camera {
		return status.Camera{ID: "yard", State: status.Recording, Newest: at(newest)}
	}
	waits, off := status.Camera{State: status.Waiting}, status.Camera{State: status.Off}
	const (
		ready, alive = "READY=1", "WATCHDOG=1"
		one, none    = "STATUS=1 of 1 cameras record", "STATUS=0 of 1 cameras record"
	)
	type step struct {
		at   int
		is   status.Status
		want []string
	}
	for name, steps := range map[string][]step{
		"ready only once it records, alive only while segments come": {
			{0, cameras(waits), []string{none, alive}},
			{5, cameras(waits), nil},
			{6, cameras(records(6)), []string{ready, one}},
			{10, cameras(records(10)), []string{alive}},
			{20, cameras(records(19)), []string{alive}},
			{30, cameras(records(19)), nil}, // hangs
			{60, cameras(records(19)), nil},
			{61, cameras(records(60)), []string{alive}},
		},
		"no camera": {{0, cameras(), []string{ready, "STATUS=No camera is set up", alive}}},
		"all off":   {{0, cameras(off), []string{ready, "STATUS=No camera is set up", alive}}},
		"a camera without power is no reason to start again": {
			{0, cameras(waits), []string{none, alive}},
			{31, cameras(waits), []string{ready, alive}},
			{300, cameras(waits), []string{alive}},
		},
		"one of two hangs": {
			{0, cameras(records(0), other(0)), []string{ready, "STATUS=2 of 2 cameras record", alive}},
			{20, cameras(records(0), other(20)), []string{alive}},
		},
		"the clock is set back": {
			{0, cameras(records(0)), []string{ready, one, alive}},
			{20, cameras(records(-3600)), []string{alive}},
			{40, cameras(records(-3580)), []string{alive}},
		},
	} {
		tell := teller{began: began}
		for _, s := range steps {
			if got := tell.see(at(s.at), s.is, 10*time.Second); !reflect.DeepEqual(got, s.want) {
				t.Errorf("%s, after %d s: told %q, want %q", name, s.at, got, s.want)
			}
		}
	}
	if got := (&teller{began: began, fed: began}).see(at(99), cameras(), 0); len(got) != 2 {
		t.Errorf("without a watchdog it told %q", got)
	}
}

// TestTell checks what arrives at the socket of the service manager.
func TestTell(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only systemd is told")
	}
	path := filepath.Join(t.TempDir(), "n")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "60000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Tell(ctx, func(context.Context) status.Status {
			return status.Status{Cameras: []status.Camera{{State: status.Recording, Newest: time.Now()}}}
		})
	}()
	b := make([]byte, 1000)
	for _, want := range []string{"STATUS=Starting", "READY=1", "STATUS=1 of 1 cameras record", "WATCHDOG=1",
		"STOPPING=1"} {
		if want == "STOPPING=1" {
			cancel()
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := c.Read(b)
		if got := string(b[:n]); err != nil || got != want {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
	<-ended
}

// TestUnits has systemd itself read the units, with programs and settings that are hard to quote.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	program := filepath.Join(t.TempDir(), `a b%c`)
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	analyze := func(args ...string) string {
		out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
		text := string(out)
		for line := range strings.Lines(text) { // what this machine's own units lack is no fault of ours
			if strings.Contains(line, "preroll") && !strings.Contains(line, "Overall exposure level") {
				t.Errorf("systemd-analyze %s: %s", strings.Join(args, " "), line)
			}
		}
		if err != nil && args[0] != "verify" {
			t.Errorf("systemd-analyze %s: %v: %s", strings.Join(args, " "), err, text)
		}
		return text
	}
	dir := t.TempDir()
	file := filepath.Join(dir, unit)
	for name, text := range map[string]string{
		"system":           SystemUnit(program),
		"system, writable": SystemUnit("/bin/true", "/data/my clips", "/x%y"),
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Log(name, analyze("verify", "--man=no", file))
	}
	out := analyze("security", "--offline=yes", "--no-pager", file)
	m := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no exposure level in %s", out)
	}
	if level, err := strconv.ParseFloat(m[1], 64); err != nil || level >= 2.5 {
		t.Errorf("exposure %s, want less than 2.5:\n%s", m[1], out)
	}
	text := UserUnit(program, "--config", `/home/x/a "b" $HOME %h.toml`)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	analyze("verify", "--user", "--man=no", file)
}
