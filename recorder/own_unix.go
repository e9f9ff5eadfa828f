//go:build !windows

package recorder

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// checkOwner makes sure that no other user can read or write the folder on the RAM disk. In /dev/shm, any user of the
// machine could have created a folder of that name first.
func checkOwner(path string) error {
	for _, look := range []func(string) (os.FileInfo, error){os.Lstat, os.Stat} {
		fi, err := look(path)
		if err != nil {
			return err
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		if !ok {
			return errors.New("its owner is not known")
		}
		if int(st.Uid) != os.Geteuid() {
			return fmt.Errorf("%s belongs to another user of this machine", path)
		}
		if fi.IsDir() && fi.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(path, 0o700); err != nil {
				return err
			}
		}
	}

	return nil
}
