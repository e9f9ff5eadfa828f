//go:build !windows && !darwin

package notify

import (
	"fmt"
	"html"
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	service = "org.freedesktop.Notifications"
	object  = dbus.ObjectPath("/org/freedesktop/Notifications")
)

// bus talks to the desktop's notification service (Desktop Notifications Specification 1.2).
type bus struct {
	conn    *dbus.Conn
	obj     dbus.BusObject
	signals chan *dbus.Signal
	done    sync.WaitGroup

	mu      sync.Mutex // guards all below
	byKey   map[string]uint32
	actions map[uint32][]Action
}

// New connects to the desktop's notifications.
func New() (Notifier, error) {
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		return nil, fmt.Errorf("notifications: %w", err)
	}
	if err := conn.AddMatchSignal(dbus.WithMatchObjectPath(object), dbus.WithMatchInterface(service)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("notifications: %w", err)
	}
	b := &bus{conn: conn, obj: conn.Object(service, object), signals: make(chan *dbus.Signal, 16), byKey: map[string]uint32{}, actions: map[uint32][]Action{}}
	conn.Signal(b.signals)
	b.done.Go(b.listen)
	return b, nil
}

func (b *bus) Close() {
	_ = b.conn.Close() // closes the signal channel
	b.done.Wait()
}

func (b *bus) Show(n Note) error {
	var list []string
	for i, a := range n.Actions {
		name := fmt.Sprint(i)
		if i == 0 {
			name = "default"
		}
		list = append(list, name, a.Label)
	}
	hints := map[string]dbus.Variant{"desktop-entry": dbus.MakeVariant("io.github.preroll.Preroll"), "category": dbus.MakeVariant("device")}
	if n.Picture != "" {
		hints["image-path"] = dbus.MakeVariant(n.Picture)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var id uint32
	// The body may be markup, so what comes from a camera is escaped; the title never is.
	err := b.obj.Call(service+".Notify", 0, "Preroll", b.byKey[n.Key], "", n.Title, html.EscapeString(n.Body), list, hints, int32(-1)).Store(&id)
	if err != nil {
		return fmt.Errorf("show notification: %w", err)
	}
	if n.Key != "" {
		b.byKey[n.Key] = id
	}
	b.actions[id] = n.Actions
	return nil
}

// listen runs the actions that the user chooses, and forgets notes that were closed.
func (b *bus) listen() {
	for s := range b.signals {
		if len(s.Body) < 2 {
			continue
		}
		id, ok := s.Body[0].(uint32)
		if !ok {
			continue
		}
		switch s.Name {
		case service + ".ActionInvoked":
			name, _ := s.Body[1].(string)
			b.mu.Lock()
			actions := b.actions[id]
			b.mu.Unlock()
			for i, a := range actions {
				if name == fmt.Sprint(i) || i == 0 && name == "default" {
					b.done.Go(a.Do)
				}
			}
		case service + ".NotificationClosed":
			b.mu.Lock()
			delete(b.actions, id)
			for k, v := range b.byKey {
				if v == id {
					delete(b.byKey, k)
				}
			}
			b.mu.Unlock()
		}
	}
}
