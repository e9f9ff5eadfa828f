package durable

import (
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

func renameNoReplace(root *os.Root, tmp, final string) error {
	d, err := root.Open(path.Dir(final))
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	err = unix.Renameat2(int(d.Fd()), path.Base(tmp), int(d.Fd()), path.Base(final), unix.RENAME_NOREPLACE)

	// The file system or the kernel may not know RENAME_NOREPLACE.
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return renameByLink(root, tmp, final)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: tmp, New: final, Err: err}
	}
	return nil
}
