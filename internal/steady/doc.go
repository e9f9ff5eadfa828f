// Package steady is a clock that nobody can set and that goes on while the machine sleeps, where the system has such a
// clock. Its times are durations since an arbitrary moment. They can be compared within one process only.
package steady
