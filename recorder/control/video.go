package control

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/preroll/preroll/recorder/live"
	"github.com/preroll/preroll/recorder/status"
)

// --- Server ---

func (s *server) devices(w http.ResponseWriter, _ *http.Request) { answerList(w, s.r.Devices(), nil) }

func (s *server) removeDevice(w http.ResponseWriter, r *http.Request) {
	answer(w, struct{}{}, s.r.RemoveDevice(r.PathValue("id")))
}

func (s *server) pairing(w http.ResponseWriter, _ *http.Request) {
	code, until, err := s.r.PairingCode()
	answer(w, Pairing{code, until}, err)
}

func (s *server) spans(w http.ResponseWriter, r *http.Request) {
	list, err := s.r.Spans(r.PathValue("id"), isSmall(r))
	answerList(w, list, err)
}

// millis reads a time in milliseconds since 1970; anything else, or a time of another century, is the zero time.
func millis(v string) (t time.Time) {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 946684800000 && n < 4102444800000 {
		t = time.UnixMilli(n)
	}
	return t
}

// isSmall reports whether a call is for the small stream of a camera.
func isSmall(r *http.Request) bool { return r.FormValue("small") == "1" }

// live answers with a stream of video that ends with the call.
func (s *server) live(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	out := &videoSink{w: w, control: http.NewResponseController(w)}
	err := s.r.Live(ctx, r.PathValue("id"), isSmall(r), millis(r.FormValue("from")), millis(r.FormValue("origin")), out)
	if err != nil && !out.begun {
		answer(w, nil, err)
	}
}

// videoSink writes video to a client. A player that pauses stops reading, so a write may take long.
type videoSink struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

// Type begins the answer.
func (v *videoSink) Type(mime string) {
	v.begun = true
	v.w.Header().Set("Content-Type", mime)
	v.w.WriteHeader(http.StatusOK)
}

// Write writes one fragment at once.
func (v *videoSink) Write(b []byte) (int, error) {
	_ = v.control.SetWriteDeadline(time.Now().Add(videoTime))
	n, err := v.w.Write(b)
	if err == nil {
		err = v.control.Flush()
	}
	return n, err
}

// videoTime is how long a reader of video may take for a piece of it.
const videoTime = time.Minute

func (s *server) hls(w http.ResponseWriter, r *http.Request) {
	wish := live.Wish{On: r.FormValue("_HLS_msn") != "", Part: -1}
	wish.Sequence, _ = strconv.Atoi(r.FormValue("_HLS_msn"))
	if n, err := strconv.Atoi(r.FormValue("_HLS_part")); err == nil {
		wish.Part = n
	}
	f, err := s.r.HLS(r.Context(), r.PathValue("id"), isSmall(r), r.PathValue("file"), wish)
	if err != nil {
		answer(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", f.Type)
	if f.Keep {
		w.Header().Set("Cache-Control", "private, max-age=300, immutable")
	}
	_, _ = w.Write(f.Body)
}

func (s *server) file(w http.ResponseWriter, r *http.Request) {
	f, err := s.r.Open(r.Context(), r.PathValue("id"), r.PathValue("file"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer func() { _ = f.Close() }()
	fi, err := f.Stat()
	if err != nil {
		answer(w, nil, err)
		return
	}
	http.ServeContent(w, r, r.PathValue("file"), fi.ModTime(), f)
}

// --- Client ---

// Devices returns the devices that may open the web pages, the oldest first.
func (c *Client) Devices(ctx context.Context) (list []status.Caller, err error) {
	return list, c.do(ctx, "GET", "/v1/devices", nil, &list)
}

// RemoveDevice shuts a device out.
func (c *Client) RemoveDevice(ctx context.Context, id string) error {
	return c.do(ctx, "DELETE", "/v1/devices/"+url.PathEscape(id), nil, nil)
}

// PairingCode makes a code that lets one device in.
func (c *Client) PairingCode(ctx context.Context) (p Pairing, err error) {
	return p, c.do(ctx, "POST", "/v1/pairing", nil, &p)
}

// smallOf returns the query that asks for the small stream of a camera, or for its first one.
func smallOf(small bool) url.Values {
	if small {
		return url.Values{"small": {"1"}}
	}
	return url.Values{}
}

// Spans returns the times for which RAM holds video of a camera, oldest first.
func (c *Client) Spans(ctx context.Context, camera string, small bool) (list []status.Span, err error) {
	return list, c.do(ctx, "GET", "/v1/cameras/"+url.PathEscape(camera)+"/spans?"+smallOf(small).Encode(), nil, &list)
}

// Live asks for the video of a camera from a time on, which goes on as the camera sends. See [live.Stream]. The caller
// closes the body.
func (c *Client) Live(ctx context.Context, camera string, small bool, from, origin time.Time) (*http.Response, error) {
	v := smallOf(small)
	for key, t := range map[string]time.Time{"from": from, "origin": origin} {
		if !t.IsZero() {
			v.Set(key, strconv.FormatInt(t.UnixMilli(), 10))
		}
	}
	return c.get(ctx, "/v1/cameras/"+url.PathEscape(camera)+"/live?"+v.Encode(), nil)
}

// HLS asks for a file of a camera's ring as HLS. query holds the directives of HLS. The caller closes the body.
func (c *Client) HLS(ctx context.Context, camera string, small bool, file string, query url.Values) (*http.Response,
	error) {
	v := smallOf(small)
	for _, key := range []string{"_HLS_msn", "_HLS_part"} {
		if query.Has(key) {
			v.Set(key, query.Get(key))
		}
	}
	return c.get(ctx, "/v1/cameras/"+url.PathEscape(camera)+"/hls/"+url.PathEscape(file)+"?"+v.Encode(), nil)
}

// File asks for a file of an event. header may hold a range and conditions (RFC 9110, 13 and 14); the answer's status
// is one for these. The caller closes the body.
func (c *Client) File(ctx context.Context, id, file string, header http.Header) (*http.Response, error) {
	h := http.Header{}
	for _, key := range []string{"Range", "If-Range", "If-Modified-Since"} {
		if v := header.Get(key); v != "" {
			h.Set(key, v)
		}
	}
	return c.get(ctx, "/v1/events/"+url.PathEscape(id)+"/files/"+url.PathEscape(file), h)
}

// get sends a call whose answer is no JSON. The refusal of a range is an answer too.
func (c *Client) get(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	resp, err := c.ask(ctx, "GET", path, header, nil)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent, http.StatusNotModified, http.StatusRequestedRangeNotSatisfiable:
		return resp, nil
	}
	return nil, refusal(resp)
}
