package outbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/SherClockHolmes/webpush-go"

	"github.com/preroll/preroll/recorder/config"
)

// Keys are the keys by which push services know this installation (VAPID, RFC 8292), in Base64.
type Keys struct {
	Private string `json:"private"`
	Public  string `json:"public"`
}

// NewKeys makes keys.
func NewKeys() (k Keys, err error) {
	k.Private, k.Public, err = webpush.GenerateVAPIDKeys()
	return k, err
}

// services are the push services of the browsers. A device says which address word goes to, and so must not choose any.
var services = []string{"fcm.googleapis.com", ".push.services.mozilla.com", ".push.apple.com", ".notify.windows.com"}

// PushService reports whether an address is one of a push service.
func PushService(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || len(endpoint) > 1000 {
		return false
	}
	for _, s := range services {
		if u.Host == s || strings.HasPrefix(s, ".") && strings.HasSuffix(u.Host, s) {
			return true
		}
	}
	return false
}

// PushTarget returns the target that brings word to a device by its browser (Web Push). It lies in no settings file.
// endpoint, key and auth are those of the browser's subscription.
func PushTarget(device, name, endpoint, key, auth string) config.Target {
	return config.Target{ID: pushID + device, Name: name, Kind: config.Push, URL: endpoint, User: key,
		Token: config.Secret(auth), Enabled: true}
}

// pushID begins the ids of targets that are devices.
const pushID = "device-"

// PushDevice returns the id of the device that a target is, or "".
func PushDevice(target string) string {
	if id, ok := strings.CutPrefix(target, pushID); ok {
		return id
	}
	return ""
}

// ringTime is how long a push service keeps word for a phone that is off, in seconds.
const ringTime = 24 * 60 * 60

// push follows RFC 8030, 8291 and 8292: the word is encrypted for the device, so that its service cannot read it. Word
// of the clip replaces word of the alarm.
func push(t config.Target, w Word, keys Keys) (*http.Request, error) {
	said := map[string]string{"title": cut(w.Title, 200), "body": cut(w.Body, 1000), "page": "/"}
	topic := ""
	switch {
	case w.Event != "":
		said["page"], said["tag"] = "/events/"+url.PathEscape(w.Event), w.Event
		h := sha256.Sum256([]byte(w.Event))
		topic = base64.RawURLEncoding.EncodeToString(h[:24]) // at most 32 letters
		if w.Kind == Alarm {
			said["image"] = "/camera/" + url.PathEscape(w.Camera) + "/still?width=640"
		}
	case w.Kind == Trouble:
		said["page"] = "/health"
	}
	body, err := json.Marshal(said)
	if err != nil {
		return nil, err
	}
	var made keep
	_, err = webpush.SendNotification(body, &webpush.Subscription{Endpoint: t.URL,
		Keys: webpush.Keys{P256dh: t.User, Auth: t.Token.Reveal()}}, &webpush.Options{HTTPClient: &made, TTL: ringTime,
		Topic: topic, Urgency: webpush.UrgencyHigh, VAPIDPublicKey: keys.Public, VAPIDPrivateKey: keys.Private,
		Subscriber: "https://github.com/preroll/preroll"})
	return made.request, err
}

// keep takes a request instead of sending it, because word of all kinds is sent in the same way.
type keep struct{ request *http.Request }

// Do keeps the request.
func (k *keep) Do(r *http.Request) (*http.Response, error) {
	k.request = r
	return nil, nil
}
