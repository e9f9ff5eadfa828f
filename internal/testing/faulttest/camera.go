//go:build linux

package faulttest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
)

// CameraOptions describe what a camera sends.
type CameraOptions struct {
	GOP   int // frames from one keyframe to the next
	H265  bool
	Large bool   // the picture is larger
	Audio string // see [camtest.Options]

	FFmpeg bool // FFmpeg reads the camera
	Skew   float64
	camtest.Oddities
}

// fps is the frame rate of every camera.
const fps = 10

// media returns the loop that a camera plays. The loop is long, so that its rounds are not confused. The picture is
// small, so that many cameras cost little. Each variant has its own counters.
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

// Camera is a test camera. It keeps the ledger of the frames that it sent.
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

// Interval is a period of time.
type Interval struct{ From, To time.Time }

// Holds reports whether t lies in the interval, or within margin of it.
func (s Interval) Holds(t time.Time, margin time.Duration) bool {
	return !t.Before(s.From.Add(-margin)) && !t.After(s.To.Add(margin))
}

// damage lists the times in which pictures may be damaged or repaired: pictures whose packets were hit, and pictures
// that refer to a picture which never left the camera, up to the next keyframe. For a silence the interval starts with
// the silence, because FFmpeg may place the first pictures after it directly behind the last pictures before it.
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
		case "stall": // what was sent during the stall arrives later
			list = append(list, Interval{s.To.Add(-time.Second / fps), s.To.Add(until)})
		}
	}
	return list
}

// union merges intervals that touch.
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
