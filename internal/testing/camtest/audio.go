package camtest

import (
	"fmt"
	"os"
)

// adts reads the frames of an ADTS file.
func adts(file string) (frames [][]byte, rate int, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, 0, err
	}
	rates := []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000}
	for len(b) > 7 {
		size := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5
		header := 7
		if b[1]&1 == 0 {
			header = 9
		}
		if size > len(b) || size <= header || int(b[2]>>2&15) >= len(rates) {
			break
		}
		rate = rates[b[2]>>2&15]
		frames = append(frames, b[header:size])
		b = b[size:]
	}
	if len(frames) == 0 {
		return nil, 0, fmt.Errorf("%s: no ADTS frames", file)
	}
	return frames, rate, nil
}

// ulaw and alaw encode a sample as the two codings of ITU-T G.711.
func ulaw(s int16) byte {
	x, sign := int(s), byte(0)
	if x < 0 {
		x, sign = -x, 0x80
	}
	x += 132
	e := 7
	for m := 0x4000; x&m == 0 && e > 0; m >>= 1 {
		e--
	}
	return ^(sign | byte(e<<4) | byte(x>>(e+3)&15))
}

func alaw(s int16) byte {
	x, sign := int(s)>>3, byte(0x80)
	if x < 0 {
		x, sign = -x-1, 0
	}
	var r byte
	if x < 32 {
		r = byte(x >> 1)
	} else {
		e := 1
		for ; x > 63; x >>= 1 {
			e++
		}
		r = byte(e<<4) | byte(x>>1&15)
	}
	return (r | sign) ^ 0x55
}
