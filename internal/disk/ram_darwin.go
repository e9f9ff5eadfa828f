package disk

import (
	"path/filepath"
)

// RAMFolders returns folders on volumes that look like RAM disks.
func RAMFolders() (list []string) {
	volumes, _ := filepath.Glob("/Volumes/*") // the pattern is valid
	for _, v := range volumes {
		if d, err := Of(v); err == nil && d.RAM {
			list = append(list, filepath.Join(v, "preroll"))
		}
	}
	return list
}
