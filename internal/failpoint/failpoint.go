// Package failpoint names the moments between an alarm mail and its finished clip at which a crash would hurt most, so
// that a test can end Preroll at exactly one of them.
//
// In the program that people use a point is an empty function. Built with the tag faults, the process kills itself
// (SIGKILL, so nothing is tidied up) when it comes to the point that the environment names.
package failpoint

// Environment is the variable that names a point, for a build with the tag faults: "stored", or "stored:3" for the
// third time that the process comes to it.
const Environment = "PREROLL_FAILPOINT"

// Count is the variable that names a file, for a build with the tag faults on Linux: at SIGUSR1 the process writes into
// it how many goroutines it has, and how many bytes of its heap are in use.
const Count = "PREROLL_COUNT"

// Points are all points, in the order in which an event comes to them.
var Points = []string{
	"mail-read",     // the head of the mail is read; nothing was done yet
	"pinned",        // the pre-roll is held in RAM
	"indexed",       // the event is in the index; the mail is not answered
	"extended",      // a further trigger is in the index; the mail is not answered
	"answered",      // the mail's answer is on its way
	"reserved",      // the event's folder is made
	"part-noted",    // the partial file is in the index, and not made
	"part-made",     // the partial file is made, its name is not durable
	"part-named",    // its name is durable
	"part-written",  // segments are in the partial file, and not fsynced
	"part-synced",   // they are fsynced, and still held in RAM
	"released",      // they are not held any more
	"open-sidecar",  // the open event's sidecar is written
	"split",         // the event that follows is in the index with the one that ends
	"concluded",     // the end is in the index; the hold is still there
	"hold-closed",   // the hold is gone
	"index-written", // the growing file has its index, and plays as a plain one; not synced
	"checked",       // that is read back
	"clip-synced",   // it is fsynced, and has no name yet
	"renamed",       // it has its final name, which is not durable
	"published",     // the name is durable
	"sidecar",       // the ended event's sidecar is written
	"parts-removed", // the partial files are gone
	"ended",         // the end is in the index
}
