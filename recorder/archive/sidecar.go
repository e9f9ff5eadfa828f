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

// A sidecar is untrusted input: whoever can write to the drive can write a sidecar. So a sidecar may name only its own
// files, its ids must look like Preroll's, and its texts are cleaned before anybody sees them.

// Bounds of a sidecar.
const (
	maxSidecar = 4 << 20 // bytes
	maxFiles   = 1000    // number of clips, of parts and of gaps
	maxBytes   = 1 << 50 // bytes of a clip
)

// Unread is the error for a part of the archive that the drive could not read. The part may hold events.
type Unread struct{ Err error }

func (e *Unread) Error() string { return e.Err.Error() }
func (e *Unread) Unwrap() error { return e.Err }

// unread wraps an error of reading a file in Unread. It returns the error unchanged if the file is gone or is no plain
// file.
func unread(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotPlain) {
		return err
	}
	return &Unread{err}
}

// IsUnread reports whether an error is or wraps an [Unread].
func IsUnread(err error) bool {
	var u *Unread
	return errors.As(err, &u)
}

// Sidecar returns the name of an event's JSON file.
func Sidecar(e event.Event) string { return e.Stem + ".json" }

// Modes of the files and folders on the drive. The umask decides whether the group may read them.
const (
	FileMode fs.FileMode = 0o640
	DirMode  fs.FileMode = 0o750
)

// The names of an event's files are joined with its folder by slashes, because an os.Root takes slashes on every
// platform.

// In returns the path of a file of an event below its archive, with slashes.
func In(e event.Event, file string) string { return path.Join(e.Folder, file) }

// Usable returns an error if an event from outside, such as from a sidecar or from a note in RAM, cannot be an event of
// Preroll's. Otherwise it cleans the event's texts.
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

// ReadSidecar reads an event from a file below the archive's root. It takes the event's folder and stem from the file's
// path, so that a tree can be moved.
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

// parseSidecar parses the content b of the sidecar with the given name.
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

// WriteSidecar writes an event's JSON beside its clips, durably. The sidecar of an open event says what its partial
// files are and how far it had come, in case the index is lost.
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

// EncodeSidecar returns the content of an event's sidecar.
func EncodeSidecar(e event.Event) ([]byte, error) {
	if e.State.Ended() {
		e.Hold, e.Parts = "", nil
	}
	e.Archive, e.Drive = "", ""
	b, err := json.MarshalIndent(e, "", "  ")
	return append(b, '\n'), err
}
