// Package faultfs is a disk that fails, for tests on Linux.
//
// A [Disk] is a FUSE file system that passes all calls to a backing folder. On request the disk is full, read-only,
// slow, broken, unplugged, formatted as FAT, or hangs ([Faults]). The program under test sees a normal mounted folder.
// SQLite with its memory-mapped file and FFmpeg work on the disk.
//
// A separate process serves each disk. A program that waits for a page of a mapped file stops as a whole, so it could
// not serve its own disk. The server is started from the test binary, so TestMain must call [Private] first:
//
//	func TestMain(m *testing.M) {
//		if err := faultfs.Private(); err != nil {
//			fmt.Fprintln(os.Stderr, err)
//			os.Exit(1)
//		}
//		os.Exit(m.Run())
//	}
//
// Private also gives the test binary its own mount namespace, so that no mount outlives it. Private needs /dev/fuse,
// and either root or user namespaces. Where these are missing, PREROLL_NO_FUSE=1 skips the tests that ask [New] for a
// disk.
//
// # Power cut
//
// [Disk.PowerCut] writes a state that a machine might find after a power cut at this moment. The disk keeps track of
// what is durable. That is exactly what POSIX promises:
//
//   - The bytes and the size of a file are durable after fsync or fdatasync of the file.
//   - A change of a name (made, moved, linked, removed) is durable after fsync of its folder. fsync of a file does not
//     include its name (fsync(2): "Calling fsync() does not necessarily ensure that the entry in the directory
//     containing the file has also reached disk"). On a disk of the kind [Journal], each fsync also commits all earlier
//     changes of names, as on ext4.
//   - Everything that lay in the backing folder when the disk was mounted is durable.
//
// After a power cut, everything durable is there. Of the rest a random part is there, as Pillai et al. found on real
// file systems ("All File Systems Are Not Created Equal", OSDI 2014, the ALICE paper):
//
//   - Of each file: none of the pending writes, a prefix that may end within a write, any pages of 4 KiB, the size with
//     zeros instead of bytes, or all pending writes.
//   - Of each folder: a prefix of its pending changes of names. A journal has one prefix for the whole disk. A rename
//     within a folder is one change. In a rename between folders the new name comes first, so that the file is never
//     lost. Half of the power cuts find the file in exactly one of the two folders, the other half perhaps in both.
//   - After an fsync that failed, a later fsync that succeeds does not make the same writes durable, because Linux
//     drops their dirty marks (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
//
// This is the [Loss] by Chance. To test what a program must survive at one chosen moment, use the two losses that
// chance seldom finds: All (everything that was not fsynced is lost) or Bytes (the bytes of files are lost and the
// names are not).
//
// Modes and times are those of the live file. A file that was removed and never synced may come back, but empty.
package faultfs
