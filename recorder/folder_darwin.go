package recorder

import (
	"path/filepath"

	"github.com/preroll/preroll/recorder/ring"
)

// ramFolders are folders on volumes that look like RAM disks.
func ramFolders() (list []string) {
	volumes, _ := filepath.Glob("/Volumes/*") // the pattern is right
	for _, v := range volumes {
		if d, err := ring.DiskOf(v); err == nil && d.RAM {
			list = append(list, filepath.Join(v, "preroll"))
		}
	}
	return list
}
