package ring

// Disk is what is known of the file system that a path lies on.
type Disk struct {
	Kind  string // as the platform names it: "tmpfs", "ext4", "NTFS"; "" where it cannot be told
	RAM   bool   // it is RAM, or is taken for it
	Known bool   // RAM is certain, one way or the other
	Free  int64  // bytes that this user may still write
	Total int64  // bytes
}
