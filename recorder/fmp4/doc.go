// Package fmp4 writes and reads fragmented MP4: init sections, fragments with the wall time of their first frame, the
// seals of partial files, and the stream that FFmpeg writes to a pipe.
//
// What is read comes from strangers: sizes are bounded, and damaged bytes are an error or the end, never a panic. The
// package keeps no state and starts no goroutine.
package fmp4
