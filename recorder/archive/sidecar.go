package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/event"
)

// A sidecar is a stranger's input: whoever can write to the drive can write one. So its names must be the event's own,
// its ids such as Preroll makes, and its texts are cleaned before anybody sees them.

// Bounds of a sidecar.
const (
	maxSidecar = 4 << 20 // bytes
	maxFiles   = 1000    // clips, parts or gaps
	maxBytes   = 1 << 50 // of a clip
)

// Unread is the error for a part of the archive that could not be read, because of the drive: it may hold events.
type Unread struct{ Err error }

func (e *Unread) Error() string { return e.Err.Error() }
func (e *Unread) Unwrap() error { return e.Err }

// unread marks an error of reading files as Unread. What is gone meanwhile, or is no plain file, is no such.
func unread(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotPlain) {
		return err
	}
	return &Unread{err}
}

// IsUnread reports whether an error is of the kind Unread.
func IsUnread(err error) bool {
	var u *Unread
	return errors.As(err, &u)
}

// Sidecar is the name of an event's JSON file.
func Sidecar(e event.Event) string { return e.Stem + ".json" }

// Modes of what is made on the drive. The umask decides whether a group may read it.
const (
	FileMode fs.FileMode = 0o640
	DirMode  fs.FileMode = 0o750
)

// Names of the files of an event are joined with its folder by slashes: below an os.Root they are so on every platform.

// In is the path of one of an event's files below its archive, with slashes.
func In(e event.Event, file string) string { return path.Join(e.Folder, file) }

// Usable returns why an event from outside is not one of Preroll's, such as that of a sidecar or of a note in RAM. Its
// texts are cleaned.
func Usable(e *event.Event) error {
	switch {
	case !event.ValidID(e.ID) || !event.CameraID(e.Camera) || e.Time.IsZero() || !e.State.Known():
		return errors.New("not a sidecar of Preroll's")
	case e.Hold != "" && !event.ValidID(e.Hold) || e.Continues != "" && !event.ValidID(e.Continues):
		return errors.New("it names an event that cannot be")
	case e.Folder != "" && !fs.ValidPath(e.Folder) || e.Stem == "" && (e.Clips != nil || e.Parts != nil) ||
		e.Stem != "" && !owns(*e):
		return errors.New("it names a file that is not beside it")
	case len(e.Clips) > maxFiles || len(e.Parts) > maxFiles || len(e.Gaps) > maxFiles ||
		len(e.Triggers) > event.KeptTriggers || e.TriggerCount < 0:
		return errors.New("it holds too much for a sidecar")
	case !e.State.Ended() && e.Until.Before(e.From):
		return errors.New("its times cannot be")
	}
	for _, c := range e.Clips {
		if c.Bytes < 0 || c.Bytes > maxBytes || c.Frames < 0 || c.Length < 0 {
			return errors.New("its numbers cannot be")
		}
	}
	e.Clean()
	return nil
}

// ReadSidecar reads an event from a file below the archive's root, and takes its place from where the file lies, so
// that a moved tree stays usable.
func ReadSidecar(root *os.Root, name string) (event.Event, error) {
	f, fi, err := durable.OpenPlain(root, name)
	if err != nil {
		return event.Event{}, unread(err)
	}
	defer func() { _ = f.Close() }()
	if fi.Size() > maxSidecar {
		return event.Event{}, errors.New("too large for a sidecar")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSidecar))
	if err != nil {
		return event.Event{}, unread(err)
	}
	return parseSidecar(b, name)
}

// parseSidecar is ReadSidecar for what a file of a name holds.
func parseSidecar(b []byte, name string) (event.Event, error) {
	var e event.Event
	if err := json.Unmarshal(b, &e); err != nil {
		return event.Event{}, fmt.Errorf("not a sidecar: %w", err)
	}
	stem, role := RoleOf(path.Base(name))
	if role != SidecarFile {
		return event.Event{}, errors.New("not a sidecar of Preroll's")
	}
	e.Archive, e.Drive = "", ""
	e.Folder, e.Stem = path.Dir(name), stem
	if err := Usable(&e); err != nil {
		return event.Event{}, err
	}
	return e, nil
}

// WriteSidecar writes an event's JSON beside its clips, durably. That of an open event tells what its partial files are
// and how far it had come, should the index be lost.
func (a *Archive) WriteSidecar(e event.Event) error {
	root, err := a.On(e)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	b, err := EncodeSidecar(e)
	if err != nil {
		return err
	}
	return durable.WriteIn(root, In(e, Sidecar(e)), b, FileMode)
}

// EncodeSidecar returns what an event's sidecar holds.
func EncodeSidecar(e event.Event) ([]byte, error) {
	if e.State.Ended() {
		e.Hold, e.Parts = "", nil
	}
	e.Archive, e.Drive = "", ""
	b, err := json.MarshalIndent(e, "", "  ")
	return append(b, '\n'), err
}
