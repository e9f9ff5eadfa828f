// Package fmp4 writes and reads fragmented MP4: init sections, fragments with the wall time of their first frame, the
// seals of partial files, and the stream that FFmpeg writes to a pipe. The package also makes a plain MP4 of a partial
// file.
//
// The input comes from strangers. So sizes are bounded, and damaged bytes are an error or end the input, but never
// cause a panic. The package keeps no state and starts no goroutine.
package fmp4
