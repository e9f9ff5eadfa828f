package rtsp

import (
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/pion/rtp"

	"github.com/preroll/preroll/recorder/source"
)

// sink counts its calls.
type sink struct {
	told, frames, keys int
	last               source.Track
}

func (s *sink) Tracks(t []source.Track, _ source.Streams) error {
	s.told++
	s.last = t[0]
	return nil
}

func (s *sink) Sample(x source.Sample) error {
	s.frames++
	if x.Key {
		s.keys++
	}
	return nil
}

func (s *sink) Flush() error { return nil }

var (
	sps = []byte{0x67, 0x42, 0xc0, 0x0a, 0xda, 0x11, 0xa6, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x01,
		0x40, 0xf1, 0x22, 0x6a}
	pps  = []byte{0x68, 0xce, 0x0f, 0x2c, 0x80}
	pps2 = []byte{0x68, 0xce, 0x0f, 0x2c, 0x81}
)

// videoSession returns a session with a video track of format f.
func videoSession(t *testing.T, f format.Format) (*session, *sink) {
	t.Helper()
	to := &sink{}
	x := &session{to: to, ended: make(chan error, 1), tracks: []source.Track{{}}}
	if x.video = newVideo(x, f); x.video == nil {
		t.Fatal("the format is not read")
	}
	return x, to
}

// TestParameterSets checks that a parameter set which was damaged on its way makes no new run. If the same set comes
// again, it makes a new run.
func TestParameterSets(t *testing.T) {
	var parsed h264.SPS
	if err := parsed.Unmarshal(sps); err != nil {
		t.Fatal(err)
	}
	x, to := videoSession(t, &format.H264{PayloadTyp: 96, SPS: sps, PPS: pps, PacketizationMode: 1})
	if err := x.video.ready(); err != nil || to.told != 1 {
		t.Fatalf("told %d times, %v", to.told, err)
	}
	n := uint16(0)
	send := func(nals ...[]byte) {
		t.Helper()
		for i, b := range nals {
			p := &rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: n,
				Timestamp: uint32(n) * 1000, Marker: i == len(nals)-1}, Payload: b}
			p.Timestamp = uint32(to.frames) * 9000
			n++
			if err := x.video.packet(p, time.Duration(n)*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
	}
	idr, slice := []byte{0x65, 0x88, 0x80, 0x10}, []byte{0x41, 0x9a, 0x02, 0x04}
	send(sps, pps, idr)
	send(slice)
	send(sps, pps2, idr) // damaged
	send(sps, pps, idr)
	send(sps, pps2, idr)
	send(sps, pps, idr)
	if to.told != 1 || to.frames != 6 || to.keys != 5 {
		t.Errorf("told %d times, %d frames, %d keyframes", to.told, to.frames, to.keys)
	}
	send(sps, pps2, idr)
	send(sps, pps2, idr) // the parameter sets have changed
	if to.told != 2 || to.frames != 8 {
		t.Errorf("told %d times, %d frames", to.told, to.frames)
	}
}

// FuzzPackets feeds untrusted packets to every video decoder. Nothing may panic, and the only error is Unreadable.
func FuzzPackets(f *testing.F) {
	f.Add([]byte{0x67, 0x42, 0xc0, 0x0a}, []byte{0x7c, 0x85, 1, 2, 3}, []byte{0x7c, 0x45, 9, 9})
	f.Add(sps, pps, []byte{0x65, 0x88})
	f.Add([]byte{0x40, 1}, []byte{0x42, 1, 1}, []byte{0x62, 1, 0x93, 0, 0})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		for _, form := range []format.Format{
			&format.H264{PayloadTyp: 96, PacketizationMode: 1},
			&format.H264{PayloadTyp: 96, SPS: sps, PPS: pps, PacketizationMode: 1}, &format.H265{PayloadTyp: 96},
		} {
			x, _ := videoSession(t, form)
			for i := range 6 {
				p := &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(i), Timestamp: uint32(i/2) * 9000,
					Marker: i%2 == 1}, Payload: [][]byte{a, b, c}[i%3]}
				if err := x.video.packet(p, time.Duration(i)*time.Millisecond); err != nil &&
					source.AsFailure(err).Kind != source.Unreadable {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestMostFirst(t *testing.T) {
	for _, tc := range []struct {
		bits     int
		in, want []byte
	}{
		{4, []byte{0x21, 0x43}, []byte{0x12, 0x34}},
		{2, []byte{0b11_10_01_00}, []byte{0b00_01_10_11}},
		{3, []byte{0b10_001_000, 0b1_100_011_0, 0b111_110_10}, []byte{0b000_001_01, 0b0_011_100_1, 0b01_110_111}},
		{5, nil, nil},
	} {
		if got := mostFirst(tc.in, tc.bits); string(got) != string(tc.want) {
			t.Errorf("%d bits: %08b, want %08b", tc.bits, got, tc.want)
		}
	}
}

// TestUnreadableVideo checks that the session ends if no frame can come of what the camera sends.
func TestUnreadableVideo(t *testing.T) {
	for name, payload := range map[string][][]byte{
		"a parameter set that cannot be read": {{0x67, 0x42, 0xc0, 0x0a, 0xff}, pps, {0x65, 0x88, 1, 2}},
		"no parameter sets":                   {{0x65, 0x88, 1, 2}},
		"no video":                            {{0x78, 0xff, 0xff}},
	} {
		t.Run(name, func(t *testing.T) {
			x, to := videoSession(t, &format.H264{PayloadTyp: 96, PacketizationMode: 1})
			var err error
			n := 0
			for ; err == nil && n < 2000; n++ {
				k := n % len(payload)
				err = x.video.packet(&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96,
					SequenceNumber: uint16(n), Timestamp: uint32(n/len(payload)) * 9000, Marker: k == len(payload)-1},
					Payload: payload[k]}, time.Duration(n)*time.Millisecond)
			}
			if f := source.AsFailure(err); f.Kind != source.Unreadable || to.frames > 0 {
				t.Errorf("after %d packets: %v, %d frames", n, err, to.frames)
			}
		})
	}
}
