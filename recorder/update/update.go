// Package update looks whether there is a newer Preroll. It reads one signed file, and only tells; it installs nothing.
//
// The file has lines "version: 1.2.3", "url: https://…" and "date: 2026-11-30", and behind an empty line its signature
// by minisign (https://jedisct1.github.io/minisign/). What is signed is everything before the empty line, and its
// newline.
package update

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"aead.dev/minisign"
	"golang.org/x/mod/semver"
)

// URL is where the file lies, and PublicKey signs it. A release sets the key when it is built; without a key nothing is
// looked up.
var (
	URL       = "https://github.com/preroll/preroll/releases/latest/download/latest.txt"
	PublicKey = ""
)

// Limits.
const (
	every   = 24 * time.Hour
	maxFile = 16 << 10
	maxTime = 30 * time.Second
	oldest  = 2 * 365 * 24 * time.Hour // an older file tells nothing
)

// Release is the newest release.
type Release struct {
	Version string
	URL     string
	Date    time.Time
}

// These are the errors that callers check for.
var (
	ErrNoKey     = errors.New("this build knows no key of releases, so it cannot look for updates")
	ErrSignature = errors.New("the file about updates is not signed by Preroll")
)

// Look reads the file about the newest release.
func Look(ctx context.Context, client *http.Client) (Release, error) {
	if PublicKey == "" {
		return Release{}, ErrNoKey
	}
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, URL, nil)
	if err != nil {
		return Release{}, err
	}
	req.Header.Set("User-Agent", "Preroll") // nobody needs to know who asks
	resp, err := client.Do(req)
	if err != nil {
		return Release{}, fmt.Errorf("look for updates: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return Release{}, fmt.Errorf("look for updates: %s", resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxFile))
	if err != nil {
		return Release{}, fmt.Errorf("look for updates: %w", err)
	}
	return Parse(b, PublicKey, time.Now())
}

// Parse checks the signature of a file, and reads it.
func Parse(b []byte, key string, now time.Time) (r Release, err error) {
	var public minisign.PublicKey
	if err := public.UnmarshalText([]byte(key)); err != nil {
		return r, fmt.Errorf("%w: %w", ErrNoKey, err)
	}
	text, signature, ok := bytes.Cut(b, []byte("\n\n"))
	text = append(text, '\n')
	if !ok || !minisign.Verify(public, text, signature) {
		return r, ErrSignature
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "version":
			r.Version = value
		case "url":
			r.URL = value
		case "date":
			r.Date, err = time.Parse(time.DateOnly, value)
		}
	}
	if err != nil || r.Version == "" || !strings.HasPrefix(r.URL, "https://") || now.Sub(r.Date) > oldest {
		return Release{}, errors.New("the file about updates is old or wrong")
	}
	return r, nil
}

// Newer reports whether version a is newer than b (https://semver.org). A build that knows no version is never old.
func Newer(a, b string) bool {
	a, b = semantic(a), semantic(b)
	return semver.IsValid(a) && semver.IsValid(b) && semver.Compare(a, b) > 0
}

// semantic returns a version as Go writes it. Packages have a tilde in front of what comes before a release.
func semantic(v string) string { return "v" + strings.ReplaceAll(v, "~", "-") }

// Watch looks once a day while wanted returns true, and calls found with each result. It returns when ctx ends. The
// first look is some minutes after the start, not at the same moment on all machines.
func Watch(ctx context.Context, wanted func() bool, found func(Release, error)) {
	client := &http.Client{}
	defer client.CloseIdleConnections()
	wait := time.Minute + rand.N(10*time.Minute)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		wait = time.Hour
		if wanted() && PublicKey != "" {
			found(Look(ctx, client))
			wait = every
		}
	}
}
