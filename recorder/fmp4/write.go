package fmp4

import (
	"encoding/binary"
	"time"
)

// Track describes one track of an init section.
type Track struct {
	ID            uint32 // from 1
	Video         bool
	Timescale     uint32 // ticks per second
	Width, Height int    // pixels; video only
	Entry         []byte // the whole sample entry box: "avc1", "hvc1", "mp4a", ...
}

// Sample is one frame of a fragment.
type Sample struct {
	Duration uint32 // ticks
	Offset   int32  // presentation time - decode time, ticks
	Size     uint32 // bytes
	Key      bool
}

// box appends a box. f appends the body of the box, and box fills in the length.
func box(b []byte, kind string, f func([]byte) []byte) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	b = append(b, kind...)
	b = f(b)
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at))
	return b
}

// full appends a full box: a box whose body begins with version and flags. f appends the rest of the body.
func full(b []byte, kind string, version byte, flags uint32, f func([]byte) []byte) []byte {
	return box(b, kind, func(b []byte) []byte { return f(u32(b, uint32(version)<<24|flags)) })
}

func u16(b []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(b, v) }
func u32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }
func u64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }
func zeros(b []byte, n int) []byte  { return append(b, make([]byte, n)...) }

// matrix appends the unity matrix of track and movie headers.
func matrix(b []byte) []byte {
	for _, v := range []uint32{0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000} {
		b = u32(b, v)
	}
	return b
}

// Init returns an init section (ISO/IEC 14496-12, 8.2 to 8.8): ftyp and moov without samples.
func Init(tracks []Track) []byte {
	b := box(nil, "ftyp", func(b []byte) []byte {
		return append(append(append(b, "iso5"...), 0, 0, 2, 0), "iso5iso6mp41"...)
	})
	return box(b, "moov", func(b []byte) []byte {
		b = full(b, "mvhd", 0, 0, func(b []byte) []byte {
			b = u32(u32(u32(u32(b, 0), 0), 1000), 0) // created, modified, timescale, duration
			b = zeros(u16(u32(b, 0x10000), 0x100), 10)
			return u32(zeros(matrix(b), 24), uint32(len(tracks)+1))
		})
		for _, t := range tracks {
			b = trak(b, t, nil)
		}
		return box(b, "mvex", func(b []byte) []byte {
			for _, t := range tracks {
				b = full(b, "trex", 0, 0, func(b []byte) []byte { return u32(u32(u32(u32(u32(b, t.ID), 1), 0), 0), 0) })
			}
			return b
		})
	})
}

// trak appends the box of a track. samples is the index of the track's samples, nil in an init section.
func trak(b []byte, t Track, samples *table) []byte {
	var shown, length uint64
	if samples != nil {
		shown, length = samples.shown(), samples.length()
	}
	handler, header, volume := "soun", "smhd", uint16(0x100)
	if t.Video {
		handler, header, volume = "vide", "vmhd", 0
	}
	return box(b, "trak", func(b []byte) []byte {
		b = full(b, "tkhd", 1, 3, func(b []byte) []byte { // enabled, in the movie
			b = u64(u32(u32(u64(u64(b, 0), 0), t.ID), 0), shown)
			b = u16(u16(u16(u16(zeros(b, 8), 0), 0), volume), 0)
			return u32(u32(matrix(b), uint32(t.Width)<<16), uint32(t.Height)<<16)
		})
		if samples != nil {
			b = samples.edts(b)
		}
		return box(b, "mdia", func(b []byte) []byte {
			b = full(b, "mdhd", 1, 0, func(b []byte) []byte {
				return u16(u16(u64(u32(u64(u64(b, 0), 0), t.Timescale), length), 0x55c4), 0)
			})
			b = full(b, "hdlr", 0, 0, func(b []byte) []byte {
				return append(zeros(append(u32(b, 0), handler...), 12), 0)
			})
			return box(b, "minf", func(b []byte) []byte {
				if t.Video {
					b = full(b, header, 0, 1, func(b []byte) []byte { return zeros(b, 8) })
				} else {
					b = full(b, header, 0, 0, func(b []byte) []byte { return zeros(b, 4) })
				}
				b = box(b, "dinf", func(b []byte) []byte {
					return full(b, "dref", 0, 0, func(b []byte) []byte {
						return full(u32(b, 1), "url ", 0, 1, func(b []byte) []byte { return b })
					})
				})
				return box(b, "stbl", func(b []byte) []byte {
					b = full(b, "stsd", 0, 0, func(b []byte) []byte { return append(u32(b, 1), t.Entry...) })
					if samples != nil {
						return samples.samples(b)
					}
					for _, kind := range []string{"stts", "stsc", "stco"} {
						b = full(b, kind, 0, 0, func(b []byte) []byte { return u32(b, 0) })
					}
					return full(b, "stsz", 0, 0, func(b []byte) []byte { return u32(u32(b, 0), 0) })
				})
			})
		})
	})
}

// TrackPart is the part of a fragment that belongs to one track. Data holds the samples one after another.
type TrackPart struct {
	Track   uint32
	Base    uint64 // decode time of the first sample, ticks
	Samples []Sample
	Data    []byte
}

// ntpEpoch is the time from 1900 to 1970 in seconds (RFC 5905).
const ntpEpoch = 2208988800

// AppendPart appends one fragment to b. The fragment begins with producer reference time (ISO/IEC 14496-12, 8.16.5):
// wall is the wall time of the first sample of the first track with samples. Then come moof and mdat. Tracks without
// samples are left out. AppendPart allocates nothing if b has enough capacity.
func AppendPart(b []byte, sequence uint32, wall time.Time, parts []TrackPart) []byte {
	first := &parts[0]
	for i := range parts {
		if len(parts[i].Samples) > 0 {
			first = &parts[i]
			break
		}
	}
	b = u32(append(u32(b, 32), "prft"...), 1<<24)
	b = u32(b, first.Track)
	ns := wall.UnixNano()
	b = u32(u32(b, uint32(ns/1e9+ntpEpoch)), uint32(uint64(ns%1e9)<<32/1e9))
	b = u64(b, first.Base)

	moof := len(b)
	b = u32(append(u32(append(append(b, 0, 0, 0, 0), "moof"...), 16), "mfhd"...), 0)
	b = u32(b, sequence)
	var offsets [8]int // where the data offset of each track lies in b
	for i := range parts {
		p := &parts[i]
		if len(p.Samples) == 0 {
			continue
		}
		traf := len(b)
		b = append(append(b, 0, 0, 0, 0), "traf"...)
		b = u32(u32(append(u32(b, 16), "tfhd"...), 0x20000), p.Track) // default-base-is-moof
		b = u64(u32(append(u32(b, 20), "tfdt"...), 1<<24), p.Base)
		trun := len(b)
		b = append(append(b, 0, 0, 0, 0), "trun"...)

		// signed offsets; a data offset; duration, size, flags and composition offset per sample
		b = u32(b, 1<<24|0xf01)
		b = u32(b, uint32(len(p.Samples)))
		offsets[i] = len(b)
		b = u32(b, 0)
		for _, s := range p.Samples {
			flags := uint32(0x02000000) // depends on no other sample
			if !s.Key {
				flags = 0x01000000 | nonSync
			}
			b = u32(u32(u32(u32(b, s.Duration), s.Size), flags), uint32(s.Offset))
		}

		binary.BigEndian.PutUint32(b[trun:], uint32(len(b)-trun))
		binary.BigEndian.PutUint32(b[traf:], uint32(len(b)-traf))
	}

	binary.BigEndian.PutUint32(b[moof:], uint32(len(b)-moof))
	size := 8
	for i := range parts {
		if len(parts[i].Samples) > 0 {
			binary.BigEndian.PutUint32(b[offsets[i]:], uint32(len(b)-moof+size))
			size += len(parts[i].Data)
		}
	}
	b = append(u32(b, uint32(size)), "mdat"...)
	for i := range parts {
		if len(parts[i].Samples) > 0 {
			b = append(b, parts[i].Data...)
		}
	}
	return b
}
