package fmp4

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"
	"time"
)

func TestCodecs(t *testing.T) {
	profile := func(s string) (p [12]byte) {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) != 12 {
			t.Fatal(err, len(b))
		}
		return [12]byte(b)
	}
	for _, tc := range []struct {
		name  string
		entry []byte
		want  string
	}{
		{"H.264 baseline", H264Entry(64, 36, []byte{0x67, 0x42, 0xc0, 0x1e}, []byte{0x68}), "avc1.42c01e"},
		{"H.264 high", H264Entry(64, 36, []byte{0x67, 0x64, 0x00, 0x28}, []byte{0x68}), "avc1.640028"},
		// The examples of ISO/IEC 14496-15, E.3, and what FFmpeg's x265 makes.
		{"H.265 main", H265Entry(64, 36, profile("016000000090000000000078"), []byte{0x40}, []byte{0x42},
			[]byte{0x44}), "hvc1.1.6.L120.90"},
		{"H.265 main 10, high tier", H265Entry(64, 36, profile("222000000090000000000099"), []byte{0x40}, []byte{0x42},
			[]byte{0x44}), "hvc1.2.4.H153.90"},
		{"AAC", AACEntry(2, 44100, []byte{0x12, 0x10}), "mp4a.40.2"},
		{"Opus", OpusEntry(2), "opus"},
		{"G.711", PCMEntry("ulaw", 1, 8000), ""},
		{"cut off", H264Entry(64, 36, []byte{0x67, 0x42, 0xc0, 0x1e}, []byte{0x68})[:90], ""},
		{"no avcC", append([]byte{0, 0, 0, 12}, "avc1xxxx"...), ""},
		{"a box that claims too much", append([]byte{0, 0, 0, 20}, "avc1\xff\xff\xff\xffavcC\x01\x02\x03\x04"...), ""},
		{"nothing", nil, ""},
	} {
		if got := (Track{Entry: tc.entry}).Codec(); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestRewrite takes the sound of a fragment away that no browser knows, and moves the fragment in time.
func TestRewrite(t *testing.T) {
	video := Track{ID: 1, Video: true, Timescale: 90000, Width: 64, Height: 36,
		Entry: H264Entry(64, 36, []byte{0x67, 0x42, 0xc0, 0x1e}, []byte{0x68})}
	alaw := Track{ID: 2, Timescale: 8000, Entry: PCMEntry("alaw", 1, 8000)}
	aac := Track{ID: 3, Timescale: 48000, Entry: AACEntry(1, 48000, []byte{0x11, 0x88})}
	m, err := ReadInit(Init([]Track{video, alaw, aac}))
	if err != nil {
		t.Fatal(err)
	}
	tracks := m.Playable()
	if len(tracks) != 2 || tracks[0].ID != 1 || tracks[1].ID != 3 {
		t.Fatalf("playable: %+v", tracks)
	}
	if got := TypeOf(tracks); got != `video/mp4; codecs="avc1.42c01e, mp4a.40.2"` {
		t.Errorf("got %s", got)
	}
	wall := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	in := AppendPart(nil, 7, wall, []TrackPart{
		{Track: 1, Base: 90000, Samples: []Sample{{Duration: 6000, Offset: 3000, Size: 4, Key: true},
			{Duration: 6000, Offset: -500, Size: 2}}, Data: []byte("keyfpp")[:6]},
		{Track: 2, Base: 8000, Samples: []Sample{{Duration: 160, Size: 3, Key: true}}, Data: []byte("ulw")},
		{Track: 3, Base: 48000, Samples: []Sample{{Duration: 1024, Size: 5, Key: true}}, Data: []byte("sound")}})
	out, err := m.Rewrite([]byte("before"), in, 9, wall, tracks, -500*time.Millisecond)
	if err != nil || !bytes.HasPrefix(out, []byte("before")) {
		t.Fatalf("got %q, %v", out[:6], err)
	}
	out = out[6:]
	list := Segment(bytes.NewReader(out), int64(len(out)), m)
	if len(list) != 1 || list[0].Media[0] != 500*time.Millisecond || list[0].Frames != 2 || !list[0].Key ||
		list[0].Wall.Sub(wall).Abs() > time.Millisecond {
		t.Errorf("got %+v", list)
	}
	if !bytes.HasSuffix(out, []byte("keyfppsound")) || bytes.Contains(out, []byte("ulw")) {
		t.Errorf("got the samples %q", out[len(out)-11:])
	}
	// What lies before time 0 is dropped.
	out, err = m.Rewrite(nil, in, 9, wall, tracks, -1030*time.Millisecond)
	if list := Segment(bytes.NewReader(out), int64(len(out)), m); err != nil || len(list) != 1 || list[0].Frames != 1 {
		t.Errorf("across time 0: got %+v, %v", list, err)
	}
	if out, err := m.Rewrite(nil, in, 9, wall, tracks, -time.Hour); err != nil || len(out) != 0 {
		t.Errorf("before time 0: got %d bytes, %v", len(out), err)
	}
	for _, shift := range []time.Duration{math.MinInt64, math.MaxInt64, math.MinInt64 + 1} {
		if _, err := m.Rewrite(nil, in, 9, wall, tracks, shift); err != nil {
			t.Errorf("%s: %v", shift, err)
		}
	}
	for n := range len(in) {
		_, _ = m.Rewrite(nil, in[:n], 1, wall, tracks, 0) // must not panic
	}
}
