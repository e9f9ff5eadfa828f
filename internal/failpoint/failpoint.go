// Package failpoint names the moments between an alarm mail and its finished clip at which a crash would do the most
// harm. A test can kill Preroll at exactly one of them.
//
// In a normal build, a failpoint is an empty function. In a build with the tag faults, the process kills itself (with
// SIGKILL, so nothing is tidied up) at the failpoint that the environment names.
package failpoint

// Environment is the variable that names a failpoint, for a build with the tag faults: "pinned", or "pinned:3" for the
// third time that the process reaches it.
const Environment = "PREROLL_FAILPOINT"

// Count is the variable that names a file, for a build with the tag faults on Linux. On SIGUSR1 the process writes the
// number of its goroutines and of the bytes in use in its heap to the file.
const Count = "PREROLL_COUNT"

// Points are all failpoints, roughly in the order in which an event reaches them.
var Points = []string{
	"mail-read",     // the head of the mail is read; nothing was done yet
	"pinned",        // the pre-roll is held in RAM
	"indexed",       // the event is in the index; the mail is not answered
	"extended",      // a further trigger is in the index; the mail is not answered
	"answered",      // the answer to the mail is on its way
	"reserved",      // the folder of the event is made
	"part-noted",    // the partial file is in the index, and not made
	"part-made",     // the partial file is made; its name is not durable
	"part-named",    // the name of the partial file is durable
	"part-written",  // segments are in the partial file, and not fsynced
	"part-synced",   // the segments are fsynced, and still held in RAM
	"released",      // the segments are no longer held
	"open-sidecar",  // the sidecar of the open event is written
	"split",         // the next event is in the index, and the old one is ending
	"concluded",     // the end is in the index; the hold is still there
	"hold-closed",   // the hold is gone
	"index-written", // the growing file has its index and plays as a plain MP4; not fsynced
	"checked",       // the plain MP4 was read back
	"clip-synced",   // the plain MP4 is fsynced, and has no final name yet
	"renamed",       // the clip has its final name, which is not durable
	"published",     // the final name is durable
	"sidecar",       // the sidecar of the ended event is written
	"parts-removed", // the partial files are gone
	"ended",         // the end is in the index
}
