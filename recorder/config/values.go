package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

const day = 24 * time.Hour

// Duration is a time.Duration that reads and writes days: "90s", "10m", "30d", "1d12h". Empty text means zero.
type Duration time.Duration

// D returns d as a time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	if t := time.Duration(d); t%day == 0 {
		return strconv.FormatInt(int64(t/day), 10) + "d"
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes d as String does, and zero as empty text.
func (d Duration) MarshalText() ([]byte, error) {
	if d == 0 {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads a Go duration, optionally after a number of days.
func (d *Duration) UnmarshalText(b []byte) error {
	s := strings.TrimSpace(string(b))
	if s == "" {
		*d = 0
		return nil
	}
	var days time.Duration
	if n, rest, ok := strings.Cut(s, "d"); ok {
		v, err := strconv.ParseFloat(n, 64)
		if err != nil || !(v >= 0) || v > 36500 {
			return errDuration
		}
		days, s = time.Duration(v*float64(day)), rest
	}

	var rest time.Duration
	if s != "" {
		var err error
		if rest, err = time.ParseDuration(s); err != nil || rest < 0 {
			return errDuration
		}
	}
	*d = Duration(days + rest)
	if *d < 0 {
		return errDuration
	}
	return nil
}

// ByteSize is a number of bytes that reads and writes units: "500MB", "1GiB", "1.5 TB". Empty text means zero.
type ByteSize int64

// The binary units.
const (
	KiB ByteSize = 1 << (10 * (iota + 1))
	MiB
	GiB
	TiB
)

var units = []struct {
	name string
	size ByteSize
}{
	{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// String returns a text for people, with at most one decimal: "1.5 GiB".
func (b ByteSize) String() string {
	for _, u := range units[:4] {
		if b >= u.size {
			return strings.TrimSuffix(strconv.FormatFloat(float64(b)/float64(u.size), 'f', 1, 64), ".0") + " " + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + " B"
}

// MarshalText writes an exact number with the unit that makes it shortest, a binary one if it can. Zero is empty text.
func (b ByteSize) MarshalText() (shortest []byte, err error) {
	if b == 0 {
		return nil, nil
	}
	digits := math.MaxInt
	for _, u := range units {
		if n := strconv.FormatInt(int64(b/u.size), 10); b%u.size == 0 && len(n) < digits {
			shortest, digits = []byte(n+u.name), len(n)
		}
	}
	return shortest, nil
}

// UnmarshalText reads a number with a decimal or binary unit. The case of the unit and a blank before it do not matter.
func (b *ByteSize) UnmarshalText(t []byte) error {
	s := strings.TrimSpace(string(t))
	if s == "" {
		*b = 0
		return nil
	}
	for _, u := range units {
		if len(s) > len(u.name) && strings.EqualFold(s[len(s)-len(u.name):], u.name) {
			v, err := strconv.ParseFloat(strings.TrimSpace(s[:len(s)-len(u.name)]), 64)
			if err != nil || !(v >= 0) || v*float64(u.size) > 1<<62 {
				return errByteSize
			}
			*b = ByteSize(v * float64(u.size))
			return nil
		}
	}

	return errByteSize
}

var (
	errDuration = text.RuleDuration.Error()
	errByteSize = text.RuleSize.Error()
)

// Secret is a password. It is printed, logged and marshalled to JSON as a placeholder. Only the settings file contains
// it.
type Secret string

// Unchanged is what a Secret that is set becomes in JSON; see [Settings.KeepSecrets].
const Unchanged Secret = "(unchanged)"

// Keyring is the value of a password that lies in the desktop's keyring.
const Keyring Secret = "keyring"

const hidden = "(hidden)"

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// Format hides the secret from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue hides the secret from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON writes [Unchanged] for a secret that is set.
func (s Secret) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte(`""`), nil
	}
	return json.Marshal(string(Unchanged))
}

// Reveal returns the password itself.
func (s Secret) Reveal() string { return string(s) }
