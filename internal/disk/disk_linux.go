package disk

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// kinds are the names of file systems that a RAM disk is likely to be mistaken for, by their magic number in statfs(2).
var kinds = map[int64]string{
	unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs", unix.EXT4_SUPER_MAGIC: "ext4",
	unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.XFS_SUPER_MAGIC:   "xfs", unix.NFS_SUPER_MAGIC: "nfs", unix.MSDOS_SUPER_MAGIC: "vfat",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	0x2011BAB0:                 "exfat", 0x65735546: "fuse", 0x5346544e: "ntfs", 0xFF534D42: "cifs", 0xFE534D42: "smb",
	0x2FC12FC1: "zfs",
}

// Of describes the file system of a path that exists. tmpfs and ramfs are RAM. Linux may swap tmpfs out under pressure,
// but does so last.
func Of(path string) (Disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Disk{}, fmt.Errorf("look at the disk of %s: %w", path, err)
	}
	d := Disk{Kind: kinds[int64(st.Type)&math.MaxUint32], Known: true}
	if d.Kind == "" {
		d.Kind = fmt.Sprintf("type %#x", st.Type)
	}
	d.RAM = d.Kind == "tmpfs" || d.Kind == "ramfs"
	d.Free, d.Total = int64(st.Bavail)*int64(st.Bsize), int64(st.Blocks)*int64(st.Bsize)
	if d.Kind == "ramfs" { // ramfs has no size and says 0
		d.Free, d.Total = math.MaxInt64, math.MaxInt64
	}
	return d, nil
}
