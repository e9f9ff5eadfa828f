package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestCameraPage wants docs/cameras.md to say of each brand what the window says. PREROLL_MASTERS=1 writes it.
func TestCameraPage(t *testing.T) {
	const page, begin = "../../docs/cameras.md", "\n## "
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(b), begin)
	var want strings.Builder
	want.WriteString(head)
	for _, x := range Brands {
		fmt.Fprintf(&want,
			"%s%s\n\n- **RTSP.** %s\n- **Where.** %s\n- **Fields.** %s\n- **Alarms.** %s\n- **Test.** %s\n", begin,
			x.Name, x.Hint, x.Mail.Server, x.Mail.Boxes, x.Mail.Alarms, x.Mail.Test)
	}
	switch {
	case string(b) == want.String():
	case os.Getenv("PREROLL_MASTERS") != "":
		if err := os.WriteFile(page, []byte(want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("docs/cameras.md is not what the brands say; write it again with PREROLL_MASTERS=1")
	}
}
