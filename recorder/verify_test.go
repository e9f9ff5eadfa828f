package recorder

import (
	"os"
	"strings"
	"testing"

	"github.com/preroll/preroll/recorder/event"
)

// testVerify damages a clip in every way that Verify distinguishes, and restores the clip.
func testVerify(t *testing.T, r *rig, e event.Event) {
	t.Helper()
	path := r.archive.Path(e, e.Clips[0].File)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put := func(b []byte) error { return os.WriteFile(path, b, 0o644) }
	record := func(change func(*event.Clip)) error {
		c := e
		c.Clips = []event.Clip{e.Clips[0]}
		change(&c.Clips[0])
		return r.archive.Put(t.Context(), c)
	}
	changed := append([]byte{}, whole...)
	changed[len(changed)/2] ^= 1
	for _, tc := range []struct {
		name string
		harm func() error
		want string
	}{
		{"a bit", func() error { return put(changed) }, "its SHA-256 differs"},
		{"cut", func() error { return put(whole[:len(whole)/2]) }, "It is cut off"},
		{"cut, sum unknown", func() error {
			return record(func(c *event.Clip) { c.SHA256 = "" })
		}, "It does not play to its end"},
		{"frames", func() error { return record(func(c *event.Clip) { c.Frames++ }) }, "frames, and"},
		{"length", func() error { return record(func(c *event.Clip) { c.SHA256 = ""; c.Length *= 2 }) }, "s long, and"},
		{"no clip", func() error {
			c := e
			c.Clips, c.State, c.Reason = nil, event.Failed, "No video came."
			return r.archive.Put(t.Context(), c)
		}, "There is no clip. No video came."},
		{"drive", func() error { return os.Rename(r.archive.Root(), r.archive.Root()+"-away") },
			"The archive folder is gone"},
		{"file", func() error { return os.Remove(path) }, "The file is not there"},
	} {
		if tc.name == "frames" || tc.name == "length" {
			if err := put(whole); err != nil {
				t.Fatal(err)
			}
		}
		if err := tc.harm(); err != nil {
			t.Fatal(err)
		}
		if v, err := r.Verify(t.Context(), e.ID); err != nil || v.OK || !strings.Contains(v.Text.String(), tc.want) {
			t.Errorf("%s: %+v, %v", tc.name, v, err)
		}
		_ = os.Rename(r.archive.Root()+"-away", r.archive.Root())
		if err := record(func(*event.Clip) {}); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(whole); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Verify(t.Context(), e.ID); err != nil || !v.OK {
		t.Errorf("%+v, %v", v, err)
	}
}
