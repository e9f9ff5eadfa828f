package disk

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Of describes the file system of a path that exists. macOS cannot tell a RAM disk (hdiutil attach ram://…) from
// another image. A volume counts as RAM if its name contains "ram"; only a volume of its own can be a RAM disk.
func Of(path string) (Disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Disk{}, fmt.Errorf("look at the disk of %s: %w", path, err)
	}
	mount := unix.ByteSliceToString(st.Mntonname[:])
	d := Disk{Kind: unix.ByteSliceToString(st.Fstypename[:])}
	d.Free, d.Total = int64(st.Bavail)*int64(st.Bsize), int64(st.Blocks)*int64(st.Bsize)
	d.RAM = strings.HasPrefix(mount, "/Volumes/") && strings.Contains(strings.ToLower(mount), "ram")
	d.Known = !strings.HasPrefix(mount, "/Volumes/")
	return d, nil
}
