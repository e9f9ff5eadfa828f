package outbox

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/preroll/preroll/recorder/config"
)

// trip answers requests in a test.
type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestDeadForAnHour has a receiver that is dead for an hour, then busy, and then takes everything: in order, once, and
// without having been asked all the time.
func TestDeadForAnHour(t *testing.T) {
	before := client.Transport
	defer func() { client.Transport = before }()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var taken []string
		asked, state := 0, "dead"
		client.Transport = trip(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			asked++
			answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{},
				Body: io.NopCloser(strings.NewReader(""))}
			switch state {
			case "dead":
				return nil, errors.New("connection refused")
			case "broken":
				answer.StatusCode = http.StatusInternalServerError
			case "busy":
				answer.StatusCode = http.StatusTooManyRequests
				answer.Header.Set("Retry-After", "1800")
			default:
				taken = append(taken, string(body))
			}
			return answer, nil
		})
		to := targetOf(config.Ntfy, "http://192.0.2.1")
		to.Picture = false
		r := newRig(t, t.TempDir(), to)
		end := r.run(t)
		defer end()
		set := func(s string) (n int) {
			mu.Lock()
			defer mu.Unlock()
			n, asked, state = asked, 0, s
			return n
		}

		for _, id := range []string{"e1", "e2", "e3"} {
			e := alarm(id)
			e.CameraName = id
			e.Time = time.Now()
			r.Event(e)
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Hour)
		if n := set("broken"); n < 8 || n > 60 {
			t.Errorf("in an hour a dead receiver was asked %d times", n)
		}
		time.Sleep(20 * time.Minute)
		if n := set("busy"); n < 1 || n > 10 {
			t.Errorf("in 20 minutes a broken receiver was asked %d times", n)
		}
		time.Sleep(15 * time.Minute)
		if n := set("well"); n != 1 {
			t.Errorf("a receiver that wants half an hour was asked %d times in a quarter", n)
		}
		time.Sleep(40 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if len(taken) != 3 || !slices.IsSorted(taken) {
			t.Errorf("got %q, want word of three alarms in their order", taken)
		}
	})
}
