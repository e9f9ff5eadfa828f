package rule

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, entry string
		conditions  int    // 0: a plain name
		err         string // part of the error
	}{
		{name: "name", entry: "front-door"},
		{name: "address", entry: "camera@home.example"},
		{name: "colon behind another word", entry: "Cam: Yard"},
		{name: "colon and blanks", entry: "Mon Appareil : Jardin"},
		{name: "URL", entry: "http://camera"},
		{name: "ampersand", entry: "Tom & Jerry"},
		{name: "quotes", entry: `"Back" yard`},
		{name: "script", entry: "前门 摄像机"},
		{name: "right to left", entry: "كاميرا الباب"},
		{name: "emoji", entry: "🚪 door"},
		{name: "one condition", entry: "channel: 3", conditions: 1},
		{name: "case and blanks", entry: "  CHANNEL :  3 ", conditions: 1},
		{name: "full-width colon", entry: "channel：正门", conditions: 1},
		{name: "two", entry: "to: nvr & channel: 3", conditions: 2},
		{name: "key", entry: `"alarm input": 3 & from: nvr@*`, conditions: 2},
		{name: "expression", entry: `subject: /^(front|back) & door/ & to: x`, conditions: 2},
		{name: "slash within an expression", entry: `body: /a\/b/c/`, conditions: 1},
		{name: "quoted pattern", entry: `channel: "Tom & Jerry" & to: x`, conditions: 2},
		{name: "quotes within a pattern", entry: `channel: "a" or b`, conditions: 1},
		{name: "network", entry: "address: 192.168.1.0/24", conditions: 1},
		{name: "address with stars", entry: "address: 192.168.1.*", conditions: 1},
		{name: "IPv6", entry: "address: fd00::1", conditions: 1},

		{name: "empty", entry: " ", err: "is empty"},
		{name: "no pattern", entry: "channel:", err: "has no pattern behind channel"},
		{name: "no pattern for a key", entry: `"alarm input": `, err: "has no pattern"},
		{name: "empty expression", entry: "subject: //", err: "has no pattern"},
		{name: "end", entry: "channel: 3 &", err: "ends with &"},
		{name: "end behind an expression", entry: "channel: /3/ & ", err: "ends with &"},
		{name: "plain text behind", entry: "channel: 3 & yard", err: `has "yard" where a condition should be`},
		{name: "plain text in front", entry: "yard & channel: 3", err: "write `subject: yard`"},
		{name: "broken expression", entry: "subject: /(/", err: "has the regular expression /(/"},
		{name: "endless expression", entry: "subject: /abc", err: "does not end it"},
		{name: "long expression", entry: "subject: /" + strings.Repeat("a", 201) + "/", err: "more than 200"},
		{name: "bad address", entry: "address: camera.local", err: "write an IP address"},
		{name: "many", entry: strings.Repeat("to: a & ", 10) + "to: b", err: "more than 10"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Parse(tc.entry)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil || len(r.conditions) != tc.conditions || r.Plain() != (tc.conditions == 0) ||
				r.Text != strings.TrimSpace(tc.entry) {
				t.Fatalf("%+v, %v", r, err)
			}
		})
	}
}

var mail = Mail{
	From: netip.MustParseAddr("192.168.1.20"), Login: "recorder", Sender: "NVR@home.example",
	To:      []string{"alarm@x", "second@x"},
	Subject: "Embedded Net DVR: Motion Detected On Channel A2",
	Body:    "EVENT TYPE: Motion Detected\nCAMERA NAME(NUM): Front Yard(A2)",
	Channel: "Front Yard", Number: "2", Device: "Embedded Net DVR", Label: "line crossing",
	Fields: []Field{{"EVENT TYPE", "Motion Detected"}, {"CAMERA NAME(NUM)", "Front Yard(A2)"}, {"Alarm-Input", "03"},
		{"通道名称", "前门"}},
}

func TestConditions(t *testing.T) {
	for entry, want := range map[string]bool{
		"to: alarm":                             true,
		"to: SECOND@X":                          true,
		"to: ala*":                              true,
		"to: larm":                              false,
		"from: nvr":                             true,
		"from: *@home.example":                  true,
		"from: /@HOME\\./":                      true,
		"from: home":                            false,
		"login: recorder":                       true,
		"login: rec":                            false,
		"subject: motion":                       true,
		"subject: embedded*channel a2":          true,
		"subject: channel a2*embedded":          false,
		"subject: dvr:  motion":                 true,
		"subject: /channel a\\d$/":              true,
		"body: front yard(a2)":                  true,
		"body: detected*name":                   true,
		"channel: front-yard":                   true,
		"channel: FRONT_YARD":                   true,
		"channel: ＦＲＯＮＴ yard":                   true,
		"channel: front":                        false,
		"channel: front*":                       true,
		"channel: 2":                            true,
		"channel: 02":                           true,
		"channel: 12":                           false,
		"device: embedded net*":                 true,
		"label: line crossing":                  true,
		"label: motion":                         false,
		"address: 192.168.1.20":                 true,
		"address: ::ffff:192.168.1.20":          true,
		"address: 192.168.0.0/16":               true,
		"address: 10.0.0.0/8":                   false,
		"address: 192.168.1.*":                  true,
		`"event type": motion detected`:         true,
		`"event type": *person*`:                false,
		`"camera name": front*`:                 true,
		`"camera name(num)": *a2)`:              true,
		`"alarm input": 3`:                      true,
		`"alarm input": 30`:                     false,
		`"通道名称": 前*`:                            true,
		`to: alarm & channel: 2 & label: line*`: true,
		`to: alarm & channel: 3`:                false,
	} {
		s := New([]Camera{{ID: "a", Mail: []string{entry}}})
		if got := len(s.Match(mail).IDs) == 1; got != want {
			t.Errorf("%s: %v", entry, got)
		}
	}
}

func addr(s string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(s)} }

var cameras = []Camera{
	{ID: "front-door", Mail: []string{"front-door", "reolink@home"}, Hosts: addr("192.0.2.10")},
	{ID: "yard", Mail: []string{"yard", "Back Yard"}, Hosts: addr("192.0.2.11")},
	{ID: "yard-2", Mail: []string{"Back Yard 2"}, Hosts: addr("192.0.2.12")},
	{ID: "nvr-1", Name: "Garage", Mail: []string{"[CH1]", "recorder"}, Hosts: addr("192.0.2.20")},
	{ID: "nvr-2", Name: "Hall", Mail: []string{"[CH2]", "recorder", "to: recorder & channel: 7", "channel: 8"},
		Hosts: addr("192.0.2.20")},
	{ID: "plain", Name: "Über der Tür 🚪"},
	{ID: "door", Name: "正门 ＡＢＣ", Mail: []string{"كاميرا الباب", "channel: 8"}},
	{ID: "here", Hosts: addr("127.0.0.1")},
}

func TestMatch(t *testing.T) {
	elsewhere := netip.MustParseAddr("192.0.2.99")
	for _, tc := range []struct {
		name string
		mail Mail
		want []string
		by   string
		why  string // part of Why
	}{
		{"recipient", Mail{To: []string{"Front-Door@nvr"}}, []string{"front-door"}, "recipient",
			`recipient "Front-Door@nvr"`},
		{"recipient without a domain", Mail{To: []string{"yard"}}, []string{"yard"}, "recipient", ""},
		{"recipient with blanks", Mail{To: []string{"back  YARD@x"}}, []string{"yard"}, "recipient", ""},
		{"several recipients", Mail{To: []string{"yard@x", "front-door@x", "yard@y", "none@x"}},
			[]string{"yard", "front-door"}, "recipient", ""},
		{"the id, with an empty list", Mail{To: []string{"plain@preroll"}}, []string{"plain"}, "recipient", ""},
		{"not the id, with a list", Mail{To: []string{"yard-2@preroll"}}, nil, "",
			"no camera has a rule or a mail name"},
		{"login", Mail{To: []string{"alarm@x"}, Login: "Yard"}, []string{"yard"}, "login", `login "Yard"`},
		{"login before sender", Mail{Login: "yard@x", Sender: "reolink@home"}, []string{"yard"}, "login", ""},
		{"sender", Mail{To: []string{"alarm@x"}, Sender: "REOLINK@home"}, []string{"front-door"}, "sender", ""},
		{"the wrong sender's domain", Mail{Sender: "reolink@work"}, nil, "", ""},
		{"channel by name", Mail{To: []string{"alarm@x"}, Sender: "nvr@x", Channel: "garage"}, []string{"nvr-1"},
			"channel", `channel "garage"`},
		{"channel by id", Mail{Channel: "Front Door"}, []string{"front-door"}, "channel", ""},
		{"channel by mail name", Mail{Channel: "BackYard_2"}, []string{"yard-2"}, "channel", ""},
		{"channel in full width", Mail{Channel: "正门ABC"}, []string{"door"}, "channel", ""},
		{"channel with an umlaut taken apart", Mail{Channel: "u\u0308ber der tu\u0308r 🚪\ufe0f"}, []string{"plain"},
			"channel", ""},
		{"right to left, with marks", Mail{Channel: "\u200fكاميرا الباب\u200f"}, []string{"door"}, "channel", ""},
		{"device", Mail{Channel: "IPC", Device: "Hall"}, []string{"nvr-2"}, "channel", `device "Hall"`},
		{"recipient before channel", Mail{To: []string{"yard@x"}, Channel: "garage"}, []string{"yard"}, "recipient",
			""},
		{"channel before subject", Mail{Channel: "Garage", Subject: "Back Yard"}, []string{"nvr-1"}, "channel", ""},
		{"subject", Mail{To: []string{"alarm@x"}, Subject: "Motion at back yard, now"}, []string{"yard"}, "subject",
			`subject with "back yard"`},
		{"longest subject", Mail{Subject: "Motion at Back Yard 2"}, []string{"yard-2"}, "subject", ""},
		{"shared text of the subject", Mail{Subject: "the recorder says"}, nil, "", "is that of nvr-1 and nvr-2"},
		{"rule before recipient", Mail{To: []string{"recorder", "yard"}, Number: "7"}, []string{"nvr-2"}, "rule",
			"rule `to: recorder & channel: 7`"},
		{"rules that fit alike", Mail{To: []string{"yard"}, Number: "8"}, nil, "", "rules of nvr-2 and door fit alike"},
		{"more conditions", Mail{To: []string{"recorder"}, Channel: "7", Number: "8"}, []string{"nvr-2"}, "rule", ""},
		{"shared recipient", Mail{To: []string{"recorder"}}, nil, "", `nvr-1 and nvr-2 have the mail name "recorder"`},
		{"shared recipient, and a channel", Mail{To: []string{"recorder"}, Channel: "Hall"}, []string{"nvr-2"},
			"channel", ""},
		{"channel in the subject", Mail{From: netip.MustParseAddr("192.0.2.20"), Subject: "NVR [CH2] alarm"},
			[]string{"nvr-2"}, "subject", ""},
		{"address", Mail{From: netip.MustParseAddr("192.0.2.10"), Subject: "x"}, []string{"front-door"}, "address",
			"address 192.0.2.10"},
		{"mapped address", Mail{From: netip.MustParseAddr("::ffff:192.0.2.11")}, []string{"yard"}, "address", ""},
		{"address of two cameras", Mail{From: netip.MustParseAddr("192.0.2.20")}, nil, "",
			"address 192.0.2.20 is that of nvr-1 and nvr-2"},
		{"loopback is nobody's", Mail{From: netip.MustParseAddr("127.0.0.1")}, nil, "", ""},
		{"loopback may name any", Mail{From: netip.MustParseAddr("127.0.0.1"), To: []string{"yard"}}, []string{"yard"},
			"recipient", ""},
		{"nothing", Mail{From: elsewhere, To: []string{"a@b"}, Sender: "c@d", Subject: "e"}, nil, "",
			"none has the address"},
		{"empty", Mail{}, nil, "", ""},

		{"another camera's address", Mail{From: netip.MustParseAddr("192.0.2.10"), To: []string{"yard@x"}}, nil, "",
			"it came from the address of front-door, but names yard"},
		{"another camera's address, by subject", Mail{From: netip.MustParseAddr("192.0.2.10"), Subject: "Back Yard 2"},
			nil, "", "but names yard-2"},
		{"its own address", Mail{From: netip.MustParseAddr("192.0.2.10"), To: []string{"front-door@x"}},
			[]string{"front-door"}, "recipient", ""},
		{"its own and another", Mail{From: netip.MustParseAddr("192.0.2.10"), To: []string{"yard", "front-door"}},
			[]string{"front-door"}, "recipient", "not yard"},
		{"a recorder's camera", Mail{From: netip.MustParseAddr("192.0.2.20"), Channel: "Garage"}, []string{"nvr-1"},
			"channel", ""},
		{"not a recorder's camera", Mail{From: netip.MustParseAddr("192.0.2.20"), Channel: "Front door"}, nil, "",
			"it came from the address of nvr-1 and nvr-2, but names front-door"},
		{"the address tells alike rules apart", Mail{From: netip.MustParseAddr("192.0.2.20"), Number: "8"},
			[]string{"nvr-2"}, "rule", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := New(cameras).Match(tc.mail)
			if !slices.Equal(got.IDs, tc.want) || got.By != tc.by || got.Why.IsZero() ||
				!strings.Contains(got.Why.String(), tc.why) {
				t.Errorf("%+v, want %v by %q because of %q", got, tc.want, tc.by, tc.why)
			}
		})
	}
}

// many returns 200 cameras with 20 entries each.
func many() []Camera {
	var list []Camera
	for i := range 200 {
		c := Camera{ID: fmt.Sprintf("camera-%d", i), Name: fmt.Sprintf("Kamera Nr. %d am Tor", i),
			Hosts: addr(fmt.Sprintf("10.0.%d.1", i))}
		for j := range 15 {
			c.Mail = append(c.Mail, fmt.Sprintf("name %d of %d", j, i))
		}
		c.Mail = append(c.Mail, fmt.Sprintf("to: nvr & channel: %d", i), fmt.Sprintf("subject: motion*[%d]", i),
			fmt.Sprintf("from: /^cam%d@/", i),
			fmt.Sprintf(`"alarm input": %d & device: dvr*`, i), fmt.Sprintf("address: 10.1.%d.0/24", i))
		list = append(list, c)
	}
	return list
}

func BenchmarkMatch(b *testing.B) {
	s := New(many())
	m := mail
	m.Channel = "Kamera Nr. 150 am Tor"
	if r := s.Match(m); len(r.IDs) != 1 || r.IDs[0] != "camera-150" {
		b.Fatal(r)
	}
	for b.Loop() {
		s.Match(m)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"front-door", `to: nvr & channel: 3`, `"alarm input": *3 & from: /x|y/`,
		`channel: "a & b" &`, "address: 10.0.0.0/8", "subject: /(/", "a & to: b", `"": x`, "to：/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			if !r.Plain() || err.Error() == "" {
				t.Fatal(r, err)
			}
			return
		}
		if again, err := Parse(r.Text); err != nil || len(again.conditions) != len(r.conditions) {
			t.Fatal(again, err)
		}
		New([]Camera{{ID: "a", Mail: []string{s}}}).Match(mail)
	})
}

// FuzzMatch checks what must hold for any mail: a mail from a camera's address is about no other camera, and there is
// always a reason.
func FuzzMatch(f *testing.F) {
	f.Add("yard@x", "recorder", "nvr", "Back Yard", "Garage", "8", "to: nvr & subject: x*", "from: /y/", uint8(10))
	f.Add("recorder", "", "", "[ch1] front-door", "正门", "07", "channel: *", "كاميرا", uint8(20))
	f.Add("b", "", "x@y", "", "Hall", "", "address: 192.0.2.0/24", `"k": *`, uint8(1))
	f.Fuzz(func(t *testing.T, to, login, sender, subject, channel, number, entry1, entry2 string, host uint8) {
		list := slices.Clone(cameras)
		list = append(list, Camera{ID: "x", Mail: []string{entry1}, Hosts: addr("192.0.2.30")},
			Camera{ID: "y", Name: entry2, Mail: []string{entry2, "b"}})
		s := New(list)
		m := Mail{From: netip.AddrFrom4([4]byte{192, 0, 2, host}), To: strings.Split(to, ","), Login: login,
			Sender: sender}
		m.Subject, m.Body, m.Channel, m.Number, m.Device, m.Label, m.Fields = subject, channel, channel, number,
			subject, "motion", []Field{{subject, number}, {channel, subject}}
		full := s.Match(m)
		if full.Why.IsZero() || (full.By == "") != (len(full.IDs) == 0) {
			t.Fatalf("%+v", full)
		}
		owners := map[uint8][]string{10: {"front-door"}, 11: {"yard"}, 12: {"yard-2"}, 20: {"nvr-1", "nvr-2"},
			30: {"x"}}[host]
		for _, id := range full.IDs {
			if owners != nil && !slices.Contains(owners, id) {
				t.Fatalf("%s from the address of %v", id, owners)
			}
		}
	})
}
