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
	"github.com/preroll/preroll/recorder/trigger"
)

// Check tests all that a recording needs, and tells of each result as it comes. only limits the cameras to one id. What
// a running recorder (now, nil if there is none) does well already is not tried again: some cameras allow one viewer
// only, and a port can be listened on once.
func Check(ctx context.Context, s config.Settings, now *status.Status, only string, report func(status.Finding)) error {
	if _, ok := s.Camera(only); only != "" && !ok {
		return fmt.Errorf("%q: %w", only, camera.ErrNoCamera)
	}
	tool, err := ffmpeg.Find(ctx, s.FFmpeg.Path)
	if err != nil {
		f := source.AsFailure(err)
		report(status.Finding{About: "FFmpeg", Text: f.Error(), Hint: f.Hint()})
	} else {
		report(status.Finding{About: "FFmpeg", OK: true, Text: fmt.Sprintf("version %s (%s)", tool.Version, tool.Path)})
	}
	checkFolders(s, report)
	checkMail(s, now, report)
	if len(s.Cameras) == 0 {
		report(status.Finding{About: "Cameras", OK: true, Warn: true, Text: "no camera is set up yet",
			Hint: "Add one in the window's settings, or a [[camera]] in the settings file."})
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
		report(status.Finding{About: "RAM disk", Text: fmt.Sprintf("%s %s", f.Value, f.Rule), Hint: health.RAMHint})
	} else if d, err := disk.Of(s.RAMDisk.Path); err != nil {
		report(status.Finding{About: "RAM disk", Text: err.Error(), Hint: health.RAMHint})
	} else if !d.RAM {
		p := health.NotRAM(s.RAMDisk.Path, d)
		report(status.Finding{About: "RAM disk", OK: true, Warn: true, Text: p.Text, Hint: p.Hint})
	} else {
		report(status.Finding{About: "RAM disk", OK: true,
			Text: fmt.Sprintf("%s is RAM (%s), %s free", s.RAMDisk.Path, d.Kind, config.ByteSize(d.Free))})
	}
	if f, bad := faults["archive.path"]; bad {
		report(status.Finding{About: "Archive", Text: fmt.Sprintf("%s %s", f.Value, f.Rule),
			Hint: "Choose another folder in archive.path."})
	} else if d, err := disk.Of(s.Archive.Path); err != nil {
		report(status.Finding{About: "Archive", Text: err.Error()})
	} else if d.Free < int64(s.Archive.MinFree) {
		report(status.Finding{About: "Archive", OK: true, Warn: true,
			Text: fmt.Sprintf("%s has %s free, less than archive.min_free (%s)", s.Archive.Path,
				config.ByteSize(d.Free), s.Archive.MinFree),
			Hint: "The oldest events will be deleted until that much is free."})
	} else {
		report(status.Finding{About: "Archive", OK: true,
			Text: fmt.Sprintf("%s can be written, %s free", s.Archive.Path, config.ByteSize(d.Free))})
	}
}

func checkMail(s config.Settings, now *status.Status, report func(status.Finding)) {
	if now != nil {
		for _, p := range now.SMTP.Ports {
			if p.Error != "" {
				report(status.Finding{About: "Alarm mail", Text: p.Error})
			} else {
				report(status.Finding{About: "Alarm mail", OK: true,
					Text: "the running recorder listens on " + p.Listen})
			}
		}
		return
	}
	plain, first := s.SMTP.Ports()
	for _, port := range slices.Concat(plain, first) {
		ln, err := net.Listen("tcp", port)
		if err != nil {
			report(status.Finding{About: "Alarm mail", Text: trigger.PortError(port, err).Error()})
			continue
		}
		_ = ln.Close()
		report(status.Finding{About: "Alarm mail", OK: true, Text: "port " + port + " is free"})
	}
}

func checkCamera(ctx context.Context, tool func() (*ffmpeg.Tool, error), c config.Camera,
	now *status.Status) status.Finding {
	f := status.Finding{About: c.Title()}
	if !c.Enabled {
		f.OK, f.Text = true, "switched off, not tried"
		return f
	}
	if now != nil {
		for _, cs := range now.Cameras {
			if cs.ID == c.ID && cs.State == status.Recording {
				f.OK, f.Text = true, fmt.Sprintf("recording: %s, %.1f Mbit/s, keyframe every %.1f s, %.0f s in RAM",
					describe(cs.Streams), cs.BitRate/1e6, cs.GOP.D().Seconds(), cs.PreRoll.D().Seconds())
				advise(&f, cs.Advice)
				return f
			}
		}
	}
	look, err := Probe(ctx, tool, c, slog.New(slog.DiscardHandler))
	if err != nil {
		fail := source.AsFailure(err)
		f.Text, f.Hint = fail.Error(), fail.Hint()
		return f
	}
	f.OK, f.Text = true, "answers: "+describe(look.Streams)
	advise(&f, health.Advice(look.Streams, look.GOP, true))
	return f
}

// advise adds to a finding what the camera's owner should know.
func advise(f *status.Finding, list []status.Advice) {
	for _, a := range list {
		f.Warn = true
		f.Text += ". " + a.Text
		if f.Hint == "" {
			f.Hint = a.Hint
		}
	}
}

// describe names a camera's streams for people.
func describe(s source.Streams) string {
	text := fmt.Sprintf("%s %dx%d", s.Video, s.Width, s.Height)
	if s.FPS > 0 {
		text += fmt.Sprintf(", %g frames a second", s.FPS)
	}
	if s.Audio != "" {
		return text + ", sound " + s.Audio
	}
	return text + ", no sound"
}
