package outbox

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// sendTime is how long a service may take to answer.
const sendTime = 20 * time.Second

// client follows no redirect, because a token must not go to another address.
var client = http.Client{Timeout: sendTime, Transport: transport(),
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxResponseHeaderBytes = 64 << 10
	return t
}

// refusal is an answer that is no success.
type refusal struct {
	err   error         // a text
	after time.Duration // how long the service wants to be left alone
	word  bool          // it is about this word, and not about the target: its picture is too large, or the like
	gone  bool          // there is no such target any more
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// retryAfter returns how long a service wants to be left alone, at most an hour.
func retryAfter(err error) time.Duration {
	var r *refusal
	if errors.As(err, &r) {
		return min(r.after, time.Hour)
	}
	return 0
}

// afterOf reads the header Retry-After: seconds, or a time.
func afterOf(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return 0
}

// linkOf returns the web page that a word is about, "" if there is none that a phone reaches from anywhere.
func linkOf(s config.Settings, w Word) string {
	base := strings.TrimSuffix(s.Web.URL, "/")
	switch {
	case s.Web.Listen == "" || base == "":
		return ""
	case w.Event != "":
		return base + "/events/" + url.PathEscape(w.Event)
	case w.Kind == Trouble:
		return base + "/health"
	}
	return base + "/"
}

// send sends a word to a target. The error names no address, because that may hold a token.
func (b *Outbox) send(ctx context.Context, t config.Target, w Word) error {
	w.Link = linkOf(b.opt.Settings(), w)
	token, err := within(ctx, sendTime, func(context.Context) (config.Secret, error) {
		return t.Token.Resolve("target " + t.ID)
	})
	if err != nil {
		return err
	}
	t.Token = token
	r, err := b.request(t, w)
	if err != nil {
		return bare(err)
	}
	r.Header.Set("User-Agent", "Preroll")
	resp, err := client.Do(r.WithContext(ctx))
	if err != nil {
		return bare(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode/100 == 3:
		return text.TargetRedirects.Error()
	}
	said := strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", http.StatusText(resp.StatusCode))) // not its own words
	return &refusal{err: text.TargetAnswers.Error(said), after: afterOf(resp.Header.Get("Retry-After")),
		gone: resp.StatusCode == http.StatusGone || resp.StatusCode == http.StatusNotFound,
		word: slices.Contains([]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge,
			http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}, resp.StatusCode)}
}

// bare returns an error without the address that it names, and bounded, as it may repeat what the service said.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if said := err.Error(); event.Clean(said, 200) != said {
		return errors.New(event.Clean(said, 200))
	}
	return err
}

// request returns the request that brings a word to a target, in the form of its kind.
func (b *Outbox) request(t config.Target, w Word) (*http.Request, error) {
	switch t.Kind {
	case config.Push:
		keys, err := b.opt.Keys()
		if err != nil {
			return nil, err
		}
		return push(t, w, keys)
	case config.Gotify:
		return gotify(t, w)
	case config.Pushover:
		return pushover(t, w)
	case config.Telegram:
		return telegram(t, w)
	case config.Webhook:
		return webhook(t, w)
	}
	return ntfy(t, w)
}

// ntfy follows https://docs.ntfy.sh/publish/: the message is the body, or a header if the body is a picture.
func ntfy(t config.Target, w Word) (*http.Request, error) {
	body, head := []byte(w.Body), http.Header{}
	head.Set("Title", header(w.Title))
	head.Set("Priority", map[Kind]string{Alarm: "4", Saved: "2", Trouble: "4"}[w.Kind])
	head.Set("Tags", map[Kind]string{Alarm: "rotating_light", Saved: "movie_camera", Trouble: "warning"}[w.Kind])
	if w.Picture != nil {
		body = w.Picture
		head.Set("Filename", "picture.jpg")
		head.Set("Message", header(w.Body))
	}
	head.Set("Click", w.Link)
	if t.Token != "" {
		head.Set("Authorization", "Bearer "+t.Token.Reveal())
	}
	return post(t.Address(), "", body, head)
}

// header encodes a text for a header, as RFC 2047 says.
func header(s string) string {
	return mime.BEncoding.Encode("utf-8", strings.Join(strings.Fields(s), " "))
}

// gotify follows https://gotify.net/docs/pushmsg. It has no pictures.
func gotify(t config.Target, w Word) (*http.Request, error) {
	m := map[string]any{"title": w.Title, "message": w.Body,
		"priority": map[Kind]int{Alarm: 8, Saved: 2, Trouble: 8, Test: 5}[w.Kind]}
	if w.Link != "" {
		m["extras"] = map[string]any{"client::notification": map[string]any{"click": map[string]string{"url": w.Link}}}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return post(strings.TrimRight(t.Address(), "/")+"/message", "application/json", body,
		http.Header{"X-Gotify-Key": {t.Token.Reveal()}})
}

// pushover follows https://pushover.net/api.
func pushover(t config.Target, w Word) (*http.Request, error) {
	fields := map[string]string{"token": t.Token.Reveal(), "user": t.User, "title": cut(w.Title, 250),
		"message": cut(w.Body, 1000), "timestamp": strconv.FormatInt(w.Time.Unix(), 10)}
	if w.Link != "" {
		fields["url"] = w.Link
	}
	return form(strings.TrimRight(t.Address(), "/")+"/1/messages.json", fields, "attachment", w.Picture)
}

// telegram follows https://core.telegram.org/bots/api.
func telegram(t config.Target, w Word) (*http.Request, error) {
	base := strings.TrimRight(t.Address(), "/") + "/bot" + url.PathEscape(t.Token.Reveal())
	said := strings.TrimSpace(cut(w.Title+"\n"+w.Body, 700) + "\n" + w.Link) // a caption has at most 1024 characters
	if w.Picture == nil {
		return form(base+"/sendMessage", map[string]string{"chat_id": t.User, "text": said}, "", nil)
	}
	return form(base+"/sendPhoto", map[string]string{"chat_id": t.User, "caption": said}, "photo", w.Picture)
}

// webhook sends the word as JSON. Its signature is the HMAC-SHA256 of the time stamp, a full stop and the body.
func webhook(t config.Target, w Word) (*http.Request, error) {
	body, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(t.Token.Reveal()))
	_, _ = fmt.Fprintf(mac, "%s.%s", stamp, body)
	return post(t.Address(), "application/json", body, http.Header{"X-Preroll-Delivery": {w.ID},
		"X-Preroll-Timestamp": {stamp}, "X-Preroll-Signature": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}})
}

func post(address, contentType string, body []byte, head http.Header) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for key, values := range head {
		if values[0] != "" {
			r.Header[key] = values
		}
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r, nil
}

// form returns a request with a form of several parts. file is the name of the picture's part.
func form(address string, fields map[string]string, file string, picture []byte) (*http.Request, error) {
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := m.WriteField(name, value); err != nil {
			return nil, err
		}
	}
	if picture != nil {
		part, err := m.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"; filename="picture.jpg"`, file)},
			"Content-Type":        {"image/jpeg"}})
		if err == nil {
			_, err = part.Write(picture)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := m.Close(); err != nil {
		return nil, err
	}
	return post(address, m.FormDataContentType(), body.Bytes(), nil)
}

// cut cuts a text to a number of characters.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
