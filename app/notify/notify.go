// Package notify shows desktop notifications: on Linux by D-Bus with a picture and actions, elsewhere as the platform
// allows.
package notify

// Note is one notification.
type Note struct {
	Key     string // a later note with the same key replaces it, where the desktop can
	Title   string
	Body    string
	Picture string   // path of an image, or ""
	Actions []Action // the first is what a click on the note does
}

// Action is a button of a note.
type Action struct {
	Label string
	Do    func()
}

// Notifier shows notes.
type Notifier interface {
	Show(Note) error
	Close()
}
