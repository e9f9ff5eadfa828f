package text

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func TestWith(t *testing.T) {
	for _, tc := range []struct {
		name string
		got  Text
		want string
	}{
		{"no value", Unreachable.With(), "The camera does not answer"},
		{"values", FileCutOff.With(int64(3), 5), "It is cut off: 3 of 5 bytes are there."},
		{"a text", NoClip.With(NoVideoCame.With(RAMWasFull)),
			"There is no clip. No video came from the camera: the RAM disk was full."},
		{"a sentence in a sentence ends once", NoVideoCame.With(Plain("It ended.")),
			"No video came from the camera: It ended."},
		{"an error", SaveSettings.With(errors.New("no luck")), "save settings: no luck"},
		{"a number for a fraction", RAMShort.With("Gate", 7, 100.4),
			"Gate: only 7 s of 100 s of video fit into the RAM budget"},
		{"one", NoteLeftOut.With(1), "1 line left out"},
		{"none", NoteLeftOut.With(0), "0 lines left out"},
		{"quoted", CameraNotRecording.With("a\nb"), `camera "a\nb" does not record`},
		{"verbs in a value", Detailed.With("%s", "%[2]d"), "%s: %[2]d"},
		{"several", Join(", ", Plain("a"), Text{}, Plain("b")), "a, b"},
		{"one of several", Join(", ", Plain("a"), Text{}), "a"},
	} {
		if tc.got.String() != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, tc.got, tc.want)
		}
		b, err := json.Marshal(tc.got)
		if err != nil {
			t.Fatal(err)
		}
		var over Text
		if err := json.Unmarshal(b, &over); err != nil || !reflect.DeepEqual(over, tc.got) {
			t.Errorf("%s: got %#v over the wire, want %#v; %v", tc.name, over, tc.got, err)
		}
	}
}

// TestPlainStringIsRead checks that a plain string from an earlier version is read and recognized as its message.
func TestPlainStringIsRead(t *testing.T) {
	var got Text
	if err := json.Unmarshal([]byte(`"Preroll was not running"`), &got); err != nil || !got.Is(NotRunning) ||
		got.Is(RAMWasFull) {
		t.Errorf("%#v, %v", got, err)
	}
}

// TestSystemErrors: the English is the system's own, without the names of calls, and another language has
// it as far as it is certain.
func TestSystemErrors(t *testing.T) {
	upper := func(code string, n int64) string {
		return strings.ReplaceAll(strings.ToUpper(english(code, n)), "%S", "%s")
	}
	addr := func(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: port} }
	dial := &net.OpError{Op: "dial", Net: "tcp", Addr: addr(554), Err: &timeout{}}
	for _, tt := range []struct {
		err  error
		want string // in upper case as far as it has a code
	}{
		{&fs.PathError{Op: "remove", Path: "a", Err: syscall.ENOTEMPTY}, "remove a: directory not empty"},
		{&fs.PathError{Op: "open", Path: "a", Err: syscall.ENOENT}, "open a: NO SUCH FILE OR DIRECTORY"},
		{fmt.Errorf("look: %w", fs.ErrNotExist), "look: NO SUCH FILE OR DIRECTORY"},
		{dial, "192.0.2.1:554: I/O TIMEOUT"},
		{fmt.Errorf("ask: %w", &net.OpError{Op: "read", Net: "tcp", Source: addr(1), Addr: addr(554),
			Err: os.NewSyscallError("read", syscall.ENOENT)}), "ask: 192.0.2.1:554: NO SUCH FILE OR DIRECTORY"},
		{&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "gate", Server: "192.0.2.1:53",
			Err: "no such host", IsNotFound: true}}, "lookup gate: no such host"},
		{fmt.Errorf("ask: %w", context.DeadlineExceeded), "ask: CONTEXT DEADLINE EXCEEDED"},
		{fmt.Errorf("%w while waiting", context.DeadlineExceeded), "context deadline exceeded while waiting"},
	} {
		got := Of(tt.err)
		if got.English != plain(tt.err) || got.Say(upper, ".") != tt.want {
			t.Errorf("got %q and %q, want %q", got.English, got.Say(upper, "."), tt.want)
		}
	}
}

// timeout is what a dial that takes too long ends with.
type timeout struct{}

func (*timeout) Error() string        { return "i/o timeout" }
func (*timeout) Timeout() bool        { return true }
func (*timeout) Temporary() bool      { return true }
func (*timeout) Is(target error) bool { return target == context.DeadlineExceeded }

func TestErrors(t *testing.T) {
	cause := &fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT}
	err := fmt.Errorf("event 7: %w", NoSuchEvent.Error())
	for _, tc := range []struct {
		name string
		ok   bool
	}{
		{"the same message", errors.Is(err, NoSuchEvent.Error())},
		{"another message", !errors.Is(err, StillSaving.Error("7"))},
		{"what led to it", errors.Is(SaveSettings.Error(cause), fs.ErrNotExist)},
		{"behind what wraps it", Of(err).Code == "behind" && Of(err).Args[1].(Text).Is(NoSuchEvent)},
		{"of the system", Of(cause).Args[1].(Text).Is(ErrnoNotExist)},
		{"its words", Of(cause).String() == cause.Error()},
		{"nothing", Of(nil).IsZero()},
		{"unknown", Of(errors.New("x")).Code == "" && Of(errors.New("x")).String() == "x"},
	} {
		if !tc.ok {
			t.Error(tc.name)
		}
	}
}

// TestClean checks that every string of a text from outside is cleaned, and that a text that is nested too deeply keeps
// only its English.
func TestClean(t *testing.T) {
	evil := "a\x1b[31m"
	clean := func(s string) string { return strings.ReplaceAll(s, "\x1b", "") }
	got := Detailed.With(evil, Detailed.With(evil, 7)).Clean(clean)
	if b, err := json.Marshal(got); err != nil || strings.Contains(string(b), "u001b") ||
		got.Args[1].(Text).Args[1] != any(int64(7)) {
		t.Errorf("%s, %v", b, err)
	}
	said := Join(" ", Plain("a."), Plain("b."))
	if got := said.Clean(strings.TrimSpace); !reflect.DeepEqual(got, said) {
		t.Errorf("got %#v, want %#v", got, said)
	}
	deep := Plain(evil)
	for range 2 * maxDepth {
		deep = NoClip.With(deep)
	}
	got = deep.Clean(clean)
	if want := strings.ReplaceAll(deep.English, "\x1b", ""); got.English != want {
		t.Errorf("got %q, want %q", got.English, want)
	}
	for levels := 0; ; levels++ {
		if len(got.Args) == 0 {
			if got.Code != "" || levels != maxDepth+1 {
				t.Errorf("got %d levels with values, want %d, and then English alone: %#v", levels, maxDepth+1, got)
			}
			break
		}
		got = got.Args[0].(Text)
	}
}

// TestHostileText: what a sidecar of a stranger says costs no more than its size.
func TestHostileText(t *testing.T) {
	deep := strings.Repeat(`{"code":"behind","text":"e","args":[`, 3000) + `"` + strings.Repeat("a", 1<<20) + `"` +
		strings.Repeat(`]}`, 3000)
	many := `{"code":"behind","text":"e","args":[` + strings.Repeat(`1,`, 1<<20) + `1]}`
	betweens := `"x"`
	for range 5 {
		betweens = `{"code":"join","text":"e","args":[` + betweens + strings.Repeat(`,""`, 24) + `]}`
	}
	for name, in := range map[string]string{"deep": deep, "many": many, "betweens": betweens} {
		var got Text
		if err := json.Unmarshal([]byte(in), &got); err != nil || got.English != "e" {
			t.Errorf("%s: read as %q, %v", name, got.English, err)
		}
		if said := got.Clean(strings.TrimSpace).Say(english, "."); len(said) > 1000 {
			t.Errorf("%s: got %d bytes", name, len(said))
		}
		if said := Behind.With("a", got).English; said != "a e" {
			t.Errorf("%s: got %q, want the English that it came with", name, said[:min(len(said), 100)])
		}
	}
	var got Text
	later := `{"code":"later","text":"said","args":[true,null,[1],{"code":5},1e999]}`
	if err := json.Unmarshal([]byte(later), &got); err != nil || got.Say(english, ".") != "said" || len(got.Args) != 5 {
		t.Errorf("a later version's text is read as %+v, %v", got, err)
	}
}
