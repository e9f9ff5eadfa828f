package opener

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCopyFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a clip +0100 100% ü.mp4")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tool := "#!/bin/sh\n/bin/cat >" + dir + "/copied\necho \"${0##*/} $*\" >" + dir + "/args\n"
	for _, tc := range []struct {
		name         string
		wayland, x11 string
		tools        []string
		args         string // "" if no tool is available
	}{
		{"Wayland", "wayland-0", ":0", []string{"wl-copy", "xclip"}, "wl-copy -t text/uri-list"},
		{"X11", "", ":0", []string{"wl-copy", "xclip"}, "xclip -selection clipboard -t text/uri-list"},
		{"Wayland with the tool of X11 only", "wayland-0", ":0", []string{"xclip"},
			"xclip -selection clipboard -t text/uri-list"},
		{"no tool", "wayland-0", ":0", nil, ""},
		{"no display", "", "", []string{"wl-copy", "xclip"}, ""},
	} {
		bin := t.TempDir()
		for _, name := range tc.tools {
			if err := os.WriteFile(filepath.Join(bin, name), []byte(tool), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", bin)
		t.Setenv("WAYLAND_DISPLAY", tc.wayland)
		t.Setenv("DISPLAY", tc.x11)
		err := CopyFile(file)
		if tc.args == "" {
			if !errors.Is(err, ErrNoClipboard) {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		args, _ := os.ReadFile(filepath.Join(dir, "args"))
		copied, _ := os.ReadFile(filepath.Join(dir, "copied"))
		if strings.TrimSpace(string(args)) != tc.args {
			t.Errorf("%s: ran %s", tc.name, args)
		}
		if got := string(copied); !strings.HasPrefix(got, "file:///") ||
			!strings.HasSuffix(got, "/a%20clip%20+0100%20100%25%20%C3%BC.mp4\r\n") {
			t.Errorf("%s: copied %q", tc.name, got)
		}
	}
	if err := CopyFile(filepath.Join(dir, "gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is gone: %v", err)
	}
}
