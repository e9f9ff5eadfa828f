package durable

import "os"

const nonBlock = 0

// SyncDir does nothing on Windows: NTFS journals names, and flushing a folder's handle takes extra rights.
func SyncDir(string) error { return nil }

// SyncDirIn does nothing on Windows.
func SyncDirIn(*os.Root, string) error { return nil }
