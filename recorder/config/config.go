// Package config is the settings file: its shape, defaults, reading, checking and saving.
//
// In goes a TOML file (design: one [table] a part, one [[camera]] a camera), out comes a Settings value. Nothing
// here starts a goroutine or keeps state.
package config

import (
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/event"
)

// Version is the settings file's version that this program writes.
const Version = 1

// DemoURL is the camera URL of the built-in demo camera.
const DemoURL = "demo:"

// Settings is the whole settings file.
type Settings struct {
	Version  int      `toml:"version" json:"version"`
	Language string   `toml:"language" json:"language"` // of the desktop: one of Languages; "" is the system's
	RAMDisk  RAMDisk  `toml:"ram_disk" json:"ram_disk"`
	Archive  Archive  `toml:"archive" json:"archive"`
	Clip     Clip     `toml:"clip" json:"clip"`
	SMTP     SMTP     `toml:"smtp" json:"smtp"`
	Notify   Notify   `toml:"notify" json:"notify"`
	FFmpeg   FFmpeg   `toml:"ffmpeg" json:"ffmpeg"`
	Cameras  []Camera `toml:"camera" json:"camera"`
}

// Languages are those that the desktop speaks.
var Languages = []string{"en", "de"}

// RAMDisk says where the rings live and how much they may hold.
type RAMDisk struct {
	Path   string   `toml:"path" json:"path"`
	Keep   Duration `toml:"keep" json:"keep"`     // ring length of each camera
	Budget ByteSize `toml:"budget" json:"budget"` // all rings and pins together
}

// Archive says where clips go and when they may be deleted. A zero limit means no limit.
type Archive struct {
	Path    string   `toml:"path" json:"path"`
	MaxAge  Duration `toml:"max_age" json:"max_age"`
	MaxSize ByteSize `toml:"max_size" json:"max_size"`
	MinFree ByteSize `toml:"min_free" json:"min_free"`
	Group   bool     `toml:"group" json:"group"` // its group may read it
}

// Clip holds the lengths that a camera may override.
type Clip struct {
	PreRoll   Duration `toml:"pre_roll" json:"pre_roll"`
	PostRoll  Duration `toml:"post_roll" json:"post_roll"`
	MaxLength Duration `toml:"max_length" json:"max_length"`
}

// SMTP is the alarm mail server.
type SMTP struct {
	// host:port or :port, several with commas: plain, STARTTLS and TLS alike
	Listen string `toml:"listen" json:"listen"`
	// further ones that speak TLS from the first byte and nothing else
	ListenTLS string `toml:"listen_tls" json:"listen_tls"`
	// accept TLS 1.0 and 1.1 and RSA key exchange, for old cameras
	OldTLS   bool     `toml:"old_tls" json:"old_tls"`
	Allow    []string `toml:"allow" json:"allow"` // networks (CIDR), addresses, "private" or "any"
	Username string   `toml:"username" json:"username"`
	Password Secret   `toml:"password" json:"password"`
	KeepMail bool     `toml:"keep_mail" json:"keep_mail"` // keep an event's first mail beside its clip
}

// Notify says what a user is told of on the desktop.
type Notify = event.Notify

// FFmpeg names the FFmpeg to use; an empty path means: beside the program, then on PATH.
type FFmpeg struct {
	Path string `toml:"path" json:"path"`
}

// Camera is one camera. Nil lengths mean those of Clip.
type Camera struct {
	ID       string   `toml:"id" json:"id"`
	Name     string   `toml:"name" json:"name"`
	URL      string   `toml:"url" json:"url"`
	Username string   `toml:"username" json:"username"`
	Password Secret   `toml:"password" json:"password"`
	Enabled  bool     `toml:"enabled" json:"enabled"`
	Audio    bool     `toml:"audio" json:"audio"`
	Notify   bool     `toml:"notify" json:"notify"` // tell of its events
	Mail     []string `toml:"mail" json:"mail"`
	Ingest   Ingest   `toml:"ingest,omitempty" json:"ingest,omitempty"` // what reads an RTSP camera

	PreRoll   *Duration `toml:"pre_roll,omitempty" json:"pre_roll,omitempty"`
	PostRoll  *Duration `toml:"post_roll,omitempty" json:"post_roll,omitempty"`
	MaxLength *Duration `toml:"max_length,omitempty" json:"max_length,omitempty"`
	// how long after an alarm its mail comes; the pre-roll of mails begins so much earlier
	MailLag Duration `toml:"mail_lag,omitempty" json:"mail_lag,omitempty"`
}

// Ingest is what reads an RTSP camera.
type Ingest string

// The values of Ingest.
const (
	IngestAuto   Ingest = "" // Preroll, and FFmpeg where that cannot; written "auto"
	IngestRTSP   Ingest = "rtsp"
	IngestFFmpeg Ingest = "ffmpeg"
)

// UnmarshalText reads a value of the settings file. Others than the known ones are refused by [Validate].
func (i *Ingest) UnmarshalText(b []byte) error {
	if *i = Ingest(b); *i == "auto" {
		*i = IngestAuto
	}
	return nil
}

// FolderScheme begins the URL of a camera whose files another program writes into a folder.
const FolderScheme = "folder:"

// Folder returns the folder that a camera's URL names, and whether it names one.
func (c Camera) Folder() (string, bool) { return strings.CutPrefix(c.URL, FolderScheme) }

// RTSP reports whether the camera speaks RTSP.
func (c Camera) RTSP() bool {
	return strings.HasPrefix(c.URL, "rtsp:") || strings.HasPrefix(c.URL, "rtsps:")
}

// Default returns the settings of a first start on this platform: no camera, and nothing written anywhere.
func Default() Settings {
	return Settings{
		Version: Version,
		RAMDisk: RAMDisk{Path: DefaultRAMDisk(), Keep: Duration(100 * time.Second), Budget: 1 * GiB},
		Archive: Archive{Path: DefaultArchive(), MaxAge: Duration(30 * day), MinFree: 2 * GiB},
		Clip: Clip{
			PreRoll:   Duration(10 * time.Second),
			PostRoll:  Duration(60 * time.Second),
			MaxLength: Duration(10 * time.Minute),
		},
		SMTP:   SMTP{Listen: ":2525", Allow: []string{"private"}},
		Notify: Notify{Alarm: true, Saved: true, Trouble: true},
	}
}

// NewCamera returns a camera with the defaults that an entry of the settings file starts from.
func NewCamera() Camera { return Camera{Enabled: true, Audio: true, Notify: true} }

// DemoCamera returns the built-in demo camera.
func DemoCamera() Camera {
	c := NewCamera()
	c.ID, c.Name, c.URL, c.Mail = "demo", "Demo camera", DemoURL, []string{"demo"}
	return c
}

// Ports returns the single addresses of Listen and of ListenTLS.
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

// Camera returns the camera with an id.
func (s Settings) Camera(id string) (Camera, bool) {
	i := slices.IndexFunc(s.Cameras, func(c Camera) bool { return c.ID == id })
	if i < 0 {
		return Camera{}, false
	}
	return s.Cameras[i], true
}

// Lengths returns a camera's pre-roll, post-roll and maximum clip length, its own where it has them.
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

// Title is the camera's name, or its id where it has none.
func (c Camera) Title() string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}

// Clone returns a copy that shares nothing with s, for an editor to change.
func (s Settings) Clone() Settings {
	s.SMTP.Allow = slices.Clone(s.SMTP.Allow)
	s.Cameras = slices.Clone(s.Cameras)
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

// KeepSecrets puts old's passwords where s says [Unchanged], which is what a Secret becomes on its way through the
// control socket.
func (s *Settings) KeepSecrets(old Settings) {
	if s.SMTP.Password == Unchanged {
		s.SMTP.Password = old.SMTP.Password
	}
	for i := range s.Cameras {
		if c := &s.Cameras[i]; c.Password == Unchanged {
			o, _ := old.Camera(c.ID)
			c.Password = o.Password
		}
	}
}
