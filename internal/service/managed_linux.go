package service

import "context"

// Managed reports whether a service manager that needs a protocol of its own started this process. systemd sends
// signals.
func Managed() bool { return false }

// Run runs run.
func (s Service) Run(run func(context.Context) error) error { return run(context.Background()) }
