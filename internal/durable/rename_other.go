//go:build !linux

package durable

func renameNoReplace(tmp, final string) error { return renameByLink(tmp, final) }
