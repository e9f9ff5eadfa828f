package importer

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const frigate = `
mqtt:
  enabled: false
go2rtc:
  streams:
    porch:
      - "ffmpeg:http://192.168.1.5/flv#video=copy"
      - rtsp://admin:p%40ss@192.168.1.5:554/h264Preview_01_main#backchannel=0
    porch_sub: rtsp://admin:p%40ss@192.168.1.5:554/h264Preview_01_sub
cameras:
  Front Door:
    enabled: true
    ffmpeg:
      inputs:
        - path: rtsp://user:secret@192.168.1.4/main
          roles: [record]
        - path: rtsp://user:secret@192.168.1.4/sub
          roles: [detect, audio]
  porch:
    ffmpeg:
      inputs:
        - path: rtsp://127.0.0.1:8554/porch
          input_args: preset-rtsp-restream
          roles: [record]
        - path: rtsp://127.0.0.1:8554/porch_sub
          roles: [detect]
  yard:
    enabled: false
    ffmpeg:
      inputs:
        - path: rtsp://{FRIGATE_USER}:{FRIGATE_PASSWORD}@192.168.1.6/1
          roles: [detect]
  usb:
    ffmpeg:
      inputs:
        - path: /dev/video0
          roles: [detect]
  empty: {}
`

const go2rtc = `
api:
  listen: ":1984"
streams:
  gate: rtsp://u:p@10.0.0.1/ch1
  Tür: [rtsps://10.0.0.2/a, rtsp://10.0.0.2/b]
  doorbell: "exec:ffmpeg -i x"
`

const mediamtx = `
paths:
  barn:
    source: rtsp://u:p@10.0.0.3:554/s
    sourceOnDemand: no
  pushed: {}
  all_others:
`

const table = "\xef\xbb\xbfname;url;username;password;audio;pre_roll;mail\n" +
	"Gate;rtsp://10.0.0.1/1;admin;p,w;false;15s;\"gate, front\"\n" +
	"\"Gate\";rtsp://in:url@10.0.0.2/1;;;;;\n"

// TestRead reads the settings of each program.
func TestRead(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string // id, address, small, user, password, enabled
		skipped    []string
	}{
		{"frigate", frigate, []string{
			"front-door rtsp://192.168.1.4/main rtsp://192.168.1.4/sub user secret true",
			"porch rtsp://192.168.1.5:554/h264Preview_01_main rtsp://192.168.1.5:554/h264Preview_01_sub admin p@ss true",
			"yard rtsp://192.168.1.6/1    false",
		}, []string{"empty", "usb", "yard"}},
		{"go2rtc", go2rtc, []string{"tur rtsps://10.0.0.2/a    true", "gate rtsp://10.0.0.1/ch1  u p true"},
			[]string{"doorbell"}},
		{"mediamtx", mediamtx, []string{"barn rtsp://10.0.0.3:554/s  u p true"}, []string{"all_others", "pushed"}},
		{"csv", table, []string{"gate rtsp://10.0.0.1/1  admin p,w true", "gate-2 rtsp://10.0.0.2/1  in url true"},
			nil},
	} {
		for _, kind := range []string{"", tc.name} {
			cameras, skipped, err := Read(kind, []byte(tc.text))
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			got := map[string]bool{}
			for _, c := range cameras {
				got[fmt.Sprintf("%s %s %s %s %s %v", c.ID, c.URL, c.URLSmall, c.Username, c.Password.Reveal(),
					c.Enabled)] = true
			}
			for _, w := range tc.want {
				if !got[w] {
					t.Errorf("%s as %q: no %q in %v", tc.name, kind, w, got)
				}
			}
			if len(got) != len(tc.want) {
				t.Errorf("%s: got %v", tc.name, got)
			}
			var names []string
			for _, s := range skipped {
				names = append(names, s.Name)
				if strings.Contains(s.Why, "secret") || strings.Contains(s.Why, "p@ss") {
					t.Errorf("%s: a password is told: %+v", tc.name, s)
				}
			}
			if !reflect.DeepEqual(names, tc.skipped) {
				t.Errorf("%s: skipped %v, want %v", tc.name, skipped, tc.skipped)
			}
		}
	}
	cameras, _, err := Read("csv", []byte(table))
	if err != nil || cameras[0].Audio || cameras[0].PreRoll == nil || len(cameras[0].Mail) != 2 || !cameras[1].Audio {
		t.Errorf("the other columns: %+v, %v", cameras, err)
	}
}

// TestWrong gives what is no list of cameras.
func TestWrong(t *testing.T) {
	for kind, text := range map[string]string{"": "hello", "frigate": "cameras: 3", "go2rtc": "streams: [1]",
		"mediamtx": ":\n:", "csv": "a,b\n1,2\n", "sqlite": "x"} {
		if cameras, _, err := Read(kind, []byte(text)); err == nil || len(cameras) > 0 {
			t.Errorf("%q: %+v, %v", text, cameras, err)
		}
	}
	if _, _, err := Read("csv", []byte("url,pre_roll,colour\nrtsp://x/,never,red\n")); err == nil ||
		!strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "colour") {
		t.Errorf("%v", err)
	}
}

// FuzzRead reads anything. It must not panic, and what it takes must be an address that Preroll accepts.
func FuzzRead(f *testing.F) {
	for _, s := range []string{frigate, go2rtc, mediamtx, table} {
		f.Add("", s)
	}
	f.Fuzz(func(t *testing.T, kind, text string) {
		cameras, _, err := Read(kind, []byte(text))
		for _, c := range cameras {
			if err == nil && (c.ID == "" || c.URL == "") {
				t.Errorf("%+v", c)
			}
		}
	})
}
