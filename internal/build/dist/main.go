// Command dist makes the packages of a release, each byte for byte the same when it is run again on the same commit:
//
//	go run ./internal/build/dist -out dist
//
// It needs the tools that `.ci/setup dist` installs. The signatures need MINISIGN_KEY, the file of a secret key of
// minisign without a password, and MINISIGN_PUBLIC_KEY, its public key as text, by which the programs know a newer
// release.
package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/image/draw"

	"github.com/preroll/preroll/internal/cli"
	"github.com/preroll/preroll/internal/service"
)

const appID = "io.github.preroll.Preroll"

// release is what is made.
type release struct {
	ctx     context.Context
	out     string // folder of the results
	work    string // folder of everything between
	version string
	date    time.Time // of the commit
	only    string
}

// target is one build of the program.
type target struct {
	os, arch, arm string
	desktop       bool
	file          string // the program
}

func (t target) name() string {
	if t.desktop {
		return "preroll"
	}
	return "preroll-headless"
}

// platform is the name of the target's platform in file names.
func (t target) platform() string {
	return t.os + "-" + t.arch + map[string]string{"7": "v7"}[t.arm]
}

func main() {
	r := release{ctx: context.Background()}
	flag.StringVar(&r.out, "out", "dist", "folder of the results")
	flag.StringVar(&r.work, "work", ".build/dist", "folder of everything between")
	flag.StringVar(&r.only, "only", "",
		"make only this: deb, rpm, tar, windows, or quick: what is made within a minute")
	flag.Parse()
	log.SetFlags(0)
	if err := r.make(); err != nil {
		log.Fatalf("dist: %v", err)
	}
}

func (r *release) make() error {
	if err := r.identify(); err != nil {
		return err
	}
	for _, dir := range []string{r.out, r.work} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	log.Printf("Preroll %s of %s", r.version, r.date.Format("2006-01-02"))
	targets := []target{
		{os: "linux", arch: "amd64", desktop: true},
		{os: "linux", arch: "amd64"}, {os: "linux", arch: "arm64"}, {os: "linux", arch: "arm", arm: "7"},
		{os: "windows", arch: "amd64", desktop: true}, {os: "windows", arch: "amd64"},
		{os: "darwin", arch: "amd64"}, {os: "darwin", arch: "arm64"},
	}
	if r.only == "quick" {
		targets = targets[1:2]
	}
	if err := r.documents(targets); err != nil {
		return err
	}
	for i := range targets {
		t := &targets[i]
		if r.only == "deb" && t.os != "linux" || r.only == "windows" && t.os != "windows" {
			continue
		}
		if err := r.build(t); err != nil {
			return err
		}
		if err := r.sbom(*t); err != nil {
			return err
		}
	}
	for _, t := range targets {
		if t.file == "" || t.os == "windows" {
			continue
		}
		if t.os == "linux" && r.wants("deb") {
			if err := r.native(t, "deb"); err != nil {
				return err
			}
		}
		if t.os == "linux" && t.arch != "arm" && r.wants("rpm") {
			if err := r.native(t, "rpm"); err != nil {
				return err
			}
		}
		if r.wants("tar") {
			if err := r.tarball(t); err != nil {
				return err
			}
		}
	}
	if r.wants("windows") {
		if err := r.windows(targets); err != nil {
			return err
		}
	}
	if r.only == "" {
		if err := r.templates(); err != nil {
			return err
		}
	}
	return r.sums()
}

func (r *release) wants(what string) bool {
	return r.only == "" || r.only == what || r.only == "quick" && what != "windows"
}

// run runs a tool and returns its output.
func (r *release) run(env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(r.ctx, name, args...)
	cmd.Env = append(os.Environ(), append(env, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.date.Unix()), "TZ=UTC",
		"LC_ALL=C")...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// identify finds out the version and the date. The version is that of the newest entry of the changelog. If the entry
// is not released yet, the version says which commit it is.
func (r *release) identify() error {
	b, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+)(, not released yet)?`).FindSubmatch(b)
	if m == nil {
		return errors.New("CHANGELOG.md names no version")
	}
	seconds, commit := int64(1767225600), "unknown" // without a history, as in an unpacked archive
	if out, err := r.run(nil, "git", "log", "-1", "--format=%ct %h"); err == nil {
		if _, err := fmt.Sscan(out, &seconds, &commit); err != nil {
			return err
		}
	}
	r.date, r.version = time.Unix(seconds, 0).UTC(), string(m[1])
	if len(m[2]) > 0 {
		r.version += "~" + r.date.Format("20060102") + "." + commit
	}
	return nil
}

// fileVersion is the version in names of files, where a tilde is not welcome.
func (r *release) fileVersion() string { return strings.ReplaceAll(r.version, "~", "-") }

// --- The program ---

// build builds the program for a target.
func (r *release) build(t *target) error {
	t.file = filepath.Join(r.work, t.name()+"-"+t.platform(), "preroll")
	env := []string{"GOOS=" + t.os, "GOARCH=" + t.arch, "GOARM=" + t.arm, "CGO_ENABLED=0", "GOFLAGS=-trimpath"}
	tags, ld := "headless", "-s -w -buildid="
	if key := os.Getenv("MINISIGN_PUBLIC_KEY"); key != "" {
		ld += " -X github.com/preroll/preroll/recorder/update.PublicKey=" + key
	}
	if t.desktop {
		env[3] = "CGO_ENABLED=1"
		tags = "gles,no_emoji"
	}
	if t.os == "windows" {
		t.file += ".exe"
		if t.desktop { // without a console; the build without a desktop is for terminals
			tags = "no_emoji"
			ld += " -H windowsgui"
			env = append(env, "CC=x86_64-w64-mingw32-gcc", "CXX=x86_64-w64-mingw32-g++")
			ld += " -extldflags=-Wl,--no-insert-timestamp"
		}
		if err := r.resource(); err != nil {
			return err
		}
		defer func() { _ = os.Remove(resourceFile) }()
	}
	log.Printf("build %s for %s", t.name(), t.platform())
	mode := "exe"
	if t.os == "linux" && t.desktop {
		mode = "pie"
	}
	_, err := r.run(env, "go", "build", "-buildmode", mode, "-tags", tags, "-ldflags", ld, "-o", t.file, ".")
	return err
}

const resourceFile = "rsrc_windows_amd64.syso"

// resource makes the resources of the Windows program: icon, version, manifest.
func (r *release) resource() error {
	numbers := strings.SplitN(r.version, "~", 2)[0] + ".0"
	desc := map[string]any{
		"RT_GROUP_ICON": map[string]any{"APP": map[string]any{"0000": "icon.png"}},
		"RT_MANIFEST": map[string]any{"#1": map[string]any{"0409": map[string]any{
			"identity": map[string]any{"name": appID, "version": numbers}, "minimum-os": "win10",
			"execution-level": "as invoker", "dpi-awareness": "per monitor v2", "long-path-aware": true,
			"use-common-controls-v6": true}}},
		"RT_VERSION": map[string]any{"#1": map[string]any{"0000": map[string]any{
			"fixed": map[string]any{"file_version": numbers, "product_version": numbers},
			"info": map[string]any{"0409": map[string]any{"ProductName": "Preroll", "FileDescription": "Preroll",
				"CompanyName": "The Preroll authors", "LegalCopyright": "The Preroll authors, MIT license",
				"ProductVersion": r.version, "FileVersion": r.version, "OriginalFilename": "preroll.exe"}}}}},
	}
	dir := filepath.Join(r.work, "winres")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := r.icon(filepath.Join(dir, "icon.png"), 256); err != nil {
		return err
	}
	b, err := json.MarshalIndent(desc, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "winres.json"), b, 0o644); err != nil {
		return err
	}
	_, err = r.tool("go-winres", "make", "--arch", "amd64", "--in", filepath.Join(dir, "winres.json"), "--out", "rsrc")
	return err
}

// tool runs one of the Go tools of internal/build/tools.
func (r *release) tool(name string, args ...string) (string, error) {
	return r.run(nil, "go", append([]string{"tool", "-modfile=internal/build/tools/go.mod", name}, args...)...)
}

// icon writes the icon in another size.
func (r *release) icon(path string, size int) error {
	f, err := os.Open("assets/icon.png")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	big, err := png.Decode(f)
	if err != nil {
		return err
	}
	small := image.NewNRGBA(image.Rect(0, 0, size, size))
	draw.CatmullRom.Scale(small, small.Bounds(), big, big.Bounds(), draw.Src, nil)
	var b bytes.Buffer
	if err := png.Encode(&b, small); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// --- What goes along ---

func (r *release) doc(name string) string { return filepath.Join(r.work, "docs", name) }

// documents writes the files that are made from the program and its sources.
func (r *release) documents(targets []target) error {
	copyright, err := r.copyright(targets, false)
	if err != nil {
		return err
	}
	short, err := r.copyright(targets, true)
	if err != nil {
		return err
	}
	changes, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	man := cli.Man(r.version, r.date)
	files := map[string][]byte{
		"preroll.1":              []byte(man),
		"preroll.1.gz":           zipped([]byte(man)),
		"COPYRIGHT":              copyright,
		"COPYRIGHT.debian":       short,
		"NEWS.md.gz":             zipped(changes),
		"changelog.gz":           zipped([]byte(r.debianChanges())),
		"systemd/system.service": []byte(service.SystemUnit("/usr/bin/preroll")),
		"systemd/user.service":   []byte(service.UserUnit("/usr/bin/preroll")),
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		script, _ := cli.Completion(cli.Desktop{}, shell)
		files["completions/"+map[string]string{"bash": "preroll.bash", "zsh": "_preroll", "fish": "preroll.fish",
			"powershell": "preroll.ps1"}[shell]] = []byte(script)
	}
	meta, err := os.ReadFile("assets/package/linux/" + appID + ".metainfo.xml")
	if err != nil {
		return err
	}
	files[appID+".metainfo.xml"] = r.filled(meta, nil)
	for _, variant := range []string{"desktop", "headless"} {
		b, err := os.ReadFile("assets/package/linux/postinst")
		if err != nil {
			return err
		}
		files["postinst-"+variant] = r.filled(b, map[string]string{"VARIANT": variant})
	}
	for name, b := range files {
		path := r.doc(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
	}
	for _, size := range []int{48, 128, 256} {
		if err := r.icon(r.doc(fmt.Sprintf("icon-%d.png", size)), size); err != nil {
			return err
		}
	}
	return nil
}

// filled replaces @NAME@ in a template.
func (r *release) filled(b []byte, values map[string]string) []byte {
	pairs := []string{"@VERSION@", r.fileVersion(), "@DATE@", r.date.Format("2006-01-02")}
	for k, v := range values {
		pairs = append(pairs, "@"+k+"@", v)
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(b)))
}

// zipped compresses as gzip -9n does.
func zipped(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = w.Write(b) // a write to a buffer never fails
	_ = w.Close()
	return out.Bytes()
}

func (r *release) debianChanges() string {
	return fmt.Sprintf("preroll (%s) stable; urgency=medium\n\n  * See NEWS.md.gz.\n\n -- %s  %s\n", r.version,
		maintainer,
		r.date.Format(time.RFC1123Z))
}

const maintainer = "The Preroll authors <preroll@users.noreply.github.com>"

// module is a Go module that is part of a program.
type module struct {
	Path, Version, Dir string
	Replace            *module
}

// modules returns the modules that the programs are made of.
func (r *release) modules(targets []target) ([]module, error) {
	seen := map[string]module{}
	for _, t := range targets {
		tags := "headless"
		cgo := "CGO_ENABLED=0"
		if t.desktop {
			tags, cgo = "no_emoji", "CGO_ENABLED=1"
			if t.os == "linux" {
				tags = "gles,no_emoji"
			}
		}
		out, err := r.run([]string{"GOOS=" + t.os, "GOARCH=" + t.arch, cgo}, "go", "list", "-deps", "-tags", tags, "-f",
			`{{with .Module}}{{if not .Main}}{"Path":"{{.Path}}","Version":"{{.Version}}","Dir":"{{.Dir}}"}{{end}}{{end}}`, ".")
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(strings.NewReader(out))
		for {
			var m module
			if err := d.Decode(&m); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			seen[m.Path] = m
		}
	}
	var list []module
	for _, m := range seen {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

var licenseName = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|notice|copyright|patents)([-.].*)?$`)

// apache is a reference to a license that every Debian has.
const apache = "Licensed under the Apache License, Version 2.0. On Debian systems its text is in\n" +
	"/usr/share/common-licenses/Apache-2.0; elsewhere see https://www.apache.org/licenses/LICENSE-2.0."

// copyright returns the licenses of Preroll and of all that the programs are made of. Equal texts are given once. For
// Debian, texts that every Debian has are only named.
func (r *release) copyright(targets []target, debian bool) ([]byte, error) {
	own, err := os.ReadFile("LICENSE")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Preroll\nhttps://github.com/preroll/preroll\n\n%s\n", own)
	goroot, err := r.run(nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	list, err := r.modules(targets)
	if err != nil {
		return nil, err
	}
	list = append(list, module{Path: "The Go standard library", Dir: strings.TrimSpace(goroot)})
	texts, users := []string(nil), map[string][]string{}
	for _, m := range list {
		found := false
		files, err := os.ReadDir(m.Dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Path, err)
		}
		for _, f := range files {
			if !licenseName.MatchString(f.Name()) || f.IsDir() {
				continue
			}
			text, err := os.ReadFile(filepath.Join(m.Dir, f.Name()))
			if err != nil {
				return nil, err
			}
			t := strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n"))
			if debian && strings.Contains(t, "Apache License") && strings.Contains(t, "TERMS AND CONDITIONS") {
				t = apache
			}
			if users[t] == nil {
				texts = append(texts, t)
			}
			users[t] = append(users[t], m.Path)
			found = true
		}
		if !found {
			return nil, fmt.Errorf("%s has no license file", m.Path)
		}
	}
	for _, t := range texts {
		fmt.Fprintf(&b, "%s\n\n%s\n\n%s\n\n", strings.Repeat("-", 78), strings.Join(users[t], "\n"), t)
	}
	return b.Bytes(), nil
}

// sbom writes what a program is made of, as CycloneDX 1.5.
func (r *release) sbom(t target) error {
	out, err := r.run(nil, "go", "version", "-m", t.file)
	if err != nil {
		return err
	}
	type component struct {
		Type    string           `json:"type"`
		Name    string           `json:"name"`
		Version string           `json:"version"`
		Purl    string           `json:"purl,omitempty"`
		Hashes  []map[string]any `json:"hashes,omitempty"`
	}
	var list []component
	goVersion := strings.TrimSpace(out[strings.LastIndex(strings.SplitN(out, "\n", 2)[0], " ")+1:])
	goVersion = strings.SplitN(goVersion, "\n", 2)[0]
	list = append(list, component{Type: "library", Name: "std", Version: goVersion,
		Purl: "pkg:golang/std@" + strings.TrimPrefix(goVersion, "go")})
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "dep" {
			list = append(list, component{Type: "library", Name: f[1], Version: f[2], Purl: "pkg:golang/" + f[1] + "@" +
				f[2]})
		}
	}
	b, err := os.ReadFile(t.file)
	if err != nil {
		return err
	}
	doc := map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"metadata": map[string]any{"timestamp": r.date.Format(time.RFC3339),
			"component": component{Type: "application", Name: t.name() + " " + t.platform(), Version: r.version,
				Hashes: []map[string]any{{"alg": "SHA-256", "content": fmt.Sprintf("%x", sha256.Sum256(b))}}}},
		"components": list}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, fmt.Sprintf("%s-%s-%s.cdx.json", t.name(), r.fileVersion(), t.platform())),
		append(text, '\n'), 0o644)
}

// --- Packages of Linux ---

// content is a file of a package.
type content struct {
	src, dst string
	mode     fs.FileMode
	kind     string // of nfpm
}

// contents returns the files of a Linux package.
func (r *release) contents(t target) []content {
	share := "/usr/share"
	list := []content{
		{t.file, "/usr/bin/preroll", 0o755, ""},
		{r.doc("systemd/system.service"), "/usr/lib/systemd/system/preroll.service", 0o644, ""},
		{r.doc("systemd/user.service"), "/usr/lib/systemd/user/preroll.service", 0o644, ""},
		{"assets/package/linux/sysusers.conf", "/usr/lib/sysusers.d/preroll.conf", 0o644, ""},
		{"assets/package/linux/firewalld.xml", "/usr/lib/firewalld/services/preroll.xml", 0o644, ""},
		{"assets/package/linux/ufw", "/etc/ufw/applications.d/preroll", 0o644, "config"},
		{r.doc("preroll.1.gz"), share + "/man/man1/preroll.1.gz", 0o644, ""},
		{r.doc("completions/preroll.bash"), share + "/bash-completion/completions/preroll", 0o644, ""},
		{r.doc("completions/_preroll"), share + "/zsh/vendor-completions/_preroll", 0o644, ""},
		{r.doc("completions/preroll.fish"), share + "/fish/vendor_completions.d/preroll.fish", 0o644, ""},
		{r.doc("COPYRIGHT.debian"), share + "/doc/" + t.name() + "/copyright", 0o644, ""},
		{r.doc("changelog.gz"), share + "/doc/" + t.name() + "/changelog.gz", 0o644, ""},
		{r.doc("NEWS.md.gz"), share + "/doc/" + t.name() + "/NEWS.md.gz", 0o644, ""},
		{"docs/settings.schema.json", share + "/doc/" + t.name() + "/settings.schema.json", 0o644, ""},
	}
	if !t.desktop {
		return append(list, content{"assets/package/linux/lintian-headless",
			share + "/lintian/overrides/preroll-headless", 0o644, ""})
	}
	list = append(list,
		content{"assets/package/linux/" + appID + ".desktop", share + "/applications/" + appID + ".desktop", 0o644, ""},
		content{r.doc(appID + ".metainfo.xml"), share + "/metainfo/" + appID + ".metainfo.xml", 0o644, ""},
		content{"assets/icon.png", share + "/icons/hicolor/512x512/apps/" + appID + ".png", 0o644, ""})
	for _, size := range []int{48, 128, 256} {
		list = append(list, content{r.doc(fmt.Sprintf("icon-%d.png", size)),
			fmt.Sprintf("%s/icons/hicolor/%dx%d/apps/%s.png", share, size, size, appID), 0o644, ""})
	}
	return list
}

// description is that of the packages.
const description = `saves the seconds before something happened at a camera
 Preroll keeps the last seconds of each IP camera in memory and nowhere else.
 The camera detects that something happens and sends an alarm mail to Preroll.
 That saves a clip, which begins before the alarm. Video is never transcoded.`

// native makes a .deb or an .rpm with nfpm.
func (r *release) native(t target, kind string) error {
	other, more := "preroll-headless", "\n .\n This package has a tray and a window."
	depends := []string{"ffmpeg", "libc6 (>= 2.34)", "libgl1", "libx11-6", "libxcursor1", "libxi6", "libxinerama1",
		"libxrandr2",
		"libxxf86vm1"}
	recommends := []string{"fonts-dejavu-core", "libwayland-client0", "libxkbcommon0"}
	if !t.desktop {
		other, more = "preroll", "\n .\n This package has no window. A service records as soon as the machine runs."
		depends = []string{"ffmpeg", "systemd"}
		recommends = []string{"fonts-dejavu-core"}
	}
	if kind == "rpm" {
		depends = []string{"(ffmpeg or ffmpeg-free)"}
		recommends = nil
		if t.desktop {
			depends = append(depends, "libX11", "libXcursor", "libXi", "libXinerama", "libXrandr", "libXxf86vm",
				"mesa-libGL")
		}
	}
	variant := map[bool]string{true: "desktop", false: "headless"}[t.desktop]
	var entries []map[string]any
	for _, c := range r.contents(t) {
		dst := c.dst
		if kind == "rpm" && strings.HasPrefix(dst, "/usr/share/lintian/") {
			continue
		}
		if kind == "rpm" {
			dst = strings.Replace(dst, "/zsh/vendor-completions/", "/zsh/site-functions/", 1)
		}
		e := map[string]any{"src": c.src, "dst": dst, "file_info": map[string]any{"mode": c.mode, "owner": "root",
			"group": "root", "mtime": r.date.Format(time.RFC3339)}}
		if c.kind != "" {
			e["type"] = c.kind
		}
		entries = append(entries, e)
	}
	scripts := map[string]any{"postinstall": r.doc("postinst-" + variant), "preremove": "assets/package/linux/prerm",
		"postremove": "assets/package/linux/postrm"}
	conf := map[string]any{
		"name": t.name(), "arch": t.arch + t.arm, "platform": "linux", "version": r.version, "version_schema": "none",
		"section": "video", "priority": "optional", "maintainer": maintainer, "vendor": "The Preroll authors",
		"homepage": "https://github.com/preroll/preroll", "license": "MIT", "description": description + more,
		"conflicts": []string{other}, "replaces": []string{other}, "depends": depends, "recommends": recommends,
		"contents": entries, "scripts": scripts, "mtime": r.date.Format(time.RFC3339),
		"deb": map[string]any{"compression": "xz"},
		"rpm": map[string]any{"compression": "xz", "buildhost": "preroll", "group": "Applications/Multimedia",
			"summary": "Saves the seconds before something happened at a camera"},
	}
	b, err := json.MarshalIndent(conf, "", "  ") // JSON is YAML
	if err != nil {
		return err
	}
	file := filepath.Join(r.work, t.name()+"-"+t.platform()+"-"+kind+".yaml")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		return err
	}
	log.Printf("package %s %s", t.name(), kind)
	_, err = r.tool("nfpm", "package", "--config", file, "--packager", kind, "--target", r.out)
	return err
}

// --- Archives ---

// bundle returns the files of an archive of a platform without packages: name in the archive, and source.
func (r *release) bundle(t target) map[string]string {
	files := map[string]string{
		"preroll": t.file, "README.md": "README.md", "LICENSE": "LICENSE", "COPYRIGHT": r.doc("COPYRIGHT"),
		"preroll.1": r.doc("preroll.1"), "settings.schema.json": "docs/settings.schema.json",
		"completions/preroll.bash": r.doc("completions/preroll.bash"),
		"completions/_preroll":     r.doc("completions/_preroll"),
		"completions/preroll.fish": r.doc("completions/preroll.fish"),
		"completions/preroll.ps1":  r.doc("completions/preroll.ps1"),
	}
	if t.os == "linux" {
		files["systemd/system/preroll.service"] = r.doc("systemd/system.service")
		files["systemd/user/preroll.service"] = r.doc("systemd/user.service")
		files["sysusers.conf"] = "assets/package/linux/sysusers.conf"
		if t.desktop {
			files[appID+".desktop"] = "assets/package/linux/" + appID + ".desktop"
			files[appID+".metainfo.xml"] = r.doc(appID + ".metainfo.xml")
			files[appID+".png"] = "assets/icon.png"
		}
	}
	return files
}

// tarball makes a tar.xz.
func (r *release) tarball(t target) error {
	name := fmt.Sprintf("%s-%s-%s", t.name(), r.fileVersion(), t.platform())
	root := filepath.Join(r.work, "tar")
	dir := filepath.Join(root, name)
	for to, from := range r.bundle(t) {
		if err := copyFile(filepath.Join(dir, to), from); err != nil {
			return err
		}
	}
	log.Printf("archive %s", name)
	plain := filepath.Join(r.work, name+".tar")
	_, err := r.run(nil, "tar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar",
		"--mode=u+rw,go=rX", fmt.Sprintf("--mtime=@%d", r.date.Unix()), "-C", root, "-cf", plain, name)
	if err == nil {
		_, err = r.run(nil, "xz", "-6", "-T1", plain)
	}
	if err == nil {
		err = os.Rename(plain+".xz", filepath.Join(r.out, name+".tar.xz"))
	}
	return err
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if filepath.Base(to) == "preroll" {
		mode = 0o755
	}
	return os.WriteFile(to, b, mode)
}

// windows makes the zip files and the installer.
func (r *release) windows(targets []target) error {
	dir := filepath.Join(r.work, "windows")
	files := map[string]string{"README.txt": "assets/package/windows/README.txt", "LICENSE.txt": "LICENSE",
		"COPYRIGHT.txt": r.doc("COPYRIGHT"), "completions/preroll.ps1": r.doc("completions/preroll.ps1"),
		"settings.schema.json": "docs/settings.schema.json"}
	headless := map[string]string{}
	for k, v := range files {
		headless[k] = v
	}
	for _, t := range targets {
		switch {
		case t.os != "windows":
		case t.desktop:
			files["preroll.exe"] = t.file
		default: // a terminal prefers .com to .exe
			files["preroll.com"], headless["preroll.exe"] = t.file, t.file
		}
	}
	for name, list := range map[string]map[string]string{"preroll": files, "preroll-headless": headless} {
		full := fmt.Sprintf("%s-%s-windows-amd64", name, r.fileVersion())
		if err := r.zip(filepath.Join(r.out, full+".zip"), full, list); err != nil {
			return err
		}
	}
	for to, from := range files {
		if err := copyFile(filepath.Join(dir, to), from); err != nil {
			return err
		}
	}
	if err := r.ico(filepath.Join(dir, "preroll.ico")); err != nil {
		return err
	}
	// NSIS records the times of files.
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return cmp.Or(err, os.Chtimes(path, r.date, r.date))
	})
	if err != nil {
		return err
	}
	out := filepath.Join(r.out, fmt.Sprintf("preroll-%s-windows-setup.exe", r.fileVersion()))
	abs, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	from, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	log.Printf("installer %s", filepath.Base(out))
	_, err = r.run(nil, "makensis", "-V2", "-DVERSION="+r.version, "-DNUMBERS="+strings.SplitN(r.version, "~",
		2)[0]+".0",
		"-DFILES="+from, "-DOUT="+abs, "assets/package/windows/preroll.nsi")
	return err
}

// zip makes a zip file.
func (r *release) zip(path, root string, files map[string]string) error {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	var names []string
	for n := range files {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		b, err := os.ReadFile(files[n])
		if err != nil {
			return err
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: root + "/" + n, Method: zip.Deflate, Modified: r.date})
		if err == nil {
			_, err = f.Write(b)
		}
		if err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	log.Printf("archive %s", filepath.Base(path))
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// ico writes the icon for Windows: PNG pictures behind a header.
func (r *release) ico(path string) error {
	sizes := []int{16, 32, 48, 256}
	var pictures [][]byte
	for _, size := range sizes {
		p := r.doc(fmt.Sprintf("ico-%d.png", size))
		if err := r.icon(p, size); err != nil {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		pictures = append(pictures, b)
	}
	out := []byte{0, 0, 1, 0, byte(len(sizes)), 0}
	at := len(out) + 16*len(sizes)
	for i, b := range pictures {
		n := len(b)
		out = append(out, byte(sizes[i]), byte(sizes[i]), 0, 0, 1, 0, 32, 0, byte(n), byte(n>>8), byte(n>>16),
			byte(n>>24),
			byte(at), byte(at>>8), byte(at>>16), byte(at>>24))
		at += n
	}
	for _, b := range pictures {
		out = append(out, b...)
	}
	return os.WriteFile(path, out, 0o644)
}

// --- The end ---

// templates fills in the files for package managers of others.
func (r *release) templates() error {
	sums := map[string]string{}
	for name, file := range map[string]string{
		"SHA256_SETUP": "preroll-%s-windows-setup.exe", "SHA256_LINUX_DESKTOP": "preroll-%s-linux-amd64.tar.xz",
		"SHA256_LINUX_AMD64":  "preroll-headless-%s-linux-amd64.tar.xz",
		"SHA256_DARWIN_ARM64": "preroll-headless-%s-darwin-arm64.tar.xz",
		"SHA256_DARWIN_AMD64": "preroll-headless-%s-darwin-amd64.tar.xz"} {
		b, err := os.ReadFile(filepath.Join(r.out, fmt.Sprintf(file, r.fileVersion())))
		if err != nil {
			return err
		}
		sums[name] = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	const from = "assets/package/templates"
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(r.out, "templates", rel)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, r.filled(b, sums), 0o644)
	})
}

// latest writes the file that tells programs of this release, with its signature in it (see package update).
func (r *release) latest(key string) error {
	text := fmt.Sprintf("version: %s\nurl: https://github.com/preroll/preroll/releases/tag/v%s\ndate: %s\n", r.version,
		r.fileVersion(), r.date.Format("2006-01-02"))
	path := filepath.Join(r.work, "latest")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	if _, err := r.run(nil, "minisign", "-S", "-s", key, "-m", path, "-x", path+".minisig"); err != nil {
		return err
	}
	signature, err := os.ReadFile(path + ".minisig")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "latest.txt"), []byte(text+"\n"+string(signature)), 0o644)
}

// sums writes SHA256SUMS, and its signature if there is a key.
func (r *release) sums() error {
	key := os.Getenv("MINISIGN_KEY")
	if key != "" {
		if err := r.latest(key); err != nil {
			return err
		}
	}
	files, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(r.out, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), f.Name())
	}
	path := filepath.Join(r.out, "SHA256SUMS")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return err
	}
	if key == "" {
		log.Print("SHA256SUMS is not signed: MINISIGN_KEY names no secret key")
		return nil
	}
	_, err = r.run(nil, "minisign", "-S", "-s", key, "-m", path, "-t", fmt.Sprintf("Preroll %s", r.version))
	return err
}
