package trigger_test

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"net/smtp"
	"strings"
	"testing"

	"github.com/preroll/preroll/internal/testing/triggertest"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/trigger"
)

// TestMailIsASource checks the mail server by the contract of all sources.
func TestMailIsASource(t *testing.T) {
	ready := make(chan string, 10)
	camera := config.NewCamera()
	camera.ID, camera.URL = "gate", "rtsp://192.0.2.1/stream1"
	s := &trigger.Server{
		Settings: config.SMTP{Listen: "127.0.0.1:0", Allow: []string{"private"}}, CertDir: t.TempDir(),
		Log: slog.New(slog.DiscardHandler), Connections: &trigger.ConnectionLog{},
		Cameras:   func() []config.Camera { return []config.Camera{camera} },
		Quiet:     func(string) trigger.Kind { return trigger.Alarm },
		Picture:   func(context.Context, string, string, []byte) {},
		Keep:      func(context.Context, string, string, []byte) {},
		Received:  func(trigger.Received) {},
		Unmatched: func(status.Unmatched) {},
		Left:      func(trigger.Outcome, event.Trigger) {},
		Refused:   func(netip.Addr) {},
		Listening: func(ports []status.Port) {
			if !strings.HasSuffix(ports[0].Listen, ":0") {
				ready <- ports[0].Listen
			}
		},
	}
	addr := ""
	triggertest.Test(t, s, "gate", func() { addr = <-ready }, func(context.Context) error { return send(addr) })
}

// send sends an alarm mail as a camera without TLS does.
func send(addr string) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.Mail("cam@cam"); err != nil {
		return err
	}
	if err := c.Rcpt("gate@preroll"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "Subject: Motion\r\n\r\nMotion detected\r\n"); err != nil {
		return err
	}
	return w.Close()
}
