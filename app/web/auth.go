package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/preroll/preroll/app/words"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// cookie is the name of the cookie that holds a device's token.
const cookie = "preroll"

// cookieTime is the longest time that browsers keep a cookie.
const cookieTime = 400 * 24 * time.Hour

// session is the paired device that sends a request.
type session struct {
	status.Caller
	token string
}

type (
	sessionKey struct{}
	baseKey    struct{}
)

// sessionOf returns the device of a request that [Server.paired] let through.
func sessionOf(r *http.Request) session {
	d, _ := r.Context().Value(sessionKey{}).(session)
	return d
}

// baseOf returns the path at which the pages begin for the browser, without a slash at the end.
func baseOf(r *http.Request) string {
	b, _ := r.Context().Value(baseKey{}).(string)
	return b
}

// handler returns the handler of all requests.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range s.routes() {
		h := route.handle
		if route.Kind != aStream {
			h = s.inTurn(h)
		}
		if !route.Open {
			h = s.paired(h)
		}
		if route.Kind != aPage {
			h = s.ownOnly(h)
		}
		mux.HandleFunc(route.Pattern, h)
	}
	same := http.NewCrossOriginProtection()
	same.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusForbidden, s.language(r).L("Another site sent this request, so nothing was done."))
	}))
	inner := same.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.SetWriteDeadline(time.Now().Add(answerTime))
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if r.ContentLength != 0 {
			_ = c.SetReadDeadline(time.Now().Add(bodyTime))
		}
		s.secure(w, r)
		if !s.known(r.Host) {
			s.fail(w, r, http.StatusMisdirectedRequest, s.language(r).L(
				"Preroll does not know this name for itself. Put the address of this page in web.url in the settings."))
			return
		}
		for part := range strings.SplitSeq(r.URL.Path, "/") {
			if part == "." || part == ".." { // in the path as it was sent, they were written as %2e
				s.fail(w, r, http.StatusNotFound, s.language(r).L("There is no such page."))
				return
			}
		}
		inner.ServeHTTP(w, s.based(r))
	})
}

// ownOnly refuses what another site's page asks for, be it by a link. Pages may be linked.
func (s *Server) ownOnly(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			s.fail(w, r, http.StatusForbidden, s.language(r).L("Another site sent this request, so nothing was done."))
			return
		}
		h(w, r)
	}
}

// inTurn bounds how many requests are answered at once.
func (s *Server) inTurn(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		places := s.answering
		if sessionOf(r).ID == "" {
			places = s.strangers
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			h(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
		}
	}
}

// secure sets the headers that keep other sites out.
func (s *Server) secure(w http.ResponseWriter, r *http.Request) {
	frame := "'none'"
	if _, proxied := s.remote(r); proxied && r.Header.Get("X-Ingress-Path") != "" {
		frame = "'self'" // Home Assistant shows the pages in a frame of its own address
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "+
		"media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; "+
		"base-uri 'none'; frame-ancestors "+frame)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with none, browsers send the Origin "null" with forms
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	h.Set("Cache-Control", "no-store")
}

// local are the endings of names that no public name server answers for.
var local = []string{".local", ".lan", ".home.arpa", ".internal", ".localhost"}

// known reports whether the Host of a request is a name of this machine. A page of another site can make a browser send
// requests here under its own name, by changing the address of that name (DNS rebinding).
func (s *Server) known(host string) bool {
	if s.url != nil && strings.EqualFold(host, s.url.Host) {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	if s.url != nil && name == strings.ToLower(s.url.Hostname()) {
		return true
	}
	for _, end := range local {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return name != "" && !strings.ContainsAny(name, ".:/\\ ")
}

// prefix matches a path at which the pages may begin.
var prefix = regexp.MustCompile(`^(/[a-zA-Z0-9_~-][a-zA-Z0-9._~-]*)+$`)

// based notes the path at which the pages begin, and takes it off the path of the request.
func (s *Server) based(r *http.Request) *http.Request {
	base := ""
	if s.url != nil && strings.EqualFold(r.Host, s.url.Host) {
		base = s.url.Path
	}
	if _, proxied := s.remote(r); proxied {
		for _, key := range []string{"X-Forwarded-Prefix", "X-Ingress-Path"} {
			if v := r.Header.Get(key); v != "" {
				base = v
			}
		}
	}
	if base = strings.TrimSuffix(base, "/"); !prefix.MatchString(base) || len(base) > 200 {
		base = ""
	}
	r = r.WithContext(context.WithValue(r.Context(), baseKey{}, base))
	if rest, ok := strings.CutPrefix(r.URL.Path, base+"/"); base != "" && (ok || r.URL.Path == base) {
		u := *r.URL
		u.Path, u.RawPath = "/"+rest, ""
		if !ok {
			u.Path = "/"
		}
		r.URL = &u
	}
	return r
}

// paired lets the requests of paired devices through.
func (s *Server) paired(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token := ""
		if c, err := r.Cookie(cookie); err == nil {
			token = c.Value
		} else if kind, v, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(kind, "bearer") {
			token = strings.TrimSpace(v)
		}
		d, ok := s.host.Device(token)
		switch {
		case ok:
			h(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, session{d, token})))
		case r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html"):
			http.Redirect(w, r, baseOf(r)+"/pair", http.StatusSeeOther)
		default:
			s.fail(w, r, http.StatusUnauthorized, s.language(r).L("This device is not paired."))
		}
	}
}

// --- Pairing ---

type pairView struct {
	Code, Name, Fault string
}

func (s *Server) pairPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, "pair", http.StatusOK, pairView{})
}

// pair lets a browser in that sends the code.
func (s *Server) pair(w http.ResponseWriter, r *http.Request) {
	v := pairView{Code: r.PostFormValue("code"), Name: r.PostFormValue("name")}
	from, _ := s.remote(r)
	if s.guessed(from, 0) {
		v.Fault = s.language(r).L("Too many wrong codes came from here. Try again in ten minutes.")
		s.show(w, r, "pair", http.StatusTooManyRequests, v)
		return
	}
	_, token, err := s.host.Pair(v.Code, v.Name)
	if err != nil {
		if errors.Is(err, text.WrongCode.Error()) || errors.Is(err, text.TooManyGuesses.Error()) {
			s.guessed(from, 1)
			s.host.Log.Warn("a wrong pairing code", "from", from)
		}
		v.Fault = sentence(s.language(r).Say(text.Of(err)))
		s.show(w, r, "pair", http.StatusForbidden, v)
		return
	}
	http.SetCookie(w, s.cookie(r, token, cookieTime))
	http.Redirect(w, r, baseOf(r)+"/", http.StatusSeeOther)
}

// cookie returns the cookie that lets a device in for a time.
func (s *Server) cookie(r *http.Request, token string, d time.Duration) *http.Cookie {
	return &http.Cookie{Name: cookie, Value: token, Path: baseOf(r) + "/", MaxAge: int(d.Seconds()), HttpOnly: true,
		Secure: s.https(r), SameSite: http.SameSiteLaxMode}
}

// leave shuts the device out that asks for it.
func (s *Server) leave(w http.ResponseWriter, r *http.Request) {
	if err := s.host.Remove(sessionOf(r).ID); err != nil {
		s.refuse(w, r, err)
		return
	}
	http.SetCookie(w, s.cookie(r, "", -time.Second))
	http.Redirect(w, r, baseOf(r)+"/pair", http.StatusSeeOther)
}

// guessed counts n wrong codes of an address, and reports whether it had too many. A new code begins a new count.
func (s *Server) guessed(from netip.Addr, n int) bool {
	from, now := homeOf(from), time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.guesses[from]
	if g == nil || now.Sub(g.since) > guessTime || s.host.CodeMade().After(g.since) {
		if n == 0 {
			return false
		}
		if len(s.guesses) >= keptAddresses {
			clear(s.guesses)
		}
		g = &guesses{since: now}
		s.guesses[from] = g
	}
	g.n += n
	return g.n >= maxGuesses
}

// language returns the language for a request: what the browser asks for, else that of the settings.
func (s *Server) language(r *http.Request) *words.Language {
	code := words.Preferred(r.Header.Get("Accept-Language"))
	if code == "" {
		code = s.host.Language()
	}
	return words.In(code)
}
