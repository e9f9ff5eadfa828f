package config

import (
	"slices"
	"testing"
)

// TestTargetFaults names what is wrong with a target.
func TestTargetFaults(t *testing.T) {
	good := NewTarget()
	good.ID, good.URL = "phone", "https://ntfy.sh/x"
	for _, tc := range []struct {
		name   string
		change func(*Target)
		want   []string
	}{
		{"good", func(*Target) {}, nil},
		{"no topic", func(t *Target) { t.URL = "https://ntfy.sh/" }, []string{"url"}},
		{"no host", func(t *Target) { t.URL = "https:///x" }, []string{"url"}},
		{"another scheme", func(t *Target) { t.URL = "ftp://ntfy.sh/x" }, []string{"url"}},
		{"a login", func(t *Target) { t.URL = "https://me:pw@ntfy.sh/x" }, []string{"url"}},
		{"an id", func(t *Target) { t.ID = "Phone 1" }, []string{"id"}},
		{"a kind", func(t *Target) { t.Kind = "pigeon" }, []string{"kind"}},
		{"a browser, which is in no file", func(t *Target) { t.Kind = Push }, []string{"kind"}},
		{"Pushover without a user", func(t *Target) { t.Kind, t.URL, t.Token = Pushover, "", "x" }, []string{"user"}},
		{"Gotify without a token", func(t *Target) { t.Kind = Gotify }, []string{"token"}},
		{"Gotify at the root", func(t *Target) { t.Kind, t.URL, t.Token = Gotify, "http://192.0.2.1", "x" }, nil},
		{"quiet hours", func(t *Target) { t.Quiet = "late" }, []string{"quiet"}},
	} {
		target := good
		tc.change(&target)
		var keys []string
		for _, f := range ValidateTarget(target) {
			keys = append(keys, f.Key)
		}
		if !slices.Equal(keys, tc.want) {
			t.Errorf("%s: got the faults %q, want %q", tc.name, keys, tc.want)
		}
	}
}

// TestWebSettings checks the settings of the web pages, and their addresses.
func TestWebSettings(t *testing.T) {
	for _, tc := range []struct {
		name string
		web  Web
		want []string
	}{
		{"off", Web{}, nil},
		{"a port", Web{Listen: ":8443", Allow: []string{"private", "100.64.0.0/10"}}, nil},
		{"behind a proxy", Web{Listen: "127.0.0.1:8443", URL: "https://a.example/pre.roll",
			Proxies: []string{"::1"}}, nil},
		{"no port", Web{Listen: "8443"}, []string{"web.listen"}},
		{"the port for mail", Web{Listen: ":2525"}, []string{"web.listen"}},
		{"the port for calls", Web{Listen: ":8025"}, []string{"web.listen"}},
		{"a URL without a scheme", Web{URL: "a.example"}, []string{"web.url"}},
		{"a URL with a login", Web{URL: "https://me:pw@a.example"}, []string{"web.url"}},
		{"a URL with a query", Web{URL: "https://a.example/?x=1"}, []string{"web.url"}},
		{"a URL with markup", Web{URL: "https://a.example/<x>"}, []string{"web.url"}},
		{"a URL that climbs", Web{URL: "https://a.example/../x"}, []string{"web.url"}},
		{"a proxy by name", Web{Proxies: []string{"caddy"}}, []string{"web.proxies[1]"}},
		{"a network", Web{Allow: []string{"10.0.0.0/99"}}, []string{"web.allow[1]"}},
	} {
		s := Default()
		s.RAMDisk.Path, s.Archive.Path = rooted("ram"), rooted("archive")
		s.Calls.Listen, s.Web = ":8025", tc.web
		var keys []string
		for _, f := range Validate(s) {
			keys = append(keys, f.Key)
		}
		if !slices.Equal(keys, tc.want) {
			t.Errorf("%s: got the faults %q, want %q", tc.name, keys, tc.want)
		}
	}
	for _, tc := range []struct {
		web          Web
		listen, want string
		here         bool
	}{
		{Web{Listen: ":8443"}, "[::]:8443", "https://192.168.1.5:8443", false},
		{Web{Listen: "0.0.0.0:1"}, "", "https://192.168.1.5:1", false},
		{Web{Listen: "10.0.0.1:2"}, "10.0.0.1:2", "https://10.0.0.1:2", false},
		{Web{Listen: "127.0.0.1:3"}, "127.0.0.1:3", "http://127.0.0.1:3", true},
		{Web{Listen: "[::1]:3"}, "[::1]:3", "http://[::1]:3", true},
		{Web{Listen: "127.0.0.1:3", URL: "https://a.example/x/"}, "127.0.0.1:3", "https://a.example/x", false},
	} {
		got := tc.web.Address(tc.listen, "192.168.1.5")
		if got != tc.want || OnlyHere(got) != tc.here {
			t.Errorf("%+v: got %s, here alone: %t", tc.web, got, OnlyHere(got))
		}
	}
}
