package archive

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
)

const (
	restTime   = 300 * time.Millisecond // from the first change until the changed files are read
	maxWatched = 1000                   // folders, the newest first
	depth      = 4                      // of the folders of days: camera, year, month, day
)

// WatchFiles watches the folders of the newest days until ctx ends. It calls changed with the events whose clips
// somebody removed by hand, and with those whose files somebody copied back, after it updated the index. Some drives,
// such as network shares, report no changes; a removal on them is noticed when events are listed.
func (a *Archive) WatchFiles(ctx context.Context, changed func(removed, added []event.Event)) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		a.log.Warn("what is done to the archive by hand is noticed only when events are listed", "err", err)
		return
	}
	defer func() { _ = w.Close() }()
	root := ""
	var watched os.FileInfo // the folder that is watched; a drive may be mounted over it
	touched := map[string]bool{}
	timer, again := time.NewTimer(0), time.NewTicker(time.Second)
	armed := true
	defer timer.Stop()
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-w.Events:
			name := filepath.Base(ev.Name)
			switch fi, err := os.Lstat(ev.Name); {
			case ev.Has(fsnotify.Create) && err == nil && fi.IsDir():
				for _, path := range a.watchBelow(w, root, ev.Name) {
					touched[path] = true
				}
			case strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".partial.mp4") ||
				!strings.HasSuffix(name, ".mp4") && !strings.HasSuffix(name, ".json"):
				continue
			default:
				touched[ev.Name] = true
			}
			if !armed { // not again, or a program that writes all the time would delay it for ever
				timer.Reset(restTime)
				armed = true
			}
		case <-w.Errors:
		case <-again.C: // another folder may be set now, or a drive plugged in
			if root != a.Root() || len(w.WatchList()) == 0 || !sameAs(root, watched) {
				for _, path := range w.WatchList() {
					_ = w.Remove(path)
				}
				root = a.Root()
				watched, _ = os.Stat(root)
				a.watchBelow(w, root, root)
			}
		case <-timer.C:
			armed = false
			if root == "" {
				root = a.Root()
				watched, _ = os.Stat(root)
				a.watchBelow(w, root, root)
			}
			removed, added := a.follow(ctx, root, touched)
			clear(touched)
			if len(removed)+len(added) > 0 {
				changed(removed, added)
			}
		}
	}
}

// sameAs reports whether a path is still the same folder. It also reports true while the path cannot be read.
func sameAs(path string, was os.FileInfo) bool {
	is, err := os.Stat(path)
	return err != nil || was != nil && os.SameFile(is, was)
}

// watchBelow watches a folder of the archive and the folders below, the newest first. It returns the sidecars in them.
func (a *Archive) watchBelow(w *fsnotify.Watcher, root, dir string) (sidecars []string) {
	rel, err := filepath.Rel(root, dir)
	level := 0
	if rel != "." {
		level = strings.Count(filepath.ToSlash(rel), "/") + 1
	}
	hidden := rel != "." && strings.HasPrefix(rel, ".") // the trash, for one
	if err != nil || hidden || level > depth || len(w.WatchList()) >= maxWatched {
		return nil
	}
	if fi, err := os.Lstat(dir); err != nil || !fi.IsDir() || w.Add(dir) != nil { // no link is followed
		return nil
	}
	list, _ := os.ReadDir(dir)
	slices.SortFunc(list, func(a, b os.DirEntry) int { return -cmp.Compare(a.Name(), b.Name()) })
	for _, f := range list {
		path := filepath.Join(dir, f.Name())
		switch {
		case f.IsDir():
			sidecars = append(sidecars, a.watchBelow(w, root, path)...)
		case level == depth && strings.HasSuffix(f.Name(), ".json") && !strings.HasPrefix(f.Name(), "."):
			sidecars = append(sidecars, path)
		}
	}

	return sidecars
}

// follow updates the index with the changes of the touched files.
func (a *Archive) follow(ctx context.Context, path string, touched map[string]bool) (removed, added []event.Event) {
	root, id, err := open(path)
	if err != nil {
		return nil, nil
	}
	defer func() { _ = root.Close() }()
	d, ok := a.Drive(func(d index.Drive) bool { return d.ID == id && id != "" })
	if !ok {
		return nil, nil
	}
	var names []string
	looked := map[string]bool{}
	for full := range touched {
		rel, err := filepath.Rel(path, full)
		name := filepath.ToSlash(rel)
		part := strings.Split(name, "/")
		if err != nil || len(part) != depth+1 {
			continue
		}
		if _, err := root.Lstat(name); err == nil {
			sidecar := strings.TrimSuffix(name, filepath.Ext(name)) + ".json"
			if e, err := ReadSidecar(root, sidecar); err == nil && e.State.Ended() && !clipsGone(root, e) {
				if _, err := a.Get(ctx, e.ID); errors.Is(err, index.ErrNotFound) {
					names = append(names, sidecar)
				}
			}
			continue
		}

		day := strings.Join(part[1:depth], "-")
		if key := part[0] + " " + day; !looked[key] && strings.HasSuffix(name, ".mp4") {
			looked[key] = true
			_, gone := a.DropDeleted(ctx, a.ofDay(ctx, part[0], day))
			removed = append(removed, gone...)
		}
	}

	if len(names) > 0 {
		slices.Sort(names)
		if added, _, err = a.insert(ctx, root, d, slices.Compact(names), 0); err != nil {
			a.log.Warn("what was copied into the archive is not in the index yet", "err", err)
			return removed, nil
		}
	}

	return removed, added
}

// ofDay returns all events of a camera on a day.
func (a *Archive) ofDay(ctx context.Context, camera, day string) (all []event.Event) {
	const page = 500
	for {
		list, err := a.List(ctx, event.Query{Camera: camera, Day: day, Offset: len(all), Limit: page})
		if all = append(all, list...); err != nil || len(list) < page {
			return all
		}
	}
}
