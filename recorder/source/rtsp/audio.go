package rtsp

import (
	"fmt"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"
	"github.com/pion/rtp"

	"github.com/preroll/preroll/recorder/fmp4"
	"github.com/preroll/preroll/recorder/source"
)

// audio is the sound track of a session.
type audio struct {
	x      *session
	format format.Format
	track  source.Track
	decode func(*rtp.Packet) ([][]byte, error)
	length func(data []byte) time.Duration
}

// newAudio returns the reader of a format, nil if MP4 cannot hold its sound.
func newAudio(x *session, f format.Format) *audio {
	a := &audio{x: x, format: f, track: source.Track{Track: fmp4.Track{ID: 2}}}
	t := &a.track
	switch f := f.(type) {
	case *format.MPEG4Audio:
		d, err := f.CreateDecoder()
		if err != nil || f.Config == nil || !a.aac(f.Config) {
			return nil
		}
		a.decode = d.Decode
	case *format.MPEG4AudioLATM:
		d, err := f.CreateDecoder()
		if err != nil || f.StreamMuxConfig == nil || len(f.StreamMuxConfig.Programs) == 0 ||
			len(f.StreamMuxConfig.Programs[0].Layers) == 0 ||
			f.StreamMuxConfig.Programs[0].Layers[0].AudioSpecificConfig == nil ||
			!a.aac(f.StreamMuxConfig.Programs[0].Layers[0].AudioSpecificConfig) {
			return nil
		}
		a.decode = func(p *rtp.Packet) (list [][]byte, err error) {
			b, err := d.Decode(p)
			if err != nil {
				return nil, err
			}
			e := mpeg4audio.AudioMuxElement{MuxConfigPresent: f.CPresent, StreamMuxConfig: f.StreamMuxConfig}
			if err := e.Unmarshal(b); err != nil {
				return nil, err
			}
			for _, frame := range e.Payloads {
				if len(frame) > 0 && len(frame[0]) > 0 {
					list = append(list, frame[0][0])
				}
			}
			return list, nil
		}
	case *format.G711:
		t.Codec, t.Timescale, t.Entry = "pcm_alaw", uint32(f.SampleRate),
			fmp4.PCMEntry("alaw", f.ChannelCount, f.SampleRate)
		if f.MULaw {
			t.Codec, t.Entry = "pcm_mulaw", fmp4.PCMEntry("ulaw", f.ChannelCount, f.SampleRate)
		}
		a.pcm(f.ChannelCount, f.SampleRate)
	case *format.LPCM:
		if f.BitDepth != 16 {
			return nil
		}
		t.Codec, t.Timescale, t.Entry = "pcm_s16be", uint32(f.SampleRate),
			fmp4.PCMEntry("twos", f.ChannelCount, f.SampleRate)
		a.pcm(2*f.ChannelCount, f.SampleRate)
	case *format.G726:
		bits := f.BitRate / 8
		if bits < 2 || bits > 5 {
			return nil
		}
		t.Codec, t.Timescale, t.Entry = "adpcm_g726", 8000, fmp4.G726Entry(bits)
		a.length = func(b []byte) time.Duration { return time.Duration(len(b)*8/bits) * time.Second / 8000 }
		a.decode = func(p *rtp.Packet) ([][]byte, error) {
			if f.BigEndian {
				return [][]byte{p.Payload}, nil
			}
			return [][]byte{mostFirst(p.Payload, bits)}, nil
		}
	case *format.Opus:
		if f.ChannelCount > 2 {
			return nil
		}
		t.Codec, t.Timescale, t.Entry = "opus", 48000, fmp4.OpusEntry(f.ChannelCount)
		a.decode = whole
		a.length = func(b []byte) time.Duration { return time.Duration(opus.PacketDuration2(b)) * time.Second / 48000 }
	default:
		return nil
	}

	if t.Timescale == 0 || t.Timescale > 384000 {
		return nil
	}
	return a
}

// codecName returns the name of a format's codec for people, as RTP calls the codec.
func codecName(f format.Format) string {
	name, _, _ := strings.Cut(f.RTPMap(), "/")
	if name == "" {
		return fmt.Sprintf("RTP payload type %d", f.PayloadType())
	}
	return strings.ToLower(name)
}

// aac prepares a for AAC with the given configuration, and reports whether the configuration is usable.
func (a *audio) aac(c *mpeg4audio.AudioSpecificConfig) bool {
	b, err := c.Marshal()
	if err != nil || c.SampleRate <= 0 {
		return false
	}
	samples := 1024
	if c.FrameLengthFlag {
		samples = 960
	}
	a.track.Codec, a.track.Timescale = "aac", uint32(c.SampleRate)
	a.track.Entry = fmp4.AACEntry(max(1, int(c.ChannelConfig)), c.SampleRate, b)
	length := time.Duration(samples) * time.Second / time.Duration(c.SampleRate)
	a.length = func([]byte) time.Duration { return length }
	return true
}

// pcm prepares a for PCM sound. bytes is the number of bytes per sampling moment, over all channels.
func (a *audio) pcm(bytes, rate int) {
	a.decode = whole
	if bytes > 0 && rate > 0 {
		a.length = func(b []byte) time.Duration {
			return time.Duration(len(b)/bytes) * time.Second / time.Duration(rate)
		}
	}
}

// mostFirst repacks codes of the given number of bits, such that the first code lies in the most significant bits of a
// byte. In the input the first code lies in the least significant bits (RFC 3551, 4.5.4).
func mostFirst(in []byte, bits int) []byte {
	out := make([]byte, 0, len(in))
	var from, to uint64
	var have, made int
	mask := uint64(1)<<bits - 1
	for _, b := range in {
		from |= uint64(b) << have
		for have += 8; have >= bits; have -= bits {
			to, made = to<<bits|from&mask, made+bits
			from >>= bits
		}
		for ; made >= 8; made -= 8 {
			out = append(out, byte(to>>(made-8)))
		}
	}

	return out
}

// whole is the decoder of sound whose packets are samples.
func whole(p *rtp.Packet) ([][]byte, error) { return [][]byte{p.Payload}, nil }

// packet takes one RTP packet. x.mu is held.
func (a *audio) packet(p *rtp.Packet, now time.Duration) error {
	if !a.x.video.announced {
		return nil
	}
	list, err := a.decode(p)
	if err != nil {
		return nil
	}
	rest := time.Duration(0)
	for _, b := range list {
		rest += a.length(b)
	}
	for _, b := range list { // the samples of one packet arrived together, the last one in time
		length := a.length(b)
		rest -= length
		if len(b) == 0 || length <= 0 || length > time.Second {
			continue
		}
		if err := a.x.to.Sample(source.Sample{Track: 1, Length: length, Arrival: now - rest, Key: true,
			Data: [][]byte{b}}); err != nil {
			return err
		}
	}
	return nil
}
