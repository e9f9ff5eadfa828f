// Command camsim is camtest's camera as a process of its own, for benches that must not pay for it and for tests that
// freeze or kill it.
//
//	go run ./internal/camtest/camsim -listen 127.0.0.1:8554 -ctl 127.0.0.1:8555 -gop 20
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

	"github.com/preroll/preroll/internal/camtest"
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
	ctl := flag.String("ctl", "", "HTTP address for /info /mute?on=1 /jump?ms= /switch?video=&fps= /drop")
	flag.StringVar(&opt.Listen, "listen", "127.0.0.1:8554", "RTSP address")
	flag.StringVar(&opt.Video, "video", "", "Annex B .h264 or .h265 file; empty encodes one")
	flag.IntVar(&m.Width, "width", 1920, "encoded width")
	flag.IntVar(&m.Height, "height", 1080, "encoded height")
	flag.IntVar(&m.FPS, "fps", 15, "frames a second")
	flag.IntVar(&m.Seconds, "seconds", 40, "encoded loop")
	flag.IntVar(&m.GOP, "gop", 30, "frames from keyframe to keyframe")
	flag.IntVar(&m.Kbit, "kbit", 4000, "bit rate")
	flag.BoolVar(&m.H265, "h265", false, "H.265")
	flag.StringVar(&opt.Audio, "audio", "", "pcma, pcmu or an ADTS file")
	flag.BoolVar(&opt.Meta, "meta", false, "add an ONVIF metadata track")
	flag.StringVar(&opt.Auth, "auth", "", "basic or digest")
	flag.StringVar(&opt.User, "user", "admin", "")
	flag.StringVar(&opt.Pass, "pass", "secret", "")
	flag.Float64Var(&opt.Skew, "skew", 1, "camera clock rate")
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
	http.HandleFunc("/info", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(c.Info()) })
	http.HandleFunc("/mute", func(_ http.ResponseWriter, r *http.Request) { c.Mute(r.FormValue("on") == "1") })
	http.HandleFunc("/jump", func(_ http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.Atoi(r.FormValue("ms"))
		c.Jump(time.Duration(ms) * time.Millisecond)
	})
	http.HandleFunc("/switch", func(w http.ResponseWriter, r *http.Request) {
		fps, _ := strconv.ParseFloat(r.FormValue("fps"), 64)
		if err := c.Switch(r.FormValue("video"), fps); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	http.HandleFunc("/drop", func(http.ResponseWriter, *http.Request) { c.Drop() })
	return http.ListenAndServe(*ctl, nil)
}
