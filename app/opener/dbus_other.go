//go:build windows || darwin

package opener

import "errors"

func showItem(string) error { return errors.New("not on this platform") }
