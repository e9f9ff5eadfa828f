package maildoctor_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/maildoctor"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/rule"
)

func texts(list []maildoctor.Entry) string {
	var out []string
	for _, e := range list {
		out = append(out, string(e.By)+"="+e.Text)
	}
	return strings.Join(out, "; ")
}

func TestEntries(t *testing.T) {
	nvr := status.Unmatched{From: "192.0.2.9", Sender: "nvr@home", To: []string{"all@nvr"}, Channel: "Front Yard",
		Number: "3", Device: "NVR"}
	yard := nvr
	yard.Channel, yard.Number = "Back", "4"
	for _, tc := range []struct {
		name   string
		u      status.Unmatched
		others []status.Unmatched
		want   string
	}{
		{"nothing", status.Unmatched{}, nil, ""},
		{"a camera", status.Unmatched{From: "192.0.2.7", Sender: "cam@x", To: []string{"nobody@nvr"}, Login: "admin",
			Subject: "Motion at the gate 2026-11-22 14:05:06"}, nil,
			"recipient=nobody@nvr; sender=from: cam@x; login=login: admin; subject=subject: Motion at the gate; address=address: 192.0.2.7"},
		{"a camera with a channel", nvr, []status.Unmatched{nvr},
			"channel name=from: nvr@home & channel: Front Yard; channel number=from: nvr@home & channel: 3; device name=device: NVR; recipient=all@nvr; sender=from: nvr@home; address=address: 192.0.2.9"},
		{"a recorder", nvr, []status.Unmatched{nvr, yard},
			"channel name=from: nvr@home & channel: Front Yard; channel number=from: nvr@home & channel: 3; device name=device: NVR; recipient=all@nvr; sender=from: nvr@home; address=address: 192.0.2.9"},
		{"without a sender", status.Unmatched{From: "192.0.2.7", Number: "2"}, nil,
			"channel number=address: 192.0.2.7 & channel: 2; address=address: 192.0.2.7"},
		{"a time in front", status.Unmatched{Subject: "[2026-11-22 14:05:06] Front door"}, nil,
			"subject=subject: Front door"},
		{"only a time", status.Unmatched{Subject: "20261122140506"}, nil, ""},
		{"names that look like rules",
			status.Unmatched{To: []string{"to: x"}, Login: "/x", Subject: "cats & dogs", Channel: `"A"`}, nil,
			`channel name=channel: ""A""; recipient=to: to: x; login=login: "/x"; subject=subject: "cats & dogs"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := texts(maildoctor.Entries(tc.u, tc.others)); got != tc.want {
				t.Errorf("%s\nnot %s", got, tc.want)
			}
		})
	}
}

// fits returns "" if the mail fits a camera with this entry and no other camera, and otherwise what went wrong.
func fits(entry string, u status.Unmatched) string {
	s := rule.New([]rule.Camera{{ID: "other", Mail: []string{"somebody else"}}, {ID: "cam", Mail: []string{entry}}})
	from, _ := netip.ParseAddr(u.From)
	r := s.Match(rule.Mail{From: from, Login: u.Login, Sender: u.Sender, To: u.To, Subject: u.Subject, Body: u.Body,
		Channel: u.Channel, Number: u.Number, Device: u.Device})
	if fmt.Sprint(r.IDs) != "[cam]" {
		return fmt.Sprintf("%q gives %v: %s", entry, r.IDs, r.Why)
	}
	return ""
}

// FuzzEntries checks that each entry matches the mail that it was made for.
func FuzzEntries(f *testing.F) {
	for _, s := range []string{"a", "to: x", `"q"`, "/re/", "a & b", `x" & y`, "front *", "Über uns", "通道 3", "a@b@c",
		" ", "*", "&", `"a" & to: b`} {
		f.Add(s, s, s, s)
		f.Add("x@y", s, "Front Yard", "2026-11-22 14:05 "+s)
	}
	f.Fuzz(func(t *testing.T, to, sender, channel, subject string) {
		clean := func(s string) string {
			s = strings.ToValidUTF8(strings.Map(func(r rune) rune {
				if r < ' ' || r == 0x7f {
					return -1
				}
				return r
			}, s), "")
			return s[:min(len(s), 60)]
		}
		u := status.Unmatched{From: "192.0.2.7", To: []string{clean(to)}, Sender: clean(sender),
			Channel: clean(channel), Number: "3", Login: clean(to), Subject: clean(subject)}
		other := u
		other.Channel += "x"
		for _, e := range append(maildoctor.Entries(u, nil), maildoctor.Entries(u, []status.Unmatched{u, other})...) {
			if _, err := rule.Parse(e.Text); err != nil {
				t.Errorf("%s: %q: %v", e.By, e.Text, err)
			}
		}
	})
}

func TestEntriesFit(t *testing.T) {
	u := status.Unmatched{From: "192.0.2.9", Sender: "nvr@home", To: []string{"all@nvr"}, Login: "admin & co",
		Channel: "Front & Back", Number: "3", Device: "/NVR",
		Subject: "Alarm (2026-11-22 14:05:06): motion on \"Front & Back\""}
	other := u
	other.Number = "4"
	list := append(maildoctor.Entries(u, nil), maildoctor.Entries(u, []status.Unmatched{u, other})...)
	if len(list) != 16 {
		t.Errorf("%d entries: %s", len(list), texts(list))
	}
	for _, e := range list {
		if fault := fits(e.Text, u); fault != "" {
			t.Errorf("%s: %s", e.By, fault)
		}
	}
}

func TestRecipientOf(t *testing.T) {
	for _, tc := range []struct {
		list []string
		want string
	}{
		{nil, "gate"}, {[]string{"a text", "yard@nvr"}, "yard@nvr"}, {[]string{"channel: 3"}, ""},
		{[]string{"to: nvr & channel: 3"}, "nvr"},
		{[]string{"from: x & to: nvr@home"}, "nvr@home"}, {[]string{"to: front*"}, ""},
		{[]string{"to: /x/", "gate"}, "gate"}, {[]string{"a text"}, ""},
	} {
		if got := maildoctor.RecipientOf("gate", tc.list); got != tc.want {
			t.Errorf("%q: %q", tc.list, got)
		}
	}
	if maildoctor.Check("channel:") == nil || maildoctor.Check("channel: 3") != nil {
		t.Error("a fault is not told")
	}
}

func TestText(t *testing.T) {
	c := status.Connection{ID: 12, Time: time.Date(2026, 11, 22, 14, 5, 6, 0, time.Local),
		Length: event.Seconds(1500 * time.Millisecond), From: "192.0.2.9", Port: ":2525", TLS: "TLS 1.2",
		Verdict: text.Plain("accepted after 1 repair: no HELO"), Good: true,
		Repairs: []text.Text{text.Plain("no HELO")},
		Cameras: []string{"gate"}, Events: []string{"e1"},
		Dialogue: []status.Line{{Who: "preroll", Text: text.Plain("220 preroll ESMTP")},
			{At: event.Seconds(20 * time.Millisecond), Who: "camera", Text: text.Plain("MAIL FROM:<x>")}}}
	want := `Connection 12, 2026-11-22 14:05:06, from 192.0.2.9 to :2525
accepted after 1 repair: no HELO
Length: 1.50 s
Encryption: TLS 1.2
Repairs: no HELO
Cameras: gate
Events: e1

   0.00  preroll  220 preroll ESMTP
   0.02  camera   MAIL FROM:<x>
`
	if got := maildoctor.Text(c); got != want {
		t.Errorf("%s\nnot %s", got, want)
	}
	if got := maildoctor.Text(status.Connection{ID: 1,
		Verdict: text.Plain("refused: address 203.0.113.9 is not allowed")}); strings.Contains(got, "Length") {
		t.Error(got)
	}
}
