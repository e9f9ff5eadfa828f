//go:build linux

// Package traytest acts as the tray host of a desktop on a private D-Bus. It owns org.kde.StatusNotifierWatcher, waits
// for an icon, reads the icon's com.canonical.dbusmenu and clicks its entries. No panel is needed.
package traytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
	"github.com/godbus/dbus/v5/prop"
)

const (
	watcherName = "org.kde.StatusNotifierWatcher"
	watcherPath = dbus.ObjectPath("/StatusNotifierWatcher")
	itemIface   = "org.kde.StatusNotifierItem"
	menuIface   = "com.canonical.dbusmenu"
)

// Host is a tray host.
type Host struct {
	conn  *dbus.Conn
	items chan Item
}

// Item is a tray icon.
type Item struct {
	host *Host
	bus  string
	path dbus.ObjectPath
}

// Start connects to the bus at an address and becomes its tray host.
func Start(address string) (*Host, error) {
	c, err := dbus.Connect(address)
	if err != nil {
		return nil, err
	}
	h := &Host{conn: c, items: make(chan Item, 8)}
	w := &watcher{h}
	err = c.Export(w, watcherPath, watcherName)
	if err == nil {
		_, err = prop.Export(c, watcherPath, prop.Map{watcherName: {
			"IsStatusNotifierHostRegistered": {Value: true, Emit: prop.EmitTrue},
			"ProtocolVersion":                {Value: int32(0), Emit: prop.EmitTrue},
			"RegisteredStatusNotifierItems":  {Value: []string{}, Emit: prop.EmitTrue},
		}})
	}
	if err == nil {
		err = c.Export(introspect.NewIntrospectable(&introspect.Node{Name: string(watcherPath),
			Interfaces: []introspect.Interface{
				introspect.IntrospectData, prop.IntrospectData, {Name: watcherName, Methods: introspect.Methods(w)},
			}}), watcherPath, "org.freedesktop.DBus.Introspectable")
	}
	if err == nil {
		var r dbus.RequestNameReply
		if r, err = c.RequestName(watcherName, dbus.NameFlagDoNotQueue); err == nil &&
			r != dbus.RequestNameReplyPrimaryOwner {
			err = fmt.Errorf("%s is owned already: a panel is running", watcherName)
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return h, nil
}

// Find waits until a real panel, which owns the watcher's name on the bus, shows an icon, and returns the icon. The
// returned Host is only a connection and hosts nothing.
func Find(ctx context.Context, address string) (*Host, Item, error) {
	c, err := dbus.Connect(address)
	if err != nil {
		return nil, Item{}, err
	}
	h := &Host{conn: c}
	for {
		v, err := c.Object(watcherName, watcherPath).GetProperty(watcherName + ".RegisteredStatusNotifierItems")
		if list, ok := v.Value().([]string); err == nil && ok && len(list) > 0 {
			bus, path, _ := strings.Cut(list[0], "/")
			it := Item{host: h, bus: strings.TrimSuffix(bus, "@"), path: dbus.ObjectPath("/" + path)}
			if m, err := it.Menu(ctx); err == nil && len(m.Kids) > 0 {
				return h, it, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, Item{}, errors.Join(fmt.Errorf("the panel shows no icon: %w", ctx.Err()), c.Close())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Close disconnects from the bus.
func (h *Host) Close() error { return h.conn.Close() }

// Wait waits for an icon whose menu has entries.
func (h *Host) Wait(ctx context.Context) (Item, error) {
	var it Item
	select {
	case it = <-h.items:
	case <-ctx.Done():
		return Item{}, fmt.Errorf("no tray icon came: %w", ctx.Err())
	}
	for {
		if m, err := it.Menu(ctx); err == nil && len(m.Kids) > 0 {
			return it, nil
		}
		select {
		case <-ctx.Done():
			return Item{}, fmt.Errorf("the tray's menu stayed empty: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

type watcher struct{ h *Host }

// RegisterStatusNotifierItem is called by an icon with its bus name or its object path.
func (w *watcher) RegisterStatusNotifierItem(service string, sender dbus.Sender) *dbus.Error {
	it := Item{host: w.h, bus: string(sender), path: "/StatusNotifierItem"}
	if strings.HasPrefix(service, "/") {
		it.path = dbus.ObjectPath(service)
	} else if service != "" {
		it.bus = service
	}
	_ = w.h.conn.Emit(watcherPath, watcherName+".StatusNotifierItemRegistered", it.bus+string(it.path))
	w.h.items <- it
	return nil
}

// RegisterStatusNotifierHost is called by other hosts, of which there are none.
func (w *watcher) RegisterStatusNotifierHost(string) *dbus.Error { return nil }

// Node is a menu entry.
type Node struct {
	ID    int32
	Label string
	Icon  []byte // PNG, or nil
	Kids  []Node
}

func decode(v []any) Node { // (ia{sv}av)
	n := Node{ID: v[0].(int32)}
	if l, ok := v[1].(map[string]dbus.Variant)["label"]; ok {
		s, _ := l.Value().(string)
		n.Label = strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(s, "__", "\x00"), "_", ""), "\x00", "_")
	}
	if i, ok := v[1].(map[string]dbus.Variant)["icon-data"]; ok {
		n.Icon, _ = i.Value().([]byte)
	}
	for _, c := range v[2].([]dbus.Variant) {
		n.Kids = append(n.Kids, decode(c.Value().([]any)))
	}
	return n
}

// Find returns the entry with a label, at any depth.
func (n Node) Find(label string) (Node, bool) {
	if n.Label == label {
		return n, true
	}
	for _, k := range n.Kids {
		if f, ok := k.Find(label); ok {
			return f, true
		}
	}
	return Node{}, false
}

// Labels lists all labels, depth first.
func (n Node) Labels() (l []string) {
	if n.Label != "" {
		l = append(l, n.Label)
	}
	for _, k := range n.Kids {
		l = append(l, k.Labels()...)
	}
	return l
}

func (it Item) menuObject() (dbus.BusObject, error) {
	v, err := it.host.conn.Object(it.bus, it.path).GetProperty(itemIface + ".Menu")
	if err != nil {
		return nil, err
	}
	return it.host.conn.Object(it.bus, v.Value().(dbus.ObjectPath)), nil
}

// Menu reads the current menu.
func (it Item) Menu(ctx context.Context) (Node, error) {
	o, err := it.menuObject()
	if err != nil {
		return Node{}, err
	}
	var revision uint32
	var raw []any
	if err := o.CallWithContext(ctx, menuIface+".GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision,
		&raw); err != nil {
		return Node{}, err
	}
	return decode(raw), nil
}

// Click clicks the entry with a label. The ids of entries change whenever the menu is rebuilt, so Click looks the entry
// up each time.
func (it Item) Click(ctx context.Context, label string) error {
	m, err := it.Menu(ctx)
	if err != nil {
		return err
	}
	n, ok := m.Find(label)
	if !ok {
		return fmt.Errorf("the tray's menu has no entry %q, but %q", label, m.Labels())
	}
	o, err := it.menuObject()
	if err != nil {
		return err
	}
	return o.CallWithContext(ctx, menuIface+".Event", 0, n.ID, "clicked", dbus.MakeVariant(int32(0)),
		uint32(time.Now().Unix())).Err
}

// Tooltip returns the icon's tooltip.
func (it Item) Tooltip() (string, error) {
	v, err := it.host.conn.Object(it.bus, it.path).GetProperty(itemIface + ".ToolTip")
	if err != nil {
		return "", err
	}
	f, ok := v.Value().([]any)
	if !ok || len(f) < 3 {
		return "", fmt.Errorf("tooltip is %v", v)
	}
	s, _ := f[2].(string)
	return s, nil
}

// Icon returns the icon's picture.
func (it Item) Icon() (image.Image, error) {
	v, err := it.host.conn.Object(it.bus, it.path).GetProperty(itemIface + ".IconPixmap")
	if err != nil {
		return nil, err
	}
	list, ok := v.Value().([][]any)
	if !ok || len(list) == 0 {
		return nil, errors.New("the icon has no picture")
	}
	p := list[len(list)-1]
	w, h, px := int(p[0].(int32)), int(p[1].(int32)), bytes.Clone(p[2].([]byte)) // ARGB32, network byte order
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.SetNRGBA(i%w, i/w, color.NRGBA{px[4*i+1], px[4*i+2], px[4*i+3], px[4*i]})
	}
	return m, nil
}
