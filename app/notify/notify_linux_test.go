package notify

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/internal/testing/traytest"
)

// shown is a notification as the service received it.
type shown struct {
	replaces       uint32
	title, body    string
	actions        []string
	picture, entry string
}

// server is a notification service.
type server struct {
	t    *testing.T
	conn *dbus.Conn
	able []string

	mu     sync.Mutex    // guards the fields below
	hang   chan struct{} // Notify waits for this channel, unless nil
	last   uint32
	shown  []shown
	closed []uint32
}

func serve(t *testing.T, address string, first uint32, able ...string) *server {
	t.Helper()
	c, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, conn: c, able: able, last: first}
	if err := c.Export(s, object, service); err != nil {
		t.Fatal(err)
	}
	if r, err := c.RequestName(service, dbus.NameFlagDoNotQueue); err != nil || r != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("the name: %v, %v", r, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return s
}

func (s *server) GetCapabilities() ([]string, *dbus.Error) { return s.able, nil }

func (s *server) Notify(_ string, replaces uint32, _, title, body string, actions []string,
	hints map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	picture, _ := hints["image-path"].Value().(string)
	entry, _ := hints["desktop-entry"].Value().(string)
	s.shown = append(s.shown, shown{replaces, title, body, actions, picture, entry})
	if replaces != 0 {
		return replaces, nil
	}
	s.last++
	return s.last, nil
}

func (s *server) CloseNotification(id uint32) *dbus.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = append(s.closed, id)
	return nil
}

func (s *server) emit(name string, values ...any) {
	s.t.Helper()
	if err := s.conn.Emit(object, service+"."+name, values...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) want(list ...shown) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !reflect.DeepEqual(s.shown, list) {
		s.t.Errorf("shown %+v\nwant  %+v", s.shown, list)
	}
	s.shown = nil
}

// begin returns a notifier and the address of its private bus.
func begin(t *testing.T) (n *bus, address string) {
	address = traytest.Bus(t)
	n = New().(*bus)
	t.Cleanup(n.Stop)
	return n, address
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	poll.Until(t, what, 10*time.Second, ok, nil)
}

const entryName = "io.github.preroll.Preroll"

func TestShow(t *testing.T) {
	n, address := begin(t)
	s := serve(t, address, 6, "body", "body-markup", "actions")
	did := make(chan string, 8)
	acts := []Action{{"Play", func() { did <- "play" }}, {"Show", func() { did <- "show" }}}
	try(t, n.Show(Notification{Key: "a", Title: "Gate & <b>", Body: "1 & <2>", Picture: "/tmp/ä b.jpg", Actions: acts}))
	s.want(shown{0, "Gate & <b>", "1 &amp; &lt;2&gt;", []string{"default", "Play", "1", "Show"}, "/tmp/ä b.jpg",
		entryName})

	s.emit("ActionInvoked", uint32(7), "1")
	if got := <-did; got != "show" {
		t.Errorf("the second action did %s", got)
	}
	s.emit("ActionInvoked", uint32(7), "default")
	if got := <-did; got != "play" {
		t.Errorf("a click did %s", got)
	}
	s.emit("ActionInvoked", uint32(99), "default") // the notification of another program

	try(t, n.Show(Notification{Key: "a", Title: "again"}))
	try(t, n.Show(Notification{Key: "b", Title: "other"}))
	try(t, n.Show(Notification{Title: "no key"}))
	try(t, n.Show(Notification{Key: "a", Title: "update", Update: true}))
	try(t, n.Show(Notification{Key: "c", Title: "update of nothing", Update: true}))
	s.want(shown{7, "again", "", []string{}, "", entryName}, shown{0, "other", "", []string{}, "", entryName},
		shown{0, "no key", "", []string{}, "", entryName},
		shown{7, "update", "", []string{}, "", entryName})

	try(t, n.Close("b"))
	try(t, n.Close("b"))
	try(t, n.Close("never"))
	s.mu.Lock()
	if !slices.Equal(s.closed, []uint32{8}) {
		t.Errorf("closed %v", s.closed)
	}
	s.mu.Unlock()

	s.emit("NotificationClosed", uint32(7), uint32(2)) // by the user
	until(t, "the closed note to be forgotten", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.byKey["a"] == 0
	})
	try(t, n.Show(Notification{Key: "a", Title: "new"}))
	s.want(shown{0, "new", "", []string{}, "", entryName})
}

func TestPoorService(t *testing.T) {
	n, address := begin(t)
	s := serve(t, address, 0, "body")
	try(t, n.Show(Notification{Title: "t", Body: "a & b", Actions: []Action{{"Play", nil}}}))
	s.want(shown{0, "t", "a & b", []string{}, "", entryName})
}

func TestServiceStartsAgain(t *testing.T) {
	n, address := begin(t)
	if err := n.Show(Notification{Key: "a", Title: "nobody listens"}); err == nil {
		t.Error("no service, no error")
	}
	s := serve(t, address, 0, "body", "actions")
	try(t, n.Show(Notification{Key: "a", Title: "one"}))
	s.want(shown{0, "one", "", []string{}, "", entryName})
	if err := s.conn.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the service to be noticed", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.byKey) == 0
	})
	s = serve(t, address, 0, "body", "body-markup")
	try(t, n.Show(Notification{Key: "a", Title: "two", Body: "<", Actions: []Action{{"Play", nil}}}))
	s.want(shown{0, "two", "&lt;", []string{}, "", entryName})
}

func TestServiceHangs(t *testing.T) {
	n, address := begin(t)
	s := serve(t, address, 0, "body")
	hang := make(chan struct{})
	s.mu.Lock()
	s.hang = hang
	s.mu.Unlock()
	began := time.Now()
	if err := n.Show(Notification{Key: "a", Title: "one"}); err == nil {
		t.Error("a hanging service is no error")
	}
	if took := time.Since(began); took > 2*timeout {
		t.Errorf("it held the caller up for %s", took)
	}
	close(hang)
	until(t, "the late note", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.shown) == 1
	})
	try(t, n.Show(Notification{Key: "a", Title: "two"}))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.shown) != 2 || s.shown[1].title != "two" {
		t.Errorf("%+v", s.shown)
	}
}

func TestNoBus(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
	n := New()
	if err := n.Show(Notification{Title: "x"}); err == nil {
		t.Error("no bus, no error")
	}
	try(t, n.Close("x"))
	n.Stop()
}

// TestLostBus ends the bus. The next notification uses a new bus.
func TestLostBus(t *testing.T) {
	n := New().(*bus)
	t.Cleanup(n.Stop)
	for i := range 2 {
		t.Run(fmt.Sprint("bus ", i), func(t *testing.T) {
			s := serve(t, traytest.Bus(t), 0, "body")
			until(t, "the old bus to be given up", func() bool {
				n.mu.Lock()
				defer n.mu.Unlock()
				return n.conn == nil || !n.conn.Connected()
			})
			try(t, n.Show(Notification{Key: "a", Title: "one"}))
			s.want(shown{0, "one", "", []string{}, "", entryName})
		})
	}
}
