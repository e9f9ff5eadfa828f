package diagnose

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/recorder/camera"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/health"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger"
)

// Check tests everything that a recording needs, and calls report with each result. If only is not "", Check tests only
// the camera with this id. now is the status of the running recorder, or nil if none runs. Check does not test again
// what the running recorder already does well, because some cameras allow only one viewer and only one process can
// listen on a port.
func Check(ctx context.Context, s config.Settings, now *status.Status, only string, report func(status.Finding)) error {
	if _, ok := s.Camera(only); only != "" && !ok {
		return fmt.Errorf("%q: %w", only, camera.ErrNoCamera)
	}
	tool, err := ffmpeg.Find(ctx, s.FFmpeg.Path)
	if err != nil {
		f := source.AsFailure(err)
		report(status.Finding{About: text.Plain("FFmpeg"), Text: f.Said(), Hint: f.Hint()})
	} else {
		report(status.Finding{About: text.Plain("FFmpeg"), OK: true,
			Text: text.CheckFFmpeg.With(tool.Version, tool.Path)})
	}

	checkFolders(s, report)
	checkMail(s, now, report)
	if len(s.Cameras) == 0 {
		report(status.Finding{About: text.Cameras.With(), OK: true, Warn: true, Text: text.NoCameraYet.With(),
			Hint: text.NoCameraYetHint.With()})
	}
	for _, c := range s.Cameras {
		if only == "" || c.ID == only {
			report(checkCamera(ctx, func() (*ffmpeg.Tool, error) { return tool, err }, c, now))
		}
	}
	return nil
}

func checkFolders(s config.Settings, report func(status.Finding)) {
	faults := map[string]config.ValidationError{}
	for _, f := range config.CheckFolders(s, config.Settings{}) {
		faults[f.Key] = f
	}
	if f, bad := faults["ram_disk.path"]; bad {
		report(status.Finding{About: text.RAMDisk.With(), Text: text.PathBreaks.With(f.Value, f.Rule),
			Hint: health.RAMHint})
	} else if d, err := disk.Of(s.RAMDisk.Path); err != nil {
		report(status.Finding{About: text.RAMDisk.With(), Text: text.Of(err), Hint: health.RAMHint})
	} else if !d.RAM {
		p := health.NotRAM(s.RAMDisk.Path, d)
		report(status.Finding{About: text.RAMDisk.With(), OK: true, Warn: true, Text: p.Text, Hint: p.Hint})
	} else {
		report(status.Finding{About: text.RAMDisk.With(), OK: true,
			Text: text.IsRAM.With(s.RAMDisk.Path, d.Kind, config.ByteSize(d.Free))})
	}

	if f, bad := faults["archive.path"]; bad {
		report(status.Finding{About: text.Archive.With(), Text: text.PathBreaks.With(f.Value, f.Rule),
			Hint: text.ArchivePathHint.With()})
	} else if d, err := disk.Of(s.Archive.Path); err != nil {
		report(status.Finding{About: text.Archive.With(), Text: text.Of(err)})
	} else if d.Free < int64(s.Archive.MinFree) {
		report(status.Finding{About: text.Archive.With(), OK: true, Warn: true,
			Text: text.ArchiveLittle.With(s.Archive.Path,
				config.ByteSize(d.Free), s.Archive.MinFree),
			Hint: text.ArchiveLittleHint.With()})
	} else {
		report(status.Finding{About: text.Archive.With(), OK: true,
			Text: text.ArchiveWritable.With(s.Archive.Path, config.ByteSize(d.Free))})
	}
}

func checkMail(s config.Settings, now *status.Status, report func(status.Finding)) {
	if now != nil {
		for _, p := range now.SMTP.Ports {
			if !p.Error.IsZero() {
				report(status.Finding{About: text.AlarmMail.With(), Text: p.Error})
			} else {
				report(status.Finding{About: text.AlarmMail.With(), OK: true,
					Text: text.RecorderListens.With(p.Listen)})
			}
		}

		return
	}

	plain, first := s.SMTP.Ports()
	for _, port := range slices.Concat(plain, first) {
		ln, err := net.Listen("tcp", port)
		if err != nil {
			report(status.Finding{About: text.AlarmMail.With(), Text: text.Of(trigger.PortError(port, err))})
			continue
		}
		_ = ln.Close()
		report(status.Finding{About: text.AlarmMail.With(), OK: true, Text: text.PortFree.With(port)})
	}
}

func checkCamera(ctx context.Context, tool func() (*ffmpeg.Tool, error), c config.Camera,
	now *status.Status) status.Finding {
	f := status.Finding{About: text.Plain(c.Title())}
	if !c.Enabled {
		f.OK, f.Text = true, text.NotTried.With()
		return f
	}
	if now != nil {
		for _, cs := range now.Cameras {
			if cs.ID == c.ID && cs.State == status.Recording {
				f.OK, f.Text = true, text.CheckRecording.With(
					describe(cs.Streams), cs.BitRate/1e6, cs.GOP.D().Seconds(), cs.PreRoll.D().Seconds())
				advise(&f, cs.Advice)
				return f
			}
		}
	}

	look, err := Probe(ctx, tool, c, slog.New(slog.DiscardHandler))
	if err != nil {
		fail := source.AsFailure(err)
		f.Text, f.Hint = fail.Said(), fail.Hint()
		return f
	}
	f.OK, f.Text = true, text.Answers.With(describe(look.Streams))
	advise(&f, health.Advice(look.Streams, look.GOP, true))
	return f
}

// advise adds advice for the camera's owner to a finding.
func advise(f *status.Finding, list []status.Advice) {
	for _, a := range list {
		f.Warn = true
		f.Text = text.Join(". ", f.Text, a.Text)
		if f.Hint.IsZero() {
			f.Hint = a.Hint
		}
	}
}

// describe returns the streams of a camera as a text for people.
func describe(s source.Streams) text.Text {
	list := []text.Text{text.Plain(fmt.Sprintf("%s %dx%d", s.Video, s.Width, s.Height))}
	if s.FPS > 0 {
		list = append(list, text.FramesASecond.With(s.FPS))
	}
	if s.Audio != "" {
		return text.Join(", ", append(list, text.SoundIs.With(s.Audio))...)
	}
	return text.Join(", ", append(list, text.NoSound.With())...)
}
