package ffmpeg

import (
	"context"
	"log/slog"
	"sync"

	"github.com/preroll/preroll/recorder/source"
)

// Finder looks for FFmpeg and keeps the result. NewFinder makes a Finder.
type Finder struct {
	path    func() string // returns the setting
	changed func()        // called after each search; must not block
	log     *slog.Logger

	finding sync.Mutex    // held during a search, so that the last search uses the newest setting
	found   chan struct{} // closed after the first search

	mu      sync.Mutex // guards all fields below
	pending bool       // the first search has begun, or will begin at once
	tool    *Tool
	err     error
}

// NewFinder returns a finder that looks for the FFmpeg of the setting path. changed is called after each search.
func NewFinder(path func() string, changed func(), log *slog.Logger) *Finder {
	return &Finder{path: path, changed: changed, log: log, found: make(chan struct{})}
}

// Expect makes Tool wait for the first search. The caller must begin that search at once.
func (f *Finder) Expect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending = true
}

// Search looks for FFmpeg.
func (f *Finder) Search(ctx context.Context) {
	f.finding.Lock()
	defer f.finding.Unlock()
	tool, err := Find(ctx, f.path())

	f.mu.Lock()
	first := f.pending
	f.pending = false
	changed := (err == nil) != (f.err == nil)
	f.tool, f.err = tool, err
	f.mu.Unlock()
	if first {
		close(f.found)
	}
	switch {
	case err != nil && changed:
		f.log.Error("no usable FFmpeg", "err", err)
	case err == nil:
		f.log.Info("FFmpeg found", "path", tool.Path, "version", tool.Version)
	}
	f.changed()
}

// Refresh looks for FFmpeg again if there is none, or if the program was replaced.
func (f *Finder) Refresh(ctx context.Context) {
	if tool, err := f.Tool(); err != nil || tool.Changed() {
		f.Search(ctx)
	}
}

// Tool returns the FFmpeg in use. The error is a [*source.Failure].
func (f *Finder) Tool() (*Tool, error) {
	f.mu.Lock()
	wait := f.pending
	f.mu.Unlock()
	if wait {
		<-f.found
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tool == nil && f.err == nil {
		return nil, source.Missing.Failure(nil)
	}
	return f.tool, f.err
}

// Result returns the result of the last search without waiting for the first search.
func (f *Finder) Result() (*Tool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tool, f.err
}
