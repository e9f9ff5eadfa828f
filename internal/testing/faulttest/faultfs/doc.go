// Package faultfs is a disk that fails, for tests on Linux.
//
// A [Disk] is a FUSE file system that passes everything through to a backing folder, and on request is full, read-only,
// slow, broken, unplugged, formatted as FAT, or hangs ([Faults]). A program under test sees a mounted folder and cannot
// tell; SQLite with its memory-mapped file and FFmpeg work on it.
//
// Each disk is served by a process of its own, started from the test binary, since a program that waits for a page of a
// mapped file stands still as a whole and could not serve itself. So TestMain calls [Private] first:
//
//	func TestMain(m *testing.M) {
//		if err := faultfs.Private(); err != nil {
//			fmt.Fprintln(os.Stderr, err)
//			os.Exit(1)
//		}
//		os.Exit(m.Run())
//	}
//
// Private also gives the test binary a mount namespace of its own, so that no mount outlives it. It needs /dev/fuse,
// and root or user namespaces. Where they cannot be had, PREROLL_NO_FUSE=1 skips the tests that ask [New] for a disk.
//
// # Power cut
//
// [Disk.PowerCut] writes down what a machine might find after the power was cut at this moment. Beside the live state
// the disk knows what is durable, which is what POSIX promises and nothing more:
//
//   - the bytes and the size of a file are durable after fsync or fdatasync of that file;
//   - a name (made, moved, linked, removed) is durable after fsync of its folder. fsync of a file does not include its
//     name (fsync(2), "Calling fsync() does not necessarily ensure that the entry in the directory containing the file
//     has also reached disk"), except on a disk of the kind [Journal], which like ext4 commits all earlier changes of
//     names with each fsync;
//   - what lay in the backing folder when the disk was mounted is durable.
//
// After a cut everything durable is there. Of the rest a random part is, as Pillai et al. found on real file systems
// ("All File Systems Are Not Created Equal", OSDI 2014, the ALICE paper):
//
//   - of each file none of the pending writes, a prefix that may end within a write, any pages of 4 KiB, the size with
//     zeros for bytes, or all of them;
//   - of each folder a prefix of its pending changes of names (of a journal: one prefix for the whole disk). A rename
//     within a folder is one change. Of a rename from folder to folder the new name comes first, so that a file is
//     never lost on the way: half of the cuts find it in one of the two, the other half perhaps in both;
//   - after an fsync that failed, the writes that it should have made durable are not covered by a later one that
//     succeeds, since Linux drops their dirty marks (Rebello et al., "Can Applications Recover from fsync Failures?",
//     USENIX ATC 2020).
//
// That is a [Loss] by Chance. What a program must survive at one chosen moment is told by the two that chance seldom
// finds: All of what was not fsynced is lost, or the Bytes of files are and no name is.
//
// Modes and times are those of the live file. A file that was removed and never synced may come back, but empty.
package faultfs
