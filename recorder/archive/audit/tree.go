package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/lockfile"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/archive/drive"
)

// numbered matches the ending of a partial file, with its number unless it is the first.
var numbered = regexp.MustCompile(`^(?:(\d+)\.)?partial\.mp4$`)

// partNumber returns the place of a partial file among those of its event, counted from 1.
func partNumber(stem, name string) int {
	m := numbered.FindStringSubmatch(strings.TrimPrefix(name, stem+"."))
	if m == nil || m[1] == "" {
		return 1
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// file is a file with a name that Preroll makes.
type file struct {
	name    string
	role    archive.Role
	size    int64
	mod     time.Time
	regular bool // not a link or any other special file
}

// group is the files of one event.
type group struct {
	dir   string // below the archive, with slashes
	stem  string
	files []file // sorted by name
}

func (g group) of(r archive.Role) (list []file) {
	for _, f := range g.files {
		if f.role == r {
			list = append(list, f)
		}
	}
	return list
}

func (g group) file(name string) (file, bool) {
	i := slices.IndexFunc(g.files, func(f file) bool { return f.name == name })
	if i < 0 {
		return file{}, false
	}
	return g.files[i], true
}

// at returns the path of a file of the event below the archive.
func (g group) at(name string) string {
	if g.dir == "." {
		return name
	}
	return g.dir + "/" + name
}

// time returns when the event began, according to its stem.
func (g group) time() time.Time {
	t, _ := time.Parse(archive.StemTime, g.stem[:len(archive.StemTime)]) // list has parsed it already
	return t
}

// isEvent reports whether there is a clip, a partial file or a sidecar, and not just a picture of an event.
func (g group) isEvent() bool {
	return slices.ContainsFunc(g.files, func(f file) bool {
		return f.role == archive.ClipFile || f.role == archive.PartialFile || f.role == archive.SidecarFile
	})
}

func (g group) hasVideo() bool {
	return slices.ContainsFunc(g.files, func(f file) bool {
		return f.role == archive.ClipFile || f.role == archive.PartialFile || f.role == archive.TmpFile
	})
}

// video returns the number of finished clips, and the bytes of all video files.
func (g group) video() (clips int, bytes int64) {
	for _, f := range g.files {
		switch f.role {
		case archive.ClipFile:
			clips++
			bytes += f.size
		case archive.PartialFile, archive.TmpFile:
			bytes += f.size
		}
	}

	return clips, bytes
}

// digest returns a hash of the event's path and of the names, sizes and times of its files.
func (g group) digest() (d digest) {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", g.at(g.stem))
	for _, f := range g.files {
		fmt.Fprintf(h, "%q %d %d %t\n", f.name, f.size, f.mod.UnixNano(), f.regular)
	}
	copy(d[:], h.Sum(nil))
	return d
}

// names is how many names of a folder list reads at once. It bounds the memory for files that are not Preroll's.
const names = 1000

// list reads one folder. It returns the events in the folder and the folders below, both sorted, and the number of
// files that are not Preroll's. It never follows links.
func list(ctx context.Context, root, dir string) (groups []group, below []string, strangers int, err error) {
	f, err := os.Open(filepath.Join(root, filepath.FromSlash(dir)))
	if err != nil {
		return nil, nil, 0, err
	}
	defer func() { _ = f.Close() }()
	found := map[string]*group{}
	for {
		entries, err := f.ReadDir(names)
		if ctx.Err() != nil {
			return nil, nil, 0, context.Cause(ctx)
		}
		for _, d := range entries {
			if d.IsDir() && !strings.HasPrefix(d.Name(), ".") {
				below = append(below, group{dir: dir}.at(d.Name()))
				continue
			}
			if d.Name() == drive.File || d.Name() == lockfile.Name {
				continue
			}
			stem, r := archive.RoleOf(d.Name())
			if r == archive.Stranger || d.IsDir() {
				strangers++
				continue
			}
			fi, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // gone since
			}
			if err != nil {
				return nil, nil, 0, err
			}
			g := found[stem]
			if g == nil {
				g = &group{dir: dir, stem: stem}
				found[stem] = g
			}
			g.files = append(g.files, file{d.Name(), r, fi.Size(), fi.ModTime(), fi.Mode().IsRegular()})
		}

		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, 0, err
		}
	}

	for _, g := range found {
		slices.SortFunc(g.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b group) int { return strings.Compare(a.stem, b.stem) })
	slices.Sort(below)
	return groups, below, strangers, nil
}

// walk visits every folder of the archive, each before the folders below it. visit gets the error if a folder cannot be
// read.
func walk(ctx context.Context, root, dir string,
	visit func(dir string, groups []group, strangers int, err error) error) error {
	groups, below, strangers, err := list(ctx, root, dir)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := visit(dir, groups, strangers, err); err != nil {
		return err
	}
	for _, d := range below {
		if err := walk(ctx, root, d, visit); err != nil {
			return err
		}
	}
	return nil
}

// again lists one event's files again. ok is false if none is left.
func again(ctx context.Context, root string, g group) (now group, ok bool, err error) {
	groups, _, _, err := list(ctx, root, g.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return g, false, nil
	}
	i := slices.IndexFunc(groups, func(o group) bool { return o.stem == g.stem })
	if err != nil || i < 0 {
		return g, false, err
	}
	return groups[i], true, nil
}
