package camtest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// unit is one access unit: the NAL units of one frame.
type unit struct {
	nals [][]byte
	key  bool
}

// video is a loop of access units, read from an Annex B file with access unit delimiters.
type video struct {
	h265          bool
	units         []unit
	vps, sps, pps []byte
	fps           float64
	first         int   // counter of the first frame
	shown         []int // display position of each unit; nil if the units are shown in order
}

// setTimes computes the display position of each unit in a loop with bFrames B-frames between two other frames.
func (v *video) setTimes(bFrames int) {
	v.shown = make([]int, len(v.units))
	for at := 0; at < len(v.units); {
		end := at + 1
		for end < len(v.units) && !v.units[end].key {
			end++
		}
		v.shown[at] = at
		for i := at + 1; i < end; { // a P-frame, then the B-frames that are shown before it
			n := min(bFrames, end-i-1)
			v.shown[i] = i + n
			for k := range n {
				v.shown[i+1+k] = i + k
			}
			i += n + 1
		}
		at = end
	}
}

func loadVideo(file string, fps float64) (*video, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	v := &video{h265: strings.HasSuffix(file, "h265"), fps: fps}
	bFrames := 0
	for _, part := range strings.Split(filepath.Base(file), ".") { // see [Media.File]
		if n, err := strconv.Atoi(part); err == nil {
			v.first = n
		} else if n, err := strconv.Atoi(strings.TrimPrefix(part, "b")); err == nil {
			bFrames = n
		}
	}
	var cur unit
	flush := func() {
		if len(cur.nals) > 0 {
			v.units = append(v.units, cur)
		}
		cur = unit{}
	}
	startCode := []byte{0, 0, 1}
	for {
		i := bytes.Index(b, startCode)
		if i < 0 {
			break
		}
		b = b[i+3:]
		n := b
		if j := bytes.Index(b, startCode); j >= 0 {
			n = b[:j]
		}
		n = bytes.TrimRight(n, "\x00")
		if len(n) < 2 {
			continue
		}
		if v.h265 {
			switch t := n[0] >> 1 & 63; {
			case t == 35:
				flush()
				continue
			case t == 32:
				v.vps = n
			case t == 33:
				v.sps = n
			case t == 34:
				v.pps = n
			case t >= 16 && t <= 21:
				cur.key = true
			}
		} else {
			switch n[0] & 31 {
			case 9:
				flush()
				continue
			case 7:
				v.sps = n
			case 8:
				v.pps = n
			case 5:
				cur.key = true
			}
		}
		cur.nals = append(cur.nals, n)
	}
	flush()
	if bFrames > 0 {
		v.setTimes(bFrames)
	}
	if len(v.units) == 0 || len(v.sps) < 4 {
		return nil, fmt.Errorf("%s: no video with access unit delimiters in it", file)
	}
	return v, nil
}

func (v *video) sdp() string {
	e := base64.StdEncoding.EncodeToString
	if v.h265 {
		return fmt.Sprintf("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\na=fmtp:96 sprop-vps=%s; sprop-sps=%s; sprop-pps=%s\r\n", e(v.vps), e(v.sps), e(v.pps))
	}
	return fmt.Sprintf("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=%s;sprop-parameter-sets=%s,%s\r\n", hex.EncodeToString(v.sps[1:4]), e(v.sps), e(v.pps))
}

// payloads splits an access unit into RTP payloads (RFC 6184 FU-A, RFC 7798 FU).
func (v *video) payloads(u unit) [][]byte {
	const mtu = 1400
	var out [][]byte
	for _, n := range u.nals {
		header := 1
		if v.h265 {
			header = 2
		}
		// One fragment must not be both the first and the last (RFC 6184, 5.8; RFC 7798, 4.4.3).
		if len(n) <= mtu+header {
			out = append(out, n)
			continue
		}
		flags := byte(0x80)
		for d := n[header:]; len(d) > 0; {
			c := d[:min(len(d), mtu)]
			d = d[len(c):]
			if len(d) == 0 {
				flags |= 0x40
			}
			var p []byte
			if v.h265 {
				p = append(p, n[0]&0x81|49<<1, n[1], flags|(n[0]>>1&63))
			} else {
				p = append(p, n[0]&0xe0|28, flags|n[0]&31)
			}
			out = append(out, append(p, c...))
			flags = 0
		}
	}
	return out
}
