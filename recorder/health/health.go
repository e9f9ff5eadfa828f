// Package health turns what a recorder observes into problems and hints that a person can act on.
//
// The settings, the state of the cameras, and the errors of FFmpeg, the RAM disk, the archive drive, the index and the
// mail server go in. Values of package status come out. Problems is a pure function. Drive and Folders ask disks, which
// may hang, and never wait long for them.
package health

import (
	"errors"
	"io/fs"
	"runtime"
	"slices"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// RAMHint says how to get a RAM disk on this platform.
var RAMHint = map[string]text.Text{
	"linux":   text.UseShm.With(),
	"darwin":  text.MakeRAMDiskMac.With(),
	"windows": text.MakeRAMDiskWindows.With(),
}[runtime.GOOS]

// Facts is what a recorder knows about itself at one moment. A nil error means that nothing is wrong.
type Facts struct {
	Settings config.Settings
	Cameras  []status.Camera
	SMTP     status.SMTP
	Calls    status.Calls
	Web      status.Web
	Targets  []status.Target
	Storms   []status.Storm
	RAMDisk  *disk.Disk // the disk of the RAM folder; nil if unknown

	FFmpeg       error // no usable FFmpeg
	SettingsFile error // the settings file was changed and is not in force
	RAM          error // the RAM folder cannot be used
	Archive      error // the archive drive cannot be written
	Index        error // events cannot be written to the index
}

// Problems returns what needs a person, the worst first.
func Problems(f Facts) (list []status.Problem) {
	if f.FFmpeg != nil {
		failure := source.AsFailure(f.FFmpeg)
		list = append(list, status.Problem{Code: "ffmpeg", About: "ffmpeg", Text: failure.Said(), Hint: failure.Hint()})
	}
	if f.SettingsFile != nil {
		list = append(list, status.Problem{Code: "settings", About: "settings",
			Text: text.SettingsNotInForce.With(), Hint: text.SettingsNotInForceHint.With(f.SettingsFile)})
	}
	if f.RAM != nil {
		list = append(list, status.Problem{Code: "ram-gone", About: "ram",
			Text: text.RAMUnusable.With(f.RAM),
			Hint: text.RAMUnusableHint.With()})
	}
	if f.Archive != nil {
		what, hint := archive.Explain(f.Archive)
		list = append(list, status.Problem{Code: archiveKey(f.Archive), About: "archive", Text: what, Hint: hint})
	}
	if f.Index != nil {
		list = append(list, status.Problem{Code: "index", About: "index",
			Text: text.IndexUnwritable.With(),
			Hint: text.IndexUnwritableHint.With(f.Index)})
	}
	list = append(list, mailProblems(f)...)
	if f.RAMDisk != nil && !f.RAMDisk.RAM {
		list = append(list, NotRAM(f.Settings.RAMDisk.Path, *f.RAMDisk))
	}
	return append(list, cameraProblems(f)...)
}

func mailProblems(f Facts) (list []status.Problem) {
	if !f.SMTP.Error.IsZero() {
		p := status.Problem{Code: "smtp", About: "smtp", Text: text.NoMailComesIn.With(), Hint: f.SMTP.Error}
		if slices.ContainsFunc(f.SMTP.Ports, func(p status.Port) bool { return p.Error.IsZero() }) {
			p.Text = text.NoMailOnAPort.With()
		}
		list = append(list, p)
	}

	if !f.Calls.Error.IsZero() {
		list = append(list, status.Problem{Code: "calls", About: "calls", Text: text.NoCallComesIn.With(),
			Hint: f.Calls.Error})
	}
	if !f.Web.Error.IsZero() {
		list = append(list, status.Problem{Code: "web", About: "web", Text: text.NoWebPages.With(), Hint: f.Web.Error})
	}
	for _, t := range f.Targets {
		if t.Failing && t.Enabled {
			list = append(list, status.Problem{Code: "target", About: t.ID, Text: text.TargetTrouble.With(t.Name),
				Hint: t.Error})
		}
	}
	for _, s := range f.Storms {
		list = append(list, status.Problem{Code: "mail-storm", About: s.Camera,
			Text: text.MailStorm.With(s.Mails, s.From),
			Hint: text.MailStormHint.With()})
	}
	return list
}

func cameraProblems(f Facts) (list []status.Problem) {
	for _, c := range f.Cameras {
		if c.State == status.Waiting && c.Failure != "" {
			list = append(list, status.Problem{Code: "camera", About: c.ID, Text: text.Detailed.With(c.Name, c.Text),
				Hint: c.Hint})
		}
		if c.Short {
			list = append(list, status.Problem{Code: "ram-short", About: "ram",
				Text: text.RAMShort.With(c.Name,
					c.PreRoll.D().Seconds(), f.Settings.RAMDisk.Keep.D().Seconds()),
				Hint: text.RAMShortHint.With()})
		}
	}

	return list
}

func archiveKey(err error) string {
	switch {
	case disk.Full(err):
		return "archive-full"
	case errors.Is(err, archive.ErrSilent):
		return "archive-hangs"
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, archive.ErrEmpty) || errors.Is(err, archive.ErrOther):
		return "archive-gone"
	}

	return "archive"
}

// NotRAM returns the problem of a RAM folder that lies on a disk.
func NotRAM(path string, d disk.Disk) status.Problem {
	what := text.NotRAM
	if !d.Known {
		what = text.MaybeRAM
	}
	return status.Problem{Code: "ram-disk", About: "ram", Text: what.With(path, d.Kind),
		Hint: text.NotRAMHint.With(RAMHint)}
}

// rareKeyframes is the distance between keyframes in seconds beyond which clips are much longer than asked.
const rareKeyframes = 12

// Advice returns what the owner of a recording camera should know. gop is the distance between keyframes. stamps
// reports whether the camera's stamps are used.
func Advice(streams source.Streams, gop event.Seconds, stamps bool) (list []status.Advice) {
	say := func(k source.Kind, values ...any) {
		list = append(list, status.Advice{Kind: string(k), Text: k.Text(values...), Hint: k.Hint()})
	}
	if seconds := gop.D().Seconds(); seconds > rareKeyframes {
		say(source.RareKeyframes, seconds)
	}
	if streams.Video == "mjpeg" {
		say(source.MotionJPEG)
	}
	if streams.LeftOut != "" {
		say(source.SoundLeftOut, streams.LeftOut)
	}
	if !stamps {
		say(source.StampsWrong)
	}
	if streams.Because != "" {
		say(source.ReadByFFmpeg, source.Kind(streams.Because).Text())
	}
	return list
}
