package lockfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneHoldsIt(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	one, err := Acquire(root)
	if err != nil || one == nil {
		t.Fatal(one, err)
	}
	var taken *InUseError
	if _, err := Acquire(root); !errors.As(err, &taken) || taken.Owner.Process != os.Getpid() ||
		taken.Owner.Host == "" ||
		!strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
	if !one.Holds(root) {
		t.Error("it is not held")
	}
	if err := os.Remove(filepath.Join(dir, Name)); err != nil {
		t.Fatal(err)
	}
	if one.Holds(root) {
		t.Error("what was removed is held")
	}
	two, err := Acquire(root)
	if err != nil {
		t.Fatal(err)
	}
	one.Release()
	two.Release()
	if err := errors.Join(os.Remove(filepath.Join(dir, Name)),
		os.Symlink("/dev/zero", filepath.Join(dir, Name))); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(root); err == nil {
		t.Error("a link was locked")
	}
}
