package fmp4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Codec returns the name of a track's codec for players (RFC 6381, and ISO/IEC 14496-15, annex E), or "" if browsers
// know no name for it.
func (t Track) Codec() string {
	switch kind := Kind(t.Entry); kind {
	case "avc1":
		if c := inner(t.Entry, "avcC"); len(c) >= 4 {
			return fmt.Sprintf("avc1.%02x%02x%02x", c[1], c[2], c[3])
		}
	case "hvc1", "hev1":
		if c := inner(t.Entry, "hvcC"); len(c) >= 13 {
			return kind + hevc(c)
		}
	case "mp4a":
		return "mp4a.40.2"
	case "Opus":
		return "opus"
	}
	return ""
}

// inner returns the body of a box within a sample entry. The fields before the boxes are skipped by their look: a box
// begins with its length.
func inner(entry []byte, kind string) []byte {
	at := bytes.Index(entry, []byte(kind))
	if at < 4 {
		return nil
	}
	n := int(binary.BigEndian.Uint32(entry[at-4:]))
	if n < 8 || n > len(entry)-(at-4) {
		return nil
	}
	return entry[at+4 : at-4+n]
}

// hevc returns the parameters of H.265 in a codec's name.
func hevc(c []byte) string {
	space := []string{"", "A", "B", "C"}[c[1]>>6]
	tier := "L"
	if c[1]&0x20 != 0 {
		tier = "H"
	}
	s := fmt.Sprintf(".%s%d.%X.%s%d", space, c[1]&0x1f, bits.Reverse32(binary.BigEndian.Uint32(c[2:])), tier, c[12])
	constraints := bytes.TrimRight(c[6:12], "\x00")
	for _, b := range constraints {
		s += fmt.Sprintf(".%X", b)
	}
	return s
}

// Playable returns the tracks of a movie that browsers can play: the first video track, and the first sound track with
// a codec that they know.
func (m *Movie) Playable() (list []Track) {
	video, ok := m.Video()
	if !ok || video.Codec() == "" {
		return nil
	}
	list = append(list, video)
	for _, t := range m.Tracks {
		if !t.Video && t.Codec() != "" {
			return append(list, t)
		}
	}
	return list
}

// TypeOf returns the MIME type of a file with tracks, with their codecs.
func TypeOf(tracks []Track) string {
	var names []string
	for _, t := range tracks {
		names = append(names, t.Codec())
	}
	return fmt.Sprintf(`video/mp4; codecs="%s"`, strings.Join(names, ", "))
}

// Rewrite appends a whole fragment to b again: only with the given tracks, and shift later. It drops the samples before
// time 0. wall is the wall time of the fragment's first frame of video.
func (m *Movie) Rewrite(b, fragment []byte, sequence uint32, wall time.Time, tracks []Track,
	shift time.Duration) ([]byte, error) {
	var parts []TrackPart
	var runs []run
	var at, moof int64
	err := inside(fragment, func(kind string, body []byte) (err error) {
		switch kind {
		case "moof":
			moof = at
			runs, err = m.moof(body)
		case "mdat":
			parts, err = partsOf(fragment[moof:], runs, tracks, shift)
		}
		at += int64(len(body)) + 8
		return err
	})
	if err != nil || len(parts) == 0 {
		return b, err
	}
	return AppendPart(b, sequence, wall, parts), nil
}

// partsOf returns the samples of a fragment for the tracks. fragment begins with the moof box.
func partsOf(fragment []byte, runs []run, tracks []Track, shift time.Duration) (parts []TrackPart, err error) {
	for _, r := range runs {
		for _, t := range tracks {
			if t.ID != r.Track {
				continue
			}
			at, ticks := r.offset, int64(r.Base)+t.Ticks(shift)
			p := TrackPart{Track: t.ID}
			for _, s := range r.Samples {
				end := at + int64(s.Size)
				if at < 0 || end > int64(len(fragment)) {
					return nil, ErrBox
				}
				if ticks >= 0 {
					if len(p.Samples) == 0 {
						p.Base = uint64(ticks)
					}
					p.Samples, p.Data = append(p.Samples, s), append(p.Data, fragment[at:end]...)
				}
				at, ticks = end, ticks+int64(s.Duration)
			}
			if len(p.Samples) > 0 && len(parts) < 8 {
				parts = append(parts, p)
			}
		}
	}
	return parts, nil
}
