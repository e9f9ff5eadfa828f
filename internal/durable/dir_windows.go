package durable

// SyncDir does nothing on Windows: NTFS journals names, and a folder's handle cannot be flushed without extra rights.
func SyncDir(string) error { return nil }
