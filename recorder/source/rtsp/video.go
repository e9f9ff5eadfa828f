package rtsp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph265"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
	"github.com/pion/rtp"

	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/source"
	"github.com/preroll/preroll/recorder/text"
)

// videoClock is the clock rate of video in RTP, in ticks per second (RFC 6184, RFC 7798).
const videoClock = 90_000

// maxNALs is the maximum number of NAL units in one access unit.
const maxNALs = 512

// video is the video track of a session. It makes access units from packets, and keeps the parameter sets.
type video struct {
	x      *session
	format format.Format
	hevc   bool
	decode func(*rtp.Packet) ([][]byte, error)
	dts    func(au [][]byte, pts int64) (int64, error)

	vps, sps, pps []byte             // as the camera sends them
	doubted       map[*[]byte][]byte // different parameter sets that came once
	announced     bool               // the sink knows the parameter sets
	broken        int                // packets that were no video, before the first access unit
	sent          bool               // a frame went to the sink
	vain          int                // keyframes that came without usable parameter sets
	stamped       bool
	rtp           uint32 // stamp of the previous access unit
	pts           int64  // the same without wrapping, in ticks
	pieces        [][]byte
	lengths       []byte
}

// newVideo returns the reader of a format, nil if the format cannot be read.
func newVideo(x *session, f format.Format) *video {
	v := &video{x: x, format: f, doubted: map[*[]byte][]byte{}}
	switch f := f.(type) {
	case *format.H264:
		d, err := f.CreateDecoder()
		if err != nil {
			return nil
		}
		v.decode = d.Decode
		v.sps, v.pps = f.SPS, f.PPS
	case *format.H265:
		d, err := f.CreateDecoder()
		if err != nil {
			return nil
		}
		v.decode, v.hevc = d.Decode, true
		v.vps, v.sps, v.pps = f.VPS, f.SPS, f.PPS
	default:
		return nil
	}

	v.restart()
	return v
}

// restart resets the extraction of decode times.
func (v *video) restart() {
	if v.hevc {
		d := &h265.DTSExtractor{}
		d.Initialize()
		v.dts = d.Extract
	} else {
		d := &h264.DTSExtractor{}
		d.Initialize()
		v.dts = d.Extract
	}
}

// ready reports the tracks to the sink if the parameter sets are complete and new. x.mu is held.
func (v *video) ready() error {
	if v.announced || len(v.sps) < 4 || len(v.pps) < 1 || v.hevc && len(v.vps) < 2 {
		return nil
	}
	t := source.Track{Track: fmp4.Track{ID: 1, Video: true, Timescale: videoClock}, Codec: "h264"}
	fps := 0.0
	if v.hevc {
		var sps h265.SPS
		if err := sps.Unmarshal(v.sps); err != nil {
			return nil // damaged: the next SPS may be better
		}
		t.Codec, t.Width, t.Height, fps = "hevc", sps.Width(), sps.Height(),
			rate(sps.VUI != nil && sps.VUI.TimingInfo != nil, sps.FPS)
		raw := h264.EmulationPreventionRemove(v.sps)
		if len(raw) < 15 {
			return nil
		}
		t.Entry = fmp4.H265Entry(t.Width, t.Height, [12]byte(raw[3:15]), v.vps, v.sps, v.pps)
	} else {
		var sps h264.SPS
		if err := sps.Unmarshal(v.sps); err != nil {
			return nil
		}
		t.Width, t.Height, fps = sps.Width(), sps.Height(), rate(sps.VUI != nil && sps.VUI.TimingInfo != nil, sps.FPS)
		t.Entry = fmp4.H264Entry(t.Width, t.Height, v.sps, v.pps)
	}

	if t.Width <= 0 || t.Height <= 0 || t.Width > 0xffff || t.Height > 0xffff {
		return nil
	}
	x := v.x
	x.tracks[0] = t
	x.streams.Video, x.streams.Width, x.streams.Height, x.streams.FPS = t.Codec, t.Width, t.Height, fps
	v.announced = true
	v.restart()
	return x.to.Tracks(x.tracks, x.streams)
}

// rate returns the frame rate that a camera names, 0 if it names no plausible frame rate.
func rate(named bool, fps func() float64) float64 {
	if !named {
		return 0
	}
	if f := fps(); f > 0.01 && f < 1000 {
		return f
	}
	return 0
}

// packet takes one RTP packet. x.mu is held.
func (v *video) packet(p *rtp.Packet, now time.Duration) error {
	au, err := v.decode(p)

	// More packets are needed, or a packet was lost. The next access unit may be whole.
	if err != nil || len(au) == 0 || len(au) > maxNALs {
		if more := errors.Is(err, rtph264.ErrMorePacketsNeeded) ||
			errors.Is(err, rtph265.ErrMorePacketsNeeded); !v.stamped && !more {
			if v.broken++; v.broken >= maxBroken {
				return source.Unreadable.Failure(text.NotVideo)
			}
		}
		return nil
	}

	stamp := p.Timestamp
	if v.stamped {
		v.pts += int64(int32(stamp - v.rtp))
	}
	v.stamped, v.rtp = true, stamp

	key, picture := v.inspect(au)
	if err := v.ready(); err != nil {
		return err
	}
	if key && !v.announced {
		if v.vain++; v.vain >= maxVain {
			return source.Unreadable.Failure(text.ParamsUnreadable)
		}
	}
	if !v.announced || !picture {
		return nil
	}
	dts, err := v.dts(au, v.pts)
	if err != nil { // a bad stamp is no reason to lose a frame; the timeline does not believe it
		dts = v.pts
		if key {
			v.restart()
			if d, err := v.dts(au, v.pts); err == nil {
				dts = d
			}
		}
	}
	s := source.Sample{Stamp: ticks(dts), Offset: ticks(v.pts - dts), Arrival: now, Key: key, Data: v.boxed(au)}
	if s.Offset < 0 || s.Offset > maxReorder {
		s.Stamp, s.Offset = ticks(v.pts), 0
	}
	v.sent = true
	return v.x.to.Sample(s)
}

// Limits beyond which a session counts as unreadable.
const (
	maxBroken = 500 // packets
	maxVain   = 3   // keyframes
)

// maxReorder is the maximum time from the decode time to the presentation time of a frame.
const maxReorder = 5 * time.Second

// ticks converts ticks of videoClock to time.
func ticks(n int64) time.Duration {
	return time.Duration(n/videoClock)*time.Second + time.Duration(n%videoClock)*time.Second/videoClock
}

// boxed returns an access unit in MP4's form: each NAL unit after its length.
func (v *video) boxed(au [][]byte) [][]byte {
	v.pieces, v.lengths = v.pieces[:0], v.lengths[:0]
	for _, n := range au {
		v.lengths = binary.BigEndian.AppendUint32(v.lengths, uint32(len(n)))
	}
	for i, n := range au {
		v.pieces = append(v.pieces, v.lengths[4*i:4*i+4], n)
	}
	return v.pieces
}

// inspect keeps the parameter sets in an access unit, and reports whether the access unit is a keyframe and whether it
// has a picture.
func (v *video) inspect(au [][]byte) (key, picture bool) {
	for _, n := range au {
		if len(n) < 2 {
			continue
		}
		if v.hevc {
			switch t := h265.NALUType(n[0] >> 1 & 63); {
			case t == h265.NALUType_VPS_NUT:
				v.keep(&v.vps, n)
			case t == h265.NALUType_SPS_NUT:
				v.keep(&v.sps, n)
			case t == h265.NALUType_PPS_NUT:
				v.keep(&v.pps, n)
			case t >= h265.NALUType_BLA_W_LP && t <= h265.NALUType_CRA_NUT:
				key, picture = true, true
			case t < 32:
				picture = true
			}
			continue
		}

		switch t := h264.NALUType(n[0] & 31); {
		case t == h264.NALUTypeSPS:
			v.keep(&v.sps, n)
		case t == h264.NALUTypePPS:
			v.keep(&v.pps, n)
		case t == h264.NALUTypeIDR:
			key, picture = true, true
		case t >= 1 && t < 5:
			picture = true
		}
	}

	return key, picture
}

// maxParameters is the maximum size of a parameter set, in bytes.
const maxParameters = 4096

// keep keeps a parameter set. A set that differs from the present one is believed when it comes for the second time.
// The first one may have been damaged on its way; an undamaged set is in the stream, where decoders find it. If a
// camera has several picture parameter sets, keep stays with the first one.
func (v *video) keep(set *[]byte, n []byte) {
	switch {
	case len(n) > maxParameters:
	case bytes.Equal(*set, n):
		delete(v.doubted, set)
	case set == &v.pps && len(*set) > 0 && pictureSet(*set, v.hevc) != pictureSet(n, v.hevc):
	case len(*set) > 0 && !bytes.Equal(v.doubted[set], n):
		v.doubted[set] = bytes.Clone(n)
	default:
		*set = bytes.Clone(n)
		delete(v.doubted, set)
		v.announced = false
	}
}

// pictureSet returns the bits of a PPS that hold its number, as far as the first byte holds them. Number 0, with which
// all cameras begin, gives 0x80.
func pictureSet(n []byte, hevc bool) byte {
	at := 1
	if hevc {
		at = 2
	}
	if len(n) <= at {
		return 0
	}
	if n[at]&0x80 != 0 {
		return 0x80
	}
	return n[at]
}
