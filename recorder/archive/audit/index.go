package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/archive/index"
	"github.com/preroll/preroll/recorder/event"
)

func (r *run) openIndex(ctx context.Context) {
	r.index, r.noIndex = archive.Peek(ctx, r.State, r.Archive)
	if r.noIndex == nil { // notice damage now rather than in the middle
		if _, r.noIndex = r.index.Unfinished(ctx); r.noIndex != nil {
			_ = r.index.Close()
		}
	}
	if r.noIndex != nil {
		r.index = nil
	}
}

// lose goes on without the index after err showed that it cannot be read.
func (r *run) lose(err error) {
	_ = r.closeIndex()
	r.index, r.noIndex = nil, err
	r.addIssue(indexFault(err))
}

func (r *run) closeIndex() error {
	if r.index == nil {
		return nil
	}
	return r.index.Close()
}

func indexFault(err error) Issue {
	return Issue{Kind: Index, Path: index.Name, Text: "The index cannot be read: " + err.Error() + ".",
		Hint: "It is rebuilt from the archive with --repair, or when Preroll starts."}
}

// empty returns an error if the archive folder is not the drive whose events the index holds: the drive is not plugged
// in, or another drive is in its place. Then treating every event as lost would do harm.
func (r *run) empty(ctx context.Context) error {
	if r.index == nil {
		return nil
	}
	return r.index.Place(ctx)
}

// missing looks for events in the index that have no files left. Events with files have been checked already.
func (r *run) missing(ctx context.Context) error {
	if r.index == nil {
		return nil
	}
	q := event.Query{Limit: 500}
	elsewhere := 0
	for {
		list, err := r.index.List(ctx, q)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			r.lose(err)
			return nil
		}
		for _, e := range list {
			q.Before, q.BeforeID = e.Time, e.ID
			switch {
			case r.elsewhere(e):
				elsewhere++
			case !e.State.Ended() && e.Stem == "":
				if !r.Running(ctx) {
					r.addNote(Issue{Kind: Index, Path: e.Camera, Event: e.ID,
						Text: "Event " + e.ID + " will be finished when Preroll starts."})
				}
			case e.State.Ended() && len(e.Clips) > 0:
				if err := r.absent(ctx, e); err != nil {
					return err
				}
			}
		}

		if len(list) < q.Limit {
			break
		}
	}

	if elsewhere > 0 {
		r.addNote(Issue{Kind: Index, Path: r.Archive,
			Text: fmt.Sprintf("%d events of the index lie in an archive folder that was used before; they were not checked.", elsewhere)})
	}
	return nil
}

// elsewhere reports whether an event lies on another drive or in another archive folder.
func (r *run) elsewhere(e event.Event) bool {
	return e.Drive != "" && r.drive != "" && e.Drive != r.drive ||
		e.Archive != "" && filepath.Clean(e.Archive) != filepath.Clean(r.Archive)
}

// absent adds a fault for an event if its sidecar and its clips are all gone.
func (r *run) absent(ctx context.Context, e event.Event) error {
	for _, name := range append([]string{archive.Sidecar(e)}, clipNames(e)...) {
		if _, err := os.Lstat(r.path(e.Folder, name)); !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if err := r.checkRoot(); err != nil {
		return err
	}
	if now, err := r.index.Get(ctx, e.ID); err != nil || now.Stem != e.Stem {
		return nil // it was removed meanwhile
	}
	r.addIssue(Issue{Path: e.Folder + "/" + archive.Sidecar(e), Kind: Index, Event: e.ID,
		Text: "The index has this event, but none of its files is there.",
		Hint: "If they were moved, move them back. Else take it out of the index with --repair, or: preroll reindex"})
	return nil
}

// reconcile rebuilds the index if it differs from the tree, and drops the faults that no longer hold.
func (r *run) reconcile(ctx context.Context) error {
	differs := r.reindex || r.more > 0
	for _, f := range r.res.Faults {
		differs = differs || f.Kind == Index
	}
	var failed error
	if r.Repair && differs && r.Reindex != nil {
		switch {
		case r.hold:
			failed = errors.New("it still knows what a damaged sidecar or an unreadable folder does not tell")
		default:
			failed = r.Reindex(ctx)
		}
		if failed == nil {
			r.res.More, r.more = r.res.More-r.more, 0
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.closeIndex(); err != nil {
			return err
		}
		r.openIndex(ctx)
	}

	list := r.res.Faults
	r.res.Faults = []Issue{}
	for _, f := range list {
		if f.Kind == Index {
			still, err := r.differs(ctx, f)
			if err != nil {
				return err
			}
			if !still {
				if r.Repair {
					f.Hint = ""
					r.res.Repaired = append(r.res.Repaired, f)
				}
				continue
			}
			if failed != nil {
				f.Hint = "The index was not rebuilt: " + failed.Error() + "."
			}
		}

		r.res.Faults = append(r.res.Faults, f)
	}

	return nil
}

// differs reports whether a fault of the index still holds.
func (r *run) differs(ctx context.Context, f Issue) (bool, error) {
	if f.Event == "" || r.index == nil {
		return r.noIndex != nil, nil
	}
	e, err := archive.ReadSidecar(r.disk, f.Path)
	if err != nil {
		_, err := r.index.Get(ctx, f.Event)
		if errors.Is(err, index.ErrNotFound) {
			return false, nil
		}
		return true, err
	}

	text, _, err := r.indexSays(ctx, e)
	return text != "", err
}

// find returns the event of a group from the index. It searches by id if there is one, and else by the place of the
// files.
func (r *run) find(ctx context.Context, g group, id string) (e event.Event, ok bool, err error) {
	if r.index == nil {
		return e, false, nil
	}
	if id != "" {
		e, err = r.index.Get(ctx, id)
		if err == nil && e.State.Ended() && (e.Folder != g.dir || e.Stem != g.stem) { // a copy, or a moved tree
			return event.Event{}, false, nil
		}
		if err == nil || !errors.Is(err, index.ErrNotFound) {
			return e, err == nil, err
		}
	}

	camera, _, _ := strings.Cut(g.dir, "/")
	list, err := r.index.Around(ctx, camera, g.time(), g.time(), time.Minute)
	for _, e := range list {
		if e.Folder == g.dir && e.Stem == g.stem && !r.elsewhere(e) {
			return e, true, nil
		}
	}
	return event.Event{}, false, err
}

// indexSays compares an event from the tree with the index. text says how they differ, "" if they agree, and hint what
// to do.
func (r *run) indexSays(ctx context.Context, e event.Event) (text, hint string, err error) {
	if r.index == nil {
		return "", "", nil
	}
	hint = "The index is rebuilt from the archive with --repair, or: preroll reindex"
	i, err := r.index.Get(ctx, e.ID)
	switch {
	case errors.Is(err, index.ErrNotFound):
		return "The index lacks this event.", hint, nil
	case ctx.Err() != nil:
		return "", "", context.Cause(ctx)
	case err != nil:
		r.lose(err)
		return "", "", nil
	}

	if i.Folder != e.Folder || i.Stem != e.Stem {
		other := i.Path(r.Archive, archive.Sidecar(i))
		if _, err := os.Lstat(other); err == nil {
			return "It is a second sidecar of event " + e.ID + "; the index knows " + i.Folder + "/" +
				archive.Sidecar(i) + ".", "Is it a copy? Move one of the two out of the archive.", nil
		}
		return "The index says that this event lies in " + i.Folder + ".", hint, nil
	}

	same := func(a, b event.Clip) bool { return a.File == b.File && a.Bytes == b.Bytes && a.SHA256 == b.SHA256 }
	if i.State != e.State && (i.State.Ended() || e.State.Ended()) || i.Protected != e.Protected ||
		!slices.EqualFunc(i.Clips, e.Clips, same) {
		return "The index and the sidecar differ.", hint, nil
	}
	return "", "", nil
}
