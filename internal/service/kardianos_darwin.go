package service

import (
	"os"

	"github.com/kardianos/service"
)

func configure(*service.Config) {}

// prepare makes the folder of the service.
func prepare(state string) error { return os.MkdirAll(state, 0o700) }
