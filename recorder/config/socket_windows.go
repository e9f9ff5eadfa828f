package config

import "os"

func socketPath(name, _ string) string {
	return `\\.\pipe\` + name + "-" + os.Getenv("USERNAME")
}
