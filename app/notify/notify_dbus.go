//go:build !windows && !darwin

package notify

import (
	"context"
	"fmt"
	"html"
	"slices"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	service = "org.freedesktop.Notifications"
	object  = dbus.ObjectPath("/org/freedesktop/Notifications")

	timeout = 2 * time.Second // max time that bus and service may take
)

// bus talks to the notification service of the desktop (Desktop Notifications Specification 1.2).
type bus struct {
	done sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	conn    *dbus.Conn // nil while not connected
	able    []string   // capabilities of the service; nil until asked
	byKey   map[string]uint32
	actions map[uint32][]Action
}

// New returns the notifier of this platform.
func New() Notifier { return &bus{} }

// connect connects unless a connection exists, and asks for the capabilities of the service. The caller holds b.mu.
func (b *bus) connect() error {
	if b.conn != nil && !b.conn.Connected() {
		b.disconnect()
	}
	if b.conn == nil {
		ctx, cancel := context.WithCancel(context.Background()) // ends the connection
		slow := time.AfterFunc(timeout, cancel)
		conn, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
		if err != nil {
			cancel()
			return err
		}
		b.conn, b.byKey, b.actions = conn, map[string]uint32{}, map[uint32][]Action{}
		signals := make(chan *dbus.Signal, 16)
		conn.Signal(signals)
		b.done.Go(func() {
			defer cancel()
			b.listen(conn, signals)
		})
		err = conn.AddMatchSignal(dbus.WithMatchObjectPath(object), dbus.WithMatchInterface(service))
		if err == nil {
			err = conn.AddMatchSignal(dbus.WithMatchSender("org.freedesktop.DBus"),
				dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, service))
		}
		if !slow.Stop() && err == nil {
			err = context.DeadlineExceeded
		}
		if err != nil {
			b.disconnect()
			return err
		}
	}

	if b.able == nil {
		able := []string{}
		if err := b.call("GetCapabilities", nil, &able); err != nil {
			b.disconnect()
			return err
		}
		b.able = able
	}

	return nil
}

// disconnect drops the connection. Its listener ends by itself. The caller holds b.mu.
func (b *bus) disconnect() {
	if b.conn != nil {
		_ = b.conn.Close() // closes the signal channel
	}
	b.conn, b.able, b.byKey, b.actions = nil, nil, nil, nil
}

// call calls a method of the service, with timeout as the limit. The caller holds b.mu.
func (b *bus) call(method string, args []any, out ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return b.conn.Object(service, object).CallWithContext(ctx, service+"."+method, 0, args...).Store(out...)
}

func (b *bus) Stop() {
	b.mu.Lock()
	b.disconnect()
	b.mu.Unlock()
	b.done.Wait()
}

func (b *bus) Show(n Notification) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n.Update && b.byKey[n.Key] == 0 {
		return nil
	}
	if err := b.connect(); err != nil {
		return fmt.Errorf("show notification: %w", err)
	}
	list := []string{}
	for i, a := range n.Actions {
		name := fmt.Sprint(i)
		if i == 0 {
			name = "default"
		}
		list = append(list, name, a.Label)
	}

	if !slices.Contains(b.able, "actions") {
		list = []string{} // some services show a dialog if a notification has actions
	}
	body := n.Body
	if slices.Contains(b.able, "body-markup") { // the title is never markup
		body = html.EscapeString(body)
	}
	hints := map[string]dbus.Variant{"desktop-entry": dbus.MakeVariant("io.github.preroll.Preroll"),
		"category": dbus.MakeVariant("device")}
	if n.Picture != "" {
		hints["image-path"] = dbus.MakeVariant(n.Picture) // GNOME, KDE, Xfce, dunst and mako take a plain path
	}
	var id uint32
	if err := b.call("Notify", []any{"Preroll", b.byKey[n.Key], "", n.Title, body, list, hints, int32(-1)},
		&id); err != nil {
		b.disconnect()
		return fmt.Errorf("show notification: %w", err)
	}
	if n.Key != "" {
		b.byKey[n.Key] = id
	}
	b.actions[id] = n.Actions
	return nil
}

func (b *bus) Close(key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.byKey[key]
	if id == 0 {
		return nil
	}
	b.forget(id)
	if err := b.call("CloseNotification", []any{id}); err != nil {
		b.disconnect()
		return fmt.Errorf("close notification: %w", err)
	}
	return nil
}

// forget drops what is kept about a notification. The caller holds b.mu.
func (b *bus) forget(id uint32) {
	delete(b.actions, id)
	for k, v := range b.byKey {
		if v == id {
			delete(b.byKey, k)
		}
	}
}

// listen runs the actions that the user chooses and forgets closed notifications, until the connection ends.
func (b *bus) listen(conn *dbus.Conn, signals <-chan *dbus.Signal) {
	for {
		select {
		case s, ok := <-signals:
			if !ok {
				return
			}
			b.mu.Lock()
			if b.conn == conn {
				b.hear(s)
			}
			b.mu.Unlock()
		case <-conn.Context().Done(): // the channel stays open if the connection was lost early
			return
		}
	}
}

// hear handles one signal. The caller holds b.mu.
func (b *bus) hear(s *dbus.Signal) {
	if len(s.Body) < 2 {
		return
	}
	if s.Name == "org.freedesktop.DBus.NameOwnerChanged" {
		if s.Body[1] != "" { // the service ended: ids and capabilities of the next service may differ
			b.able = nil
			clear(b.byKey)
			clear(b.actions)
		}
		return
	}

	id, ok := s.Body[0].(uint32)
	if !ok {
		return
	}
	switch s.Name {
	case service + ".ActionInvoked":
		name, _ := s.Body[1].(string)
		for i, a := range b.actions[id] {
			if name == fmt.Sprint(i) || i == 0 && name == "default" {
				b.done.Go(a.Do)
			}
		}
	case service + ".NotificationClosed":
		b.forget(id)
	}
}
