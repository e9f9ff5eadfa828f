// Package diagnose answers a person's questions: why is there no clip, is everything there that a recording needs, is a
// clip whole, and what does a camera send?
//
// History, events, settings and status go in. Findings in words come out. Why is a pure function. Check, Verify and
// Probe read disks, files and cameras. No goroutine outlives their calls.
package diagnose
