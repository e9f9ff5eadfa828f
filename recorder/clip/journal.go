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
	Put(ctx context.Context, events ...event.Event) error // writes all events or none to the index, durably
	Reserve(e *event.Event) error                         // gives the event a place for its files
	Release(e event.Event)
	Folder(e event.Event) (*os.Root, error)
	WriteSidecar(e event.Event) error
}

// journal writes one event down, and has the one lock under which the event changes. The journal writes the index,
// which counts. In case the index is lost, the journal also writes a note in RAM with the hold, and the sidecar beside
// the video.
type journal struct {
	store   Store
	changed func(event.Event)
	log     *slog.Logger

	writing sync.Mutex // held while the index is written, so that changes are written in order; taken before mu
	mu      sync.Mutex // guards all fields below
	course
	saveNote       func([]byte) error // saves the note in RAM; nil if there is no hold
	version        int                // counts the changes of the event
	indexedVersion int                // the version in the index
	tried          int                // the version that could not be written
	failed         error              // error of that write
	beside         int                // the version in the sidecar
}

// event returns the event as it is now.
func (j *journal) event() event.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ev
}

// edit changes the event and returns its version. The change is in the index once commit returns for this version.
func (j *journal) edit(do func(*course)) (version int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	do(&j.course)
	j.version++
	return j.version
}

// commit returns when the given version of the event, or a later version, is in the index. Of many concurrent callers,
// the first one writes the index for all.
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

	// Other callers may wait for this write. They must not fail because the mail session that writes for all has ended.
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

// putTime is how long the index may take to write a change.
const putTime = time.Minute

// record changes the event, and returns when the change is in the index.
func (j *journal) record(ctx context.Context, do func(*course)) error {
	return j.commit(ctx, j.edit(do))
}

// commitLater commits changes that the next process would find out itself. After an error, the next change tries again.
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

// sidecar writes the sidecar of the open event if the event changed since. An error is only logged, because the index
// has the event.
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
