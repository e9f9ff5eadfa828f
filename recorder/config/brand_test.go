package config

import "testing"

func brand(t *testing.T, name string) Brand {
	t.Helper()
	for _, b := range Brands {
		if b.Name == name {
			return b
		}
	}
	t.Fatalf("no brand %s", name)
	return Brand{}
}

func TestBrandURL(t *testing.T) {
	for _, tc := range []struct {
		brand, address string
		sub            bool
		channel        int
		want           string
	}{
		{"Axis", "192.168.1.20", false, 1, "rtsp://192.168.1.20/axis-media/media.amp"},
		{"Axis", "192.168.1.20", true, 2, "rtsp://192.168.1.20/axis-media/media.amp?camera=2&resolution=640x360"},
		{"Hanwha", "192.168.1.20", false, 1, "rtsp://192.168.1.20/profile2/media.smp"},
		{"Hanwha", "192.168.1.20", false, 4, "rtsp://192.168.1.20/3/profile2/media.smp"},
		{"Hikvision", "cam.local", false, 1, "rtsp://cam.local/Streaming/Channels/101"},
		{"Hikvision", "cam.local", true, 12, "rtsp://cam.local/Streaming/Channels/1202"},
		{"Dahua / Amcrest", " 192.168.1.20 ", true, 2, "rtsp://192.168.1.20/cam/realmonitor?channel=2&subtype=1"},
		{"Reolink", "192.168.1.20:8554", false, 1, "rtsp://192.168.1.20:8554/h264Preview_01_main"},
		{"Reolink", "192.168.1.20", true, 12, "rtsp://192.168.1.20/h264Preview_12_sub"},
		{"Uniview", "192.168.1.20", false, 1, "rtsp://192.168.1.20/media/video1"},
		{"Uniview", "192.168.1.20", true, 3, "rtsp://192.168.1.20/unicast/c3/s1/live"},
		{"TP-Link (Tapo, VIGI)", "http://192.168.1.20/", true, 1, "rtsp://192.168.1.20/stream2"},
		{"TP-Link (Tapo, VIGI)", "https://192.168.1.20:8443/index.html", false, 1, "rtsp://192.168.1.20/stream1"},
		{"TP-Link (Tapo, VIGI)", "rtsp://me:secret@192.168.1.20:8554/x", false, 1, "rtsp://192.168.1.20:8554/stream1"},
		{"Foscam", "192.168.1.20", false, 1, "rtsp://192.168.1.20:88/videoMain"},
		{"Foscam", "192.168.1.20:1088", true, 1, "rtsp://192.168.1.20:1088/videoSub"},
		{"Other", "[fe80::1]", false, 1, "rtsp://[fe80::1]/stream1"},
		{"Other", "fe80::1", false, 1, "rtsp://[fe80::1]/stream1"},
		{"Foscam", "[fe80::1]:554", false, 0, "rtsp://[fe80::1]:554/videoMain"},
	} {
		got := brand(t, tc.brand).URL(tc.address, tc.sub, tc.channel)
		if got != tc.want || !CheckURL(got).IsZero() {
			t.Errorf("%s %q: %s, want %s; %s", tc.brand, tc.address, got, tc.want, CheckURL(got))
		}
	}
	for _, address := range []string{"", " ", "my camera", "a\nb", "-i", `\\share`, "http://"} {
		if got := Brands[0].URL(address, false, 1); CheckURL(got).IsZero() {
			t.Errorf("%q: %s passes", address, got)
		}
	}
}

func TestBrandsAreComplete(t *testing.T) {
	for _, b := range Brands {
		if m := b.Mail; b.Name == "" || b.Main == "" || b.Sub == "" || b.Port == 0 || b.Hint.IsZero() ||
			m.Server.IsZero() || m.Boxes.IsZero() || m.Alarms.IsZero() || m.Test.IsZero() {
			t.Errorf("%+v", b)
		}
		if got := GuessBrand(b.Name); got != b.Name && b.Name != Other {
			t.Errorf("%q is taken for %q", b.Name, got)
		}
		for _, sub := range []bool{false, true} {
			for _, channel := range []int{1, 2, 16} {
				if got := b.URL("192.0.2.1", sub, channel); !CheckURL(got).IsZero() {
					t.Errorf("%s: %s", got, CheckURL(got))
				}
			}
		}
	}
}

func TestGuessBrand(t *testing.T) {
	for text, want := range map[string]string{
		"AXIS M3106-L":              "Axis",
		"Wisenet QNV-8080R":         "Hanwha",
		"HIKVISION%20DS-2CD2042WD":  "Hikvision",
		"DS-2CD2347G2-LU":           "Hikvision",
		"IPC-HDW2831T":              "Dahua / Amcrest",
		"Amcrest IP8M-2496EW":       "Dahua / Amcrest",
		"Reolink RLC-810A":          "Reolink",
		"RLN8-410":                  "Reolink",
		"UNV IPC3618":               "Uniview",
		"Tapo C310":                 "TP-Link (Tapo, VIGI)",
		"VIGI C340":                 "TP-Link (Tapo, VIGI)",
		"Foscam R2":                 "Foscam",
		"IPCAM":                     "",
		"praxis room":               "",
		"":                          "",
		"broken %zz escape Reolink": "Reolink",
	} {
		if got := GuessBrand(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
