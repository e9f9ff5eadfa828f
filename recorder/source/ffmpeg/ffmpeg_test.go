package ffmpeg

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/source"
)

type nothing struct{}

func (nothing) Tracks([]source.Track, source.Streams) error { return nil }
func (nothing) Sample(source.Sample) error                  { return nil }
func (nothing) Flush() error                                { return nil }

// TestSoundIsKept runs a camera that is away for a moment. Its sound is not to blame and must not be left out.
func TestSoundIsKept(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the false FFmpeg is a shell script")
	}
	fake := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(fake,
		[]byte("#!/bin/sh\ncat >/dev/null\necho '[error] Server returned 5XX Server Error reply' >&2\nexit 1\n"),
		0o700); err != nil {
		t.Fatal(err)
	}
	s := New(func() (*ffmpeg.Tool, error) {
		return &ffmpeg.Tool{Path: fake}, nil
	}, ffmpeg.Source{URL: "http://127.0.0.1:1/x", Audio: true})
	s.known = source.Streams{Video: "h264", Audio: "aac"} // from a previous session
	if err := s.Run(t.Context(), nothing{}); err == nil || s.silent {
		t.Errorf("%v; sound is left out: %v", err, s.silent)
	}
}
