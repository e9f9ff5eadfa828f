package settings

import "testing"

func TestAmounts(t *testing.T) {
	for _, tc := range []struct{ settings, people string }{
		{"10s", "10 s"}, {"1m", "1 min"}, {"1m40s", "100 s"}, {"2m", "2 min"}, {"10m", "10 min"}, {"1h", "1 h"},
		{"90m", "90 min"}, {"1d", "1 day"}, {"30d", "30 days"}, {"1GiB", "1 GiB"}, {"200GB", "200 GB"}, {"", ""},
		{"0s", "0 s"}, {"1.5s", "1.5s"},
	} {
		if got := shown(tc.settings); got != tc.people {
			t.Errorf("%q: shown as %q, want %q", tc.settings, got, tc.people)
		}
		if a, _ := amount(typed(shown(tc.settings), "")); tc.settings != "" {
			if b, ok := amount(tc.settings); a != b || !ok {
				t.Errorf("%q: %v is read back as %v", tc.settings, b, a)
			}
		}
	}
	for in, want := range map[string]string{"30 Tage": "30d", "1 min 40 s": "1m40s", "1m40s": "1m40s", "1,5 h": "1.5h",
		"2 hours": "2h", "5 Jours": "5d", "1.5 GiB": "1.5GiB", "soon": "soon", "": "",
		"1,000 GB": "1,000 GB", "1.000 GB": "1,000 GB", "1.5TB": "1.5TB"} {
		if got := typed(in, ""); got != want {
			t.Errorf("%q: read as %q, want %q", in, got, want)
		}
	}
	if v, ok := amount(typed("1.000 GB", "1 GB")); ok {
		t.Errorf("1.000 GB is read as %v", v)
	}
	for _, tc := range [][3]string{{"200", "10 s", "200s"}, {"1,5", "10 s", "1.5s"}, {"5 min", "10 s", "5m"},
		{"40", "30 days", "40"}, {"2", "1500 GB", "2"}, {"80", "1 min", "80"}, {"5", "", "5"}, {"5", "1m30s", "5"},
		{"1.000", "10 s", "1,000"}} {
		if got := typed(tc[0], tc[1]); got != tc[2] {
			t.Errorf("%q in place of %q: read as %q, want %q", tc[0], tc[1], got, tc[2])
		}
	}
}
