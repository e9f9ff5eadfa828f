package fmp4

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
)

// film makes real segments with sound, of one second each. It returns the init section and the segments.
func film(t *testing.T, n int, sound, more string) (init []byte, list [][]byte) {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=10", "-f", "lavfi", "-i",
		"sine=440:sample_rate=8000", "-t", fmt.Sprint(n), "-c:v", "libx264", "-preset", "ultrafast",
		"-g", "10", "-keyint_min", "10", "-sc_threshold", "0"}
	args = append(args, strings.Fields(more)...)
	args = append(args, "-c:a", sound, "-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_type",
		"fmp4", "-hls_segment_filename", filepath.Join(dir, "%d.m4s"), filepath.Join(dir, "live.m3u8"))
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for i := range n {
		list = append(list, read(fmt.Sprintf("%d.m4s", i)))
	}
	return read("init.mp4"), list
}

func grown(t *testing.T, init []byte, room int64) (*os.File, *GrowingFile) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "x.partial.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	g, err := Grow(f, init, room)
	if err != nil {
		t.Fatal(err)
	}
	return f, g
}

func appendTo(t *testing.T, g *GrowingFile, run int64, media time.Duration, b []byte) {
	t.Helper()
	s := Chunk{Run: run, Media: [2]time.Duration{media, media + time.Second},
		Wall: [2]time.Time{time.Unix(100, 5), time.Unix(101, 7)}}
	if err := g.Append([]io.ReaderAt{bytes.NewReader(b)}, []int64{int64(len(b))}, s); err != nil {
		t.Fatal(err)
	}
}

// plays makes FFmpeg decode a file, with every warning as an error. It returns the number of frames, the length in
// seconds and the number of audio packets.
func plays(t *testing.T, path string) (frames int, length float64, audio int) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "warning", "-xerror", "-i", path, "-map", "0", "-f",
		"null", "-").CombinedOutput(); err != nil || len(out) > 0 && !bytes.Contains(out, []byte("dts to muxer")) {
		t.Errorf("it does not play: %v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-count_packets", "-show_entries",
		"stream=codec_type,nb_read_packets,start_time:format=duration", "-of", "json", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Streams []struct {
			Type    string `json:"codec_type"`
			Packets string `json:"nb_read_packets"`
			Start   string `json:"start_time"`
		}
		Format struct{ Duration string }
	}
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Streams {
		n, _ := strconv.Atoi(s.Packets)
		if s.Type == "video" {
			frames = n
		} else {
			audio = n
		}
	}
	length, _ = strconv.ParseFloat(p.Format.Duration, 64)
	return frames, length, audio
}

func boxesOf(t *testing.T, f *os.File) (list []string) {
	t.Helper()
	fi, err := f.Stat()
	if err == nil {
		err = boxes(f, fi.Size(), func(kind string, _ int64, _ func() ([]byte, error)) error {
			list = append(list, kind)
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestGrowAndFinish grows a file by two runs of a camera. The file plays at every moment, is finished in place, and
// plays then.
func TestGrowAndFinish(t *testing.T) {
	poll.RealTime(t)
	for _, tc := range []struct {
		name, sound, more string
		room              int64
		want              []string
	}{
		{"AAC", "aac", "-bf 0", 20000, []string{"ftyp", "free", "moov", "free", "mdat"}},
		{"no room", "aac", "-bf 0", 100, []string{"ftyp", "mdat", "moov"}},
		{"B-frames", "aac", "-bf 2", 20000, []string{"ftyp", "free", "moov", "free", "mdat"}},
		{"Opus", "libopus", "-bf 0 -ar 48000", 20000, []string{"ftyp", "free", "moov", "free", "mdat"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			init, list := film(t, 4, tc.sound, tc.more)
			f, g := grown(t, init, tc.room)
			size := int64(0)
			for i, s := range slices.Concat(list, list[1:]) { // the second run begins at another time
				run, media := int64(1), time.Duration(i)*time.Second
				if i >= 4 {
					run, media = 2, time.Duration(i-3)*time.Second
				}
				appendTo(t, g, run, media, s)
				size += int64(len(s))
				if frames, _, _ := plays(t, f.Name()); frames != 10*(i+1) {
					t.Errorf("%d frames after %d segments", frames, i+1)
				}
			}
			fi, err := f.Stat()
			if err != nil || fi.Size() != g.Good {
				t.Fatal(fi.Size(), g.Good, err)
			}
			w, err := Inspect(f, fi.Size(), 0, true)
			if err != nil {
				t.Fatal(err)
			}
			if w.Good != g.Good || len(w.Stretches) != 7 || w.Stretches[6] != g.Stretches[6] {
				t.Errorf("%+v\nwant %+v", w, g.Whole)
			}
			want, _, sound := plays(t, f.Name())
			c, err := Finish(f, g.Good)
			if err != nil || c.Frames != 70 || (c.Length-7*time.Second).Abs() > 150*time.Millisecond || c.Sound == "" {
				t.Errorf("%+v, %v", c, err)
			}
			if got := boxesOf(t, f); !slices.Equal(got, tc.want) {
				t.Errorf("boxes %v, want %v", got, tc.want)
			}
			frames, length, audio := plays(t, f.Name())
			if frames != want || length < 6.9 || length > 7.3 || audio != sound {
				t.Errorf("%d frames, %.2f s, %d of %d packets of sound", frames, length, audio, sound)
			}
			if got, err := Check(f); err != nil || got != c {
				t.Errorf("%+v, %v, want %+v", got, err, c)
			}
			if again, err := Finish(f, c.Bytes); err != nil || again != c { // after a crash before the file was renamed
				t.Errorf("%+v, %v", again, err)
			}
			if over := c.Bytes - size; over > tc.room+6000 {
				t.Errorf("%d bytes more than the segments have", over)
			}
		})
	}
}

// TestGrowOnAfterACrash cuts or zeros a file at many offsets. The file is good up to the last whole stretch, grows from
// there, and is finished.
func TestGrowOnAfterACrash(t *testing.T) {
	poll.RealTime(t)
	init, list := film(t, 4, "aac", "-bf 0")
	f, g := grown(t, init, 20000)
	var ends []int64
	for i := range 3 {
		appendTo(t, g, 1, time.Duration(i)*time.Second, list[i])
		ends = append(ends, g.Good)
	}
	all, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x")
	for cut := 0; cut < len(all); cut += 1 + len(all)/97 {
		for _, damage := range []string{"cut", "zeros"} {
			b := bytes.Clone(all)
			if damage == "cut" {
				b = b[:cut]
			} else {
				clear(b[cut:min(cut+5000, len(b))])
			}
			whole := 0
			for _, end := range ends {
				if bytes.Equal(b[:min(int64(len(b)), end)], all[:end]) {
					whole++
				}
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			w, err := Inspect(f, int64(len(b)), 0, true)
			if err != nil {
				t.Fatal(err)
			}
			if len(w.Stretches) != whole || whole > 0 && w.Good != ends[whole-1] {
				t.Errorf("%s at %d: %+v, want %d stretches", damage, cut, w, whole)
			}
			if whole > 0 && whole < 3 {
				g, err := GrowOn(f, w)
				if err != nil {
					t.Fatal(err)
				}
				for i := whole; i < 4; i++ {
					appendTo(t, g, 1, time.Duration(i)*time.Second, list[i])
				}
				if c, err := Finish(f, g.Good); err != nil || c.Frames != 40 {
					t.Errorf("%+v, %v", c, err)
				}
				if cut%5 == 0 {
					plays(t, path)
				}
			}
			_ = f.Close()
		}
	}
}

// TestFinishIsTorn tears the last step of Finish, as a power cut does.
func TestFinishIsTorn(t *testing.T) {
	poll.RealTime(t)
	init, list := film(t, 2, "aac", "-bf 0")
	for _, room := range []int64{20000, 100} {
		f, g := grown(t, init, room)
		for i := range 2 {
			appendTo(t, g, 1, time.Duration(i)*time.Second, list[i])
		}
		before, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Finish(f, g.Good); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		flip := int64(binaryIndex(before, "moov")) - 4
		// n of the last bytes that are written reach the drive; from 9 on, zeros reach the drive instead.
		for n := range 12 {
			b := bytes.Clone(after)
			flipped := n == 8
			if !flipped {
				copy(b[flip:flip+8], before[flip:])
				copy(b[flip:flip+8], after[flip:flip+int64(min(n, 7))])
			}
			if n > 8 {
				clear(b[flip+int64(n-9)*3 : flip+8])
			}
			path := filepath.Join(t.TempDir(), "torn.mp4")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			again, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := Repair(again); err != nil {
				t.Fatal(err)
			}
			if w, err := Inspect(again, int64(len(b)), 0, true); err != nil || !flipped && len(w.Stretches) != 2 {
				t.Errorf("%+v", w)
			} else if c, err := Finish(again,
				map[bool]int64{false: w.Good, true: int64(len(b))}[flipped]); err != nil || c.Frames != 20 {
				t.Errorf("%+v, %v", c, err)
			}
			if frames, _, _ := plays(t, path); frames != 20 {
				t.Errorf("%d frames", frames)
			}
			_ = again.Close()
		}
	}
}

func binaryIndex(b []byte, s string) int { return bytes.Index(b, []byte(s)) }

func TestRoomIsEnough(t *testing.T) {
	init, list := film(t, 3, "aac", "-bf 0")
	m, err := ReadInit(init)
	if err != nil {
		t.Fatal(err)
	}
	f, g := grown(t, init, Room(bytes.NewReader(list[0]), int64(len(list[0])), m, time.Second, 60*time.Second))
	for i := range 60 {
		appendTo(t, g, int64(i), time.Duration(i%3)*time.Second, list[i%3])
	}
	if _, err := Finish(f, g.Good); err != nil {
		t.Fatal(err)
	}
	if got := boxesOf(t, f); got[len(got)-1] != "mdat" {
		t.Errorf("%v", got)
	}
	plays(t, f.Name())
}

// broken fails one read, like a drive that has trouble.
type broken struct {
	io.ReaderAt
	at int // the number of the read that fails
	n  int
}

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	if b.n++; b.n == b.at {
		return 0, errors.New("input/output error")
	}
	return b.ReaderAt.ReadAt(p, off)
}

// TestReadErrorIsNoDamage checks that a file does not count as damaged when the drive cannot be read.
func TestReadErrorIsNoDamage(t *testing.T) {
	init, list := film(t, 3, "aac", "-bf 0")
	f, g := grown(t, init, 20000)
	for i, s := range list {
		appendTo(t, g, 1, time.Duration(i)*time.Second, s)
	}
	for at := 1; ; at++ {
		r := &broken{ReaderAt: f, at: at}
		w, err := Inspect(r, g.Good, 0, true)
		if r.n < at {
			break
		}
		if err == nil || errors.Is(err, ErrBox) {
			t.Fatalf("read %d failed: %+v, %v", at, w, err)
		}
	}
}

// TestDamageInTheMiddle damages a file in the middle. No crash does that, so the whole stretches behind it are not cut
// off.
func TestDamageInTheMiddle(t *testing.T) {
	init, list := film(t, 4, "aac", "-bf 0")
	f, g := grown(t, init, 20000)
	var ends []int64
	for i, s := range list {
		appendTo(t, g, 1, time.Duration(i)*time.Second, s)
		ends = append(ends, g.Good)
	}
	if _, err := f.WriteAt([]byte{0xff, 0xfe}, ends[0]+3000); err != nil {
		t.Fatal(err)
	}
	if w, err := Inspect(f, g.Good, 0, true); err != nil || !w.Behind || w.Frames() != 10 || w.Good != ends[0] {
		t.Errorf("%+v, %v", w, err)
	}
}

// TestHostileTables checks that small files which claim large contents take neither much memory nor much time.
func TestHostileTables(t *testing.T) {
	stbl := func(tables []byte) []byte {
		track := Track{ID: 1, Video: true, Timescale: 90000, Width: 64, Height: 36,
			Entry: H264Entry(64, 36, []byte{0x67, 0x42, 0xc0, 0x0a}, []byte{0x68})}
		b := box(nil, "ftyp", func(b []byte) []byte { return append(b, "iso5\x00\x00\x02\x00"...) })
		return box(b, "moov", func(b []byte) []byte {
			return box(b, "trak", func(b []byte) []byte {
				b = full(b, "tkhd", 0, 3, func(b []byte) []byte { return u32(u32(u32(b, 0), 0), 1) })
				return box(b, "mdia", func(b []byte) []byte {
					b = full(b, "mdhd", 0, 0, func(b []byte) []byte {
						return u32(u32(u32(u32(b, 0), 0), track.Timescale), 0)
					})
					b = full(b, "hdlr", 0, 0, func(b []byte) []byte {
						return append(u32(b, 0), "vide\x00\x00\x00\x00"...)
					})
					return box(b, "minf", func(b []byte) []byte {
						return box(b, "stbl", func(b []byte) []byte {
							b = full(b, "stsd", 0, 0, func(b []byte) []byte {
								return append(u32(b, 1), track.Entry...)
							})
							return append(b, tables...)
						})
					})
				})
			})
		})
	}
	many := []byte{}
	for range 40 {
		many = full(many, "stsz", 0, 0, func(b []byte) []byte { return u32(u32(b, 7), 4<<20) })
	}
	lies := full(nil, "stts", 0, 0, func(b []byte) []byte { return u32(u32(u32(b, 1), 10), 1) })
	lies = full(lies, "stsz", 0, 0, func(b []byte) []byte { return u32(u32(b, 1000), 10) })
	lies = full(lies, "stsc", 0, 0, func(b []byte) []byte { return u32(u32(u32(u32(b, 1), 1), 10), 1) })
	lies = full(lies, "co64", 0, 0, func(b []byte) []byte { return u64(u32(b, 1), 1<<63-1) })
	for name, tables := range map[string][]byte{"many tables": many, "a place beyond all": lies} {
		f, err := os.Create(filepath.Join(t.TempDir(), "x.mp4"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(stbl(tables)); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if c, err := Check(f); !errors.Is(err, ErrBox) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 100<<20 {
			t.Errorf("%s: %d MB", name, took>>20)
		}
		_ = f.Close()
	}
	empty := AppendPart(nil, 1, time.Unix(1, 0), []TrackPart{{Track: 1, Samples: make([]Sample, 60000)}})
	b := Init([]Track{{ID: 1, Video: true, Timescale: 90000,
		Entry: H264Entry(64, 36, []byte{0x67, 0x42, 0xc0, 0x0a}, []byte{0x68})}})
	b = append(b, empty...)
	if w, err := Inspect(bytes.NewReader(b), int64(len(b)), 0, false); err != nil || w.Frames() != 0 {
		t.Errorf("frames of nothing: %+v, %v", w, err)
	}
}

// TestHolds checks that a finished file is recognized by its frames.
func TestHolds(t *testing.T) {
	init, list := film(t, 3, "aac", "-bf 0")
	make := func(segments ...[]byte) (*os.File, int64) {
		f, g := grown(t, init, 20000)
		for i, s := range segments {
			appendTo(t, g, 1, time.Duration(i)*time.Second, s)
		}
		return f, g.Good
	}
	part, good := make(list[0], list[1])
	for want, segments := range map[string][][]byte{"yes": {list[0], list[1]}, "no": {list[0], list[2]},
		"more": {list[0], list[1], list[2]}, "less": {list[0]}} {
		clip, size := make(segments...)
		if _, err := Finish(clip, size); err != nil {
			t.Fatal(err)
		}
		exact, err := Holds(clip, part, good, false)
		more, merr := Holds(clip, part, good, true)
		if err != nil || merr != nil || exact != (want == "yes") || more != (want == "yes" || want == "more") {
			t.Errorf("%s: %t, %t, %v, %v", want, exact, more, err, merr)
		}
	}
}
