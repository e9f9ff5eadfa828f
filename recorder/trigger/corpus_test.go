package trigger

import (
	"crypto/tls"
	"net"
	"slices"
	"testing"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/trigger/smtpquirks/dialogue"
)

// TestCorpus checks that every recorded dialogue gives the right camera, label and repairs.
func TestCorpus(t *testing.T) {
	all, err := dialogue.All("testdata/dialogues")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 60 {
		t.Errorf("%d dialogues", len(all))
	}
	garden := camera("garden", "rtsp://192.0.2.32/s", "garden", "花园")
	garden.Name = "花园"
	of := []config.Camera{camera("front-door", "rtsp://192.0.2.30/s", "front-door", "camera1"),
		camera("yard", "rtsp://192.0.2.31/s", "yard", "Yard NVR"), garden}
	for _, d := range all {
		if d.Name == "starttls-not-offered" { // this server offers STARTTLS
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			k := serveCameras(t, of, func(s *config.SMTP) {
				if d.TLS == "first" {
					s.Listen, s.ListenTLS = "127.0.0.1:0", "127.0.0.1:0"
				}
			})
			addr := k.addr
			if d.TLS == "first" {
				addr = k.ports[1].Listen
			}
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Play(c, &tls.Config{InsecureSkipVerify: true}); err != nil {
				t.Errorf("%v; %+v", err, k.connections.List())
			}
			wait(t, "the end", func() bool { l := k.connections.List(); return len(l) == 1 && !l[0].Open })
			v := k.connections.List()[0]
			k.mu.Lock()
			defer k.mu.Unlock()
			var ids []string
			label := ""
			for id, list := range k.triggers {
				ids = append(ids, id)
				label = list[len(list)-1].Label
			}
			slices.Sort(ids)
			want := slices.Sorted(slices.Values(d.Cameras))
			if !slices.Equal(ids, want) {
				t.Errorf("cameras %v, want %v; %+v, unmatched %+v", ids, want, v, k.unmatched)
			}
			if len(want) > 0 && label != d.Label {
				t.Errorf("label %q, want %q", label, d.Label)
			}
			var repairs []string
			for _, r := range v.Repairs {
				repairs = append(repairs, r.String())
			}
			if !slices.Equal(repairs, d.Repairs) {
				t.Errorf("repairs %q, want %q", repairs, d.Repairs)
			}
			if len(want) == 0 && len(k.unmatched) == 0 && k.tests == 0 && v.Verdict.IsZero() {
				t.Error("nobody is told what became of it")
			}
		})
	}
}
