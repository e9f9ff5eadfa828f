package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestMerge changes settings in two places. What each place does is a list of words.
func TestMerge(t *testing.T) {
	camera := func(id string) Camera {
		c := NewCamera()
		c.ID, c.Name, c.URL, c.Mail = id, id, "rtsp://192.0.2.1/"+id, []string{id}
		return c
	}
	change := func(s Settings, words string) Settings {
		s = s.Clone()
		for _, w := range strings.Fields(words) {
			what, value, _ := strings.Cut(w, "=")
			switch what {
			case "add":
				s.Cameras = append(s.Cameras, camera(value))
			case "remove":
				s.Cameras = s.Cameras[1:]
			case "swap":
				s.Cameras[0], s.Cameras[1] = s.Cameras[1], s.Cameras[0]
			case "name":
				s.Cameras[0].Name = value
			case "mail":
				s.Cameras[0].Mail = append(s.Cameras[0].Mail, value)
			case "preroll":
				d, _ := time.ParseDuration(value)
				s.Clip.PreRoll = Duration(d)
			case "postroll":
				d, _ := time.ParseDuration(value)
				s.Clip.PostRoll = Duration(d)
			case "target":
				s.Targets = append(s.Targets, Target{ID: value})
			case "port":
				s.SMTP.Listen = ":" + value
			}
		}
		return s
	}
	base := Default()
	base.Cameras = []Camera{camera("door"), camera("yard")}
	for _, tc := range []struct {
		mine, theirs, want string
		conflict           bool
	}{
		{"", "", "", false},
		{"name=North", "", "name=North", false},
		{"", "name=North", "name=North", false},
		{"name=North", "add=shed", "name=North add=shed", false},
		{"add=attic", "add=shed", "add=attic add=shed", false},
		{"add=shed", "add=shed", "add=shed", false},
		{"name=North", "mail=nvr", "name=North mail=nvr", false},
		{"name=North", "name=South", "name=North", true},
		{"preroll=5s", "postroll=90s port=2526", "preroll=5s postroll=90s port=2526", false},
		{"preroll=5s", "preroll=5s", "preroll=5s", false},
		{"preroll=5s", "preroll=7s add=shed", "preroll=5s add=shed", true},
		{"remove", "add=shed", "remove add=shed", false},
		{"remove", "remove", "remove", false},
		{"remove", "name=North", "remove", true},
		{"name=North", "remove", "remove", true},
		{"preroll=5s", "swap", "swap preroll=5s", false},
		{"swap", "preroll=5s add=shed", "swap preroll=5s add=shed", false},
		{"preroll=5s", "remove", "remove preroll=5s", false},
		{"target=mqtt", "target=hook", "target=mqtt target=hook", false},
	} {
		got, conflict := Merge(base, change(base, tc.mine), change(base, tc.theirs))
		want := change(base, tc.want)
		if conflict != tc.conflict || !reflect.DeepEqual(got, want) {
			t.Errorf("%q and %q: conflict %v, got\n%+v\nwant\n%+v", tc.mine, tc.theirs, conflict, got, want)
		}
	}
}
