// Package maildoctor prints what cameras and the mail server said to each other, and finds out how to make an unmatched
// mail fit a camera.
//
// The connections and mails that the recorder reports go in. Text and entries for a camera's mail list come out. Both
// the window and the command line use the package.
package maildoctor

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger/rule"
)

// By says which property of a mail an entry matches.
type By string

// The properties that an entry can match.
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

// Entry is an entry for a camera's mail list.
type Entry struct {
	By   By
	Text string // as in the settings
}

// maxText is the max length of a subject in an entry, in characters.
const maxText = 80

// Entries returns the entries that would make mails like u fit a camera, the best first. others are all unmatched
// mails. If one sender mails for several channels, the channel is the best property, and its entry also names the
// sender.
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
		if text == "" || sender == "" {
			return text
		}
		return sender + " & " + text
	}
	channel, device := condition("channel", u.Channel), condition("device", u.Device)
	recorder := u.Channel != "" || isRecorder(u, others) // all channels of a recorder mostly have the same recipient
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

// Check returns what is wrong with an entry, or nil.
func Check(entry string) error {
	_, err := rule.Parse(entry)
	return err
}

// to matches the recipient in a rule, if the rule asks for one exact recipient.
var to = regexp.MustCompile(`(?i)(?:^|& )\s*to\s*:\s*([^\s*&/"]+)\s*(?:$|&)`)

// RecipientOf returns a recipient by which mails of a camera can be recognized, from the id and the mail list of the
// camera. It is "" if the list uses other properties only.
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

// isRecorder reports whether the sender of a mail sends mails for several channels.
func isRecorder(u status.Unmatched, others []status.Unmatched) bool {
	for _, o := range others {
		if o.Sender == u.Sender && (u.Sender != "" || o.From == u.From) &&
			(o.Channel != u.Channel || o.Number != u.Number) {
			return true
		}
	}
	return false
}

// plainName returns a name as it is, or as a condition if the name would be read as a rule.
func plainName(field, name string) string {
	if r, err := rule.Parse(name); err == nil && r.Plain() {
		return name
	}
	return condition(field, name)
}

// condition formats `field: text` so that it is read back as such. It returns "" if text is empty.
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

// clock matches a date or a time of day, which makes a subject differ from mail to mail.
var clock = regexp.MustCompile(`\d{1,4}[-/.:]\d{1,2}([-/.:]\d{1,4})?|\d{6,}`)

// constantPart returns the part of a subject that is likely to stay the same, or "".
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

// Lines formats a dialogue. Each line has the seconds since the connection began, who said it, and what.
func Lines(list []status.Line) string {
	var b strings.Builder
	for _, l := range list {
		fmt.Fprintf(&b, "%7.2f  %-7s  %s\n", l.At.D().Seconds(), l.Who, l.Text)
	}
	return b.String()
}

// Text formats everything that is known about a connection, to be read or sent to somebody.
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

// Facts returns what is worth knowing about a connection besides its verdict, as pairs of name and value.
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
