package diagnose

import (
	"context"
	"fmt"
	"log/slog"
	"net"

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
	checkPorts(s, now, report)
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

// checkPorts checks the ports on which alarms come in: whether the recorder listens on them, or could.
func checkPorts(s config.Settings, now *status.Status, report func(status.Finding)) {
	plain, first := s.SMTP.Ports()
	var ports []port
	for _, p := range plain {
		ports = append(ports, port{text.AlarmMail, "smtp.listen", p, text.Text{}})
	}
	for _, p := range first {
		ports = append(ports, port{text.AlarmMail, "smtp.listen_tls", p, text.Text{}})
	}
	if s.Calls.Listen != "" {
		ports = append(ports, port{text.AlarmCall, "calls.listen", s.Calls.Listen, text.Text{}})
	}
	if now != nil {
		ports = nil
		for _, p := range now.SMTP.Ports {
			ports = append(ports, port{text.AlarmMail, "", p.Listen, p.Error})
		}
		if c := now.Calls; c.Listen != "" || !c.Error.IsZero() {
			ports = append(ports, port{text.AlarmCall, "", c.Listen, c.Error})
		}
	}

	for _, p := range ports {
		f := status.Finding{About: p.about.With(), OK: p.fault.IsZero(), Text: p.fault}
		switch {
		case !f.OK:
		case now != nil:
			f.Text = text.RecorderListens.With(p.listen)
		default:
			f.Text = text.PortFree.With(p.listen)
			ln, err := net.Listen("tcp", p.listen)
			if err != nil {
				f.OK, f.Text = false, text.Of(trigger.PortError(p.key, p.listen, err))
			} else {
				_ = ln.Close()
			}
		}
		report(f)
	}
}

// port is a port on which alarms come in.
type port struct {
	about  text.Message
	key    string // of its setting
	listen string
	fault  text.Text // why the recorder cannot listen on it, if one runs
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
