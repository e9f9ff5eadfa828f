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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/singleflight"
	"golang.org/x/text/unicode/norm"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
	mailrule "github.com/preroll/preroll/recorder/trigger/rule"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Validate returns every fault of the settings that shows without looking at this machine.
func Validate(s Settings) ValidationErrors {
	var f ValidationErrors
	if s.Version != Version {
		f.add("version", strconv.Itoa(s.Version), text.RuleVersion, Version)
	}
	if s.Language != "" && !slices.Contains(Languages, s.Language) {
		f.add("language", s.Language, text.RuleLanguage, strings.Join(Languages, ", "))
	}
	checkPath(&f, "ram_disk.path", s.RAMDisk.Path)
	span(&f, "ram_disk.keep", s.RAMDisk.Keep, 20*time.Second, time.Hour)
	if s.RAMDisk.Budget < 16*MiB {
		f.add("ram_disk.budget", s.RAMDisk.Budget.String(), text.RuleBudget)
	}
	checkPath(&f, "archive.path", s.Archive.Path)
	if nested(s) {
		f.add("archive.path", s.Archive.Path, text.RuleNested)
	}
	checkLengths(&f, "clip.", s.Clip, s.RAMDisk.Keep)
	checkPorts(&f, s.SMTP)
	if _, _, err := s.Notify.QuietHours(); err != nil {
		f.add("notify.quiet", s.Notify.Quiet, text.RuleQuiet)
	}
	plain, tls := s.SMTP.Ports()
	taken := slices.Concat(plain, tls)
	for _, l := range []struct{ key, listen string }{{"calls.listen", s.Calls.Listen}, {"web.listen", s.Web.Listen}} {
		if l.listen == "" {
			continue
		}
		n := checkPort(&f, l.key, l.listen, text.RuleListenOne)
		if slices.ContainsFunc(taken, func(p string) bool { return n > 0 && samePort(p, l.listen) }) {
			f.add(l.key, l.listen, text.RuleOtherPort)
		}
		taken = append(taken, l.listen)
	}
	checkAllow(&f, "smtp.allow", s.SMTP.Allow)
	checkAllow(&f, "calls.allow", s.Calls.Allow)
	checkAllow(&f, "web.allow", s.Web.Allow)
	checkAllow(&f, "web.proxies", s.Web.Proxies)
	if u, err := url.Parse(s.Web.URL); s.Web.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" ||
		u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !webPath.MatchString(u.Path)) {
		f.add("web.url", RedactURL(s.Web.URL), text.RuleWebURL)
	}
	if s.SMTP.Username == "" && s.SMTP.Password != "" {
		f.add("smtp.username", "", text.RuleUsername)
	}
	ids := map[string]bool{}
	for i, c := range s.Cameras {
		checkCamera(&f, fmt.Sprintf("camera[%d].", i+1), s, c)
		if c.ID != "" && ids[c.ID] {
			f.add(fmt.Sprintf("camera[%d].id", i+1), c.ID, text.RuleOtherID)
		}
		ids[c.ID] = true
	}
	for i, t := range s.Targets {
		checkTarget(&f, fmt.Sprintf("target[%d].", i+1), t)
		if slices.ContainsFunc(s.Targets[:i], func(o Target) bool { return o.ID == t.ID }) {
			f.add(fmt.Sprintf("target[%d].id", i+1), t.ID, text.RuleOtherTarget)
		}
	}

	return f
}

// ValidateTarget returns the faults of one target. The keys are bare, such as "url".
func ValidateTarget(t Target) (f ValidationErrors) {
	checkTarget(&f, "", t)
	return f
}

func checkTarget(f *ValidationErrors, key string, t Target) {
	if !CameraID(t.ID) { // the same letters
		f.add(key+"id", t.ID, text.RuleTargetID)
	}
	if hasControl(t.Name) || len(t.Name) > 200 {
		f.add(key+"name", t.Name, text.RuleName)
	}
	if !slices.Contains(TargetKinds, t.Kind) {
		f.add(key+"kind", t.Kind, text.RuleTargetKind, strings.Join(TargetKinds, ", "))
		return
	}
	u, err := url.Parse(t.Address())
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || hasControl(t.URL) {
		f.add(key+"url", RedactURL(t.URL), text.RuleTargetURL)
	} else if t.Kind == Ntfy && strings.Trim(u.Path, "/") == "" {
		f.add(key+"url", RedactURL(t.URL), text.RuleTargetTopic)
	}
	if (t.Kind == Pushover || t.Kind == Telegram) && t.User == "" || hasControl(t.User) {
		f.add(key+"user", t.User, text.RuleTargetUser)
	}
	if t.Kind != Ntfy && t.Token == "" || hasControl(t.Token.Reveal()) {
		f.add(key+"token", "", text.RuleTargetToken)
	}
	if _, _, err := (Notify{Quiet: t.Quiet}).QuietHours(); err != nil {
		f.add(key+"quiet", t.Quiet, text.RuleQuiet)
	}
}

// --- Cameras ---

// CameraID reports whether a text can be the id of a camera, and so the name of its folders.
func CameraID(id string) bool { return event.CameraID(id) }

func checkCamera(f *ValidationErrors, key string, s Settings, c Camera) {
	if !CameraID(c.ID) {
		f.add(key+"id", c.ID, text.RuleID)
	}
	if rule := CheckURL(c.URL); !rule.IsZero() {
		f.addText(key+"url", RedactURL(c.URL), rule)
	}
	if rule := CheckURL(c.URLSmall); c.URLSmall != "" && !rule.IsZero() {
		f.addText(key+"url_small", RedactURL(c.URLSmall), rule)
	}
	if dir, ok := c.Folder(); ok && CheckURL(c.URL).IsZero() &&
		(inside(dir, s.RAMDisk.Path) || inside(dir, s.Archive.Path)) {
		f.add(key+"url", c.URL, text.RuleOwnFolder)
	}
	if !slices.Contains([]Ingest{IngestAuto, IngestRTSP, IngestFFmpeg}, c.Ingest) {
		f.add(key+"ingest", string(c.Ingest), text.RuleIngest)
	}
	if hasControl(c.Name) || len(c.Name) > 200 {
		f.add(key+"name", c.Name, text.RuleName)
	}
	if hasControl(c.Username) {
		f.add(key+"username", "", text.RuleControls)
	}
	if hasControl(c.Password.Reveal()) {
		f.add(key+"password", "", text.RuleControls)
	}
	span(f, key+"mail_lag", c.MailLag, 0, time.Hour)
	if lengths := s.Lengths(c); c.MailLag > 0 && lengths.PreRoll+c.MailLag > s.RAMDisk.Keep-Duration(10*time.Second) {
		f.add(key+"mail_lag", c.MailLag.String(), text.RuleLengths, lengths.PreRoll,
			s.RAMDisk.Keep)
	}
	for i, m := range c.Mail {
		if strings.TrimSpace(m) == "" || hasControl(m) || len(m) > 400 {
			f.add(fmt.Sprintf("%smail[%d]", key, i+1), m, text.RuleMailName)
		} else if _, err := mailrule.Parse(m); err != nil {
			f.addText(fmt.Sprintf("%smail[%d]", key, i+1), m, text.Of(err))
		}
	}

	if c.PreRoll != nil || c.PostRoll != nil || c.MaxLength != nil {
		checkLengths(f, key, s.Lengths(c), s.RAMDisk.Keep)
	}
}

// Schemes are the URL schemes that a camera may have, besides [DemoURL] and [FolderScheme].
var Schemes = []string{"rtsp", "rtsps", "http", "https"}

// CheckURL returns the rule that a camera URL breaks, or "". FFmpeg gets the URL as its input, so CheckURL accepts only
// network cameras, folders and the demo camera: no file, no option, no pipe.
func CheckURL(raw string) (rule text.Text) {
	if raw == DemoURL {
		return rule
	}
	if dir, ok := strings.CutPrefix(raw, FolderScheme); ok {
		if !filepath.IsAbs(dir) || hasControl(dir) || strings.Contains(dir, "://") {
			return text.RuleFolderURL.With()
		}
		return rule
	}
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return text.RuleURL.With()
	case hasControl(raw) || strings.ContainsAny(raw, " \\"):
		return text.RuleURLBlanks.With()
	case err != nil || strings.HasPrefix(raw, "-") || !slices.Contains(Schemes, u.Scheme):
		return text.RuleURLScheme.With()
	case u.Hostname() == "" || strings.HasPrefix(u.Host, "-") || u.Port() != "" && !validPort(u.Port()):
		return text.RuleURLHost.With()
	case u.User != nil:
		return text.RuleURLUser.With()
	}

	return rule
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// RedactURL returns the part of a URL that may be shown: the scheme and the host. This also works for mistyped URLs. A
// password may be in any other part, because cameras with XM firmware take it in the path.
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

// SplitURL removes the user and the password from a pasted URL and returns both.
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

// --- Lengths, paths and ports ---

func checkLengths(f *ValidationErrors, key string, l Clip, keep Duration) {
	span(f, key+"pre_roll", l.PreRoll, 0, time.Hour)
	span(f, key+"post_roll", l.PostRoll, time.Second, time.Hour)
	span(f, key+"max_length", l.MaxLength, 10*time.Second, 24*time.Hour)
	if l.PreRoll > keep-Duration(10*time.Second) {
		f.add(key+"pre_roll", l.PreRoll.String(), text.RulePreRoll, keep)
	}
	if l.MaxLength <= l.PreRoll {
		f.add(key+"max_length", l.MaxLength.String(), text.RuleMaxLength, l.PreRoll)
	}
}

func span(f *ValidationErrors, key string, d Duration, low, high time.Duration) {
	if d.D() < low || d.D() > high {
		f.add(key, d.String(), text.RuleSpan, Duration(low), Duration(high))
	}
}

func checkPath(f *ValidationErrors, key, p string) {
	switch {
	case p == "":
		f.add(key, "", text.RuleSet)
	case !filepath.IsAbs(p):
		f.add(key, p, text.RuleFullPath)
	case hasControl(p):
		f.add(key, p, text.RuleControls)
	}
}

func checkPorts(f *ValidationErrors, s SMTP) {
	plain, tls := s.Ports()
	if len(plain) == 0 {
		f.add("smtp.listen", s.Listen, text.RuleListen)
	}
	seen := map[string]bool{}
	for i, listen := range slices.Concat(plain, tls) {
		key := "smtp.listen"
		if i >= len(plain) {
			key = "smtp.listen_tls"
		}
		if n := checkPort(f, key, listen, text.RuleListen); n > 0 && seen[listen] {
			f.add(key, listen, text.RuleOnce)
		}
		seen[listen] = true
	}

	if len(plain)+len(tls) > maxPorts {
		f.add("smtp.listen", s.Listen, text.RulePorts, maxPorts)
	}
}

const maxPorts = 16

// checkPort checks an address to listen on, and returns its port, or -1 if there is none.
func checkPort(f *ValidationErrors, key, listen string, rule text.Message) int {
	host, port, err := net.SplitHostPort(listen)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || n < 0 || n > 65535 {
		f.add(key, listen, rule)
		return -1
	}
	if host != "" && host != "localhost" {
		if _, err := netip.ParseAddr(host); err != nil {
			f.add(key, listen, text.RuleListenAddress)
		}
	}
	return n
}

// samePort reports whether two addresses cannot be listened on at once.
func samePort(a, b string) bool {
	ahost, aport, _ := net.SplitHostPort(a)
	bhost, bport, _ := net.SplitHostPort(b)
	every := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "" || err == nil && ip.IsUnspecified()
	}
	return aport == bport && (ahost == bhost || every(ahost) || every(bhost))
}

// webPath matches the path at which the web pages may begin.
var webPath = regexp.MustCompile(`^(/[a-zA-Z0-9_~-][a-zA-Z0-9._~-]*)*/?$`)

func checkAllow(f *ValidationErrors, key string, allow []string) {
	for i, a := range allow {
		if !validNetwork(a) {
			f.add(fmt.Sprintf("%s[%d]", key, i+1), a, text.RuleAllow)
		}
	}
}

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

func nested(s Settings) bool {
	return inside(s.Archive.Path, s.RAMDisk.Path) || inside(s.RAMDisk.Path, s.Archive.Path)
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// --- Folders ---

// CheckFolders returns the faults of the folders on this machine: a path that is not a folder, cannot be made, cannot
// be written, or does not answer. CheckFolders skips a folder whose path is the same in was. It makes a missing folder
// whose parent exists. A missing archive is a fault here, during setup; a running recorder waits for the archive
// instead.
func CheckFolders(s, was Settings) ValidationErrors {
	var f ValidationErrors
	look := func(key, path string, mode fs.FileMode) {
		// If the share hangs, the check stays until it answers. The next check of the folder waits for the same one.
		rule := folderChecks.DoChan(key+" "+path, func() (any, error) { return checkFolder(path, mode), nil })
		timer := time.NewTimer(folderTime)
		defer timer.Stop()
		select {
		case r := <-rule:
			if broken, _ := r.Val.(text.Text); !broken.IsZero() {
				f.addText(key, path, broken)
			}
		case <-timer.C:
			f.add(key, path, text.RuleHangs)
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

// folderChecks are the checks of folders that run, at most one for each folder.
var folderChecks singleflight.Group

// folderTime is how long CheckFolders waits for a folder.
const folderTime = 5 * time.Second

// CheckFolder returns the rule that the folder of a key breaks, or "". The key is "ram_disk.path" or "archive.path".
// CheckFolder makes the folder as [CheckFolders] does, unless the path is invalid.
func CheckFolder(s Settings, key string) text.Text {
	path, mode := s.RAMDisk.Path, fs.FileMode(0o700)
	if key == "archive.path" {
		path, mode = s.Archive.Path, 0o750
	}
	var f ValidationErrors
	if checkPath(&f, key, path); f != nil {
		return f[0].Rule
	}
	if nested(s) {
		return text.RuleNested.With()
	}
	return checkFolder(path, mode)
}

func checkFolder(path string, mode fs.FileMode) text.Text {
	if path == DefaultArchive() {
		// The folder for the user's videos may be missing in a new account, so it is made. Any other parent must exist,
		// so that no folder on the system disk takes the place of a drive that is not plugged in.
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if fi, err := os.Stat(path); err == nil && !fi.IsDir() {
		return text.RuleIsFile.With()
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return text.RuleNoParent.With()
		case errors.Is(err, fs.ErrPermission):
			return text.RuleCannotMakeRight.With()
		}
		return text.RuleCannotMake.With(plain(err))
	}

	if err := durable.Try(path); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return text.RuleCannotWriteRight.With()
		}
		return text.RuleCannotWrite.With(plain(err))
	}
	return text.Text{}
}

// plain returns the system's text for an error, without the path, which the fault already names.
func plain(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// NewID makes the id of a camera or target from a name, different from the taken ids. Letters lose their accents.
func NewID(name string, taken []string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ReplaceAll(strings.ToLower(name), "ß", "ss")) {
		switch {
		case unicode.Is(unicode.Mn, r): // an accent
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}

	base := strings.Trim(b.String(), "-")
	if len(base) > 50 {
		base = strings.TrimRight(base[:50], "-")
	}
	if base == "" {
		base = "camera"
	}
	id := base
	for n := 2; slices.Contains(taken, id); n++ {
		id = fmt.Sprintf("%s-%d", base, n)
	}
	return id
}
