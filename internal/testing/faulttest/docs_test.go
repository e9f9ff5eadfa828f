//go:build linux

package faulttest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestEveryFaultIsDocumented compares docs/reliability.md with Odds and Kinds.
func TestEveryFaultIsDocumented(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, o := range Odds {
		fmt.Fprintf(&want, "| %s | %s |\n", o.Name, o.Expect)
	}
	if _, table, _ := strings.Cut(string(b), "| camera | outcome |\n| --- | --- |\n"); !strings.HasPrefix(table,
		want.String()+"\n") {
		t.Errorf("the table of cameras in docs/reliability.md should be\n%s", want.String())
	}
	_, table, _ := strings.Cut(string(b), "| fault | outcome |\n| --- | --- |\n")
	want.Reset()
	for _, k := range Kinds {
		fmt.Fprintf(&want, "| %s | %s |\n", k.Name, k.Expect)
	}
	if table != want.String() {
		t.Errorf("the table at the end of docs/reliability.md should be\n%s", want.String())
	}
}
