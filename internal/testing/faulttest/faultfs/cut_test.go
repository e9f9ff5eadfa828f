//go:build linux

package faultfs

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
)

// cutter cuts the power of a disk many times.
type cutter struct {
	t    *testing.T
	d    *Disk
	rng  *rand.Rand
	dir  string
	cuts int
}

func newCutter(t *testing.T, d *Disk) *cutter {
	return &cutter{t: t, d: d, rng: rand.New(rand.NewPCG(1, 2)), dir: t.TempDir()}
}

// cut cuts the power, passes the image to look, and removes the image.
func (c *cutter) cut(look func(image string)) {
	c.t.Helper()
	image := filepath.Join(c.dir, "image")
	must(c.t, os.Mkdir(image, 0o700))
	must(c.t, c.d.PowerCut(Chance, c.rng, image))
	c.cuts++
	look(image)
	must(c.t, os.RemoveAll(image))
}

// found returns how often each outcome was found in n power cuts.
func (c *cutter) found(n int, outcome func(image string) string) map[string]int {
	c.t.Helper()
	m := map[string]int{}
	for range n {
		c.cut(func(image string) { m[outcome(image)]++ })
	}
	return m
}

// tree returns the content of a folder in one line: names, and the content of each file after a colon.
func tree(t *testing.T, root string) string {
	t.Helper()
	var all []string
	must(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if e.Type().IsRegular() {
			name += ":" + read(t, path)
		}
		all = append(all, name)
		return err
	}))
	return strings.Join(all, " ")
}

// TestCutFindsWhatProgramsForget runs a program that replaces a file many times, correctly or without one of the steps.
// The test cuts the power after each call.
func TestCutFindsWhatProgramsForget(t *testing.T) {
	tests := []struct {
		name              string
		kind              Kind
		noFsync, noFolder bool
		halved, lost      bool // what may be found
	}{
		{name: "by the rule"},
		{name: "by the rule, on a journal", kind: Journal},
		{name: "no fsync of the file", noFsync: true, halved: true, lost: true},
		{name: "no fsync of the folder", noFolder: true, lost: true},
		{name: "no fsync of the folder, on a journal", kind: Journal, noFolder: true, lost: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, at := New(t, test.kind)
			c := newCutter(t, d)
			acknowledged := 0
			halved, lost := 0, 0
			look := func(image string) {
				b, err := os.ReadFile(filepath.Join(image, "file"))
				version, whole := parse(b)
				switch {
				case errors.Is(err, fs.ErrNotExist):
					if acknowledged > 0 {
						lost++
					}
				case err != nil:
					t.Error(err)
				case !whole:
					halved++
				case version < acknowledged:
					lost++
				}
			}
			for version := 1; c.cuts < 300; version++ {
				tmp := filepath.Join(at, fmt.Sprintf("tmp%d", version))
				f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				must(t, err)
				c.cut(look)
				body := text(version, c.rng.IntN(20_000))
				_, err = f.Write(body[:len(body)/2])
				must(t, err)
				c.cut(look)
				_, err = f.Write(body[len(body)/2:])
				must(t, err)
				c.cut(look)
				if !test.noFsync {
					must(t, f.Sync())
					c.cut(look)
				}
				must(t, f.Close())
				must(t, os.Rename(tmp, filepath.Join(at, "file")))
				c.cut(look)
				if !test.noFolder {
					must(t, syncDir(at))
				}
				acknowledged = version
				c.cut(look)
			}
			t.Logf("%d cuts: the file was halved %d times, lost or old %d times", c.cuts, halved, lost)
			if halved > 0 != test.halved {
				t.Errorf("halved %d times, want any: %v", halved, test.halved)
			}
			if lost > 0 != test.lost && !test.noFsync {
				t.Errorf("lost %d times, want any: %v", lost, test.lost)
			}
		})
	}
}

// TestWorstCuts cuts the power with the losses All and Bytes.
func TestWorstCuts(t *testing.T) {
	for _, kind := range []Kind{Strict, Journal} {
		d, at := New(t, kind)
		path := filepath.Join(at, "file")
		f, err := os.Create(path)
		must(t, err)
		defer func() { _ = f.Close() }()
		expect := func(step, all, bytes string) {
			t.Helper()
			for loss, want := range map[Loss]string{All: all, Bytes: bytes} {
				image := t.TempDir()
				must(t, d.PowerCut(loss, rand.New(rand.NewPCG(1, 1)), image))
				if got := tree(t, image); got != want {
					t.Errorf("%s, disk of kind %d, loss %d: found %q, want %q", step, kind, loss, got, want)
				}
			}
		}
		_, err = f.WriteString("begin")
		must(t, err)
		expect("written", "", "file:")
		must(t, syncDir(at))
		expect("named", "file:", "file:")
		must(t, f.Sync())
		expect("synced", "file:begin", "file:begin")
		_, err = f.WriteString(" end")
		must(t, err)
		must(t, os.Rename(path, filepath.Join(at, "final")))
		expect("renamed", "file:begin", "final:begin")
	}
}

// text returns a body with a checksum, so that parse can tell whether the body is whole.
func text(version, size int) []byte {
	b := fmt.Appendf(nil, "%d %s ", version, strings.Repeat("x", size))
	return fmt.Appendf(b, "%08x", crc32.ChecksumIEEE(b))
}

func parse(b []byte) (version int, whole bool) {
	if len(b) < 8 {
		return 0, false
	}
	body := b[:len(b)-8]
	if _, err := fmt.Sscan(string(body), &version); err != nil {
		return 0, false
	}
	return version, fmt.Sprintf("%08x", crc32.ChecksumIEEE(body)) == string(b[len(b)-8:])
}

func TestCutOfBytes(t *testing.T) {
	d, at := New(t)
	c := newCutter(t, d)
	const size = 5 * page
	durable := bytes.Repeat([]byte("d"), size)
	f := openFile(t, filepath.Join(at, "f"), os.O_RDWR|os.O_CREATE)
	_, err := f.Write(durable)
	must(t, err)
	must(t, f.Sync())
	must(t, syncDir(at))
	// Pending: three pages in the middle, one of these pages again, and one page at the end.
	for _, w := range []struct {
		off  int64
		n    int
		fill string
	}{{page, 3 * page, "1"}, {2 * page, page, "2"}, {size, page, "3"}} {
		_, err := f.WriteAt(bytes.Repeat([]byte(w.fill), w.n), w.off)
		must(t, err)
	}
	got := c.found(200, func(image string) string {
		b := []byte(read(t, filepath.Join(image, "f")))
		if len(b) < size || !bytes.Equal(b[:page], durable[:page]) || !bytes.Equal(b[4*page:size], durable[:page]) {
			t.Fatal("durable bytes are gone")
		}
		if i := bytes.IndexFunc(b, func(r rune) bool { return !strings.ContainsRune("d123\x00", r) }); i >= 0 {
			t.Fatalf("at %d there is %q", i, b[i])
		}
		pages := ""
		for i := 0; i < len(b); i += page {
			p := b[i:min(i+page, len(b))]
			if bytes.Count(p, p[:1]) < page {
				pages += "/" // torn
			} else {
				pages += strings.ReplaceAll(string(p[:1]), "\x00", "0")
			}
		}
		return pages
	})
	for _, pages := range []string{"ddddd", "d121d3", "d000d0"} {
		if got[pages] == 0 {
			t.Errorf("never found %s, only %v", pages, got)
		}
	}
	if len(got) < 10 {
		t.Errorf("few outcomes: %v", got)
	}
	must(t, f.Sync())
	if got := c.found(20, func(image string) string {
		return read(t, filepath.Join(image, "f"))[2*page : 2*page+1]
	}); got["2"] != 20 {
		t.Errorf("after fsync: %v", got)
	}

	must(t, f.Truncate(10))
	if got := c.found(50, func(image string) string {
		return fmt.Sprint(len(read(t, filepath.Join(image, "f"))))
	}); got["10"] == 0 || got[fmt.Sprint(6*page)] == 0 ||
		len(got) != 2 {
		t.Errorf("after truncate: %v", got)
	}
}

// TestCutOfNames checks what power cuts leave of changes of names, for a file that is itself durable.
func TestCutOfNames(t *testing.T) {
	join := filepath.Join
	tests := []struct {
		name    string
		kind    Kind
		do      func(at string) error
		allowed []string // each must be found, and nothing else
	}{
		{"nothing done", Strict, func(string) error { return nil }, []string{"a a/f:1 b"}},
		{"created", Strict, func(at string) error {
			return os.WriteFile(join(at, "b/g"), nil, 0o600)
		}, []string{"a a/f:1 b", "a a/f:1 b b/g:"}},
		{"created, fsynced", Strict, func(at string) error {
			return create(join(at, "b/g"))
		}, []string{"a a/f:1 b", "a a/f:1 b b/g:new"}},
		{"created, fsynced, journal", Journal, func(at string) error {
			return create(join(at, "b/g"))
		}, []string{"a a/f:1 b b/g:new"}},
		{"created, both fsynced", Strict, func(at string) error {
			return errors.Join(create(join(at, "b/g")), syncDir(join(at, "b")))
		}, []string{"a a/f:1 b b/g:new"}},
		{"removed", Strict, func(at string) error { return os.Remove(join(at, "a/f")) }, []string{"a a/f:1 b", "a b"}},
		{"removed, fsynced", Strict, func(at string) error {
			return errors.Join(os.Remove(join(at, "a/f")), syncDir(join(at, "a")))
		}, []string{"a b"}},
		{"renamed", Strict, func(at string) error {
			return os.Rename(join(at, "a/f"), join(at, "a/g"))
		}, []string{"a a/f:1 b", "a a/g:1 b"}},
		{"renamed twice", Strict, func(at string) error {
			return errors.Join(os.Rename(join(at, "a/f"), join(at, "a/g")), os.Rename(join(at, "a/g"), join(at, "a/h")))
		}, []string{"a a/f:1 b", "a a/g:1 b", "a a/h:1 b"}},
		{"moved", Strict, func(at string) error {
			return os.Rename(join(at, "a/f"), join(at, "b/f"))
		},
			[]string{"a a/f:1 b", "a b b/f:1", "a a/f:1 b b/f:1"}},
		{"moved, journal", Journal, func(at string) error {
			return os.Rename(join(at, "a/f"), join(at, "b/f"))
		}, []string{"a a/f:1 b", "a b b/f:1"}},
		{"moved, source fsynced", Strict, func(at string) error {
			return errors.Join(os.Rename(join(at, "a/f"), join(at, "b/f")), syncDir(join(at, "a")))
		}, []string{"a b b/f:1"}},
		{"moved, target fsynced", Strict, func(at string) error {
			return errors.Join(os.Rename(join(at, "a/f"), join(at, "b/f")), syncDir(join(at, "b")))
		},
			[]string{"a b b/f:1", "a a/f:1 b b/f:1"}},
		{"exchanged", Strict, func(at string) error {
			return unix.Renameat2(unix.AT_FDCWD, join(at, "a"), unix.AT_FDCWD, join(at, "b"), unix.RENAME_EXCHANGE)
		}, []string{"a a/f:1 b", "a b b/f:1"}},
		{"linked", Strict, func(at string) error {
			return os.Link(join(at, "a/f"), join(at, "b/f"))
		}, []string{"a a/f:1 b", "a a/f:1 b b/f:1"}},
		{"folder moved", Strict, func(at string) error {
			return os.Rename(join(at, "a"), join(at, "b/a"))
		}, []string{"a a/f:1 b", "b b/a b/a/f:1"}},
		{"folder removed", Strict, func(at string) error {
			return os.Remove(join(at, "b"))
		}, []string{"a a/f:1 b", "a a/f:1"}},
		{"folder made", Strict, func(at string) error {
			return errors.Join(os.Mkdir(join(at, "c"), 0o700), create(join(at, "c/g")), syncDir(join(at, "c")))
		}, []string{"a a/f:1 b", "a a/f:1 b c c/g:new"}},
		{"symlink made", Strict, func(at string) error {
			return os.Symlink("a", join(at, "l"))
		}, []string{"a a/f:1 b", "a a/f:1 b l"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if off() {
				t.Skip(noFUSE + " is set: nobody may mount a FUSE file system here")
			}
			backing, at := t.TempDir(), t.TempDir()
			must(t, os.Mkdir(join(backing, "a"), 0o700))
			must(t, os.Mkdir(join(backing, "b"), 0o700))
			write(t, join(backing, "a/f"), "1")
			d, err := Mount(backing, at, test.kind)
			must(t, err)
			t.Cleanup(func() { must(t, d.Close()) })
			must(t, test.do(at))
			got := newCutter(t, d).found(60, func(image string) string { return tree(t, image) })
			for _, w := range test.allowed {
				if got[w] == 0 {
					t.Errorf("never found %q", w)
				}
				delete(got, w)
			}
			for g, n := range got {
				t.Errorf("found %q %d times", g, n)
			}
		})
	}
}

// create makes a file with some bytes and fsyncs the file, but not its folder.
func create(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.WriteString("new")
	return errors.Join(err, f.Sync(), f.Close())
}

// TestFsyncThatFailed checks that the next fsync does not store what an fsync failed to store.
func TestFsyncThatFailed(t *testing.T) {
	d, at := New(t)
	f := openFile(t, filepath.Join(at, "f"), os.O_RDWR|os.O_CREATE)
	must(t, syncDir(at))
	_, err := f.WriteAt([]byte("one"), 0)
	must(t, err)
	d.Set(Faults{SyncErr: unix.EIO})
	want(t, "fsync", f.Sync(), unix.EIO)
	d.Set(Faults{})
	_, err = f.WriteAt([]byte("two"), 3)
	must(t, err)
	must(t, f.Sync())
	got := newCutter(t, d).found(50, func(image string) string { return read(t, filepath.Join(image, "f"))[3:] })
	if got["two"] != 50 {
		t.Errorf("what the second fsync stored is gone: %v", got)
	}
	got = newCutter(t, d).found(50, func(image string) string { return read(t, filepath.Join(image, "f"))[:3] })
	if got["one"] == 0 || got["\x00\x00\x00"] == 0 {
		t.Errorf("what the first fsync lost is always, or never, there: %v", got)
	}
}

// TestSQLite inserts rows and cuts the power at random moments. With synchronous=FULL no row may be lost. NORMAL only
// promises that the database is whole, and rows lost with NORMAL show that the power cuts reach SQLite.
func TestSQLite(t *testing.T) {
	for _, synchronous := range []string{"FULL", "NORMAL"} {
		t.Run(synchronous, func(t *testing.T) {
			d, at := New(t)
			open := func(dir string) *sql.DB {
				db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "index.sqlite")+
					"?_pragma=busy_timeout(25000)&mode=rwc&_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+
					")&_txlock=immediate&_pragma=wal_autocheckpoint(20)")
				must(t, err)
				return db
			}
			db := open(at)
			_, err := db.Exec(`CREATE TABLE rows (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT; PRAGMA wal_checkpoint(TRUNCATE)`)
			must(t, err)
			must(t, syncDir(at))

			var committed atomic.Int64
			stop, done := make(chan struct{}), make(chan error, 1)
			go func() {
				for {
					select {
					case <-stop:
						done <- nil
						return
					default:
					}
					if _, err := db.Exec(`INSERT INTO rows (bytes) VALUES (randomblob(?))`,
						100+committed.Load()%3000); err != nil {
						done <- err
						return
					}
					committed.Add(1)
				}
			}()
			defer func() {
				close(stop)
				must(t, errors.Join(<-done, db.Close()))
			}()

			c := newCutter(t, d)
			lost := 0
			for range 50 {
				next := committed.Load() + c.rng.Int64N(8)
				waitFor(t, "rows", func() bool { return committed.Load() >= next })
				before := committed.Load()
				c.cut(func(image string) {
					db := open(image)
					defer func() { must(t, db.Close()) }()
					var check string
					must(t, db.QueryRow(`PRAGMA integrity_check`).Scan(&check))
					if check != "ok" {
						t.Errorf("cut %d: %s", c.cuts, check)
					}
					var rows int64
					must(t, db.QueryRow(`SELECT count(*) FROM rows`).Scan(&rows))
					if rows < before {
						lost++
					}
				})
			}
			t.Logf("%d rows, %d cuts, %d of them lost rows", committed.Load(), c.cuts, lost)
			if lost > 0 != (synchronous == "NORMAL") {
				t.Errorf("%d cuts lost rows", lost)
			}
		})
	}
}
