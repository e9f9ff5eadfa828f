package recorder_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/preroll/preroll/recorder"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
)

// This program without a screen records a camera and saves a clip every hour.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	settings := config.Default()
	settings.RAMDisk.Path, settings.Archive.Path = "/dev/shm/my-recorder", "/mnt/clips"
	camera := config.NewCamera()
	camera.ID, camera.URL = "front-door", "rtsp://192.168.1.20/stream1"
	settings.Cameras = []config.Camera{camera}
	if err := config.Validate(settings).Err(); err != nil {
		fmt.Println(err)
		return
	}

	r, err := recorder.New(ctx, recorder.Options{Settings: settings, Log: slog.Default(),
		Paths: config.Paths{File: "/etc/my-recorder.toml", State: "/var/lib/my-recorder"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for range time.Tick(time.Hour) {
			_, err := r.Trigger(ctx, "front-door",
				event.Trigger{Time: time.Now(), Source: event.Manual, Label: "hourly"})
			if err != nil {
				slog.Error("no clip", "err", err)
			}
		}
	}()
	if err := r.Run(ctx); err != nil { // returns when ctx ends
		fmt.Println(err)
	}
}
