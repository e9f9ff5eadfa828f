// Package diagnose answers a person's questions: why is there no clip, is all that a recording needs there, is a clip
// whole, and what does a camera send?
//
// In go the history, events, settings and status; out come findings in words. Why is a pure function. Check, Verify and
// Probe read disks, files and cameras, and own no goroutine that outlives the call.
package diagnose
