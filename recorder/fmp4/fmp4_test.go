package fmp4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// segments returns the init section and n segments of real video, of one second with ten frames each. The segments were
// read from FFmpeg's pipe and written by this package.
func segments(t *testing.T, n int) (init []byte, list [][]byte) {
	t.Helper()
	var pipe, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=10",
		"-t", fmt.Sprint(n), "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-keyint_min", "10",
		"-sc_threshold", "0", "-bf", "0",
		"-movflags", "frag_every_frame+empty_moov+default_base_moof", "-f", "mp4", "pipe:1")
	cmd.Stdout, cmd.Stderr = &pipe, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, errs.Bytes())
	}
	r := NewReader(&pipe, 1<<20)
	var movie Movie
	var parts []TrackPart
	flush := func() {
		if len(parts) > 0 && len(parts[0].Samples) > 0 {
			list = append(list, AppendPart(nil, uint32(len(list)+1), time.Unix(1_700_000_000+int64(len(list)), 0),
				parts))
		}
	}
	for {
		f, m, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if m != nil {
			movie = *m
			init = Init(m.Tracks)
			continue
		}
		video, _ := movie.Video()
		if f.Track == video.ID && f.Key {
			flush()
			parts = []TrackPart{{Track: 1}}
		}
		for i, track := range movie.Tracks {
			if track.ID != f.Track || parts == nil {
				continue
			}
			p := &parts[i]
			if len(p.Samples) == 0 {
				p.Base = uint64(track.Ticks(f.Time))
			}
			p.Samples = append(p.Samples, Sample{Duration: uint32(track.Ticks(f.Length)),
				Offset: int32(track.Ticks(f.Offset)), Size: uint32(len(f.Data)), Key: f.Key})
			p.Data = append(p.Data, f.Data...)
		}
	}
	flush()
	if len(list) != n {
		t.Fatalf("%d segments, want %d", len(list), n)
	}
	return init, list
}

// TestWhatIsWrittenIsReadBack reads with this package and with FFmpeg what this package writes.
func TestWhatIsWrittenIsReadBack(t *testing.T) {
	init, list := segments(t, 4)
	movie, err := ReadInit(init)
	if err != nil || len(movie.Tracks) != 1 || movie.Tracks[0].Width != 160 || movie.Tracks[0].Height != 90 ||
		Kind(movie.Tracks[0].Entry) != "avc1" {
		t.Fatalf("%+v, %v", movie, err)
	}
	other := movie.Tracks[0]
	other.Entry = H264Entry(160, 90, []byte{0x67, 0x42, 0xc0, 0x0a}, []byte{0x68})
	if again, _ := ReadInit(Init(movie.Tracks)); !again.Tracks[0].Same(movie.Tracks[0]) || other.Same(movie.Tracks[0]) {
		t.Error("the track is another one after one more turn")
	}
	for i, s := range list {
		got := Segment(bytes.NewReader(s), int64(len(s)), movie)
		want := Fragment{Media: [2]time.Duration{time.Duration(i) * time.Second, time.Duration(i+1) * time.Second},
			Key: true, Frames: 10, End: int64(len(s)), Wall: time.Unix(1_700_000_000+int64(i), 0)}
		if len(got) != 1 || got[0] != want {
			t.Errorf("segment %d: %+v, want %+v", i, got, want)
		}
	}
	file := filepath.Join(t.TempDir(), "x.mp4")
	if err := os.WriteFile(file, slices.Concat(append([][]byte{init}, list...)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-xerror", "-i", file, "-f", "null",
		"-").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("FFmpeg says: %v %s", err, out)
	}
	allocs := testing.AllocsPerRun(100, func() {
		b := make([]byte, 0, 8<<10)
		parts := [1]TrackPart{{Track: 1, Samples: []Sample{{Duration: 1, Size: 3, Key: true}}, Data: []byte{1, 2, 3}}}
		_ = AppendPart(b, 1, time.Time{}, parts[:])
	})
	if allocs > 3 {
		t.Errorf("a part costs %g allocations", allocs)
	}
}

// TestSoundEntries checks that FFmpeg recognizes the sound of each sample entry that the ring may hold.
func TestSoundEntries(t *testing.T) {
	init, list := segments(t, 1)
	movie, err := ReadInit(init)
	if err != nil {
		t.Fatal(err)
	}
	fragment := NewReader(bytes.NewReader(slices.Concat(init, list[0])), 1<<20)
	_, _, _ = fragment.Next()
	for want, entry := range map[string][]byte{
		"pcm_alaw": PCMEntry("alaw", 1, 8000), "pcm_mulaw": PCMEntry("ulaw", 1, 8000),
		"pcm_s16be": PCMEntry("twos", 2, 16000), "opus": OpusEntry(2), "adpcm_g726": G726Entry(4),
		"aac": AACEntry(1, 16000, []byte{0x14, 0x08}),
	} {
		sound := Track{ID: 2, Timescale: 8000, Entry: entry}
		data := make([]byte, 320)
		b := AppendPart(Init([]Track{movie.Tracks[0], sound}), 1, time.Now(), []TrackPart{
			{Track: 1, Samples: []Sample{{Duration: 9000, Size: 4, Key: true}}, Data: []byte{0, 0, 0, 0}},
			{Track: 2, Samples: []Sample{{Duration: 320, Size: 320, Key: true}}, Data: data}})
		file := filepath.Join(t.TempDir(), "x.mp4")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "quiet", "-select_streams", "a", "-show_entries",
			"stream=codec_name", "-of", "csv=p=0", file).Output()
		if got := string(bytes.TrimSpace(out)); got != want || err != nil {
			t.Errorf("FFmpeg takes %s for %q, %v", want, got, err)
		}
	}
}

// FuzzFile reads bytes that are no MP4 in every way in which files are read.
func FuzzFile(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x18stypmsdh\x00\x00\x00\x00msdhmsix\x00\x00\x00\x10moof\x00\x00\x00\x08traf"),
		[]byte("\x00\x00\x00\x08moov"))
	track := Track{ID: 1, Video: true, Timescale: 90000, Width: 64, Height: 36,
		Entry: H264Entry(64, 36, []byte{0x67, 0x42, 0xc0, 0x0a}, []byte{0x68})}
	part := AppendPart(nil, 1, time.Unix(1, 0),
		[]TrackPart{{Track: 1, Samples: []Sample{{Duration: 9000, Size: 3, Key: true}}, Data: []byte{1, 2, 3}}})
	f.Add(part, Init([]Track{track}))
	f.Fuzz(func(t *testing.T, segment, head []byte) {
		m, err := ReadInit(head)
		if err != nil {
			m, _ = ReadInit(Init([]Track{track}))
		}
		for _, fr := range Segment(bytes.NewReader(segment), int64(len(segment)), m) {
			if fr.End <= 0 || fr.End > int64(len(segment)) || fr.Media[1] < fr.Media[0] && fr.Media[1] != 0 {
				t.Errorf("%+v", fr)
			}
		}
		all := append(bytes.Clone(head), segment...)
		w, err := Inspect(bytes.NewReader(all), int64(len(all)), 0, false)
		if err != nil || w.Good > int64(len(all)) {
			t.Errorf("%+v", w)
		}
		f, err := os.Create(filepath.Join(t.TempDir(), "x"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if _, err := f.Write(all); err != nil {
			t.Fatal(err)
		}
		if g, err := GrowOn(f, w); err == nil {
			_ = g.Append([]io.ReaderAt{bytes.NewReader(segment)}, []int64{int64(len(segment))}, Chunk{Run: 2})
		}
		if c, err := Finish(f, w.Good); err == nil && w.Good > 0 {
			if got, err := Check(f); err != nil || got.Frames != c.Frames || got.Length != c.Length {
				t.Errorf("finished as %+v, read as %+v, %v", c, got, err)
			}
		}
		r := NewReader(bytes.NewReader(all), 1<<20)
		for range 10000 {
			fr, _, err := r.Next()
			if err != nil {
				return
			}
			if len(fr.Data) > len(all) {
				t.Errorf("a frame of %d bytes in %d", len(fr.Data), len(all))
			}
		}
	})
}
