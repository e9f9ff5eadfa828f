package opener

import (
	"github.com/godbus/dbus/v5"
	"github.com/rymdport/portal/filechooser"
)

// portal is the name on the session bus of the service that shows the desktop's dialogs.
const portal = "org.freedesktop.portal.Desktop"

// hasPortal reports whether the desktop has the dialogs of XDG Desktop Portal.
func hasPortal() bool {
	bus, err := dbus.SessionBus()
	if err != nil {
		return false
	}
	var version dbus.Variant
	return bus.Object(portal, "/org/freedesktop/portal/desktop").Call("org.freedesktop.DBus.Properties.Get", 0,
		"org.freedesktop.portal.FileChooser", "version").Store(&version) == nil
}

func portalFolder(title, begin string) (string, error) {
	if !hasPortal() {
		return "", ErrNoChooser
	}
	uris, err := filechooser.OpenFile("", title, &filechooser.OpenFileOptions{Directory: true, CurrentFolder: begin})
	if err != nil {
		return "", err
	}
	return pathOf(uris)
}

func portalFile(title, name string) (string, error) {
	if !hasPortal() {
		return "", ErrNoChooser
	}
	uris, err := filechooser.SaveFile("", title, &filechooser.SaveFileOptions{CurrentName: name})
	if err != nil {
		return "", err
	}
	return pathOf(uris)
}
