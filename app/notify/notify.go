// Package notify shows desktop notifications. On Linux it uses D-Bus, with a picture and actions. On other systems it
// does what the platform allows. The package connects at the first notification. If the service is missing, hangs or
// restarts, that one notification is lost, and the next notification tries again.
package notify

// Notification is one desktop notification.
type Notification struct {
	Key     string // a later notification with the same key replaces this one, where the desktop can
	Title   string
	Body    string
	Picture string   // path of an image, or ""
	Actions []Action // a click on the notification runs the first action
	Update  bool     // shown only if a notification with this key is still there, and replaces it
}

// Action is a button of a notification.
type Action struct {
	Label string
	Do    func() // runs in its own goroutine; Stop waits for it
}

// Notifier shows notifications. Only one goroutine at a time may call it.
type Notifier interface {
	// Show shows a notification. Show takes seconds if the desktop hangs.
	Show(Notification) error

	// Close removes the notification with a key, where the desktop can. A notification that is gone already is no
	// error.
	Close(key string) error

	// Stop disconnects. Notifications that are shown stay.
	Stop()
}
