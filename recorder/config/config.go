// Package config defines, reads, checks and saves the settings file.
//
// The file is TOML, with one [table] per part of Preroll and one [[camera]] per camera. The package turns the file into
// a Settings value. It starts no goroutine, except in [CheckFolders], and keeps no state.
package config

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/event"
)

// Version is the version of the settings file that this program writes.
const Version = 1

// DemoURL is the camera URL of the built-in demo camera.
const DemoURL = "demo:"

// Settings is the whole settings file.
type Settings struct {
	Version  int      `toml:"version" json:"version"`
	Language string   `toml:"language" json:"language"` // of the desktop: one of Languages, or "" for the system's
	RAMDisk  RAMDisk  `toml:"ram_disk" json:"ram_disk"`
	Archive  Archive  `toml:"archive" json:"archive"`
	Clip     Clip     `toml:"clip" json:"clip"`
	SMTP     SMTP     `toml:"smtp" json:"smtp"`
	Calls    Calls    `toml:"calls" json:"calls"`
	Web      Web      `toml:"web" json:"web"`
	Notify   Notify   `toml:"notify" json:"notify"`
	FFmpeg   FFmpeg   `toml:"ffmpeg" json:"ffmpeg"`
	Update   Update   `toml:"update" json:"update"`
	Cameras  []Camera `toml:"camera" json:"camera"`
	Targets  []Target `toml:"target,omitempty" json:"target,omitempty"`
}

// Languages are the languages of the desktop program.
var Languages = []string{"en", "de", "fr"}

// RAMDisk says where the rings lie and how much they may hold.
type RAMDisk struct {
	Path   string   `toml:"path" json:"path"`
	Keep   Duration `toml:"keep" json:"keep"`     // length of each ring
	Budget ByteSize `toml:"budget" json:"budget"` // for all rings and pins together
}

// Archive says where clips go and when retention may delete them. A zero limit means no limit.
type Archive struct {
	Path    string   `toml:"path" json:"path"`
	MaxAge  Duration `toml:"max_age" json:"max_age"`
	MaxSize ByteSize `toml:"max_size" json:"max_size"`
	MinFree ByteSize `toml:"min_free" json:"min_free"`
	Group   bool     `toml:"group" json:"group"` // the group of the files may read the archive
}

// Clip holds the lengths of clips. A camera may override them.
type Clip struct {
	PreRoll   Duration `toml:"pre_roll" json:"pre_roll"`
	PostRoll  Duration `toml:"post_roll" json:"post_roll"`
	MaxLength Duration `toml:"max_length" json:"max_length"`
}

// SMTP configures the server for alarm mails.
type SMTP struct {
	// Listen is host:port or :port, several separated by commas. Each port accepts plain connections, STARTTLS and TLS.
	Listen string `toml:"listen" json:"listen"`

	// ListenTLS is like Listen, but these ports accept only TLS from the first byte.
	ListenTLS string `toml:"listen_tls" json:"listen_tls"`

	// OldTLS accepts TLS 1.0, TLS 1.1 and RSA key exchange, for old cameras.
	OldTLS   bool     `toml:"old_tls" json:"old_tls"`
	Allow    []string `toml:"allow" json:"allow"` // networks (CIDR), addresses, "private" or "any"
	Username string   `toml:"username" json:"username"`
	Password Secret   `toml:"password" json:"password"`
	KeepMail bool     `toml:"keep_mail" json:"keep_mail"` // keep the first mail of an event beside its clip
}

// Calls configures the server for calls by HTTP that trigger a camera.
type Calls struct {
	Listen string   `toml:"listen" json:"listen"` // host:port or :port; "": nobody can call
	Allow  []string `toml:"allow" json:"allow"`   // as SMTP.Allow
}

// Web configures the web pages for phones and browsers.
type Web struct {
	// Listen is host:port or :port; "": there are no web pages. A loopback address serves HTTP, for a proxy on this
	// machine; any other address serves HTTPS.
	Listen string   `toml:"listen" json:"listen"`
	Allow  []string `toml:"allow" json:"allow"` // as SMTP.Allow

	// URL is where phones open the pages, if that is not an address of this machine: behind Tailscale or a proxy. Its
	// host is the only name by which they are served, beside this machine's own, and its path is where they begin.
	URL string `toml:"url" json:"url"`

	// Proxies are the addresses of proxies whose X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Prefix and
	// X-Ingress-Path are believed; as SMTP.Allow.
	Proxies []string `toml:"proxies" json:"proxies"`
}

// Address returns the address of the web pages, without a slash at the end. listen is where they listen. host is a name
// or an address of this machine, for pages that listen on all of its addresses.
func (w Web) Address(listen, host string) string {
	if w.URL != "" {
		return strings.TrimSuffix(w.URL, "/")
	}
	scheme := "https"
	on, port, _ := net.SplitHostPort(cmp.Or(listen, w.Listen))
	if ip := net.ParseIP(on); on != "" && (ip == nil || !ip.IsUnspecified()) {
		host = on
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		scheme = "http"
	}
	return scheme + "://" + net.JoinHostPort(host, cmp.Or(port, "PORT"))
}

// OnlyHere reports whether an address is of no use to other machines.
func OnlyHere(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return true
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "HOST" || host == "localhost" || ip != nil && ip.IsLoopback()
}

// Target is a place outside that gets word of alarms, such as a phone.
type Target struct {
	ID      string   `toml:"id" json:"id"`
	Name    string   `toml:"name" json:"name"`
	Kind    string   `toml:"kind" json:"kind"` // one of TargetKinds
	URL     string   `toml:"url" json:"url"`   // where word goes; "": the kind's own service
	User    string   `toml:"user" json:"user"` // the user key of Pushover, or the chat of Telegram
	Token   Secret   `toml:"token" json:"token"`
	Enabled bool     `toml:"enabled" json:"enabled"`
	Alarm   bool     `toml:"alarm" json:"alarm"`     // an alarm came
	Saved   bool     `toml:"saved" json:"saved"`     // a clip is saved, or there is none
	Trouble bool     `toml:"trouble" json:"trouble"` // something needs a person
	Picture bool     `toml:"picture" json:"picture"` // send a picture along
	Quiet   string   `toml:"quiet" json:"quiet"`     // as Notify.Quiet; alarms of these hours send no word
	Away    bool     `toml:"away" json:"away"`       // send word only while the user is away
	Cameras []string `toml:"cameras" json:"cameras"` // ids; none: all
	Labels  []string `toml:"labels" json:"labels"`   // none: all
}

// The kinds of targets.
const (
	Ntfy     = "ntfy"
	Gotify   = "gotify"
	Pushover = "pushover"
	Telegram = "telegram"
	Webhook  = "webhook"

	Push = "push" // a paired device, by its browser; it is in no settings file
)

// TargetKinds are the kinds of targets.
var TargetKinds = []string{Ntfy, Gotify, Pushover, Telegram, Webhook}

// services are the addresses of kinds that have a service of their own.
var services = map[string]string{Pushover: "https://api.pushover.net", Telegram: "https://api.telegram.org"}

// Address returns where word goes.
func (t Target) Address() string { return cmp.Or(t.URL, services[t.Kind]) }

// NewTarget returns a target with the default values of an entry in the settings file.
func NewTarget() Target {
	return Target{Kind: Ntfy, Enabled: true, Alarm: true, Trouble: true, Picture: true}
}

// Notify says which notifications the desktop shows.
type Notify = event.Notify

// FFmpeg names the FFmpeg to use. An empty path means: look beside the program, then in PATH.
type FFmpeg struct {
	Path string `toml:"path" json:"path"`
}

// Update says whether Preroll looks for newer versions of itself.
type Update struct {
	Check bool `toml:"check" json:"check"` // read one signed file a day from the place of the releases
}

// Camera is one camera. A nil length means the length in Clip.
type Camera struct {
	ID       string   `toml:"id" json:"id"`
	Name     string   `toml:"name" json:"name"`
	URL      string   `toml:"url" json:"url"`
	URLSmall string   `toml:"url_small,omitempty" json:"url_small,omitempty"` // of a smaller stream, to watch live alone
	Username string   `toml:"username" json:"username"`
	Password Secret   `toml:"password" json:"password"`
	Enabled  bool     `toml:"enabled" json:"enabled"`
	Audio    bool     `toml:"audio" json:"audio"`
	Notify   bool     `toml:"notify" json:"notify"` // notify the user of its events
	Mail     []string `toml:"mail" json:"mail"`
	Ingest   Ingest   `toml:"ingest,omitempty" json:"ingest,omitempty"` // what reads an RTSP camera

	PreRoll   *Duration `toml:"pre_roll,omitempty" json:"pre_roll,omitempty"`
	PostRoll  *Duration `toml:"post_roll,omitempty" json:"post_roll,omitempty"`
	MaxLength *Duration `toml:"max_length,omitempty" json:"max_length,omitempty"`

	// MailLag is how long after an alarm its mail arrives. The pre-roll of an event by mail begins earlier by MailLag.
	MailLag Duration `toml:"mail_lag,omitempty" json:"mail_lag,omitempty"`
}

// Ingest says what reads an RTSP camera.
type Ingest string

// The values of Ingest.
const (
	IngestAuto   Ingest = "" // Preroll, or FFmpeg if Preroll cannot; written as "auto"
	IngestRTSP   Ingest = "rtsp"
	IngestFFmpeg Ingest = "ffmpeg"
)

// UnmarshalText reads a value of the settings file. [Validate] rejects unknown values.
func (i *Ingest) UnmarshalText(b []byte) error {
	if *i = Ingest(b); *i == "auto" {
		*i = IngestAuto
	}
	return nil
}

// FolderScheme begins the URL of a camera whose files another program writes to a folder.
const FolderScheme = "folder:"

// Folder returns the folder that the camera's URL names, and reports whether the URL names a folder.
func (c Camera) Folder() (string, bool) { return strings.CutPrefix(c.URL, FolderScheme) }

// RTSP reports whether the camera speaks RTSP.
func (c Camera) RTSP() bool {
	return strings.HasPrefix(c.URL, "rtsp:") || strings.HasPrefix(c.URL, "rtsps:")
}

// Default returns the settings of a first start on this platform, without a camera. It writes nothing.
func Default() Settings {
	return Settings{
		Version: Version,
		RAMDisk: RAMDisk{Path: DefaultRAMDisk(), Keep: Duration(100 * time.Second), Budget: 1 * GiB},
		Archive: Archive{Path: DefaultArchive(), MaxAge: Duration(30 * day), MinFree: 2 * GiB,
			Group: serviceState() != ""}, // so that those who may use the service can play its clips
		Clip: Clip{
			PreRoll:   Duration(10 * time.Second),
			PostRoll:  Duration(60 * time.Second),
			MaxLength: Duration(10 * time.Minute),
		},
		SMTP:   SMTP{Listen: ":2525", Allow: []string{"private"}},
		Calls:  Calls{Allow: []string{"private"}},
		Web:    Web{Allow: []string{"private"}, Proxies: []string{}},
		Notify: Notify{Alarm: true, Saved: true, Trouble: true},
	}
}

// NewCamera returns a camera with the default values of an entry in the settings file.
func NewCamera() Camera { return Camera{Enabled: true, Audio: true, Notify: true} }

// DemoCamera returns the built-in demo camera.
func DemoCamera() Camera {
	c := NewCamera()
	c.ID, c.Name, c.URL, c.Mail = "demo", "Demo camera", DemoURL, []string{"demo"}
	c.PostRoll = new(Duration(10 * time.Second)) // whoever tries it wants to see a clip soon
	return c
}

// Ports returns the addresses in Listen and in ListenTLS.
func (s SMTP) Ports() (plain, tls []string) {
	split := func(list string) (ports []string) {
		for p := range strings.SplitSeq(list, ",") {
			if p = strings.TrimSpace(p); p != "" {
				ports = append(ports, p)
			}
		}
		return ports
	}

	return split(s.Listen), split(s.ListenTLS)
}

// Camera returns the camera with an id, and reports whether it exists.
func (s Settings) Camera(id string) (Camera, bool) {
	i := slices.IndexFunc(s.Cameras, func(c Camera) bool { return c.ID == id })
	if i < 0 {
		return Camera{}, false
	}
	return s.Cameras[i], true
}

// Lengths returns the pre-roll, post-roll and max clip length of a camera: its own values, or else those of s.Clip.
func (s Settings) Lengths(c Camera) Clip {
	l := s.Clip
	if c.PreRoll != nil {
		l.PreRoll = *c.PreRoll
	}
	if c.PostRoll != nil {
		l.PostRoll = *c.PostRoll
	}
	if c.MaxLength != nil {
		l.MaxLength = *c.MaxLength
	}
	return l
}

// Title returns the camera's name, or its id if it has no name.
func (c Camera) Title() string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}

// Clone returns a copy that shares no memory with s, so that an editor can change it.
func (s Settings) Clone() Settings {
	s.SMTP.Allow, s.Calls.Allow = slices.Clone(s.SMTP.Allow), slices.Clone(s.Calls.Allow)
	s.Web.Allow, s.Web.Proxies = slices.Clone(s.Web.Allow), slices.Clone(s.Web.Proxies)
	s.Cameras, s.Targets = slices.Clone(s.Cameras), slices.Clone(s.Targets)
	for i := range s.Targets {
		t := &s.Targets[i]
		t.Cameras, t.Labels = slices.Clone(t.Cameras), slices.Clone(t.Labels)
	}
	for i := range s.Cameras {
		c := &s.Cameras[i]
		c.Mail = slices.Clone(c.Mail)
		for _, d := range []**Duration{&c.PreRoll, &c.PostRoll, &c.MaxLength} {
			if *d != nil {
				*d = new(**d)
			}
		}
	}

	return s
}

// KeepSecrets copies the passwords of old to all places where s says [Unchanged]. On its way through the control
// socket, a Secret that is set becomes Unchanged.
func (s *Settings) KeepSecrets(old Settings) {
	if s.SMTP.Password == Unchanged {
		s.SMTP.Password = old.SMTP.Password
	}
	for i := range s.Targets {
		if t := &s.Targets[i]; t.Token == Unchanged {
			t.Token = ""
			if o := slices.IndexFunc(old.Targets, func(o Target) bool { return o.ID == t.ID }); o >= 0 {
				t.Token = old.Targets[o].Token
			}
		}
	}
	for i := range s.Cameras {
		if c := &s.Cameras[i]; c.Password == Unchanged {
			o, _ := old.Camera(c.ID)
			c.Password = o.Password
		}
	}
}
