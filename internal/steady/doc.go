// Package steady is a clock that nobody sets and that goes on while the machine sleeps, where the system has one. Its
// times are durations since an arbitrary moment; they compare within one process only.
package steady
