package camera

import (
	"log/slog"
	"time"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/ffmpeg"
	"github.com/preroll/preroll/recorder/source"
	ffmpegsource "github.com/preroll/preroll/recorder/source/ffmpeg"
	"github.com/preroll/preroll/recorder/source/folder"
	"github.com/preroll/preroll/recorder/source/rtsp"
	"github.com/preroll/preroll/recorder/text"
)

// NewSource returns the source that reads a camera. With fallBack, FFmpeg reads an RTSP camera.
func NewSource(cfg config.Camera, tool func() (*ffmpeg.Tool, error), fallBack bool, since time.Time,
	log *slog.Logger) (source.Source, error) {
	from, err := ffmpeg.SourceOf(cfg)
	if err != nil {
		return nil, err
	}
	if dir, ok := cfg.Folder(); ok {
		return folder.New(folder.Options{Dir: dir, Audio: cfg.Audio, Tool: tool, Since: since, Log: log}), nil
	}
	if cfg.RTSP() && cfg.Ingest != config.IngestFFmpeg && !fallBack {
		if rule := config.CheckURL(cfg.URL); !rule.IsZero() {
			return nil, source.BadURL.Failure(text.CameraURL.With(rule))
		}
		return rtsp.New(rtsp.Options{URL: cfg.URL, Username: from.Username, Password: from.Password.Reveal(),
			Audio: cfg.Audio}), nil
	}

	return ffmpegsource.New(tool, from), nil
}
