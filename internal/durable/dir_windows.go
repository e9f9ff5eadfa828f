package durable

import "os"

const nonBlock = 0

// SyncDir does nothing on Windows: NTFS journals names, and a folder's handle cannot be flushed without extra rights.
func SyncDir(string) error { return nil }

// SyncDirIn does nothing on Windows.
func SyncDirIn(*os.Root, string) error { return nil }
