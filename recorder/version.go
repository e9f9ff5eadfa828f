package recorder

import (
	"runtime/debug"
	"strings"
	"sync"
)

// Version returns the version of this program from its build info: the tag of a release, else the time and commit of
// the build, or "devel" if the build knows neither.
var Version = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
})
