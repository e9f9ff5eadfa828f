// Package message finds what an alarm mail says: which camera sent it, what the camera saw, and when.
//
// [Read] reads the first bytes of a mail as the camera sent them, and returns a [Message]. [Parts] reads the parts of a
// whole mail while it arrives, to find its picture. Cameras break every rule of mail, so nothing is an error here. A
// mail without a header, with a malformed header line, with a wrong charset name or without an end is read as far as it
// makes sense. The library go-message gives up on many such mails. So this package parses mails itself, and uses only
// go-message's table of charsets. A mail is untrusted input: bytes, header lines, parts and depth are bounded, the time
// grows only with the length, and every text is cleaned. The package starts no goroutines.
//
// The forms of the mails in testdata were taken from public projects that read such mails. The tests name these
// projects.
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
	MaxHead   = 64 << 10 // bytes of a mail that Read looks at
	maxHeader = 32 << 10 // bytes of one header
	maxLines  = 300      // fields of one header
	maxDepth  = 6        // levels of parts within parts
	maxParts  = 30       // parts of a whole mail
	maxBody   = 16 << 10 // bytes of the text
	maxFields = 50       // `key: value` lines of the text
	maxName   = 200      // characters of a name, a subject or a value
)

// Message is what an alarm mail says. All texts are cleaned, see [Clean]. What the mail does not say is empty.
type Message struct {
	Sender, SenderName string // of the header's From
	Subject            string
	Date               time.Time // of the header; zero if there is none
	Body               string    // the first text part that is not blank, at most 16 KiB of UTF-8 with \n between lines
	Fields             []Field   // the `key: value` lines of Body, at most 50

	// What the camera saw: doorbell, person, vehicle, animal, line crossing, intrusion, tamper, sound, fire,
	// temperature, abandoned object, alarm input or motion; "" if unknown.
	Label   string
	Notice  string // news about the device that is no incident: disk, network, login, power or system; "" if none
	Noticed string // the text that says so
	Picture bool   // a picture or a film comes with the mail, as far as the mail has arrived
	Test    bool   // it is the camera's test mail

	Channel string // the channel's name: the camera's name, if a recorder sends the mail
	Number  string // the channel's number without leading zeros: "3", or "A2" of a recorder with two kinds of input
	Device  string // the name of the sending device: of the camera or of the recorder

	EventTime string    // when it happened by the camera's own clock, as the camera wrote it
	When      time.Time // EventTime in local time; zero if its format is unknown or it can mean two days

	// HeaderDone reports whether more bytes cannot change Sender, SenderName, Subject and Date. TextDone reports
	// whether more bytes cannot change anything. If the text is the last part of a mail, TextDone becomes true only at
	// the end of the mail, which the caller knows.
	HeaderDone, TextDone bool
}

// Field is a line of a mail's text that gives a value, such as "EVENT TYPE: Motion Detected".
type Field struct{ Key, Value string }

// Read reads the beginning of a mail. head holds what has arrived; Read looks at 64 KiB at most. Read never fails.
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

// picture matches the header of a part with a picture or a film, however broken the mail is.
var picture = regexp.MustCompile(`(?i)(?:^|\n)content-type:\s*(?:image|video)/|name\*?=[^\r\n]{1,200}\.(?:jpe?g|png|gif|bmp|webp|mp4|avi|mov|mkv)\b`)

// Clean makes untrusted text safe to show, see [event.Clean], and cuts it to 200 characters.
func Clean(s string) string { return event.Clean(s, maxName) }

// cleanText cleans a text of several lines and cuts it to maxBody bytes.
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
