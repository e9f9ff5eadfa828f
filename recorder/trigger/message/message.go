// Package message says what an alarm mail says: which camera sent it, what that camera saw, and when.
//
// In come the first bytes of a mail, as a camera sent them; out goes a [Message]. [Parts] reads the parts of a whole
// mail, for its picture, by the same rules and while it comes in. Cameras break every rule of a mail, so nothing is an
// error here: a mail with no header, with a header line that is none, with a wrong charset name or with no end is read
// as far as it makes sense. Go-message gives up on many of these, so the mail is taken apart here, by looking at the
// bytes where they lie; go-message's table of charsets does the decoding. A mail is a stranger's word: bytes, header
// lines, parts and depth are bounded, the time taken grows with the length alone, and every text is cleaned. There are
// no goroutines.
//
// The forms of the mails (package tests, testdata) were seen in public projects that read them, named beside each.
package message

import (
	"bufio"
	"bytes"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/preroll/preroll/recorder/event"
)

// Bounds of what is read.
const (
	MaxHead   = 64 << 10 // bytes of a mail that are looked at
	maxHeader = 32 << 10 // bytes of one header
	maxLines  = 300      // fields of one header
	maxDepth  = 6        // of parts in parts
	maxParts  = 30       // of a whole mail
	maxBody   = 16 << 10 // bytes of the text
	maxFields = 50       // `key: value` lines of the text
	maxName   = 200      // characters of a name, a subject or a value
)

// Message is what an alarm mail says. All texts are cleaned (see [Clean]); what the mail does not say is empty.
type Message struct {
	Sender, SenderName string // of the header's From
	Subject            string
	Date               time.Time // of the header; zero if there is none
	Body               string    // the first text part that is not blank, at most 16 KiB of UTF-8 with \n between lines
	Fields             []Field   // the `key: value` lines of Body, at most 50

	// what the camera saw: doorbell, person, vehicle, animal, line crossing, intrusion, tamper, sound, fire,
	// temperature, abandoned object, alarm input, motion; "" unknown
	Label   string
	Notice  string // news of the device that is no incident: disk, network, login, power, system; "" if it is none
	Noticed string // the text that says so
	Picture bool   // a picture or a film comes with it, as far as has come
	Test    bool   // the camera's test mail

	Channel string // the channel's name: the camera's, where a recorder sends
	Number  string // the channel's number, without leading zeros: "3", or "A2" of a recorder with two kinds of input
	Device  string // the name that the sending device has: the camera's, or the recorder's

	EventTime string    // when it happened by the camera's own clock, as the camera wrote it
	When      time.Time // EventTime, in local time; zero if its format is unknown or can mean two days

	// HeaderDone says that more bytes change neither Sender, SenderName, Subject nor Date; TextDone, that they change
	// nothing at all. A mail whose text is its last part has TextDone only at the mail's end, which the caller knows.
	HeaderDone, TextDone bool
}

// Field is a line of a mail's text that gives a value, such as "EVENT TYPE: Motion Detected".
type Field struct{ Key, Value string }

// Read reads the first bytes of a mail: of its first 64 KiB as many as have come. It never fails.
func Read(head []byte) Message {
	full := len(head) >= MaxHead
	head = head[:min(len(head), MaxHead)]
	w := &walker{in: bufio.NewReaderSize(bytes.NewReader(head), len(head)+1)}
	h := w.header()
	hint := h.charset()
	m := Message{
		Subject:    Clean(decodeWords(h.get("subject"), hint)),
		Date:       headerDate(string(h.get("date"))),
		HeaderDone: !w.unsure || full,
	}
	m.Sender, m.SenderName = sender(h.get("from"), hint)
	text := ""
	w.leaf = func(h header) bool {
		text = w.text(h)
		return strings.TrimSpace(text) != ""
	}
	w.entity(h, 1)
	m.TextDone = !w.unsure && w.level >= 0 && w.whole || full
	m.Body = cleanText(text)
	m.Fields = fields(m.Body)
	m.Picture = picture.Match(head)
	m.describe()
	return m
}

// picture is what the header of a part with a picture or a film looks like, however broken the mail is.
var picture = regexp.MustCompile(`(?i)(?:^|\n)content-type:\s*(?:image|video)/|name\*?=[^\r\n]{1,200}\.(?:jpe?g|png|gif|bmp|webp|mp4|avi|mov|mkv)\b`)

// Clean makes a stranger's words fit to be shown, see [event.Clean]; at most 200 characters.
func Clean(s string) string { return event.Clean(s, maxName) }

// cleanText cleans a text line by line.
func cleanText(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return event.Shown(r)
	}, strings.ToValidUTF8(s, "")))
	if len(s) <= maxBody {
		return s
	}
	n := maxBody
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.TrimSpace(s[:n])
}
