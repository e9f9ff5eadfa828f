package recorder

import (
	"runtime/debug"
	"strings"
	"sync"
)

// Version returns the version of this program, as its build knows it: the tag of a release, else the time and the
// commit that it was built from, or "devel" for a build that knows neither.
var Version = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
})
