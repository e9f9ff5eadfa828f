//go:build race

package trigger

// raced: the race detector makes everything ten times slower.
const raced = true
