package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// names are the files in a folder.
func names(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name())
	}
	return strings.Join(names, " ")
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "settings.toml")
	for _, text := range []string{"old", "new", ""} {
		write(t, Temporary(path), "left by a crash")
		if err := WriteFile(path, []byte(text), 0o600); err != nil || read(t, path) != text {
			t.Errorf("got %q, want %q; %v", read(t, path), text, err)
		}
	}
	if got := names(t, dir); got != "settings.toml" {
		t.Errorf("the folder holds %s", got)
	}
	if err := WriteFile(filepath.Join(dir, "missing", "x"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
}

// A file that cannot be replaced stays as it is, and nothing is left beside it.
func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("new"), 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	if got := names(t, dir); got != "x" {
		t.Errorf("the folder holds %s", got)
	}
}

// No file that is there already is replaced, in either of the two ways to rename.
func TestPublishReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	for name, publish := range map[string]func(*os.Root, string, string) error{"publish": PublishIn,
		"by link": renameByLink} {
		write(t, filepath.Join(dir, "tmp"), "mine")
		write(t, filepath.Join(dir, "clip"), "another one's")
		if err := publish(root, "tmp", "clip"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: got %v, want %v", name, err, fs.ErrExist)
		}
		if got := read(t, filepath.Join(dir, "clip")); got != "another one's" {
			t.Errorf("%s: the clip is now %q", name, got)
		}
		if err := publish(root, "tmp", "free "+name); err != nil ||
			read(t, filepath.Join(dir, "free "+name)) != "mine" {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "tmp")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the temporary name is still there", name)
		}
	}
}

func TestMkdirAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 {
		if err := MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "file"), "")
	if err := MkdirAll(filepath.Join(dir, "file", "d"), 0o700); err == nil {
		t.Error("a folder in a file")
	}
}

// Only a plain file is opened: no link out of the root, and no pipe, at which opening would wait for ever.
func TestOpenPlain(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	write(t, outside, "secret")
	write(t, filepath.Join(dir, "plain"), "text")
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	f, info, err := OpenPlain(root, "plain")
	if err != nil || info.Size() != 4 {
		t.Fatalf("%v, %v", info, err)
	}
	_ = f.Close()
	if runtime.GOOS != "windows" {
		if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		if f, _, err := OpenPlain(root, "link"); err == nil {
			_ = f.Close()
			t.Error("a link was followed")
		}
	}
	for _, name := range []string{"folder", "missing", "../" + filepath.Base(outside)} {
		if f, _, err := OpenPlain(root, name); err == nil {
			_ = f.Close()
			t.Errorf("%s was opened", name)
		}
	}
}

func TestRemoveIn(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	write(t, filepath.Join(dir, "x"), "")
	for range 2 { // what is gone counts as removed
		if err := RemoveIn(root, "x"); err != nil {
			t.Error(err)
		}
	}
}

func TestTry(t *testing.T) {
	dir := t.TempDir()
	if err := Try(dir); err != nil || names(t, dir) != "" {
		t.Errorf("%v, the folder holds %q", err, names(t, dir))
	}
	if err := Try(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
}
