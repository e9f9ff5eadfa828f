package disk

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// Of describes the file system of a path that exists. Windows recognizes some RAM disks by their type. Others, such as
// ImDisk, look like a fixed disk, and only their label may say so.
func Of(path string) (Disk, error) {
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(path) + `\`)
	if err != nil {
		return Disk{}, err
	}
	var d Disk
	var free, total, all uint64
	if err := windows.GetDiskFreeSpaceEx(root, &free, &total, &all); err != nil {
		return Disk{}, fmt.Errorf("look at the disk of %s: %w", path, err)
	}
	d.Free, d.Total = int64(free), int64(total)
	var label, kind [64]uint16
	if err := windows.GetVolumeInformation(root, &label[0], uint32(len(label)), nil, nil, nil, &kind[0],
		uint32(len(kind))); err == nil {
		d.Kind = windows.UTF16ToString(kind[:])
	}
	d.RAM = windows.GetDriveType(root) == windows.DRIVE_RAMDISK
	d.Known = d.RAM
	if strings.Contains(strings.ToLower(windows.UTF16ToString(label[:])), "ram") {
		d.RAM = true
	}
	return d, nil
}
