//go:build !linux

package durable

import "os"

func renameNoReplace(root *os.Root, tmp, final string) error { return renameByLink(root, tmp, final) }
