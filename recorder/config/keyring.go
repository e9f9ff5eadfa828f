package config

import (
	"fmt"

	"github.com/zalando/go-keyring"
)

const keyringService = "preroll"

// Resolve returns the password itself: from the desktop's keyring (service "preroll", account = who) where the
// setting is the word "keyring", else the setting as it is.
func (s Secret) Resolve(who string) (Secret, error) {
	if s != Keyring {
		return s, nil
	}
	p, err := keyring.Get(keyringService, who)
	if err != nil {
		return "",
			fmt.Errorf("read the password of %q from the desktop's keyring: %w; unlock the keyring, or put the password into the settings", who, err)
	}
	return Secret(p), nil
}
