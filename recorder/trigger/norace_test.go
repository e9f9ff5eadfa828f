//go:build !race

package trigger

const raced = false
