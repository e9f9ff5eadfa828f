package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/preroll/preroll/internal/testing/traytest"
	"github.com/preroll/preroll/recorder/config"
)

func TestStartAtLogin(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not there yet")
	t.Setenv("XDG_CONFIG_HOME", dir)
	file := filepath.Join(dir, "autostart", "preroll.desktop")
	is := func(want bool) {
		t.Helper()
		if on, err := StartsAtLogin(); err != nil || on != want {
			t.Errorf("starts at login: %v, %v; want %v", on, err, want)
		}
	}
	is(false)
	if err := StartAtLogin(false, ""); err != nil {
		t.Errorf("off twice: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, config string
		want         []string
	}{
		{"no file", "", []string{self, "--background"}},
		{"default file", config.DefaultFile(), []string{self, "--background"}},
		{"plain", "/etc/preroll.toml", []string{self, "--background", "--config", "/etc/preroll.toml"}},
		{"strange", `/home/a b/"quoted" $HOME 100% \n` + "`x`.toml",
			[]string{self, "--background", "--config", `/home/a b/"quoted" $HOME 100% \n` + "`x`.toml"}},
	} {
		if err := StartAtLogin(true, tc.config); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		is(true)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := execOf(t, string(b)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: runs %q, want %q", tc.name, got, tc.want)
		}
	}
	for _, off := range []string{"Hidden=true", "X-GNOME-Autostart-enabled=false"} {
		if err := os.WriteFile(file, []byte("[Desktop Entry]\nExec=preroll\n"+off+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		is(false)
	}
	if err := StartAtLogin(true, ""); err != nil {
		t.Fatal(err)
	}
	is(true)
	if err := StartAtLogin(false, ""); err != nil {
		t.Fatal(err)
	}
	is(false)
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("off leaves %v", err)
	}
}

// execOf parses the key Exec as the specification demands.
func execOf(t *testing.T, entry string) (args []string) {
	t.Helper()
	_, line, ok := strings.Cut(entry, "\nExec=")
	line, _, _ = strings.Cut(line, "\n")
	if !ok {
		t.Fatalf("no Exec in %s", entry)
	}
	line = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t").Replace(line)
	var arg strings.Builder
	quoted, some := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			quoted, some = !quoted, true
		case c == '\\' && quoted, c == '%':
			i++
			arg.WriteByte(line[i])
		case c == ' ' && !quoted:
			args, some = append(args, arg.String()), false
			arg.Reset()
		default:
			arg.WriteByte(c)
			some = true
		}
	}
	if some {
		args = append(args, arg.String())
	}
	return args
}

func TestTray(t *testing.T) {
	bus := traytest.Bus(t)
	if Tray(t.Context()) {
		t.Error("a tray without a host")
	}
	h, err := traytest.Start(bus)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	if !Tray(t.Context()) {
		t.Error("the host is not seen")
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
	if Tray(t.Context()) {
		t.Error("a tray without a bus")
	}
}

func TestRAMDisk(t *testing.T) {
	if _, err := MakeRAMDisk(t.Context(), 1<<20); err == nil || CanMakeRAMDisk() {
		t.Errorf("error %v", err)
	}
}
