package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/text"
)

// film is a recording, as a partial file and as the clip made from it.
type film struct {
	partial, clip []byte
	sum           string
	frames        int
	length        time.Duration
}

var tool = sync.OnceValues(func() (*ffmpeg.Tool, error) { return ffmpeg.Find(context.Background(), "") })

// films are two recordings with different parameters.
var films = sync.OnceValues(func() (list [2]film, err error) {
	t, err := tool()
	if err != nil {
		return list, err
	}
	dir, err := os.MkdirTemp("", "preroll-audit-")
	if err != nil {
		return list, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for i, size := range []string{"160x90", "128x96"} {
		part, final := filepath.Join(dir, size+".partial.mp4"), filepath.Join(dir, size+".mp4")
		out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=r=10:d=3:s="+size, "-f",
			"lavfi", "-i", "sine=d=3",
			"-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:a", "aac", "-movflags",
			"frag_keyframe+empty_moov+default_base_moof", part).CombinedOutput()
		if err != nil {
			return list, fmt.Errorf("%w: %s", err, out)
		}
		f := &list[i]
		if f.partial, err = os.ReadFile(part); err != nil {
			return list, err
		}
		folder, err := os.OpenRoot(dir)
		if err != nil {
			return list, err
		}
		made, err := clip.Finisher{Folder: folder, Sound: t.EncodeSound,
			Log: slog.New(slog.DiscardHandler)}.Finish(context.Background(),
			event.Part{File: filepath.Base(part), Clip: filepath.Base(final)})
		if err != nil {
			return list, errors.Join(err, folder.Close())
		}
		_ = folder.Close()
		f.frames, f.length = made.Frames, made.Length.D()
		if f.clip, err = os.ReadFile(final); err != nil {
			return list, err
		}
		h := sha256.Sum256(f.clip)
		f.sum = hex.EncodeToString(h[:])
	}
	return list, nil
})

// jpeg begins like a picture, which is all that an audit looks at.
var jpeg = []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00 and so on")

// rig is a real archive with events of real clips.
type rig struct {
	t           *testing.T
	root, state string
	a           *archive.Archive
	films       [2]film
	one, two    event.Event // one has one clip and a snapshot; two has two clips if pair was asked for
}

func newRig(t *testing.T, pair bool) *rig {
	t.Helper()
	f, err := films()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, root: filepath.Join(t.TempDir(), "archive"), state: t.TempDir(), films: f}
	r.open()
	r.one = r.save("gate", time.Date(2026, 11, 21, 9, 0, 0, 123e6, time.Local), 1)
	if pair {
		r.two = r.save("yard", time.Date(2026, 11, 22, 10, 30, 0, 0, time.Local), 2)
	}
	return r
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.a, err = archive.Open(r.t.Context(), r.state, r.root, slog.New(slog.DiscardHandler)); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = r.a.Close() })
}

func (r *rig) ok(errs ...error) {
	r.t.Helper()
	if err := errors.Join(errs...); err != nil {
		r.t.Fatal(err)
	}
}

// begun returns an open event with its place reserved.
func (r *rig) begun(camera string, at time.Time) event.Event {
	r.t.Helper()
	e := event.Event{ID: at.UTC().Format("20060102T150405.000Z-") + camera, Camera: camera, CameraName: "The " + camera,
		Time: at, Label: "motion", State: event.Recording,
		From: at.Add(-time.Second), Until: at.Add(2 * time.Second)}
	e.Add(event.Trigger{Time: at, Source: event.Mail, Label: "motion"})
	r.ok(r.a.Reserve(&e))
	return e
}

func (r *rig) save(camera string, at time.Time, clips int) event.Event {
	r.t.Helper()
	e := r.begun(camera, at)
	e.State, e.SavedAt, e.Thumbnail = event.Saved, at, e.Stem+".jpg"
	r.write(r.a.Path(e, e.Thumbnail), jpeg)
	for i := range clips {
		f, name := r.films[i], e.Stem+".mp4"
		if i > 0 {
			name = fmt.Sprintf("%s_part%d.mp4", e.Stem, i+1)
		}
		r.write(r.a.Path(e, name), f.clip)
		e.Clips = append(e.Clips, event.Clip{File: name, Start: e.From, End: e.From.Add(f.length),
			Length: event.Seconds(f.length), Frames: f.frames, Bytes: int64(len(f.clip)), SHA256: f.sum})
	}
	if clips == 1 {
		e.Snapshot = e.Stem + "_snapshot.jpg"
		r.write(r.a.Path(e, e.Snapshot), jpeg)
	}
	r.ok(r.a.WriteSidecar(e), r.a.Put(r.t.Context(), e))
	r.a.Release(e)
	e.Archive = ""
	return e
}

func (r *rig) path(e event.Event, name string) string { return r.a.Path(e, name) }

// readSidecar reads the sidecar with the full path.
func readSidecar(root, full string) (event.Event, error) {
	disk, err := os.OpenRoot(root)
	if err != nil {
		return event.Event{}, err
	}
	defer func() { _ = disk.Close() }()
	name, err := filepath.Rel(root, full)
	if err != nil {
		return event.Event{}, err
	}
	return archive.ReadSidecar(disk, filepath.ToSlash(name))
}

func (r *rig) sidecar(e event.Event) string { return r.path(e, archive.Sidecar(e)) }

func (r *rig) write(path string, b []byte) {
	r.t.Helper()
	r.ok(os.WriteFile(path, b, 0o644))
}

func (r *rig) read(path string) []byte {
	r.t.Helper()
	b, err := os.ReadFile(path)
	r.ok(err)
	return b
}

func (r *rig) remove(paths ...string) {
	r.t.Helper()
	for _, p := range paths {
		r.ok(os.Remove(p))
	}
}

// forget removes an event from the index only, so that the index lacks it.
func (r *rig) forget(e event.Event) {
	r.t.Helper()
	paths := []string{r.sidecar(e)}
	for _, c := range e.Clips {
		paths = append(paths, r.a.Path(e, c.File))
	}
	var back []func() error
	for _, path := range paths {
		if os.Rename(path, path+"-away") == nil {
			back = append(back, func() error { return os.Rename(path+"-away", path) })
		}
	}
	_, _, err := r.a.Reindex(r.t.Context())
	for _, b := range back {
		r.ok(b())
	}
	r.ok(err)
}

func (r *rig) options(repair bool) Options {
	r.t.Helper()
	t, err := tool()
	r.ok(err)
	return Options{Archive: r.root, State: r.state, FFmpeg: t, Repair: repair,
		Reindex: func(ctx context.Context) error {
			_ = r.a.Close() // only one at a time uses an archive
			r.open()
			_, _, err = r.a.Reindex(ctx)
			return err
		}}
}

func (r *rig) run(o Options) Result {
	r.t.Helper()
	res, err := Run(r.t.Context(), o)
	r.ok(err)
	return res
}

// video returns the hash of every video file, by its path.
func (r *rig) video() map[string]string {
	r.t.Helper()
	all := map[string]string{}
	r.ok(filepath.WalkDir(r.root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && (strings.HasSuffix(path, ".mp4") || strings.HasSuffix(path, ".tmp")) {
			h := sha256.Sum256(r.read(path))
			all[path] = hex.EncodeToString(h[:])
		}
		return err
	}))
	return all
}

// say returns one line for each fault: its kind, file, text and hint.
func say(list []Issue) (s []string) {
	for _, f := range list {
		s = append(s, string(f.Kind)+" "+filepath.Base(f.Path)+": "+f.Text+" "+f.Hint)
	}
	slices.Sort(s)
	return s
}

// fits reports whether faults and wants match one to one.
func fits(list []Issue, want []string) bool {
	said := say(list)
	if len(said) != len(want) {
		return false
	}
	for _, w := range want {
		if !slices.ContainsFunc(said, func(s string) bool {
			for _, word := range strings.Split(w, "|") {
				if !strings.Contains(s, word) {
					return false
				}
			}
			return true
		}) {
			return false
		}
	}
	return true
}

func TestDamage(t *testing.T) {
	late := time.Date(2026, 11, 22, 23, 30, 0, 0, time.Local)
	// lone leaves files of an event that nobody knows, and returns the beginning of their paths.
	lone := func(r *rig, files map[string][]byte) string {
		e := r.begun("gate", late)
		r.a.Release(e)
		for end, b := range files {
			prefix := ""
			if strings.HasSuffix(end, ".tmp") {
				prefix = "."
			}
			r.write(r.path(e, prefix+e.Stem+end), b)
		}
		return r.path(e, e.Stem)
	}
	// made reads the sidecar that was made for such an event.
	made := func(r *rig) event.Event {
		r.t.Helper()
		list, err := filepath.Glob(filepath.Join(r.root, "gate/2026/11/22/*.json"))
		if err != nil || len(list) != 1 {
			r.t.Fatal(list, err)
		}
		e, err := readSidecar(r.root, list[0])
		r.ok(err)
		if i, err := r.a.Get(r.t.Context(), e.ID); err != nil || i.Stem != e.Stem {
			r.t.Errorf("the index has %+v, %v", i, err)
		}
		if e.Camera != "gate" || e.Label != "motion" || e.State != event.Incomplete || e.Reason == "" ||
			!e.Time.Equal(late) || e.Thumbnail == "" {
			r.t.Errorf("%+v", e)
		}
		return e
	}
	frames := func(r *rig, e event.Event, want ...int) {
		r.t.Helper()
		if len(e.Clips) != len(want) {
			r.t.Fatalf("%+v", e.Clips)
		}
		for i, c := range e.Clips {
			if c.Frames != want[i] || c.SHA256 == "" || c.Bytes == 0 ||
				c.Length < event.Seconds(1500*time.Millisecond) || c.Start.IsZero() {
				r.t.Errorf("clip %d: %+v", i, c)
			}
		}
	}
	same := func(r *rig, e event.Event) {
		r.t.Helper()
		got, err := readSidecar(r.root, r.sidecar(e))
		r.ok(err)
		e.Drive, e.Archive = "", ""
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(e)
		if !bytes.Equal(a, b) {
			r.t.Errorf("the sidecar is now\n%s\nand was\n%s", a, b)
		}
	}
	for _, tc := range []struct {
		name  string
		pair  bool
		harm  func(*rig)
		check []string // faults: words of each, separated by |
		left  []string // faults that are left after a repair
		notes []string
		gone  int // number of video files that may go, since others hold their video
		after func(*rig)
	}{
		{name: "nothing", pair: true, harm: func(*rig) {}},
		{name: "a flipped byte", harm: func(r *rig) {
			b := bytes.Clone(r.films[0].clip)
			b[len(b)/2] ^= 1
			r.write(r.path(r.one, r.one.Clips[0].File), b)
		}, check: []string{"clip|was changed"}, left: []string{"clip|was changed"}},
		{name: "a cut file", pair: true, harm: func(r *rig) {
			r.write(r.path(r.two, r.two.Clips[1].File), r.films[1].clip[:2000])
		},
			check: []string{"clip|_part2.mp4|cut off: 2000 of"}, left: []string{"clip|cut off"}},
		{name: "a missing file", pair: true, harm: func(r *rig) { r.remove(r.path(r.two, r.two.Clips[0].File)) },
			check: []string{"clip|The video is not there"}, left: []string{"clip|not there|delete"}, gone: 0},
		{name: "a missing sidecar", harm: func(r *rig) { r.remove(r.sidecar(r.one)) },
			check: []string{"sidecar|is missing"}, after: func(r *rig) { same(r, r.one) }},
		{name: "a missing sidecar that the index does not know", harm: func(r *rig) {
			lone(r, map[string][]byte{".mp4": r.films[0].clip, "_snapshot.jpg": jpeg})
		},
			check: []string{"sidecar|is missing"}, after: func(r *rig) {
				e := made(r)
				frames(r, e, r.films[0].frames)
				if e.Snapshot == "" || !e.Why().Is(text.SidecarLost) {
					r.t.Errorf("%+v", e)
				}
			}},
		{name: "a garbled sidecar", harm: func(r *rig) { r.write(r.sidecar(r.one), []byte("{\"id\": \"half")) },
			check: []string{"sidecar|cannot be used"}, after: func(r *rig) {
				same(r, r.one)
				if b := r.read(r.sidecar(r.one) + ".damaged"); string(b) != "{\"id\": \"half" {
					r.t.Errorf("%s", b)
				}
			}},
		{name: "a sidecar of another event", pair: true, harm: func(r *rig) {
			r.write(r.sidecar(r.one), r.read(r.sidecar(r.two)))
		},
			check: []string{"sidecar|that is not beside it"}, after: func(r *rig) { same(r, r.one) }},
		{name: "a sidecar with another hash", harm: func(r *rig) {
			r.write(r.sidecar(r.one), bytes.Replace(r.read(r.sidecar(r.one)), []byte(r.films[0].sum),
				[]byte(strings.Repeat("0", 64)), 1))
		}, check: []string{"sidecar|another SHA-256"}, after: func(r *rig) { same(r, r.one) }},
		{name: "a hostile sidecar", harm: func(r *rig) {
			r.write(filepath.Join(r.root, "../x"), []byte("not yours"))
			stem := lone(r, map[string][]byte{".mp4": r.films[0].clip})
			e := event.Event{ID: "evil", Camera: "gate", Time: late, State: event.Saved,
				Clips: []event.Clip{{File: "../../../../../x"}}, Thumbnail: "../../../../../x"}
			b, err := json.Marshal(e)
			r.ok(err)
			r.write(stem+".json", b)
		}, check: []string{"sidecar|that is not beside it"}, after: func(r *rig) {
			frames(r, made(r), r.films[0].frames)
			if b := r.read(filepath.Join(r.root, "../x")); string(b) != "not yours" {
				r.t.Errorf("%s", b)
			}
		}},
		{name: "a lost thumbnail", pair: true, harm: func(r *rig) { r.remove(r.path(r.two, r.two.Thumbnail)) },
			check: []string{"picture|thumbnail"}, after: func(r *rig) { same(r, r.two) }},
		{name: "a lost snapshot", harm: func(r *rig) { r.write(r.path(r.one, r.one.Snapshot), nil) },
			check: []string{"picture|came with the mail"}, left: []string{"picture|came with the mail"}},
		{name: "a partial file that was cut", harm: func(r *rig) {
			b := r.films[0].partial
			lone(r, map[string][]byte{".partial.mp4": b[:len(b)-5000]})
		}, check: []string{"partial|no event is known"}, gone: 1, after: func(r *rig) {
			e := made(r)
			frames(r, e, r.films[0].frames-10)
			if !e.Why().Is(text.NotFinished) {
				r.t.Error(e.Reason)
			}
		}},
		{name: "partial files of several runs", harm: func(r *rig) {
			lone(r, map[string][]byte{".partial.mp4": r.films[0].partial, ".2.partial.mp4": r.films[0].partial,
				".3.partial.mp4": r.films[1].partial, "_part3.tmp": []byte("half")})
		}, check: []string{"partial|.partial", "partial|.2.partial", "partial|.3.partial", "leftover|_part3.tmp"},
			gone: 4, after: func(r *rig) {
				frames(r, made(r), r.films[0].frames, r.films[0].frames, r.films[1].frames)
			}},
		{name: "a partial file without a picture", harm: func(r *rig) {
			lone(r, map[string][]byte{".partial.mp4": []byte("what is this")})
		},
			check: []string{"partial|no event is known"},
			left:  []string{"partial|could not be repaired|no whole picture"}},
		{name: "a clip beside its partial file, and no sidecar yet", harm: func(r *rig) {
			lone(r, map[string][]byte{".mp4": r.films[0].clip, ".partial.mp4": r.films[0].partial, ".jpg": jpeg})
		}, check: []string{"partial|no event is known", "sidecar|is missing"}, gone: 1, after: func(r *rig) {
			frames(r, made(r), r.films[0].frames)
		}},
		{name: "a picture that was left", harm: func(r *rig) {
			r.remove(r.path(r.one, r.one.Clips[0].File), r.sidecar(r.one), r.path(r.one, r.one.Snapshot))
		}, check: []string{"index|none of its files"}, notes: []string{"picture|no video"}},
		{name: "a video that its event does not name", harm: func(r *rig) {
			r.write(r.path(r.one, r.one.Stem+"_part7.mp4"), r.films[1].clip)
		},
			notes: []string{"clip|does not name"}},
		{name: "a clip that found its name taken", pair: true, harm: func(r *rig) {
			e := r.two
			name := e.Stem + "_part1_2.mp4"
			r.ok(os.Rename(r.path(e, e.Clips[0].File), r.path(e, name)))
			e.Clips = slices.Clone(e.Clips)
			e.Clips[0].File = name
			r.write(r.path(e, e.Stem+".mp4"), []byte("a stranger's"))
			r.ok(r.a.WriteSidecar(e), r.a.Put(r.t.Context(), e))
		}, notes: []string{"clip|does not name"}},
		{name: "a clip that could not be finished", harm: func(r *rig) { // it was kept as it was recorded
			e := r.one
			h := sha256.Sum256(r.films[0].partial)
			e.Clips = []event.Clip{{File: e.Stem + ".partial.mp4", Frames: 30, Bytes: int64(len(r.films[0].partial)),
				SHA256: hex.EncodeToString(h[:])}}
			r.ok(os.Remove(r.path(e, e.Stem+".mp4")),
				os.WriteFile(r.path(e, e.Clips[0].File), r.films[0].partial, 0o644), r.a.WriteSidecar(e),
				r.a.Put(r.t.Context(), e))
		}},
		{name: "a partial file beside its clip", harm: func(r *rig) {
			r.write(r.path(r.one, r.one.Stem+".partial.mp4"), r.films[0].partial)
		},
			check: []string{"partial|left over"}, gone: 1, after: func(r *rig) { same(r, r.one) }},
		{name: "a partial file beside its damaged clip", harm: func(r *rig) {
			r.write(r.path(r.one, r.one.Stem+".partial.mp4"), r.films[0].partial)
			r.write(r.path(r.one, "."+r.one.Stem+".tmp"), []byte("half"))
			b := bytes.Clone(r.films[0].clip)
			b[len(b)/2] ^= 1
			r.write(r.path(r.one, r.one.Clips[0].File), b)
		}, check: []string{"partial|left over", "clip|was changed", "leftover|.tmp"},
			left: []string{"partial|is there already", "clip|was changed"}, gone: 1},
		{name: "a partial file in place of its clip", harm: func(r *rig) {
			r.write(r.path(r.one, r.one.Stem+".partial.mp4"), r.films[0].partial)
			r.remove(r.path(r.one, r.one.Clips[0].File))
		}, check: []string{"partial|left over", "clip|not there"}, gone: 1},
		{name: "a whole clip that was never named", harm: func(r *rig) {
			lone(r, map[string][]byte{".tmp": r.films[1].clip})
		},
			check: []string{"leftover|not checked"}, gone: 1, after: func(r *rig) {
				frames(r, made(r), r.films[1].frames)
			}},
		{name: "half a clip that was never named", harm: func(r *rig) {
			lone(r, map[string][]byte{".tmp": r.films[1].clip[:3000]})
		},
			check: []string{"leftover|not checked"}, left: []string{"leftover|it was kept"}},
		{name: "half a clip beside the whole one", harm: func(r *rig) {
			r.write(r.path(r.one, "."+r.one.Stem+".tmp"), r.films[0].clip[:3000])
			r.write(r.path(r.one, "."+r.one.Stem+".json.tmp-123"), []byte("{"))
		}, check: []string{"leftover|not checked", "leftover|no video"}, gone: 1},
		{name: "an open event", harm: func(r *rig) {
			e := r.begun("gate", late)
			e.Parts = []event.Part{{File: e.Stem + ".partial.mp4", Clip: e.Stem + ".mp4"}}
			r.write(r.path(e, e.Parts[0].File), r.films[0].partial)
			r.write(r.path(e, "."+e.Stem+".tmp"), r.films[0].clip[:3000])
			r.ok(r.a.Put(r.t.Context(), e))
		}, notes: []string{"partial|when Preroll starts"}},
		{name: "an open event that the index lost", harm: func(r *rig) {
			e := r.begun("gate", late)
			e.Parts = []event.Part{{File: e.Stem + ".partial.mp4", Clip: e.Stem + ".mp4"}}
			r.write(r.path(e, e.Parts[0].File), r.films[0].partial)
			r.ok(r.a.WriteSidecar(e))
		}, check: []string{"index|not finished, and the index lacks it"},
			notes: []string{"partial|when Preroll starts"}, after: func(r *rig) {
				if list, err := r.a.Unfinished(r.t.Context()); err != nil || len(list) != 1 {
					r.t.Errorf("%+v, %v", list, err)
				}
			}},
		{name: "an index without the event", pair: true, harm: func(r *rig) {
			r.forget(r.two)
		}, check: []string{"index|lacks this event"}, after: func(r *rig) {
			if _, err := r.a.Get(r.t.Context(), r.two.ID); err != nil {
				r.t.Error(err)
			}
		}},
		{name: "an index with an event that is gone", pair: true, harm: func(r *rig) {
			r.ok(os.RemoveAll(filepath.Join(r.root, "yard")))
		}, check: []string{"index|none of its files"}, after: func(r *rig) {
			if _, err := r.a.Get(r.t.Context(), r.two.ID); !errors.Is(err, index.ErrNotFound) {
				r.t.Error(err)
			}
		}},
		{name: "a damaged index", harm: func(r *rig) {
			r.ok(r.a.Close())
			r.write(filepath.Join(r.state, index.Name), bytes.Repeat([]byte("no index "), 1000))
		}, check: []string{"index|cannot be read"}, after: func(r *rig) {
			r.open()
			if n, _, err := r.a.Totals(r.t.Context()); err != nil || n != 1 {
				r.t.Error(n, err)
			}
		}},
		{name: "a copied event", pair: true, harm: func(r *rig) {
			r.ok(os.CopyFS(filepath.Join(r.root, "copy"), os.DirFS(filepath.Join(r.root, "yard"))))
		}, check: []string{"index|second sidecar"}, left: nil, notes: nil, after: nil},
		{name: "links", harm: func(r *rig) {
			out := filepath.Join(r.root, "../out.mp4")
			r.write(out, r.films[0].clip)
			r.remove(r.path(r.one, r.one.Clips[0].File), r.path(r.one, r.one.Thumbnail))
			r.ok(os.Symlink(out, r.path(r.one, r.one.Clips[0].File)), os.Symlink(out, r.path(r.one, r.one.Thumbnail)),
				os.Symlink(filepath.Dir(r.root), filepath.Join(r.root, "gate", "up")))
		}, check: []string{"clip|is a link", "picture|thumbnail"},
			left: []string{"clip|is a link", "picture|thumbnail"}, after: func(r *rig) {
				if b := r.read(filepath.Join(r.root, "../out.mp4")); !bytes.Equal(b, r.films[0].clip) {
					r.t.Error("what is outside was changed")
				}
			}},
		{name: "foreign files", harm: func(r *rig) {
			dir := filepath.Dir(r.sidecar(r.one))
			for _, name := range []string{"a.mp4", "notes.json", ".hidden", "2026-13-41_09-00-00+0100_motion.mp4",
				r.one.Stem + ".mp4.bak", r.one.Stem + "_x/", "2026-11-21_09-00-00+0100_.mp4"} {
				if strings.HasSuffix(name, "/") {
					r.ok(os.Mkdir(filepath.Join(dir, name), 0o755))
					continue
				}
				r.write(filepath.Join(dir, name), []byte("mine"))
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tc.pair)
			tc.harm(r)
			before := r.video()
			res := r.run(r.options(false))
			if !fits(res.Faults, tc.check) || len(res.Repaired) > 0 {
				t.Errorf("check found\n%s\nand not\n%s", strings.Join(say(res.Faults), "\n"),
					strings.Join(tc.check, "\n"))
			}
			if now := r.video(); len(now) != len(before) {
				t.Errorf("a check changed %v to %v", before, now)
			}
			if tc.name == "a copied event" { // Preroll cannot decide which of the two is meant
				return
			}
			res = r.run(r.options(true))
			if !fits(res.Faults, tc.left) || len(res.Repaired) != len(tc.check)-len(tc.left) {
				t.Errorf("repair left\n%s\nand not\n%s\nit repaired\n%s", strings.Join(say(res.Faults), "\n"),
					strings.Join(tc.left, "\n"), strings.Join(say(res.Repaired), "\n"))
			}
			gone := 0
			for path, sum := range r.video() {
				if was, ok := before[path]; ok && was != sum {
					t.Errorf("%s was changed", path)
				}
			}
			for path := range before {
				if _, err := os.Lstat(path); err != nil {
					gone++
				}
			}
			if gone != tc.gone {
				t.Errorf("%d video files are gone", gone)
			}
			if tc.after != nil {
				tc.after(r)
			}
			res = r.run(r.options(false))
			left := slices.Clone(tc.left)
			for i, w := range left { // only a repair says why it could not repair
				left[i] = strings.Split(w, "|")[0]
			}
			if !fits(res.Faults, left) || !fits(res.Notes, tc.notes) {
				t.Errorf("a second check found\n%s\nwith notes\n%s", strings.Join(say(res.Faults), "\n"),
					strings.Join(say(res.Notes), "\n"))
			}
			if tc.name == "foreign files" && res.Foreign != 6 {
				t.Errorf("%d foreign files", res.Foreign)
			}
			if _, err := os.Stat(filepath.Join(r.state, JournalName)); !errors.Is(err, fs.ErrNotExist) {
				t.Error("the journal of a complete round is still there")
			}
		})
	}
}

func TestGoesOnWhereItWasInterrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t, true)
	third := r.save("yard", r.two.Time.Add(time.Hour), 1)
	b := bytes.Clone(r.films[0].clip)
	b[len(b)/2] ^= 1
	r.write(r.path(r.one, r.one.Clips[0].File), b) // the fault is found before
	stop := func(after int) (Progress, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last Progress
		o := r.options(false)
		o.Progress = func(p Progress) {
			if last = p; !p.Counting && p.Events == after {
				cancel()
			}
		}
		_, err := Run(ctx, o)
		return last, err
	}
	p, err := stop(1)
	if !errors.Is(err, context.Canceled) || p.Events != 1 || p.All != 3 || !p.Resumed.IsZero() {
		t.Fatalf("%+v, %v", p, err)
	}
	// A crash cut the last line of the journal.
	journal := filepath.Join(r.state, JournalName)
	r.write(journal, append(r.read(journal), `{"digest":"00ff`...))
	if p, err := stop(2); !errors.Is(err, context.Canceled) || p.Resumed.IsZero() || p.Before != 1 ||
		p.Skipped != int64(len(b)) {
		t.Fatalf("%+v, %v", p, err)
	}
	// Changed files are checked again.
	r.remove(r.path(r.two, r.two.Thumbnail))
	var first, last Progress
	o := r.options(false)
	o.Progress = func(p Progress) {
		if first == (Progress{}) && !p.Counting {
			first = p
		}
		last = p
	}
	res := r.run(o)
	if first.Before != 1 || first.Resumed.IsZero() ||
		!fits(res.Faults, []string{"clip|was changed", "picture|thumbnail"}) {
		t.Errorf("%+v, %v", first, say(res.Faults))
	}
	want := int64(3*len(r.films[0].clip) + len(r.films[1].clip))
	if res.Events != 3 || res.Clips != 4 || res.Bytes != want || last.Bytes != want || last.AllBytes != want ||
		last.Events != 3 {
		t.Errorf("%+v, %+v", res, last)
	}
	// A repair inspects again the faults that an interrupted check found, and nothing else.
	if _, err := stop(3); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	o = r.options(true)
	o.Progress = func(p Progress) { first = p }
	if res = r.run(o); first.Before != 1 || !fits(res.Faults, []string{"clip|was changed"}) ||
		!fits(res.Repaired, []string{"picture|thumbnail"}) {
		t.Errorf("%+v, %+v", first, res)
	}
	// Again makes a check begin at the start.
	if _, err := stop(2); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	o = r.options(false)
	o.Again, o.Progress = true, func(p Progress) { first = p }
	if res = r.run(o); first.Before != 0 || !first.Resumed.IsZero() || len(res.Faults) != 1 {
		t.Errorf("%+v, %+v", first, res)
	}
	_ = third
}

// TestRunningRecorder checks that an audit leaves alone what a recorder works on.
func TestRunningRecorder(t *testing.T) {
	t.Parallel()
	r := newRig(t, true)
	old := time.Now().Add(-time.Hour)
	age := func(e event.Event) {
		list, err := filepath.Glob(filepath.Join(filepath.Dir(r.sidecar(e)), "*"))
		r.ok(err)
		for _, path := range append(list, filepath.Dir(r.sidecar(e))) {
			r.ok(os.Chtimes(path, old, old))
		}
	}
	// One event has been open for long, one was just saved and lacks its thumbnail, and one is being removed.
	open := r.begun("gate", r.one.Time.Add(time.Hour))
	r.write(r.path(open, open.Stem+".partial.mp4"), r.films[0].partial)
	r.ok(r.a.Put(t.Context(), open))
	age(open)
	r.remove(r.path(r.two, r.two.Thumbnail))
	third := r.save("shed", r.one.Time, 1)
	age(third)
	r.remove(r.path(third, third.Clips[0].File)) // changes the time of the folder
	before := r.video()
	running, reindexed := true, 0
	o := r.options(true)
	o.Running = func(context.Context) bool { return running }
	o.Reindex = func(context.Context) error { reindexed++; return nil }
	res := r.run(o)
	if !res.Whole() || res.Saving != 3 || res.Events != 1 || len(res.Repaired) > 0 || reindexed > 0 ||
		len(r.video()) != len(before) {
		t.Errorf("%+v, rebuilt %d times", res, reindexed)
	}
	age(r.two)
	age(third)
	if res = r.run(o); res.Saving != 1 || !fits(res.Faults, []string{"clip|not there"}) ||
		!fits(res.Repaired, []string{"picture|thumbnail"}) {
		t.Errorf("%+v", res)
	}
	running = false
	if res = r.run(o); res.Saving != 0 || len(res.Notes) != 1 || len(r.video()) != len(before) {
		t.Errorf("%+v", res)
	}
}

func TestArchiveThatCannotBeChecked(t *testing.T) {
	t.Parallel()
	r := newRig(t, false)
	away := r.root + "-away"
	r.ok(os.Rename(r.root, away))
	if _, err := Run(t.Context(), r.options(true)); !errors.Is(err, ErrNoArchive) {
		t.Error(err)
	}
	r.ok(os.Mkdir(r.root, 0o755)) // the mount point without its drive
	if _, err := Run(t.Context(), r.options(true)); !errors.Is(err, archive.ErrEmpty) {
		t.Error(err)
	}
	if _, err := r.a.Get(t.Context(), r.one.ID); err != nil {
		t.Errorf("the index lost its event: %v", err)
	}
	// A drive that goes while it is read does not make its events lost.
	r.ok(os.Remove(r.root), os.Rename(away, r.root))
	o := r.options(true)
	o.Progress = func(p Progress) {
		if !p.Counting {
			if os.Rename(r.root, away) == nil {
				r.ok(os.Mkdir(r.root, 0o755))
			}
		}
	}
	if _, err := Run(t.Context(), o); !errors.Is(err, ErrNoArchive) {
		t.Error(err)
	}
	r.ok(os.Remove(r.root), os.Rename(away, r.root))
	if _, err := r.a.Get(t.Context(), r.one.ID); err != nil {
		t.Errorf("the index lost its event: %v", err)
	}
	// An archive that cannot be written can still be checked.
	o = r.options(true)
	o.writable = func(string) error { return &fs.PathError{Op: "open", Path: r.root, Err: fs.ErrPermission} }
	if _, err := Run(t.Context(), o); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	o.Repair = false
	if res := r.run(o); !res.Whole() || res.Events != 1 {
		t.Errorf("%+v", res)
	}
	// Without an index there is nothing to compare with, and no index is created.
	r.ok(r.a.Close())
	r.remove(filepath.Join(r.state, index.Name))
	if res := r.run(o); !res.Whole() || !fits(res.Notes, []string{"no index yet"}) {
		t.Errorf("%+v", res)
	}
	if _, err := os.Stat(filepath.Join(r.state, index.Name)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a check made an index")
	}
}

func TestManyForeignFiles(t *testing.T) {
	poll.RealTime(t)
	t.Parallel()
	r := newRig(t, false)
	const many = 20_000
	for i := range many {
		f, err := os.Create(filepath.Join(filepath.Dir(r.sidecar(r.one)), fmt.Sprintf("IMG_%06d.jpg", i)))
		r.ok(err)
		r.ok(f.Close())
	}
	began := time.Now()
	if res := r.run(r.options(true)); !res.Whole() || res.Foreign != many {
		t.Errorf("%+v", res)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestRoles(t *testing.T) {
	const stem = "2026-11-22_14-05-06+0100_motion"
	for _, tc := range []struct {
		name, stem string
		role       archive.Role
	}{
		{stem + ".mp4", stem, archive.ClipFile},
		{stem + "_2.mp4", stem + "_2", archive.ClipFile},
		{stem + "_part3.mp4", stem, archive.ClipFile},
		{stem + "_part3_2.mp4", stem, archive.ClipFile},
		{stem + "_2_part3.mp4", stem + "_2", archive.ClipFile},
		{stem + ".partial.mp4", stem, archive.PartialFile},
		{stem + ".12.partial.mp4", stem, archive.PartialFile},
		{"." + stem + ".tmp", stem, archive.TmpFile},
		{"." + stem + "_part2.tmp", stem, archive.TmpFile},
		{stem + ".json", stem, archive.SidecarFile},
		{stem + ".json.damaged", stem, archive.AsideFile},
		{"." + stem + ".json.tmp-1234", stem, archive.ScrapFile},
		{"." + stem + ".json.tmp", stem, archive.ScrapFile},
		{"." + stem + "_snapshot.png.tmp-1234", stem, archive.ScrapFile},
		{stem + ".jpg", stem, archive.ThumbFile},
		{stem + "_snapshot.png", stem, archive.SnapshotFile},
		{stem + "_mail.eml", stem, archive.MailFile},
		{"." + stem + "_mail.eml.tmp", stem, archive.ScrapFile},
		{stem + "_mail.txt", "", archive.Stranger},
		{"2026-11-22_14-05-06-0330_bewegung-größe.mp4", "2026-11-22_14-05-06-0330_bewegung-größe", archive.ClipFile},
		{"2026-11-22_14-05-06+0100_動き.mp4", "2026-11-22_14-05-06+0100_動き", archive.ClipFile},
		{stem, "", archive.Stranger},
		{stem + ".mp4.part", "", archive.Stranger},
		{stem + ".tmp", "", archive.Stranger},
		{"." + stem + ".mp4", "", archive.Stranger},
		{stem + "_part3.json", "", archive.Stranger},
		{"2026-02-31_14-05-06+0100_motion.mp4", "", archive.Stranger},
		{"2026-11-22_14-05-06+0100_a/b.mp4", "", archive.Stranger},
	} {
		if stem, role := archive.RoleOf(tc.name); stem != tc.stem || role != tc.role {
			t.Errorf("%s: %q %d", tc.name, stem, role)
		}
	}
}

func FuzzRoles(f *testing.F) {
	f.Add("2026-11-22_14-05-06+0100_motion_part2.mp4")
	f.Add(".2026-11-22_14-05-06+0100_motion.tmp")
	f.Fuzz(func(t *testing.T, name string) {
		stem, role := archive.RoleOf(name)
		if (role == archive.Stranger) != (stem == "") || !strings.Contains(name, stem) ||
			strings.ContainsAny(stem, "/\\.\x00") {
			t.Errorf("%q: %q %d", name, stem, role)
		}
		if role != archive.Stranger {
			_ = group{stem: stem}.time()
		}
	})
}

// TestIndexStaysAsItIs audits beside an index that was closed, and beside an index that a killed recorder left.
func TestIndexStaysAsItIs(t *testing.T) {
	t.Parallel()
	r := newRig(t, false)
	state := t.TempDir()
	for _, end := range []string{"", "-wal"} { // as they are while the index is open
		r.write(filepath.Join(state, index.Name+end), r.read(filepath.Join(r.state, index.Name+end)))
	}
	wal := r.read(filepath.Join(state, index.Name+"-wal"))
	r.ok(r.a.Close())
	before := r.read(filepath.Join(r.state, index.Name))
	for _, o := range []Options{r.options(false), {State: state}} {
		killed := o.State == state
		if killed {
			o = r.options(false)
			o.State = state
		}
		if res := r.run(o); !res.Whole() || len(res.Notes) > 0 {
			t.Errorf("killed: %t, %+v", killed, res)
		}
	}
	if now := r.read(filepath.Join(state, index.Name+"-wal")); len(wal) == 0 || !bytes.Equal(now, wal) {
		t.Errorf("the log of a killed recorder has %d bytes and had %d", len(now), len(wal))
	}
	if now := r.read(filepath.Join(r.state, index.Name)); !bytes.Equal(now, before) {
		t.Error("the index was changed")
	}
	if fi, err := os.Stat(filepath.Join(r.state, index.Name+"-wal")); err == nil && fi.Size() > 0 {
		t.Error("it looks as if a recorder had been killed")
	}
}
