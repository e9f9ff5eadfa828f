package trigger

import (
	"context"
	"fmt"
	"mime"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/rule"
)

// SendSelf sends an alarm mail for a camera to this recorder's own server, to test the whole way. It connects only to
// the address that the server listens on.
func SendSelf(ctx context.Context, listen string, s config.SMTP, c config.Camera) error {
	ap, err := netip.ParseAddrPort(listen)
	if err != nil {
		return text.SendTestFailed.Error(err)
	}
	if ap.Addr().IsUnspecified() {
		ap = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), ap.Port())
	}
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", ap.String())
	if err != nil {
		return text.SendTestFailed.Error(err)
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	cl := smtp.NewClient(conn)
	defer func() { _ = cl.Close() }()
	if s.Username != "" {
		p, err := s.Password.Resolve("smtp")
		if err != nil {
			return err
		}
		if err := cl.Auth(sasl.NewPlainClient("", s.Username, p.Reveal())); err != nil {
			return text.SendTestFailed.Error(err)
		}
	}

	name, err := plainName(c)
	if err != nil {
		return err
	}
	to := name
	if strings.ContainsAny(to, " <>\r\n") {
		to = c.ID // the mail name is text of the subject, which no address can hold
	}
	if !strings.Contains(to, "@") {
		to += "@preroll"
	}
	body := fmt.Sprintf("From: %s@camera\r\nTo: %s\r\nSubject: %s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nEvent Type: Motion Detected\r\n", c.ID, to, mime.QEncoding.Encode("utf-8", name))
	if err := cl.SendMail(c.ID+"@camera", []string{to}, strings.NewReader(body)); err != nil {
		return text.SendTestFailed.Error(err)
	}
	return cl.Quit()
}

// plainName returns a name by which a mail is recognized as the camera's.
func plainName(c config.Camera) (string, error) {
	if len(c.Mail) == 0 {
		return c.ID, nil
	}
	for _, text := range c.Mail {
		if r, err := rule.Parse(text); err == nil && r.Plain() {
			return strings.TrimSpace(text), nil
		}
	}
	return "",
		text.TestNeedsName.Error(c.ID, c.ID)
}
