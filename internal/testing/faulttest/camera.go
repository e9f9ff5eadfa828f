//go:build linux

package faulttest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
)

// CameraOptions say what a camera sends.
type CameraOptions struct {
	GOP   int // frames from keyframe to keyframe
	H265  bool
	Large bool   // a larger picture
	Audio string // see [camtest.Options]

	FFmpeg bool // FFmpeg reads it
	Skew   float64
	camtest.Oddities
}

// fps is the frame rate of every camera.
const fps = 10

// media is the loop that a camera plays: long, so that its turns are not mistaken for each other, with a small picture,
// so that many cameras cost little, and with counters of its own.
func (o CameraOptions) media() camtest.Media {
	m := camtest.Media{Width: 320, Height: 192, FPS: fps, Seconds: 120, GOP: o.GOP, Kbit: 250, H265: o.H265,
		First: o.GOP * 10_000}
	if o.Large {
		m.Width, m.Height, m.First = 480, 272, m.First+5_000_000
	}
	if o.H265 {
		m.First += 10_000_000
	}
	return m
}

// Camera is a test camera. It is the ledger of what it sent.
type Camera struct {
	*camtest.Camera
	ID    string
	usual CameraOptions
}

func newCamera(ctx context.Context, id string, o CameraOptions, password string) (*Camera, error) {
	file, err := o.media().File(ctx)
	if err != nil {
		return nil, err
	}
	c, err := camtest.Start(camtest.Options{Video: file, FPS: fps, Audio: o.Audio, Auth: "digest", User: "viewer",
		Pass: password, Skew: o.Skew, Oddities: o.Oddities})
	if err != nil {
		return nil, err
	}
	return &Camera{Camera: c, ID: id, usual: o}, nil
}

// Interval is a stretch of time.
type Interval struct{ From, To time.Time }

// Holds reports whether a time lies in the stretch, or within a margin of it.
func (s Interval) Holds(t time.Time, margin time.Duration) bool {
	return !t.Before(s.From.Add(-margin)) && !t.After(s.To.Add(margin))
}

// damage lists when pictures may be damaged or patched up: those whose packets were hit, and those that need a picture
// which never left the camera, up to the next keyframe. That begins with the silence, since FFmpeg may put the pictures
// behind one directly behind those before it.
func (c *Camera) damage() (list []Interval) {
	until := time.Duration(c.usual.GOP)*time.Second/fps + time.Second
	for _, s := range c.Silences() {
		if s.To.IsZero() {
			s.To = time.Now()
		}
		switch s.Kind {
		case "lose", "corrupt":
			list = append(list, Interval{s.From.Add(-time.Second), s.To.Add(until)})
		case "mute", "freeze", "late":
			list = append(list, Interval{s.From, s.To.Add(until)})
		case "stall": // what was sent meanwhile arrives
			list = append(list, Interval{s.To.Add(-time.Second / fps), s.To.Add(until)})
		}
	}
	return list
}

// union joins stretches that touch.
func union(list []Interval) (out []Interval) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Interval) int { return cmp.Compare(a.From.UnixNano(), b.From.UnixNano()) })
	for _, s := range list {
		if n := len(out); n > 0 && !s.From.After(out[n-1].To) {
			if s.To.After(out[n-1].To) {
				out[n-1].To = s.To
			}
			continue
		}
		out = append(out, s)
	}
	return out
}
