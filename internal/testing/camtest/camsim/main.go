// Command camsim runs camtest's camera as a separate process, for benchmarks that must not include the camera's cost
// and for tests that freeze or kill the camera.
//
//	go run ./internal/testing/camtest/camsim -listen 127.0.0.1:8554 -ctl 127.0.0.1:8555 -gop 20
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "camsim:", err)
		os.Exit(1)
	}
}

func run() error {
	m := camtest.Media{}
	var opt camtest.Options
	ctl := flag.String("ctl", "",
		"HTTP address for /info /history /silences /drop /down /up /mute?on=1 /freeze?on=1 /repeat?on=1 /still?on=1 /stall?ms= /jump?ms= /lose?p= /corrupt?p= /switch?video=&fps= /restart?video=&fps=")
	flag.StringVar(&opt.Listen, "listen", "127.0.0.1:8554", "RTSP address")
	flag.StringVar(&opt.Video, "video", "", "Annex B .h264 or .h265 file; empty encodes one")
	flag.IntVar(&m.Width, "width", 1920, "encoded width")
	flag.IntVar(&m.Height, "height", 1080, "encoded height")
	flag.IntVar(&m.FPS, "fps", 15, "frames a second")
	flag.IntVar(&m.Seconds, "seconds", 40, "encoded loop")
	flag.IntVar(&m.GOP, "gop", 30, "frames from keyframe to keyframe")
	flag.IntVar(&m.Kbit, "kbit", 4000, "bit rate")
	flag.BoolVar(&m.H265, "h265", false, "H.265")
	flag.IntVar(&m.First, "first", 0, "counter of the loop's first frame")
	flag.StringVar(&opt.Audio, "audio", "", "pcma, pcmu or an ADTS file")
	flag.BoolVar(&opt.Meta, "meta", false, "add an ONVIF metadata track")
	flag.StringVar(&opt.Auth, "auth", "", "basic or digest")
	flag.StringVar(&opt.User, "user", "admin", "")
	flag.StringVar(&opt.Pass, "pass", "secret", "")
	flag.Float64Var(&opt.Skew, "skew", 1, "camera clock rate")
	flag.IntVar(&opt.Queue, "queue", 0, "frames that wait for a client who does not read; 0 is 256")
	flag.Parse()
	opt.FPS = float64(m.FPS)
	var err error
	if opt.Video == "" {
		if opt.Video, err = m.File(context.Background()); err != nil {
			return err
		}
	}
	c, err := camtest.Start(opt)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := json.NewEncoder(os.Stdout).Encode(struct {
		camtest.Info
		URL string `json:"url"`
	}{c.Info(), c.URL()}); err != nil {
		return err
	}
	if *ctl == "" {
		select {}
	}
	show := func(path string, truth func() any) {
		http.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(truth()) })
	}
	show("/info", func() any { return c.Info() })
	show("/history", func() any { return c.History() })
	show("/silences", func() any { return c.Silences() })
	command := func(path string, do func(r *http.Request) error) {
		http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		})
	}
	plain := func(do func()) func(*http.Request) error {
		return func(*http.Request) error { do(); return nil }
	}
	on := func(do func(bool)) func(*http.Request) error {
		return func(r *http.Request) error { do(r.FormValue("on") == "1"); return nil }
	}
	ms := func(do func(time.Duration)) func(*http.Request) error {
		return func(r *http.Request) error {
			n, err := strconv.Atoi(r.FormValue("ms"))
			if err == nil {
				do(time.Duration(n) * time.Millisecond)
			}
			return err
		}
	}
	rate := func(do func(float64)) func(*http.Request) error {
		return func(r *http.Request) error {
			p, err := strconv.ParseFloat(r.FormValue("p"), 64)
			if err == nil {
				do(p)
			}
			return err
		}
	}
	loop := func(do func(string, float64) error) func(*http.Request) error {
		return func(r *http.Request) error {
			fps, err := strconv.ParseFloat(r.FormValue("fps"), 64)
			if err != nil {
				return err
			}
			return do(r.FormValue("video"), fps)
		}
	}
	command("/drop", plain(c.Drop))
	command("/down", plain(c.Down))
	command("/up", func(*http.Request) error { return c.Up() })
	command("/mute", on(c.Mute))
	command("/freeze", on(c.Freeze))
	command("/repeat", on(c.Repeat))
	command("/still", on(c.Still))
	command("/stall", ms(c.Stall))
	command("/jump", ms(c.Jump))
	command("/lose", rate(c.Lose))
	command("/corrupt", rate(c.Corrupt))
	command("/switch", loop(c.Switch))
	command("/restart", loop(c.Restart))
	return http.ListenAndServe(*ctl, nil)
}
