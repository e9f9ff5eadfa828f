//go:build !windows && !darwin

package opener

import (
	"context"

	"github.com/godbus/dbus/v5"
)

// showItem asks the file manager over D-Bus to show a file (org.freedesktop.FileManager1).
func showItem(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return c.Object("org.freedesktop.FileManager1", "/org/freedesktop/FileManager1").
		CallWithContext(ctx, "org.freedesktop.FileManager1.ShowItems", 0, []string{fileURI(path)}, "").Err
}
