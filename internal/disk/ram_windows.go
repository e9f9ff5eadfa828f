package disk

import (
	"golang.org/x/sys/windows"
)

// RAMFolders returns folders on drives that are RAM disks by their type or label. It skips network drives and removable
// drives, which may take long to answer.
func RAMFolders() (list []string) {
	drives, err := windows.GetLogicalDrives()
	if err != nil {
		return nil
	}
	for i := range 26 {
		root := string(rune('A'+i)) + `:\`
		name, err := windows.UTF16PtrFromString(root)
		if drives>>i&1 == 0 || err != nil {
			continue
		}
		if kind := windows.GetDriveType(name); kind != windows.DRIVE_RAMDISK && kind != windows.DRIVE_FIXED {
			continue
		}
		if d, err := Of(root); err == nil && d.RAM {
			list = append(list, root+"Preroll")
		}
	}

	return list
}
