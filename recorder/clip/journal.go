package clip

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/failpoint"
	"github.com/preroll/preroll/recorder/event"
)

// Store is the archive, as the copier sees it.
type Store interface {
	Put(ctx context.Context, events ...event.Event) error // in the index, all or none, durably
	Reserve(e *event.Event) error                         // a place for its files
	Release(e event.Event)
	Folder(e event.Event) (*os.Root, error)
	WriteSidecar(e event.Event) error
}

// journal is where one event is written down, and the one lock behind which it changes: the index, which counts, a note
// in RAM with its hold, and the sidecar beside its video, both for the case that the index is lost.
type journal struct {
	store   Store
	changed func(event.Event)
	log     *slog.Logger

	writing sync.Mutex // held while the index is written: each change in its order; taken before mu
	mu      sync.Mutex // guards all below
	course
	saveNote       func([]byte) error // in RAM; nil where there is no hold
	version        int                // counts the event's changes
	indexedVersion int                // the version that is in the index
	tried          int                // the version that could not be written,
	failed         error              // and why
	beside         int                // the version that the sidecar has
}

// event returns the event as it is now.
func (j *journal) event() event.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ev
}

// edit changes the event. It is in the index once commit returns.
func (j *journal) edit(do func(*course)) (version int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	do(&j.course)
	j.version++
	return j.version
}

// commit returns when a version of the event, or a later one, is in the index. Of many at once, the first writes it for
// all.
func (j *journal) commit(ctx context.Context, version int) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	ev, now, note := j.ev, j.version, j.saveNote
	noted, tried, failed := j.indexedVersion, j.tried, j.failed
	j.mu.Unlock()
	switch {
	case noted >= version:
		return nil
	case failed != nil && tried >= version:
		return failed
	}
	if note != nil && ev.Hold != "" {
		b, err := json.Marshal(ev)
		if err == nil {
			err = note(b)
		}
		if err != nil {
			j.log.Warn("event was not noted in RAM", "event", ev.ID, "err", err)
		}
	}
	// Who waits behind this one must not fail because the mail's session that writes for all has ended.
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), putTime)
	err := j.store.Put(lasting, ev)
	cancel()
	j.mu.Lock()
	if j.failed = err; err == nil {
		j.indexedVersion = now
	} else {
		j.tried = now
	}
	j.mu.Unlock()
	j.changed(ev)
	return err
}

// putTime is how long the index may take to note a change.
const putTime = time.Minute

// record changes the event, and returns when that is in the index.
func (j *journal) record(ctx context.Context, do func(*course)) error {
	return j.commit(ctx, j.edit(do))
}

// commitLater is commit for what the next process would find out itself: it is tried again with the next change.
func (j *journal) commitLater(ctx context.Context) {
	j.mu.Lock()
	version, due := j.version, j.version != j.indexedVersion
	j.mu.Unlock()
	if !due {
		return
	}
	if err := j.commit(ctx, version); err != nil {
		j.log.Warn("a change of an event was not written to the index yet", "event", j.event().ID, "err", err)
	}
}

// sidecar writes the open event beside its video, if it changed since. What goes wrong with it is no trouble, for the
// index has it.
func (j *journal) sidecar() {
	j.mu.Lock()
	ev, version, beside := j.ev, j.version, j.beside
	j.mu.Unlock()
	if ev.Stem == "" || beside == version {
		return
	}
	if err := j.store.WriteSidecar(ev); err != nil {
		j.log.Warn("open event was not written beside its video", "event", ev.ID, "err", err)
		return
	}
	failpoint.Hit("open-sidecar")
	j.mu.Lock()
	j.beside = version
	j.mu.Unlock()
}
