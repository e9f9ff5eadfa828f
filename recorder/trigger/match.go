package trigger

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/preroll/preroll/recorder/config"
)

// Mail is what is known of an alarm mail when its camera is chosen.
type Mail struct {
	From    netip.Addr // of the connection
	Sender  string     // of the envelope, else of the header
	To      []string   // recipients of the envelope
	Subject string
	Body    string // beginning of the first text part
}

// Match returns the ids of the cameras that a mail is about, none if it fits none. It asks, and stops at the first
// question with an answer: whom is it to (several recipients may be several cameras), who sent it, what does the
// subject say (the longest text that fits), and which camera has the address that it came from. A camera with an empty
// mail list is asked for by its id.
func Match(m Mail, cameras []config.Camera) []string {
	if ids := matchAddresses(m.To, cameras); ids != nil {
		return ids
	}
	if ids := matchAddresses([]string{m.Sender}, cameras); len(ids) == 1 {
		return ids
	}
	if id := matchSubject(m.Subject, cameras); id != "" {
		return []string{id}
	}
	if id := matchAddress(m.From, cameras); id != "" {
		return []string{id}
	}
	return nil
}

func tokens(c config.Camera) []string {
	if len(c.Mail) == 0 {
		return []string{c.ID}
	}
	return c.Mail
}

// matchAddresses compares whole mail addresses and their local parts.
func matchAddresses(addresses []string, cameras []config.Camera) []string {
	var ids []string
	for _, a := range addresses {
		a = strings.TrimSpace(a)
		local := a
		if i := strings.LastIndexByte(a, '@'); i >= 0 {
			local = a[:i]
		}
		for _, c := range cameras {
			if a != "" && slices.ContainsFunc(tokens(c), func(t string) bool {
				t = strings.TrimSpace(t)
				return strings.EqualFold(t, a) || strings.EqualFold(t, local)
			}) && !slices.Contains(ids, c.ID) {
				ids = append(ids, c.ID)
			}
		}
	}
	return ids
}

// matchSubject finds the camera with the longest text that the subject holds; two cameras with the same text fit none.
func matchSubject(subject string, cameras []config.Camera) string {
	subject = strings.ToLower(subject)
	best, id := "", ""
	for _, c := range cameras {
		for _, t := range tokens(c) {
			t = strings.ToLower(strings.TrimSpace(t))
			switch {
			case t == "" || !strings.Contains(subject, t) || len(t) < len(best):
			case t == best && id != c.ID:
				id = ""
			case len(t) > len(best):
				best, id = t, c.ID
			}
		}
	}
	return id
}

// matchAddress finds the only camera whose URL has the address.
func matchAddress(from netip.Addr, cameras []config.Camera) string {
	id := ""
	for _, c := range cameras {
		u, err := url.Parse(c.URL)
		if err != nil {
			continue
		}
		if a, err := netip.ParseAddr(u.Hostname()); err != nil || a.Unmap() != from.Unmap() {
			continue
		}
		if id != "" {
			return "" // a recorder with several cameras behind one address
		}
		id = c.ID
	}
	return id
}
