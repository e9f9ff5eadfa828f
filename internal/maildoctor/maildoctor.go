// Package maildoctor says in text what cameras and the mail server said to each other, and how a mail that fits no
// camera can be made to fit one.
//
// In comes what the recorder tells of connections and mails; out go text, and entries for a camera's mail list. It is
// for the window and the command line alike.
package maildoctor

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/rule"
)

// By is what of a mail an entry goes by.
type By string

// What an entry can go by.
const (
	Recipient By = "recipient"
	Channel   By = "channel name"
	Number    By = "channel number"
	Device    By = "device name"
	Sender    By = "sender"
	Login     By = "login"
	Subject   By = "subject"
	Address   By = "address"
)

// Entry is one for a camera's mail list.
type Entry struct {
	By   By
	Text string // as it stands in the settings
}

// maxText bounds what an entry takes of a subject, in characters.
const maxText = 80

// Entries are those that would make mails like u fit a camera, the best first. Others are all mails that fit no camera:
// where one sender mails for several channels, the channel is the best, and it goes with the sender.
func Entries(u status.Unmatched, others []status.Unmatched) (list []Entry) {
	add := func(by By, text string) {
		if _, err := rule.Parse(text); err == nil && text != "" {
			list = append(list, Entry{by, text})
		}
	}
	sender := condition("from", u.Sender)
	if sender == "" {
		sender = condition("address", u.From)
	}
	with := func(text string) string {
		if text == "" {
			return ""
		}
		return sender + " & " + text
	}
	channel, device := condition("channel", u.Channel), condition("device", u.Device)
	recorder := isRecorder(u, others)
	if recorder {
		channel = with(channel)
	} else if len(u.To) > 0 {
		add(Recipient, plainName("to", u.To[0]))
	}
	add(Channel, channel)
	if u.Number != "" {
		add(Number, with(condition("channel", u.Number)))
	}
	add(Device, device)
	if recorder && len(u.To) > 0 {
		add(Recipient, plainName("to", u.To[0]))
	}
	add(Sender, condition("from", u.Sender))
	add(Login, condition("login", u.Login))
	add(Subject, condition("subject", constantPart(u.Subject)))
	add(Address, condition("address", u.From))
	return list
}

// Check says what is wrong with an entry.
func Check(entry string) error {
	_, err := rule.Parse(entry)
	return err
}

// to is the recipient that a rule asks for, if it asks for a certain one.
var to = regexp.MustCompile(`(?i)(?:^|& )\s*to\s*:\s*([^\s*&/"]+)\s*(?:$|&)`)

// RecipientOf is the recipient that a camera with an id and a mail list can be told by; "" if its list goes by other
// things.
func RecipientOf(id string, list []string) string {
	if len(list) == 0 {
		return id
	}
	found := ""
	for _, entry := range list {
		if r, err := rule.Parse(entry); err == nil && r.Plain() && !strings.ContainsAny(entry, " <>") {
			return strings.TrimSpace(entry)
		} else if m := to.FindStringSubmatch(entry); m != nil && found == "" {
			found = m[1]
		}
	}
	return found
}

// isRecorder reports whether the sender of a mail mails for several channels.
func isRecorder(u status.Unmatched, others []status.Unmatched) bool {
	for _, o := range others {
		if o.Sender == u.Sender && (u.Sender != "" || o.From == u.From) &&
			(o.Channel != u.Channel || o.Number != u.Number) {
			return true
		}
	}
	return false
}

// plainName writes a name as it is, or as a condition where it would be read as a rule.
func plainName(field, name string) string {
	if r, err := rule.Parse(name); err == nil && r.Plain() {
		return name
	}
	return condition(field, name)
}

// condition writes `field: text` so that it is read as such; "" where there is no text.
func condition(field, text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if strings.HasPrefix(text, "/") || strings.HasPrefix(text, `"`) || strings.Contains(text, " &") {
		text = `"` + text + `"`
	}
	return field + ": " + text
}

// clock is a day or a time of day, from which on a subject differs from mail to mail.
var clock = regexp.MustCompile(`\d{1,4}[-/.:]\d{1,2}([-/.:]\d{1,4})?|\d{6,}`)

// constantPart is the part of a subject that is likely to come again.
func constantPart(subject string) string {
	if at := clock.FindStringIndex(subject); at != nil {
		before, after := subject[:at[0]], subject[at[1]:]
		for at = clock.FindStringIndex(after); at != nil; at = clock.FindStringIndex(after) {
			after = after[at[1]:]
		}
		subject = before
		if len(strings.Trim(after, " -–:,;()[]@")) > len(strings.Trim(before, " -–:,;()[]@")) {
			subject = after
		}
	}
	subject = strings.Trim(subject, " -–:,;()[]@")
	if r := []rune(subject); len(r) > maxText {
		subject = strings.TrimSpace(string(r[:maxText]))
	}
	if len([]rune(subject)) < 3 {
		return ""
	}
	return subject
}

// Lines writes a dialogue, a line each: seconds since the connection began, who said it, and what.
func Lines(list []status.Line) string {
	var b strings.Builder
	for _, l := range list {
		fmt.Fprintf(&b, "%7.2f  %-7s  %s\n", l.At.D().Seconds(), l.Who, l.Text)
	}
	return b.String()
}

// Text writes all that is known of a connection, to be read or sent to somebody.
func Text(c status.Connection) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Connection %d, %s, from %s to %s\n", c.ID, c.Time.Local().Format("2006-01-02 15:04:05"), c.From,
		c.Port)
	fmt.Fprintf(&b, "%s\n", c.Verdict)
	for _, f := range Facts(c) {
		fmt.Fprintf(&b, "%s: %s\n", f[0], f[1])
	}
	if len(c.Dialogue) > 0 {
		b.WriteString("\n" + Lines(c.Dialogue))
	}
	return b.String()
}

// Facts are what is worth knowing of a connection besides its verdict, each with its name.
func Facts(c status.Connection) (list [][2]string) {
	add := func(name, value string) {
		if value != "" {
			list = append(list, [2]string{name, value})
		}
	}
	length := fmt.Sprintf("%.2f s", c.Length.D().Seconds())
	if c.Open {
		length += ", still open"
	}
	if c.Length > 0 || c.Open {
		add("Length", length)
	}
	add("Encryption", c.TLS)
	add("Repairs", text.Join(", ", c.Repairs...).String())
	add("Cameras", strings.Join(c.Cameras, ", "))
	add("Events", strings.Join(c.Events, ", "))
	return list
}
