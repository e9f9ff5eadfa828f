//go:build unix

package audit

import (
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPipesAndPlaylists checks that a pipe that nobody writes to is not read as a clip, and neither is a playlist that
// names a film outside of the archive.
func TestPipesAndPlaylists(t *testing.T) {
	t.Parallel()
	r := newRig(t, true)
	out := filepath.Join(r.root, "../out.mp4")
	r.write(out, r.films[0].clip)
	pipe := r.path(r.one, r.one.Clips[0].File)
	r.remove(pipe, r.path(r.one, r.one.Thumbnail), r.sidecar(r.two))
	r.ok(unix.Mkfifo(pipe, 0o600), unix.Mkfifo(r.path(r.one, r.one.Thumbnail), 0o600),
		r.a.Forget(t.Context(), r.two.ID))
	for i, list := range []string{"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n%s\n#EXT-X-ENDLIST\n",
		"ffconcat version 1.0\nfile '%s'\n"} {
		r.write(r.path(r.two, r.two.Clips[i].File), fmt.Appendf(nil, list, out))
	}
	for _, repair := range []bool{false, true} {
		res := r.run(r.options(repair))
		want := []string{"clip|is a link", "picture|thumbnail", "sidecar|is missing", "clip|does not play",
			"clip|does not play"}
		if !fits(res.Faults, want) || len(res.Repaired) > 0 {
			t.Errorf("repair %t: %v, repaired %v", repair, say(res.Faults), say(res.Repaired))
		}
	}
}
