//go:build linux

package faulttest

import (
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
)

// Odd is a kind of camera that people report, with what Preroll must do. Every clip must be whole, exact and saved.
type Odd struct {
	Name   string
	Expect string
	CameraOptions
}

// Odds are all kinds of odd cameras.
var Odds = []Odd{
	{"sound is announced and never sent", "the clip has no sound, and its video is whole",
		CameraOptions{GOP: 10, Audio: "pcma", Oddities: camtest.Oddities{SilentSound: true}}},
	{"sound begins 12 s late", "it is where it arrived",
		CameraOptions{GOP: 10, Audio: "pcma", Oddities: camtest.Oddities{LateSound: 12 * time.Second}}},
	{"the sender reports of sound are off by 25 s", "they are not asked",
		CameraOptions{GOP: 10, Audio: "pcma", Oddities: camtest.Oddities{ReportsOff: 25 * time.Second}}},
	{"sound of a codec that MP4 cannot hold", "it is left out, and the camera's card says so",
		CameraOptions{GOP: 10, Audio: "speex"}},
	{"stamps 1 % slow", "the receipt is true", CameraOptions{GOP: 10, Skew: 0.99}},
	{"stamps 5 % slow", "the receipt is true", CameraOptions{GOP: 10, Skew: 0.95}},
	{"stamps 20 % slow", "the receipt is true", CameraOptions{GOP: 10, Skew: 0.8}},
	{"stamps 20 % fast", "the receipt is true", CameraOptions{GOP: 10, Skew: 1.2}},
	{"stamps of 12 pictures a second, 10 are sent", "the receipt is true",
		CameraOptions{GOP: 10, Oddities: camtest.Oddities{StampFPS: 12}}},
	{"stamps that wrap", "no frame is lost",
		CameraOptions{GOP: 10, Oddities: camtest.Oddities{FirstStamp: 1<<32 - 3_000_000}}},
	{"RTP by UDP alone", "it is recorded by UDP", CameraOptions{GOP: 10, Oddities: camtest.Oddities{OnlyUDP: true}}},
	{"digest login with SHA-256 alone", "it is recorded",
		CameraOptions{GOP: 10, Oddities: camtest.Oddities{Algorithms: []string{"SHA-256"}}}},
	{"digest login with MD5 and SHA-256", "it is recorded",
		CameraOptions{GOP: 10, Oddities: camtest.Oddities{Algorithms: []string{"MD5", "SHA-256"}}}},
	{"no parameter sets in its description", "they are taken from the stream",
		CameraOptions{GOP: 10, Oddities: camtest.Oddities{NoSets: true}}},
	{"a track of JPEG in front", "the track that can be recorded is",
		CameraOptions{GOP: 10, Oddities: camtest.Oddities{JPEGFirst: true}}},
	{"the sound in front", "the video is recorded as ever",
		CameraOptions{GOP: 10, Audio: "pcma", Oddities: camtest.Oddities{SoundFirst: true}}},
	{"a redirect to another of its own paths", "it is followed",
		CameraOptions{GOP: 10, Oddities: camtest.Oddities{Redirects: true}}},
	{"RTSPS", "it is recorded", CameraOptions{GOP: 10, Oddities: camtest.Oddities{TLS: true}}},
	{"one viewer only", "it is recorded in one session",
		CameraOptions{GOP: 10, Oddities: camtest.Oddities{OneViewer: true}}},
	{"a keyframe every 20 s, and a session that begins anywhere", "clips begin up to 20 s early",
		CameraOptions{GOP: 200, Oddities: camtest.Oddities{AnyFrame: true}}},
}
