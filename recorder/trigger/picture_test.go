package trigger

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"net/smtp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// photo returns a picture that hardly compresses.
func photo(t testing.TB, kind string, width, height int) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = byte(rand.Uint32())
	}
	var b bytes.Buffer
	var err error
	if kind == "png" {
		err = png.Encode(&b, m)
	} else {
		err = jpeg.Encode(&b, m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb returns a small PNG whose header claims many pixels.
func bomb(t testing.TB) []byte {
	b := photo(t, "png", 8, 8)
	binary.BigEndian.PutUint32(b[16:], 60000)
	binary.BigEndian.PutUint32(b[20:], 60000)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

// folded returns base64 in lines of 76 characters.
func folded(b []byte) string {
	var out strings.Builder
	for s := base64.StdEncoding.EncodeToString(b); s != ""; {
		n := min(76, len(s))
		out.WriteString(s[:n] + "\r\n")
		s = s[n:]
	}
	return out.String()
}

// paddedLines returns base64 in which each line ends with padding, as some cameras write it.
func paddedLines(b []byte) string {
	var out strings.Builder
	for line := range slices.Chunk(b, 55) {
		out.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
	}
	return out.String()
}

func part(header, body string) string { return "--B\r\n" + header + "\r\n\r\n" + body + "\r\n" }

const (
	textPart = "--B\r\nContent-Type: text/plain; charset=gb2312\r\nContent-Transfer-Encoding: 8bit\r\n\r\nEVENT TYPE: Motion Detected \xc4\xe3\r\n"
	b64      = "Content-Transfer-Encoding: base64"
)

func mixed(parts ...string) string {
	return "From: cam@x\r\nSubject: Bewegung \xfc\xe4\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n" + strings.Join(parts, "") + "--B--\r\n"
}

func find(mail string) []byte {
	return picture(strings.NewReader(mail), func() bool { return true })
}

func TestPicture(t *testing.T) {
	jpg, other, img := photo(t, "jpeg", 320, 180), photo(t, "jpeg", 64, 64), photo(t, "png", 64, 36)
	deep := "Subject: x\r\nContent-Type: multipart/mixed; boundary=b0\r\n\r\n"
	for i := range 1000 {
		deep += fmt.Sprintf("--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n", i, i+1)
	}
	deep += "--b1000\r\nContent-Type: image/jpeg\r\n" + b64 + "\r\n\r\n" + folded(jpg)
	var parts, many []string
	for range 30 {
		many = append(many, part("Content-Type: text/plain", "x"))
	}
	parts = append(many, part("Content-Type: image/jpeg\r\n"+b64, folded(jpg)))
	for _, tc := range []struct {
		name, mail string
		want       []byte
	}{
		{"attachment", mixed(textPart,
			part("Content-Type: image/jpeg; name=\"../../etc/x.jpg\"\r\nContent-Disposition: attachment\r\n"+b64,
				folded(jpg))), jpg},
		{"inline", mixed(textPart, part("Content-Type: image/jpeg\r\nContent-Disposition: inline\r\n"+b64,
			folded(jpg))), jpg},
		{"the first of two", mixed(part("Content-Type: image/jpeg\r\n"+b64, folded(jpg)),
			part("Content-Type: image/jpeg\r\n"+b64, folded(other))), jpg},
		{"PNG", mixed(textPart, part("Content-Type: image/png\r\n"+b64, folded(img))), img},
		{"base64 in one line", mixed(textPart,
			part("Content-Type: image/jpeg\r\n"+b64, base64.StdEncoding.EncodeToString(jpg))), jpg},
		{"wrong type", mixed(textPart, part("Content-Type: application/octet-stream\r\n"+b64, folded(jpg))), jpg},
		{"a text with a charset", mixed(part("Content-Type: text/plain; charset=gb2312; name=x.txt\r\n"+b64,
			folded(jpg))), jpg},
		{"no type", mixed(part(b64, folded(jpg))), jpg},
		{"8-bit header",
			mixed(part("Content-Type: image/jpeg; name=\"T\xfcr.jpg\"\r\nContent-Description: \xff\xfe\r\n"+b64,
				folded(jpg))), jpg},
		{"boundary without quotes", strings.ReplaceAll(strings.Replace(mixed(textPart, part(b64, folded(jpg))),
			"boundary=B", "boundary==_(B", 1), "--B", "--=_(B"), jpg},
		{"behind a text named .jpg", mixed(part("Content-Type: image/jpeg; name=x.jpg", "this is no picture"),
			part(b64, folded(jpg))), jpg},
		{"in a part of a part",
			mixed("--B\r\nContent-Type: multipart/related; boundary=C\r\n\r\n--C\r\nContent-Type: text/html\r\n\r\n<p>\r\n--C\r\nContent-Type: image/jpeg\r\n"+b64+"\r\n\r\n"+folded(jpg)+"\r\n--C--\r\n", textPart), jpg},
		{"the mail itself", "Subject: x\r\nContent-Type: image/jpeg\r\n" + b64 + "\r\n\r\n" + folded(jpg), jpg},
		{"8-bit content", mixed(textPart, part("Content-Type: image/jpeg", string(jpg))), jpg},
		{"base64 that is padded in each line", mixed(part(b64, paddedLines(jpg))), jpg},
		{"behind a broken header line",
			strings.Replace(mixed(textPart, part(b64, folded(jpg))), "MIME-Version", "broken\r\nMIME-Version", 1), jpg},
		{"of another boundary than the header says",
			strings.Replace(mixed(textPart, part(b64, folded(jpg))), "boundary=B", "boundary=C", 1), jpg},
		{"in a forwarded mail", "Subject: x\r\nContent-Type: message/rfc822\r\n\r\n" +
			mixed(textPart, part(b64, folded(jpg))), jpg},
		{"the end is missing", strings.TrimSuffix(mixed(part(b64, folded(jpg))), "--B--\r\n"), jpg},
		{"cut", mixed(part(b64, folded(jpg)))[:1000], nil},
		{"no parts", "Subject: x\r\n\r\nMotion\r\n", nil},
		{"text named .jpg", mixed(part("Content-Type: image/jpeg; name=x.jpg", "this is no picture")), nil},
		{"magic alone", mixed(part(b64, folded([]byte("\xff\xd8\xff\xe0 nothing")))), nil},
		{"broken base64", mixed(part(b64, folded(jpg)[:200]+"!!!!")), nil},
		{"too many pixels", mixed(part(b64, folded(bomb(t)))), nil},
		{"behind one with too many pixels", mixed(part(b64, folded(bomb(t))), part(b64, folded(jpg))), jpg},
		{"nested deep", deep, nil},
		{"behind many parts", mixed(parts...), nil},
		{"a header without end", mixed("--B\r\n" + strings.Repeat("X-A: b\r\n", 16<<10) + "\r\n"), nil},
		{"no mail", "\x00\x01", nil},
		{"empty", "", nil},
	} {
		if got := find(tc.mail); !bytes.Equal(got, tc.want) {
			t.Errorf("%s: %d bytes, want %d", tc.name, len(got), len(tc.want))
		}
	}
}

// send sends a mail to two cameras over a real connection.
func (k *sink) send(mail io.Reader) error {
	c, err := smtp.Dial(k.addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := errors.Join(c.Mail("cam@x"), c.Rcpt("front-door@preroll"), c.Rcpt("yard@preroll")); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, mail); err != nil {
		return err
	}
	return errors.Join(w.Close(), c.Quit())
}

func TestPictureOfAMail(t *testing.T) {
	k := serve(t, nil)
	jpg := photo(t, "jpeg", 640, 360)
	if err := k.send(strings.NewReader(mixed(textPart,
		part("Content-Type: image/jpeg\r\n"+b64, folded(jpg))))); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"front-door", "yard"} {
		if k.count(id) != 1 || len(k.pictures[id]) != 1 || !bytes.Equal(k.pictures[id][0], jpg) {
			t.Errorf("%s: %d triggers, %d pictures", id, k.count(id), len(k.pictures[id]))
		}
	}
	if m := k.mails; len(m) != 1 || len(m[0].Cameras) != 2 || m[0].Label != "motion" || m[0].Sender != "cam@x" ||
		m[0].Test {
		t.Errorf("%+v", m)
	}
	// A mail that was not accepted has no picture either.
	k.fail = errors.New("index is locked")
	if err := k.send(strings.NewReader(mixed(part(b64, folded(jpg))))); err == nil || len(k.pictures["yard"]) != 1 {
		t.Errorf("%v, %d pictures", err, len(k.pictures["yard"]))
	}
}

// TestHugeAttachment sends an attachment that looks like an endless picture. The mail counts, the picture does not, and
// memory stays bounded.
func TestHugeAttachment(t *testing.T) {
	k := serve(t, nil)
	head := folded(append(photo(t, "jpeg", 64, 64)[:600:600], make([]byte, 54)...)) // whole lines
	line := strings.Repeat("A", 76) + "\r\n"
	size := 30 << 20
	if raced {
		size = 16 << 20 // still more than a picture may have
	}
	body := strings.NewReader(strings.Repeat(line, size/len(line)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	mail := io.MultiReader(strings.NewReader(strings.TrimSuffix(mixed(textPart), "--B--\r\n")+
		"--B\r\nContent-Type: image/jpeg\r\n"+b64+"\r\n\r\n"+head), body, strings.NewReader("--B--\r\n"))
	if err := k.send(mail); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if k.count("yard") != 1 || len(k.pictures) != 0 {
		t.Errorf("%d triggers, %d pictures", k.count("yard"), len(k.pictures))
	}
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 100<<20 {
		t.Errorf("%d MB were allocated", grown>>20)
	}
}

func FuzzPicture(f *testing.F) {
	jpg := photo(f, "jpeg", 16, 16)
	f.Add(mixed(textPart, part("Content-Type: image/jpeg\r\n"+b64, folded(jpg))))
	f.Add("Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\n")
	f.Fuzz(func(t *testing.T, mail string) {
		if b := find(mail); b != nil && checkPicture(b) != nil {
			t.Errorf("%d bytes: %v", len(b), checkPicture(b))
		}
	})
}
