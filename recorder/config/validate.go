package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/event"
	mailrule "github.com/preroll/preroll/recorder/trigger/rule"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

var errQuiet = rule(`two times of day such as "22:00-07:00", or empty`)

// Validate returns every fault of the settings that can be seen without looking at this machine.
func Validate(s Settings) Faults {
	var f Faults
	if s.Version != Version {
		f.add("version", strconv.Itoa(s.Version), "must be %d; a newer settings file needs a newer Preroll", Version)
	}
	if s.Language != "" && !slices.Contains(Languages, s.Language) {
		f.add("language", s.Language, "must be one of %s, or empty for the system's", strings.Join(Languages, ", "))
	}
	checkPath(&f, "ram_disk.path", s.RAMDisk.Path)
	span(&f, "ram_disk.keep", s.RAMDisk.Keep, 20*time.Second, time.Hour)
	if s.RAMDisk.Budget < 16*MiB {
		f.add("ram_disk.budget", s.RAMDisk.Budget.String(), "must be at least 16MiB")
	}
	checkPath(&f, "archive.path", s.Archive.Path)
	if nested(s) {
		f.add("archive.path", s.Archive.Path, nestedRule)
	}
	checkLengths(&f, "clip.", s.Clip, s.RAMDisk.Keep)
	checkPorts(&f, s.SMTP)
	if _, _, err := s.Notify.QuietHours(); err != nil {
		f.add("notify.quiet", s.Notify.Quiet, "%s", errQuiet)
	}
	for i, a := range s.SMTP.Allow {
		if !validNetwork(a) {
			f.add(fmt.Sprintf("smtp.allow[%d]", i+1), a,
				`must be "private", "any", an address, or a network such as "192.168.1.0/24"`)
		}
	}
	if s.SMTP.Username == "" && s.SMTP.Password != "" {
		f.add("smtp.username", "", "must be set where smtp.password is")
	}
	ids := map[string]bool{}
	for i, c := range s.Cameras {
		checkCamera(&f, fmt.Sprintf("camera[%d].", i+1), s, c)
		if c.ID != "" && ids[c.ID] {
			f.add(fmt.Sprintf("camera[%d].id", i+1), c.ID, "must differ from every other camera's")
		}
		ids[c.ID] = true
	}
	return f
}

// ValidateCamera returns the faults of one camera under the settings' lengths, with bare keys such as "url".
func ValidateCamera(s Settings, c Camera) Faults {
	var f Faults
	checkCamera(&f, "", s, c)
	return f
}

// CameraID reports whether a text can be a camera's id, and so the name of its folders.
func CameraID(id string) bool { return event.CameraID(id) }

func checkCamera(f *Faults, key string, s Settings, c Camera) {
	if !CameraID(c.ID) {
		f.add(key+"id", c.ID, "must be 1 to 63 lower-case letters, digits and inner hyphens; it becomes a folder name")
	}
	if rule := URLFault(c.URL); rule != "" {
		f.add(key+"url", RedactURL(c.URL), "%s", rule)
	}
	if dir, ok := c.Folder(); ok && URLFault(c.URL) == "" &&
		(inside(dir, s.RAMDisk.Path) || inside(dir, s.Archive.Path)) {
		f.add(key+"url", c.URL, "must not be inside ram_disk.path or archive.path, which are Preroll's own")
	}
	if !slices.Contains([]Ingest{IngestAuto, IngestRTSP, IngestFFmpeg}, c.Ingest) {
		f.add(key+"ingest", string(c.Ingest), `must be "auto", "rtsp" or "ffmpeg"`)
	}
	if hasControl(c.Name) || len(c.Name) > 200 {
		f.add(key+"name", c.Name, "must be at most 200 bytes without control characters")
	}
	if hasControl(c.Username) {
		f.add(key+"username", "", "must not hold control characters")
	}
	if hasControl(c.Password.Reveal()) {
		f.add(key+"password", "", "must not hold control characters")
	}
	span(f, key+"mail_lag", c.MailLag, 0, time.Hour)
	if lengths := s.Lengths(c); c.MailLag > 0 && lengths.PreRoll+c.MailLag > s.RAMDisk.Keep-Duration(10*time.Second) {
		f.add(key+"mail_lag", c.MailLag.String(),
			"must be, with pre_roll (%s), at least 10s shorter than ram_disk.keep (%s)", lengths.PreRoll,
			s.RAMDisk.Keep)
	}
	for i, m := range c.Mail {
		if strings.TrimSpace(m) == "" || hasControl(m) || len(m) > 400 {
			f.add(fmt.Sprintf("%smail[%d]", key, i+1), m,
				"must be 1 to 400 bytes: a recipient, a sender, a login, text of the subject, or a rule")
		} else if _, err := mailrule.Parse(m); err != nil {
			f.add(fmt.Sprintf("%smail[%d]", key, i+1), m, "%s", err)
		}
	}
	if c.PreRoll != nil || c.PostRoll != nil || c.MaxLength != nil {
		checkLengths(f, key, s.Lengths(c), s.RAMDisk.Keep)
	}
}

// Schemes are the URL schemes that a camera may have, beside [DemoURL].
var Schemes = []string{"rtsp", "rtsps", "http", "https"}

// URLFault returns the rule that a camera URL breaks, or "". A URL becomes FFmpeg's input, so nothing but a network
// camera gets through: no file, no option, no pipe.
func URLFault(raw string) string {
	if raw == DemoURL {
		return ""
	}
	if dir, ok := strings.CutPrefix(raw, FolderScheme); ok {
		if !filepath.IsAbs(dir) || hasControl(dir) || strings.Contains(dir, "://") {
			return "must name a folder by its full path behind folder:, such as folder:/dev/shm/cam1"
		}
		return ""
	}
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "must be the camera's address, such as rtsp://192.168.1.20/stream1"
	case hasControl(raw) || strings.ContainsAny(raw, " \\"):
		return "must not hold blanks, backslashes or control characters"
	case err != nil || strings.HasPrefix(raw, "-") || !slices.Contains(Schemes, u.Scheme):
		return "must begin with rtsp://, rtsps://, http:// or https://, or be folder: with a path, or demo: (a file or another protocol is refused)"
	case u.Hostname() == "" || strings.HasPrefix(u.Host, "-") || u.Port() != "" && !validPort(u.Port()):
		return "must name the camera's host, such as rtsp://192.168.1.20/stream1"
	case u.User != nil:
		return "must not hold the user and password; put them in username and password"
	}
	return ""
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// RedactURL returns what can be shown of a URL, however it is mistyped: its scheme and its host. A password may stand
// in any other part of it, as cameras with XM's firmware want it in the path.
func RedactURL(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	switch {
	case !ok && (raw == DemoURL || strings.HasPrefix(raw, FolderScheme) || !strings.ContainsAny(raw, "@=?&:")):
		return raw
	case !ok:
		return "…"
	}
	user := ""
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, rest = "…@", rest[i+1:]
	}
	host, end := rest, ""
	if i := strings.IndexAny(rest, "/?#'\"&= "); i >= 0 {
		if host = rest[:i]; len(rest) > i+1 {
			end = "/…"
		}
	}
	return scheme + "://" + user + host + end
}

// SplitURL takes a user and password out of a pasted URL.
func SplitURL(raw string) (clean, user string, password Secret) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.User == nil {
		return strings.TrimSpace(raw), "", ""
	}
	user = u.User.Username()
	p, _ := u.User.Password()
	u.User = nil
	return u.String(), user, Secret(p)
}

func checkLengths(f *Faults, key string, l Clip, keep Duration) {
	span(f, key+"pre_roll", l.PreRoll, 0, time.Hour)
	span(f, key+"post_roll", l.PostRoll, time.Second, time.Hour)
	span(f, key+"max_length", l.MaxLength, 10*time.Second, 24*time.Hour)
	if l.PreRoll > keep-Duration(10*time.Second) {
		f.add(key+"pre_roll", l.PreRoll.String(), "must be at least 10s shorter than ram_disk.keep (%s)", keep)
	}
	if l.MaxLength <= l.PreRoll {
		f.add(key+"max_length", l.MaxLength.String(), "must be longer than pre_roll (%s)", l.PreRoll)
	}
}

func span(f *Faults, key string, d Duration, low, high time.Duration) {
	if d.D() < low || d.D() > high {
		f.add(key, d.String(), "must be from %s to %s", Duration(low), Duration(high))
	}
}

func checkPath(f *Faults, key, p string) {
	switch {
	case p == "":
		f.add(key, "", "must be set to a folder")
	case !filepath.IsAbs(p):
		f.add(key, p, "must be a full path, from the root")
	case hasControl(p):
		f.add(key, p, "must not hold control characters")
	}
}

func checkPorts(f *Faults, s SMTP) {
	plain, tls := s.Ports()
	if len(plain) == 0 {
		f.add("smtp.listen", s.Listen, listenRule)
	}
	seen := map[string]bool{}
	for i, listen := range slices.Concat(plain, tls) {
		key := "smtp.listen"
		if i >= len(plain) {
			key = "smtp.listen_tls"
		}
		host, port, err := net.SplitHostPort(listen)
		n, perr := strconv.Atoi(port)
		if err != nil || perr != nil || n < 0 || n > 65535 {
			f.add(key, listen, listenRule)
			continue
		}
		if host != "" && host != "localhost" {
			if _, err := netip.ParseAddr(host); err != nil {
				f.add(key, listen, "must hold an address of this machine, or none for all of them")
			}
		}
		if n != 0 && seen[listen] {
			f.add(key, listen, "must be there only once")
		}
		seen[listen] = true
	}
	if len(plain)+len(tls) > maxPorts {
		f.add("smtp.listen", s.Listen, "must be at most %d ports in all", maxPorts)
	}
}

const (
	listenRule = `must be ":port" or "address:port" with a port up to 65535, such as ":2525"; several with commas`
	maxPorts   = 16
)

func validNetwork(s string) bool {
	if s == "private" || s == "any" {
		return true
	}
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

func inside(p, dir string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && p != "" && dir != "" && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

const nestedRule = "must not lie in the RAM disk's folder, nor the other way round"

func nested(s Settings) bool {
	return inside(s.Archive.Path, s.RAMDisk.Path) || inside(s.RAMDisk.Path, s.Archive.Path)
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// CheckFolders returns the faults of the folders on this machine, but for those that are as they were: what is not a
// folder, cannot be made, cannot be written, or does not answer. It makes the folders that are missing where their
// parent exists. A missing archive is a fault for who is setting it up; a running recorder waits for it instead.
func CheckFolders(s, was Settings) Faults {
	var f Faults
	look := func(key, path string, mode fs.FileMode) {
		rule := make(chan string, 1)
		go func() { rule <- folderFault(path, mode) }() // nothing can end a look at a share that hangs
		timer := time.NewTimer(folderTime)
		defer timer.Stop()
		select {
		case r := <-rule:
			if r != "" {
				f.add(key, path, "%s", r)
			}
		case <-timer.C:
			f.add(key, path, "does not answer; is the drive failing, or the network share gone?")
		}
	}
	if s.RAMDisk.Path != was.RAMDisk.Path {
		look("ram_disk.path", s.RAMDisk.Path, 0o700)
	}
	if s.Archive.Path != was.Archive.Path {
		look("archive.path", s.Archive.Path, 0o750)
	}
	return f
}

// folderTime is how long a folder is waited for.
const folderTime = 5 * time.Second

// FolderFault returns the rule that the folder of a key, "ram_disk.path" or "archive.path", breaks, or "". It makes the
// folder as [CheckFolders] does, and nothing of a path that is none.
func FolderFault(s Settings, key string) string {
	path, mode := s.RAMDisk.Path, fs.FileMode(0o700)
	if key == "archive.path" {
		path, mode = s.Archive.Path, 0o750
	}
	var f Faults
	if checkPath(&f, key, path); f != nil {
		return f[0].Rule
	}
	if nested(s) {
		return nestedRule
	}
	return folderFault(path, mode)
}

func folderFault(path string, mode fs.FileMode) string {
	if path == DefaultArchive() {
		// The user's own video folder may be missing on a new account; any other parent must exist, so that a drive
		// that is not plugged in is not replaced by a folder on the system disk.
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if fi, err := os.Stat(path); err == nil && !fi.IsDir() {
		return "must be a folder, and it is a file"
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "must lie in a folder that exists; is the drive plugged in?"
		case errors.Is(err, fs.ErrPermission):
			return "cannot be made: this user has no right to write there"
		}
		return "cannot be made: " + plain(err)
	}
	if err := durable.Try(path); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return "cannot be written: this user has no right to"
		}
		return "cannot be written: " + plain(err)
	}
	return ""
}

// plain is the system's own words for an error, without the path that the fault names already.
func plain(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}
