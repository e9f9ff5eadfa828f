package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/preroll/preroll/recorder/ring"
	"github.com/preroll/preroll/recorder/text"
)

// Limits of stills.
const (
	stillBytes = 64 << 20 // max bytes of the segment that a still is made from
	stillSizes = 4        // kept sizes of one picture
)

// still is the newest still of a camera, in each requested width.
type still struct {
	segment string
	jpegs   map[int][]byte
}

// ErrNoPicture means that a camera has no video in RAM yet.
var ErrNoPicture = text.NoStill.Error()

// Still returns the keyframe of the camera's newest complete segment as a JPEG, at most width pixels wide. One FFmpeg
// makes the stills of all cameras, one after the other. Each still is made once for all callers. Callers check for the
// errors [ErrNoCamera], [ErrOff] and [ErrNoPicture].
func (s *Set) Still(ctx context.Context, id string, width int) ([]byte, error) {
	c, err := s.showing(id)
	if err != nil {
		return nil, err
	}
	if newest, ok := c.ring.Newest(); ok { // often another caller has asked for this still already
		if jpeg := c.keptStill(newest, width); jpeg != nil {
			return jpeg, nil
		}
	}
	select {
	case s.drawing <- struct{}{}:
		defer func() { <-s.drawing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return c.draw(ctx, width)
}

// draw makes a still of the newest segment.
func (c *camera) draw(ctx context.Context, width int) ([]byte, error) {
	tool, err := c.set.opt.FFmpeg()
	if err != nil {
		return nil, err
	}
	for {
		s, ok := c.ring.Newest()
		if !ok {
			return nil, fmt.Errorf("%q: %w", c.info().ID, ErrNoPicture)
		}
		if jpeg := c.keptStill(s, width); jpeg != nil {
			return jpeg, nil
		}
		video, err := s.Video(stillBytes)
		if errors.Is(err, fs.ErrNotExist) {
			if n, _ := c.ring.Newest(); n.Path != s.Path {
				continue // newer segments pushed it out of the ring
			}
			return nil, fmt.Errorf("%q: %w", c.info().ID, ErrNoPicture)
		}
		if err != nil {
			return nil, err
		}
		jpeg, err := tool.Still(ctx, bytes.NewReader(video), width)
		if err != nil {
			return nil, err
		}
		c.keepStill(s, width, jpeg)
		return jpeg, nil
	}
}

// stillsAtOnce is how many stills one FFmpeg makes.
const stillsAtOnce = 16

// Stills returns a still of each camera that records and has video in RAM, by id.
func (s *Set) Stills(ctx context.Context, width int) (map[string][]byte, error) {
	select {
	case s.drawing <- struct{}{}:
		defer func() { <-s.drawing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	stills := map[string][]byte{}
	var lacking []*camera
	for _, c := range s.filming() {
		newest, ok := c.ring.Newest()
		if !ok {
			continue
		}
		if jpeg := c.keptStill(newest, width); jpeg != nil {
			stills[c.info().ID] = jpeg
		} else {
			lacking = append(lacking, c)
		}
	}
	if len(lacking) == 0 {
		return stills, nil
	}
	dir, err := s.stillFolder()
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for part := range slices.Chunk(lacking, stillsAtOnce) {
		if err := drawAll(ctx, dir, part, width, stills); err != nil {
			return nil, err
		}
	}
	return stills, nil
}

// stillsFolder is the folder on the RAM disk that FFmpeg writes stills into. The id of a camera cannot begin like this.
const stillsFolder = ".stills"

// stillFolder makes an empty folder for stills, without what a killed process left.
func (s *Set) stillFolder() (string, error) {
	s.mu.Lock()
	dir := filepath.Join(s.settings.RAMDisk.Path, stillsFolder)
	s.mu.Unlock()
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.Mkdir(dir, 0o700)
}

// restTime is how long a camera gets no still after one could not be made: its video spoils the stills of the others.
const restTime = time.Minute

// drawAll makes the stills of some cameras.
func drawAll(ctx context.Context, dir string, cameras []*camera, width int, stills map[string][]byte) error {
	tool, err := cameras[0].set.opt.FFmpeg()
	if err != nil {
		return err
	}
	var videos [][2]*os.File
	var segments []ring.Segment
	var drawn []*camera
	defer func() {
		for _, v := range videos {
			_ = errors.Join(v[0].Close(), v[1].Close())
		}
	}()
	for _, c := range cameras {
		segment, ok := c.ring.Newest()
		if !ok || time.Now().Before(c.rests) {
			continue
		}
		v, err := segment.Open()
		if err != nil {
			continue // newer segments pushed it out of the ring; the next call has its picture
		}
		videos, segments, drawn = append(videos, v), append(segments, segment), append(drawn, c)
	}
	if len(videos) == 0 {
		return nil
	}
	list, err := tool.Stills(ctx, dir, videos, width)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, c := range drawn {
		jpeg := list[i]
		if jpeg == nil { // one video that cannot be opened spoils all of one FFmpeg
			if jpeg, err = c.draw(ctx, width); ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				c.rests = time.Now().Add(restTime)
				continue
			}
		}
		c.keepStill(segments[i], width, jpeg)
		stills[c.info().ID] = jpeg
	}
	return nil
}

// filming returns the cameras that record.
func (s *Set) filming() (list []*camera) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cfg := range s.settings.Cameras {
		if c := s.recording(cfg.ID); c != nil && cfg.Enabled {
			list = append(list, c)
		}
	}
	return list
}

func (c *camera) keptStill(s ring.Segment, width int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.still.segment != s.Path {
		return nil
	}
	return c.still.jpegs[width]
}

func (c *camera) keepStill(s ring.Segment, width int, jpeg []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.still.segment != s.Path || len(c.still.jpegs) >= stillSizes {
		c.still = still{s.Path, map[int][]byte{}}
	}
	c.still.jpegs[width] = jpeg
}

// showing returns a camera that records.
func (s *Set) showing(id string) (*camera, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cfg, known := s.settings.Camera(id)
	switch c := s.recording(id); {
	case !known:
		return nil, fmt.Errorf("%q: %w", id, ErrNoCamera)
	case !cfg.Enabled:
		return nil, fmt.Errorf("%q: %w", id, ErrOff)
	case c == nil:
		return nil, fmt.Errorf("%q: %w", id, ErrNoPicture)
	default:
		return c, nil
	}
}

// Ring returns the ring of a camera that records. Callers check for the errors of [Set.Still].
func (s *Set) Ring(id string) (*ring.Ring, error) {
	c, err := s.showing(id)
	if err != nil {
		return nil, err
	}
	return c.ring, nil
}
