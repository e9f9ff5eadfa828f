package outbox

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/poll"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// phone is a browser that subscribed.
type phone struct {
	key  *ecdh.PrivateKey
	auth []byte
}

func newPhone(t *testing.T) phone {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := phone{key, make([]byte, 16)}
	_, _ = rand.Read(p.auth)
	return p
}

func (p phone) target(url string) config.Target {
	b := base64.RawURLEncoding
	t := PushTarget("d1", "Phone", url, b.EncodeToString(p.key.PublicKey().Bytes()), b.EncodeToString(p.auth))
	t.Alarm, t.Saved, t.Trouble = true, true, true
	return t
}

// open decrypts what a push service got for the phone (RFC 8291, section 4; RFC 8188).
func (p phone) open(body []byte) (m map[string]string, err error) {
	if len(body) < 86 || body[20] != 65 {
		return nil, errors.New("not a record")
	}
	salt, size, from, sealed := body[:16], binary.BigEndian.Uint32(body[16:20]), body[21:86], body[86:]
	sender, err := ecdh.P256().NewPublicKey(from)
	if err != nil || int(size) < len(sealed) {
		return nil, fmt.Errorf("a record of %d bytes: %w", size, err)
	}
	secret, err := p.key.ECDH(sender)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(p.key.PublicKey().Bytes()) + string(from)
	derive := func(secret, salt []byte, info string, n int) []byte {
		b, err := hkdf.Key(sha256.New, secret, salt, info, n)
		if err != nil {
			panic(err)
		}
		return b
	}
	ikm := derive(secret, p.auth, info, 32)
	block, err := aes.NewCipher(derive(ikm, salt, "Content-Encoding: aes128gcm\x00", 16))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, derive(ikm, salt, "Content-Encoding: nonce\x00", 12), sealed, nil)
	if err != nil {
		return nil, err
	}
	plain = bytes.TrimRight(plain, "\x00")
	if !bytes.HasSuffix(plain, []byte{2}) {
		return nil, errors.New("the last record has no end")
	}
	return m, json.Unmarshal(plain[:len(plain)-1], &m)
}

// vapid checks who sends (RFC 8292): the token is signed by the key, for this service, and soon expires.
func vapid(r *http.Request, public string) error {
	token, key, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "vapid t="), ", k=")
	parts := strings.Split(token, ".")
	if !ok || key != public || len(parts) != 3 {
		return fmt.Errorf("authorization %q", r.Header.Get("Authorization"))
	}
	b := base64.RawURLEncoding
	point, err1 := b.DecodeString(key)
	sig, err2 := b.DecodeString(parts[2])
	said, err3 := b.DecodeString(parts[1])
	if err := errors.Join(err1, err2, err3); err != nil || len(sig) != 64 || len(point) != 65 {
		return fmt.Errorf("the token: %w", err)
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return err
	}
	h := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(pub, h[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return errors.New("a wrong signature")
	}
	var c struct {
		Aud, Sub string
		Exp      int64
	}
	if err := json.Unmarshal(said, &c); err != nil {
		return err
	}
	if left := time.Until(time.Unix(c.Exp, 0)); c.Aud != "http://"+r.Host || left < 0 || left > 24*time.Hour ||
		!strings.HasPrefix(c.Sub, "https://") && !strings.HasPrefix(c.Sub, "mailto:") {
		return fmt.Errorf("claims %+v", c)
	}
	return nil
}

// TestPush brings word to a browser by a stand-in for its push service, which checks each field. A phone that left is
// forgotten.
func TestPush(t *testing.T) {
	p, keys := newPhone(t), Keys{}
	var err error
	if keys, err = NewKeys(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var got []map[string]string
	topics := map[string]bool{}
	s := serve(t, func(r *http.Request, body []byte) (string, error) {
		if r.Method != "POST" || r.Header.Get("Content-Encoding") != "aes128gcm" || r.Header.Get("TTL") != "86400" ||
			r.Header.Get("Urgency") != "high" || len(body) > 4096 || len(r.Header.Get("Topic")) > 32 {
			return "", fmt.Errorf("%v, %d bytes", r.Header, len(body))
		}
		m, err := p.open(body)
		if err == nil {
			err = vapid(r, keys.Public)
		}
		mu.Lock()
		defer mu.Unlock()
		got, topics[r.Header.Get("Topic")] = append(got, m), true
		return m["title"], err
	})
	var gone []string
	target := p.target(s.URL + "/push/x")
	o := New(Options{State: t.TempDir(), Say: text.Text.String, Changed: func() {}, Log: slog.New(slog.DiscardHandler),
		Settings: func() config.Settings { return config.Settings{} }, Started: time.Now().Add(-time.Minute),
		Picture: func(context.Context, event.Event) ([]byte, error) { return nil, errors.New("none") },
		Devices: func() []config.Target { return []config.Target{target} },
		Keys:    func() (Keys, error) { return keys, nil },
		Gone: func(device string) {
			mu.Lock()
			defer mu.Unlock()
			gone = append(gone, device)
		}})
	r := &rig{Outbox: o}
	r.run(t)
	e := alarm("e1")
	o.Event(e)
	poll.Until(t, "word of the alarm", 10*time.Second, func() bool { return len(s.words()) == 1 }, nil)
	e.State, e.SavedAt = event.Saved, time.Now()
	o.Event(e)
	poll.Until(t, "word of the clip", 10*time.Second, func() bool { return len(s.words()) == 2 }, nil)
	mu.Lock()
	if got[0]["page"] != "/events/e1" || got[0]["tag"] != "e1" || got[1]["tag"] != "e1" || got[0]["body"] == "" ||
		got[0]["image"] != "/camera/gate/still?width=640" || len(topics) != 1 {
		t.Errorf("got %+v with the topics %v", got, topics)
	}
	mu.Unlock()
	s.answer(http.StatusGone, "")
	o.Event(alarm("e2"))
	poll.Until(t, "the phone is forgotten", 10*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(gone) > 0 && gone[0] == "d1"
	}, nil)
}

func TestPushService(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"https://fcm.googleapis.com/fcm/send/x":                   true,
		"https://updates.push.services.mozilla.com/wpush/v2/x":    true,
		"https://web.push.apple.com/x":                            true,
		"https://wns2-par02p.notify.windows.com/w/?token=x":       true,
		"http://fcm.googleapis.com/x":                             false,
		"https://fcm.googleapis.com:8443/x":                       false,
		"https://fcm.googleapis.com.evil.example/x":               false,
		"https://evil.example/fcm.googleapis.com":                 false,
		"https://xfcm.googleapis.com/x":                           false,
		"https://push.apple.com.evil.example/":                    false,
		"https://user@fcm.googleapis.com/x":                       false,
		"https://192.168.1.1/":                                    false,
		"file:///etc/passwd":                                      false,
		"":                                                        false,
		"https://fcm.googleapis.com/" + strings.Repeat("x", 2000): false,
	} {
		if got := PushService(endpoint); got != want {
			t.Errorf("%.60s: got %t", endpoint, got)
		}
	}
}
