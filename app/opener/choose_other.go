//go:build !linux

package opener

func portalFolder(string, string) (string, error) { return "", ErrNoChooser }

func portalFile(string, string) (string, error) { return "", ErrNoChooser }
