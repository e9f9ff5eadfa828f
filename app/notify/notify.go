// Package notify shows desktop notifications: on Linux by D-Bus with a picture and actions, elsewhere as the platform
// allows. Nothing is connected before the first note; a service that is missing, hangs or starts again costs that note
// and is tried again at the next one.
package notify

// Notification is one notification.
type Notification struct {
	Key     string // a later note with the same key replaces it, where the desktop can
	Title   string
	Body    string
	Picture string   // path of an image, or ""
	Actions []Action // the first is what a click on the note does
	Update  bool     // shown only in place of a note with this key that is still there
}

// Action is a button of a note.
type Action struct {
	Label string
	Do    func() // runs in a goroutine of its own, for which Stop waits
}

// Notifier shows notes. One goroutine at a time may call it.
type Notifier interface {
	// Show shows a note. It takes seconds where the desktop hangs.
	Show(Notification) error
	// Close takes a note away by its key, where the desktop can. One that is gone already is no error.
	Close(key string) error
	// Stop disconnects. Notes that are shown stay.
	Stop()
}
