package config

import (
	"github.com/zalando/go-keyring"

	"github.com/preroll/preroll/recorder/text"
)

const keyringService = "preroll"

// Resolve returns the password itself. If s is [Keyring], Resolve reads the password from the desktop's keyring
// (service "preroll", account who). Otherwise it returns s.
func (s Secret) Resolve(who string) (Secret, error) {
	if s != Keyring {
		return s, nil
	}
	p, err := keyring.Get(keyringService, who)
	if err != nil {
		return "",
			text.KeyringLocked.Error(who, err)
	}
	return Secret(p), nil
}
