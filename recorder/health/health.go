// Package health turns what a recorder observes into problems and hints that a person can act on.
//
// In go the settings, the state of the cameras, and the errors of FFmpeg, the RAM disk, the archive drive, the index
// and the mail server. Out come values of package status. Problems is a pure function; Drive and Folders ask disks,
// which may hang, and never wait long for them.
package health

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/recorder/archive"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
)

// RAMHint says how to get a RAM disk on this platform.
var RAMHint = map[string]string{
	"linux":   "Use /dev/shm/preroll.",
	"darwin":  "Make one: diskutil erasevolume APFS PrerollRAM $(hdiutil attach -nomount ram://4194304), then use /Volumes/PrerollRAM/preroll.",
	"windows": "Make one with a RAM disk program such as ImDisk, then use a folder on it.",
}[runtime.GOOS]

// Facts is what a recorder knows about itself at one moment. A nil error means that nothing is wrong.
type Facts struct {
	Settings config.Settings
	Cameras  []status.Camera
	SMTP     status.SMTP
	Storms   []status.Storm
	RAMDisk  *disk.Disk // the disk of the RAM folder; nil if unknown

	FFmpeg       error // no usable FFmpeg
	SettingsFile error // the settings file was changed and is not in force
	RAM          error // the RAM folder cannot be used
	Archive      error // the archive drive cannot be written
	Index        error // events cannot be noted
}

// Problems returns what needs a person, worst first.
func Problems(f Facts) (list []status.Problem) {
	if f.FFmpeg != nil {
		failure := source.AsFailure(f.FFmpeg)
		list = append(list, status.Problem{Key: "ffmpeg", About: "ffmpeg", Text: failure.Error(), Hint: failure.Hint()})
	}
	if f.SettingsFile != nil {
		list = append(list, status.Problem{Key: "settings", About: "settings",
			Text: "The settings file was changed, and is not in force", Hint: "Correct it: " + f.SettingsFile.Error()})
	}
	if f.RAM != nil {
		list = append(list, status.Problem{Key: "ram-gone", About: "ram",
			Text: "The RAM disk cannot be used: " + f.RAM.Error(),
			Hint: "Choose a folder that this user may write in ram_disk.path."})
	}
	if f.Archive != nil {
		text, hint := archive.Explain(f.Archive)
		list = append(list, status.Problem{Key: archiveKey(f.Archive), About: "archive", Text: text, Hint: hint})
	}
	if f.Index != nil {
		list = append(list, status.Problem{Key: "index", About: "index",
			Text: "Alarms cannot be noted, so their mails are not accepted",
			Hint: "Most cameras send them again. Does another program use Preroll's state folder, or is its disk full? The system says: " + f.Index.Error()})
	}
	list = append(list, mailProblems(f)...)
	if f.RAMDisk != nil && !f.RAMDisk.RAM {
		list = append(list, NotRAM(f.Settings.RAMDisk.Path, *f.RAMDisk))
	}
	return append(list, cameraProblems(f)...)
}

func mailProblems(f Facts) (list []status.Problem) {
	if f.SMTP.Error != "" {
		p := status.Problem{Key: "smtp", About: "smtp", Text: "No alarm mail can come in", Hint: f.SMTP.Error}
		if slices.ContainsFunc(f.SMTP.Ports, func(p status.Port) bool { return p.Error == "" }) {
			p.Text = "On one of its ports no alarm mail can come in"
		}
		list = append(list, p)
	}
	for _, s := range f.Storms {
		list = append(list, status.Problem{Key: "mail-storm", About: s.Camera,
			Text: fmt.Sprintf("%d alarm mails came within an hour, the last one from %s", s.Mails, s.From),
			Hint: "They are one event after another. If that is not what the camera sees, lower its sensitivity, or see who sends them: preroll mail"})
	}
	return list
}

func cameraProblems(f Facts) (list []status.Problem) {
	for _, c := range f.Cameras {
		if c.State == status.Waiting && c.Failure != "" {
			list = append(list, status.Problem{Key: "camera", About: c.ID, Text: c.Name + ": " + c.Text, Hint: c.Hint})
		}
		if c.Short {
			list = append(list, status.Problem{Key: "ram-short", About: "ram",
				Text: fmt.Sprintf("%s: only %.0f s of %.0f s of video fit into the RAM budget", c.Name,
					c.PreRoll.D().Seconds(), f.Settings.RAMDisk.Keep.D().Seconds()),
				Hint: "Raise ram_disk.budget, or lower the camera's bit rate."})
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

// NotRAM is the problem of a RAM folder that lies on a disk.
func NotRAM(path string, d disk.Disk) status.Problem {
	text := fmt.Sprintf("%s is not RAM but a disk (%s)", path, d.Kind)
	if !d.Known {
		text = fmt.Sprintf("Nobody can tell whether %s is RAM (%s)", path, d.Kind)
	}
	return status.Problem{Key: "ram-disk", About: "ram", Text: text,
		Hint: "Every second of video would be written to it, all day. " + RAMHint}
}

// rareKeyframes is the distance of keyframes from which on clips are much longer than asked for.
const rareKeyframes = 12

// Advice says what the owner of a camera that records should know. gop is the distance of its keyframes; stamps reports
// whether the camera's time stamps are used.
func Advice(streams source.Streams, gop event.Seconds, stamps bool) (list []status.Advice) {
	say := func(k source.Kind, values ...any) {
		text := k.Text()
		if len(values) > 0 {
			text = fmt.Sprintf(text, values...)
		}
		list = append(list, status.Advice{Kind: string(k), Text: text, Hint: k.Hint()})
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
