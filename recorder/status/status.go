// Package status holds the plain types in which a recorder reports its state.
package status

import (
	"time"

	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/text"
)

// Status is the state of a recorder at one moment.
type Status struct {
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Settings string    `json:"settings"` // path of the settings file
	State    string    `json:"state"`    // path of the state folder
	FFmpeg   FFmpeg    `json:"ffmpeg"`
	RAM      RAM       `json:"ram"`
	Archive  Archive   `json:"archive"`
	SMTP     SMTP      `json:"smtp"`
	Calls    Calls     `json:"calls"`
	Web      Web       `json:"web"`
	Targets  []Target  `json:"targets"`
	Cameras  []Camera  `json:"cameras"`
	Problems []Problem `json:"problems"` // what needs a person, the worst first; empty if all is well

	Update   *Update      `json:"update,omitempty"` // the newer version that there is, or nil
	Language string       `json:"language"`         // from the settings
	Pause    Pause        `json:"pause"`
	Away     bool         `json:"away"` // the user is away, see Target.Away
	Notify   event.Notify `json:"notify"`
}

// Update is a newer version of Preroll.
type Update struct {
	Version string `json:"version"`
	URL     string `json:"url"` // page of the release
}

// Cut is where the ring of a camera ends when another process takes over.
type Cut struct {
	Camera string    `json:"camera"`
	Key    string    `json:"key"`  // SHA-256 of the bytes of the first keyframe that the ring lacks
	Time   time.Time `json:"time"` // when that keyframe came
}

// Pause is a time in which alarms save nothing. Cameras go on filling their rings, so that the pre-roll is there at
// once after the pause. A restart ends a pause.
type Pause struct {
	On     bool      `json:"on"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"` // zero: until EndPause
	Missed int       `json:"missed"`         // alarms that came during the pause
}

// Problem is something that is wrong, and what to do about it.
type Problem struct {
	// Code stays the same as long as the problem is the same: "ffmpeg", "ram-gone", "ram-disk", "ram-short",
	// "settings", "archive-full", "archive-gone", "archive-hangs", "archive", "index", "smtp", "calls", "web",
	// "target", "mail-storm" or "camera".
	Code  string    `json:"code"`
	About string    `json:"about"` // such as "archive", or the id of a camera or a target
	Text  text.Text `json:"text"`
	Hint  text.Text `json:"hint"`
}

// FFmpeg is the FFmpeg in use. An empty path means that there is none.
type FFmpeg struct {
	Path    string    `json:"path"`
	Version string    `json:"version"`
	Hint    text.Text `json:"hint,omitzero"` // without a path: what to do
}

// RAM is the RAM disk. Sizes are in bytes.
type RAM struct {
	Path   string        `json:"path"`
	Kind   string        `json:"kind"`
	IsRAM  bool          `json:"is_ram"`
	Free   int64         `json:"free"`
	Used   int64         `json:"used"`
	Budget int64         `json:"budget"`
	Need   int64         `json:"need"` // what all rings need when they are full, as far as their bit rates are known
	Keep   event.Seconds `json:"keep"` // what a full ring holds
	Total  int64         `json:"total"`
}

// Archive is the archive drive. Sizes are in bytes.
type Archive struct {
	Path   string    `json:"path"`
	Free   int64     `json:"free"`
	Total  int64     `json:"total"`
	Events int       `json:"events"`
	Bytes  int64     `json:"bytes"`
	Error  text.Text `json:"error,omitzero"`

	Rebuilt int      `json:"rebuilt"`           // number of index rebuilds; after one, clients list the events again
	Filling *Filling `json:"filling,omitempty"` // progress of reading the archive into the index; nil if done
	Away    []Drive  `json:"away,omitempty"`    // drives that have events and are not there
}

// Filling is the progress of reading the events of a drive into the index.
type Filling struct {
	Path   string  `json:"path"`
	Events int     `json:"events"` // found so far
	Part   float64 `json:"part"`   // of the drive's folders that were read, 0 to 1
}

// Drive is an archive drive in the index.
type Drive struct {
	ID     string `json:"id"`
	Path   string `json:"path"` // where it was last seen
	Events int    `json:"events"`
	Bytes  int64  `json:"bytes"`
	Away   bool   `json:"away,omitempty"` // it was not there when it was last looked for
}

// SMTP is the alarm mail server.
type SMTP struct {
	// Listen is the first address that is open without TLS from the first byte, or "" if there is none.
	Listen    string      `json:"listen"`
	Ports     []Port      `json:"ports"`
	Error     text.Text   `json:"error,omitzero"` // why it cannot listen on some ports
	Mails     int         `json:"mails"`          // accepted since the start
	Tests     int         `json:"tests"`          // test mails among them
	LastTest  text.Text   `json:"last_test"`      // which cameras the last test mail was for, in plain words
	Refused   int         `json:"refused"`        // connections from networks that are not allowed
	Unmatched []Unmatched `json:"unmatched"`      // the last mails that fit no camera, newest first
	Last      *Mail       `json:"last,omitempty"`
}

// Port is a port on which the settings ask the mail server to listen.
type Port struct {
	Listen string    `json:"listen"` // as in the settings, or the address that it listens on
	TLS    bool      `json:"tls"`    // from the first byte
	Error  text.Text `json:"error,omitzero"`
}

// Equal reports whether two ports are in the same state.
func (p Port) Equal(o Port) bool {
	return p.Listen == o.Listen && p.TLS == o.TLS && p.Error.English == o.Error.English
}

// Calls is the server for calls by HTTP that trigger a camera.
type Calls struct {
	Listen  string    `json:"listen"`         // the address that it listens on, or "" if it does not
	Error   text.Text `json:"error,omitzero"` // why nobody can call, although the settings ask for it
	Refused int       `json:"refused"`        // calls since the start without a valid token, or from a wrong address
	Last    *Refusal  `json:"last,omitempty"` // the last of them
}

// Web is the web pages for phones and browsers.
type Web struct {
	Listen string    `json:"listen"`         // the address that they listen on, or "" if there are none
	Error  text.Text `json:"error,omitzero"` // why there are none, although the settings ask for them
}

// Refusal is a call that was refused.
type Refusal struct {
	Time   time.Time `json:"time"`
	From   string    `json:"from"`             // network address
	Camera string    `json:"camera,omitempty"` // as the call has it
	Why    text.Text `json:"why"`
}

// Caller may reach Preroll with its token: to trigger cameras or to read the measures, or as a paired device to open
// the web pages.
type Caller struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Camera  string    `json:"camera,omitempty"`  // the only camera that it may trigger; "": every camera
	Metrics bool      `json:"metrics,omitempty"` // it may read the measures, and trigger nothing
	Word    bool      `json:"word,omitempty"`    // it is a device that gets word of alarms
	Made    time.Time `json:"made"`
	Used    time.Time `json:"used,omitzero"` // when it called last, since the recorder's start
}

// Push is where word for a browser goes (PushSubscription of the W3C Push API).
type Push struct {
	Endpoint string `json:"endpoint"`
	Key      string `json:"p256dh"`
	Auth     string `json:"auth"`
}

// Target is a place outside that gets word of alarms.
type Target struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Enabled bool      `json:"enabled"`
	Away    bool      `json:"away,omitempty"` // it gets word only while the user is away
	Waiting int       `json:"waiting"`        // words that it has not taken yet
	Sent    int       `json:"sent"`           // words that it took since the start
	Last    time.Time `json:"last,omitzero"`
	Error   text.Text `json:"error,omitzero"` // why it did not take the last one
	Failing bool      `json:"failing"`        // it takes none for some minutes now
}

// Connection is one connection to the mail server and what became of it.
type Connection struct {
	ID       int           `json:"id"` // counts from 1 since the start
	Time     time.Time     `json:"time"`
	Length   event.Seconds `json:"length"` // so far, while it is open
	Open     bool          `json:"open"`
	From     string        `json:"from"` // network address
	Port     string        `json:"port"` // that the camera connected to
	TLS      string        `json:"tls"`  // such as "TLS 1.2"; "" without TLS
	Verdict  text.Text     `json:"verdict"`
	Good     bool          `json:"good"` // nothing needs repair
	Repairs  []text.Text   `json:"repairs"`
	Mails    int           `json:"mails"`
	Cameras  []string      `json:"cameras"` // ids
	Events   []string      `json:"events"`  // ids
	Dialogue []Line        `json:"dialogue"`
}

// Line is one line of a connection's dialogue. It is cleaned and holds no passwords.
type Line struct {
	At   event.Seconds `json:"at"`  // since the connection began
	Who  string        `json:"who"` // "camera", "preroll" or "note"
	Text text.Text     `json:"text"`
}

// Mail is a mail that came in and what became of it.
type Mail struct {
	Time    time.Time `json:"time"`
	From    string    `json:"from"` // network address
	Sender  string    `json:"sender"`
	To      []string  `json:"to"`
	Subject string    `json:"subject"`
	Label   string    `json:"label"`
	Cameras []string  `json:"cameras"` // ids of the cameras that it is about
	Test    bool      `json:"test"`
}

// Storm is a camera with far too many mails.
type Storm struct {
	Camera string // id
	Mails  int    // within an hour
	From   string // network address of the last mail
}

// Unmatched is a mail that fits no camera, with everything that is needed to make it fit one.
type Unmatched struct {
	Time    time.Time `json:"time"`
	From    string    `json:"from"` // network address
	Sender  string    `json:"sender"`
	To      []string  `json:"to"`
	Subject string    `json:"subject"`
	Login   string    `json:"login,omitempty"`
	Label   string    `json:"label,omitempty"`
	Channel string    `json:"channel,omitempty"` // name of a recorder's channel, as the mail gives it
	Number  string    `json:"number,omitempty"`  // number of the channel
	Device  string    `json:"device,omitempty"`  // name of the camera or recorder itself
	Body    string    `json:"body,omitempty"`    // beginning of the body
	Why     text.Text `json:"why,omitzero"`      // why it fits no camera
}

// CameraState says what a camera does.
type CameraState string

// The states of a camera.
const (
	Off        CameraState = "off"        // not enabled
	Connecting CameraState = "connecting" // no segment yet
	Recording  CameraState = "recording"
	Waiting    CameraState = "waiting" // it failed and will be tried again
)

// Camera is the state of one camera.
type Camera struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	State   CameraState `json:"state"`
	Since   time.Time   `json:"since"`
	Failure string      `json:"failure,omitempty"` // why it waits
	Text    text.Text   `json:"text"`              // what happened, in plain words
	Hint    text.Text   `json:"hint,omitzero"`     // what to do
	Retry   time.Time   `json:"retry,omitzero"`    // when it is tried again

	Streams Streams       `json:"streams"`
	PreRoll event.Seconds `json:"pre_roll"` // length of the video in RAM now
	GOP     event.Seconds `json:"gop"`      // from keyframe to keyframe
	BitRate float64       `json:"bit_rate"` // bits per second
	Bytes   int64         `json:"bytes"`    // on the RAM disk
	Newest  time.Time     `json:"newest,omitzero"`
	Short   bool          `json:"short,omitempty"` // the RAM budget shortens its ring

	Advice []Advice `json:"advice,omitempty"` // what its owner should know while it records

	// MailLag is how late its mails come, as far as its clock can be trusted. 0 means unknown, or too small to report.
	MailLag     event.Seconds `json:"mail_lag,omitempty"`
	LastTrigger time.Time     `json:"last_trigger,omitzero"`
	OpenEvent   string        `json:"open_event,omitempty"`
	Small       bool          `json:"small,omitempty"` // it has a small stream, for those who watch live
	Notify      bool          `json:"notify"`          // its owner wants notifications of its events
}

// Span is a time for which RAM holds video of a camera without a gap.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Streams is what a camera sends, in words for people.
type Streams struct {
	Video  string  `json:"video"` // codec, as FFmpeg calls it, such as "h264"
	Width  int     `json:"width"` // pixels
	Height int     `json:"height"`
	FPS    float64 `json:"fps"`
	Audio  string  `json:"audio"` // codec, or "" if there is no sound

	Ingest  string `json:"ingest,omitempty"`   // what reads the camera: "rtsp", "ffmpeg" or "folder"
	LeftOut string `json:"left_out,omitempty"` // codec of sound that cannot be recorded
	Because string `json:"because,omitempty"`  // why FFmpeg reads an RTSP camera
}

// Advice is something about a recording camera, and what to do about it.
type Advice struct {
	Kind string    `json:"kind"`
	Text text.Text `json:"text"`
	Hint text.Text `json:"hint"`
}

// Outage is a time in which a camera was not recorded.
type Outage struct {
	Camera string    `json:"camera,omitempty"` // its id; "" means that Preroll itself did not run
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Text   text.Text `json:"text"` // why
}

// Finding is one result of a check.
type Finding struct {
	About text.Text `json:"about"` // what it is about, such as the RAM disk or a camera
	OK    bool      `json:"ok"`
	Warn  bool      `json:"warn,omitempty"` // it works, but not as it should
	Text  text.Text `json:"text"`
	Hint  text.Text `json:"hint,omitzero"`
}

// ProbeResult is what a camera sent during a probe.
type ProbeResult struct {
	Streams Streams       `json:"streams"`
	Picture []byte        `json:"picture"` // JPEG
	GOP     event.Seconds `json:"gop"`     // the longest GOP seen; 0 if none ended during the probe
	BitRate float64       `json:"bit_rate"`
}

// Folder is what is known about a folder that somebody wants to use.
type Folder struct {
	Path    string    `json:"path"`
	Kind    string    `json:"kind"`
	RAM     bool      `json:"ram"`
	Known   bool      `json:"known"` // RAM is certain, whether true or false
	Free    int64     `json:"free"`  // bytes
	Total   int64     `json:"total"` // bytes
	Speed   float64   `json:"speed"` // bytes per second that can be written durably; 0: not measured
	Fault   text.Text `json:"fault,omitzero"`
	Hint    text.Text `json:"hint,omitzero"`
	Suggest []string  `json:"suggest,omitempty"` // better folders on this machine
}

// DiscoveredCamera is a camera that answered a search of the local network.
type DiscoveredCamera struct {
	Address string `json:"address"` // IP address
	Name    string `json:"name"`
	Model   string `json:"model"`
	Brand   string `json:"brand"` // a name of config.Brands, or ""
}

// VerifyResult is the result of reading the clips of an event back.
type VerifyResult struct {
	OK     bool          `json:"ok"`
	Text   text.Text     `json:"text"`
	Frames int           `json:"frames"`
	Length event.Seconds `json:"length"`
}
