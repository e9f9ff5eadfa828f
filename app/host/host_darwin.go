package host

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Tray reports whether the desktop shows tray icons now.
func Tray(context.Context) bool { return true }

const agent = "io.github.preroll.Preroll"

// agentFile returns the path of Preroll's launch agent (launchd.plist(5)).
func agentFile() (string, error) {
	home, err := os.UserHomeDir()
	return filepath.Join(home, "Library", "LaunchAgents", agent+".plist"), err
}

// StartsAtLogin reports whether Preroll starts at login.
func StartsAtLogin() (bool, error) {
	path, err := agentFile()
	if err != nil {
		return false, err
	}
	_, err = os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// StartAtLogin makes Preroll start at login in the background, or ends that. The settings file is named in the command
// only if it is not the default file.
func StartAtLogin(on bool, configFile string) error {
	path, err := agentFile()
	if err != nil {
		return err
	}
	return atLogin(on, path, configFile, launchAgent)
}

// launchAgent returns the property list for launchd.
func launchAgent(command []string) string {
	var b bytes.Buffer
	b.WriteString(xml.Header + `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key><string>` + agent + `</string>
	<key>ProgramArguments</key>
	<array>
`)
	for _, arg := range command {
		b.WriteString("\t\t<string>")
		_ = xml.EscapeText(&b, []byte(arg)) // a write to a buffer never fails
		b.WriteString("</string>\n")
	}
	b.WriteString("\t</array>\n\t<key>RunAtLoad</key><true/>\n\t<key>LimitLoadToSessionType</key><string>Aqua</string>\n</dict>\n</plist>\n")
	return b.String()
}

const volume = "PrerollRAM"

// CanMakeRAMDisk reports whether MakeRAMDisk works on this platform.
func CanMakeRAMDisk() bool { return true }

// MakeRAMDisk makes a RAM disk of at least size bytes, and returns the folder on it that Preroll may use. An existing
// RAM disk is left unchanged. The RAM disk is gone after a restart of the machine.
func MakeRAMDisk(ctx context.Context, size int64) (string, error) {
	mount := filepath.Join("/Volumes", volume)
	folder := filepath.Join(mount, "preroll")
	if _, err := os.Stat(mount); err == nil {
		return folder, nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	sectors := max(size, 16<<20)/512 + 1 // the min of 16 MiB leaves room for HFS+ itself
	out, err := exec.CommandContext(ctx, "hdiutil", "attach", "-nomount", fmt.Sprintf("ram://%d", sectors)).Output()
	if err != nil {
		return "", fmt.Errorf("make a RAM disk: %w", explain(err))
	}
	disk := strings.TrimSpace(string(out))
	if _, err := exec.CommandContext(ctx, "diskutil", "erasevolume", "HFS+", volume, disk).Output(); err != nil {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		return "", errors.Join(fmt.Errorf("make a RAM disk: %w", explain(err)),
			exec.CommandContext(end, "hdiutil", "detach", disk).Run())
	}
	return folder, nil
}

// explain adds the error output of a tool to its error.
func explain(err error) error {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(e.Stderr)))
	}
	return err
}
