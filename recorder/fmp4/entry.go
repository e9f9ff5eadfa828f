package fmp4

import (
	"encoding/binary"
)

// videoEntry returns a visual sample entry (ISO/IEC 14496-12, 12.1.3). config appends the box of the codec.
func videoEntry(kind string, width, height int, config func([]byte) []byte) []byte {
	return box(nil, kind, func(b []byte) []byte {
		b = u16(zeros(b, 6), 1) // data reference
		b = zeros(b, 16)
		b = u16(u16(b, uint16(width)), uint16(height))
		b = u32(u32(u32(b, 0x480000), 0x480000), 0) // 72 dots per inch
		b = zeros(u16(b, 1), 32)                    // frames per sample, compressor
		return config(u16(u16(b, 24), 0xffff))
	})
}

// H264Entry returns the sample entry of H.264 (ISO/IEC 14496-15, 5.4.2). sps must have at least 4 bytes.
func H264Entry(width, height int, sps, pps []byte) []byte {
	return videoEntry("avc1", width, height, func(b []byte) []byte {
		return box(b, "avcC", func(b []byte) []byte {
			b = append(b, 1, sps[1], sps[2], sps[3], 0xff, 0xe1) // lengths have 4 bytes; one SPS
			b = append(u16(b, uint16(len(sps))), sps...)
			b = append(u16(append(b, 1), uint16(len(pps))), pps...)
			if p := sps[1]; p == 100 || p == 110 || p == 122 || p == 144 {
				b = append(b, 0xfd, 0xf8, 0xf8, 0) // 4:2:0, 8 bits: what cameras send
			}
			return b
		})
	})
}

// H265Entry returns the sample entry of H.265 (ISO/IEC 14496-15, 8.4.1). profile is the 12 bytes of general profile,
// tier and level in the SPS.
func H265Entry(width, height int, profile [12]byte, vps, sps, pps []byte) []byte {
	return videoEntry("hvc1", width, height, func(b []byte) []byte {
		return box(b, "hvcC", func(b []byte) []byte {
			b = append(append(b, 1), profile[:]...)

			// 4:2:0, 8 bits; lengths have 4 bytes; 3 arrays
			b = append(b, 0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 3)
			for _, n := range [][]byte{vps, sps, pps} {
				b = append(b, 0x80|n[0]>>1&63, 0, 1)
				b = append(u16(b, uint16(len(n))), n...)
			}
			return b
		})
	})
}

// audioEntry returns an audio sample entry (ISO/IEC 14496-12, 12.2.3). config appends the box of the codec.
func audioEntry(kind string, channels, bits, rate int, config func([]byte) []byte) []byte {
	return box(nil, kind, func(b []byte) []byte {
		b = u16(zeros(b, 6), 1)
		b = zeros(b, 8)
		b = u16(u16(b, uint16(channels)), uint16(bits))
		return config(u32(u32(b, 0), uint32(rate)<<16))
	})
}

// AACEntry returns the sample entry of AAC (ISO/IEC 14496-14, 5.6). config is the AudioSpecificConfig.
func AACEntry(channels, rate int, config []byte) []byte {
	descriptor := func(b []byte, tag byte, body []byte) []byte {
		n := len(body)
		return append(append(b, tag, 0x80|byte(n>>21), 0x80|byte(n>>14), 0x80|byte(n>>7), byte(n&0x7f)), body...)
	}
	return audioEntry("mp4a", channels, 16, rate, func(b []byte) []byte {
		return full(b, "esds", 0, 0, func(b []byte) []byte {
			decoder := append([]byte{0x40, 0x15, 0, 0, 0}, zeros(nil, 8)...) // AAC, an audio stream
			es := descriptor([]byte{0, 1, 0}, 4, descriptor(decoder, 5, config))
			return descriptor(b, 3, descriptor(es, 6, []byte{2}))
		})
	})
}

// PCMEntry returns QuickTime's sample entry of uncompressed or G.711 sound: "ulaw", "alaw", or "twos" for 16 bits
// big-endian. FFmpeg reads these entries in fragmented MP4.
func PCMEntry(kind string, channels, rate int) []byte {
	return audioEntry(kind, channels, 16, rate, func(b []byte) []byte { return b })
}

// G726Entry returns the sample entry of G.726: a Microsoft wave format (0x45) in QuickTime's form, as FFmpeg reads it.
// bits is the number of bits per sample, most significant first.
func G726Entry(bits int) []byte {
	return audioEntry("ms\x00\x45", 1, bits, 8000, func(b []byte) []byte { return b })
}

// OpusEntry returns the sample entry of Opus (Encapsulation of Opus in ISO Base Media File Format, 4.3).
func OpusEntry(channels int) []byte {
	return audioEntry("Opus", channels, 16, 48000, func(b []byte) []byte {
		return box(b, "dOps", func(b []byte) []byte {
			b = append(b, 0, byte(channels))
			b = u32(u16(b, 312), 48000)
			return append(u16(b, 0), 0)
		})
	})
}

// Kind returns the four letters of a sample entry, "" if entry is not one sample entry.
func Kind(entry []byte) string {
	if len(entry) < 8 || int(binary.BigEndian.Uint32(entry)) != len(entry) {
		return ""
	}
	return string(entry[4:8])
}

// Same reports whether two tracks decode alike. Bit rates, which differ from file to file, do not matter.
func (t Track) Same(o Track) bool {
	return t.Video == o.Video && t.Timescale == o.Timescale && t.Width == o.Width && t.Height == o.Height &&
		string(essence(t)) == string(essence(o))
}

// essence returns the part of a sample entry that decides how samples are decoded.
func essence(t Track) []byte {
	const visual, sound = 86, 36 // lengths of the entries without inner boxes
	if Kind(t.Entry) == "" {
		return t.Entry
	}
	if !t.Video {
		return t.Entry[4:min(sound, len(t.Entry))]
	}
	if len(t.Entry) < visual {
		return t.Entry
	}
	b := append([]byte(nil), t.Entry[4:visual]...)
	_ = inside(t.Entry[visual:], func(kind string, body []byte) error {
		if kind == "avcC" || kind == "hvcC" || kind == "esds" {
			b = append(append(b, kind...), body...)
		}
		return nil
	})
	return b
}
