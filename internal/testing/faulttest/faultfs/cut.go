//go:build linux

package faultfs

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// page is the number of bytes that a drive writes as a unit.
const page = 4096

// cut is one power cut.
type cut struct {
	disk   *disk
	loss   Loss
	rng    *rand.Rand
	take   choice           // the changes of names that became durable
	placed map[*node]string // path in the image of each file or folder
}

// cut writes an image of what a power cut leaves.
func (d *disk) cut(loss Loss, rng *rand.Rand, image string) error {
	if list, err := os.ReadDir(image); err != nil || len(list) > 0 {
		return errors.Join(err, fmt.Errorf("%s is not an empty folder", image))
	}
	d.still.Lock()
	defer d.still.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &cut{disk: d, loss: loss, rng: rng, take: choice{}, placed: map[*node]string{d.root: image}}
	defer func() {
		for n := range c.placed { // only at the end, so that a file with two names stays one node
			d.sweep(n)
		}
	}()
	c.chooseNames()
	return c.folder(d.root, image)
}

func (c *cut) chooseNames() {
	dirty := c.disk.dirty()
	if c.loss != Chance {
		for _, dir := range dirty {
			if c.loss == Bytes {
				c.take[dir] = len(dir.pending)
			}
		}
		return
	}
	if c.disk.kind == Journal {
		var all []uint64
		for _, dir := range dirty {
			for _, ch := range dir.pending {
				all = append(all, ch.seq)
			}
		}
		slices.Sort(all)
		n := c.rng.IntN(len(all) + 1)
		for _, dir := range dirty {
			c.take[dir] = len(dir.pending)
			if n < len(all) {
				c.take[dir], _ = slices.BinarySearchFunc(dir.pending, all[n], func(ch *change, seq uint64) int {
					return int(ch.seq) - int(seq)
				})
			}
		}
		c.take.settle(true)
		return
	}
	for _, dir := range dirty {
		c.take[dir] = c.rng.IntN(len(dir.pending) + 1)
	}
	c.take.settle(c.rng.IntN(2) == 0)
}

// names returns the names in a folder after the cut.
func (c *cut) names(dir *node) (map[string]*node, error) {
	if dir.names == nil {
		return c.disk.children(dir)
	}
	names := maps.Clone(dir.names)
	for _, ch := range dir.pending[:c.take[dir]] {
		for _, e := range ch.sets {
			if e.node == nil {
				delete(names, e.name)
			} else {
				names[e.name] = e.node
			}
		}
	}
	return names, nil
}

// folder fills a folder of the image.
func (c *cut) folder(dir *node, at string) error {
	names, err := c.names(dir)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := c.place(names[name], filepath.Join(at, name)); err != nil {
			return err
		}
	}
	return likeness(dir, at)
}

// place puts one name into the image.
func (c *cut) place(n *node, at string) error {
	was := c.placed[n]
	switch {
	case was != "" && n.is(unix.S_IFREG):
		return os.Link(was, at)
	case was != "": // a folder has only one name
		return nil
	}
	c.placed[n] = at
	switch {
	case n.is(unix.S_IFDIR):
		if err := os.Mkdir(at, 0o700); err != nil {
			return err
		}
		return c.folder(n, at)
	case n.is(unix.S_IFLNK):
		target, err := readlink(n)
		if err != nil {
			return err
		}
		return os.Symlink(target, at)
	case n.is(unix.S_IFREG):
		if err := c.file(n, at); err != nil {
			return err
		}
		return likeness(n, at)
	}
	return nil // the owner of a socket or the like makes it again
}

// file writes a file of the image. It copies the live content, undoes all edits, and redoes the durable edits and a
// random part of the others.
func (c *cut) file(n *node, at string) (err error) {
	f, err := os.OpenFile(at, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if n.fd < 0 {
		return nil
	}
	live, err := os.Open(n.path())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, live)
	if err := errors.Join(err, live.Close()); err != nil {
		return err
	}
	fd := int(f.Fd())
	redo := make([][]byte, len(n.edits))
	for i, e := range slices.Backward(n.edits) {
		if redo[i], err = peek(fd, e.off, e.n); err != nil {
			return err
		}
		if _, err := pwrite(fd, e.old, e.off); err != nil {
			return err
		}
		if err := f.Truncate(e.size); err != nil {
			return err
		}
	}
	how := 0 // redo only the durable edits
	if c.loss == Chance {
		how = c.rng.IntN(5)
	}
	last := len(n.edits)
	if how == 1 {
		last = c.rng.IntN(last + 1) // the edit that is torn
	}
	for i, e := range n.edits {
		data := redo[i]
		keep := func() bool { return true }
		if e.fate != stored {
			switch {
			case how == 0 || how == 1 && i > last:
				continue
			case how == 1 && i == last:
				if e.cut {
					continue
				}
				data = data[:c.rng.IntN(len(data)+1)]
			case how == 2 && e.cut && c.rng.IntN(2) == 0:
				continue
			case how == 2:
				keep = func() bool { return c.rng.IntN(2) == 0 }
			case how == 3:
				data = make([]byte, len(data))
			}
		}
		if err := e.redo(f, data, keep); err != nil {
			return err
		}
	}
	return nil
}

// redo applies an edit again, except for the pages that keep rejects.
func (e edit) redo(f *os.File, data []byte, keep func() bool) error {
	if e.cut {
		return f.Truncate(e.off)
	}
	for off := e.off; len(data) > 0; {
		n := min(int64(len(data)), page-off%page)
		if keep() {
			if _, err := f.WriteAt(data[:n], off); err != nil {
				return err
			}
		}
		data, off = data[n:], off+n
	}
	return nil
}

// likeness gives a file of the image the mode and times of the live file.
func likeness(n *node, at string) error {
	if n.fd < 0 {
		return nil
	}
	st, err := n.stat()
	if err != nil {
		return err
	}
	if err := unix.Chmod(at, st.Mode&0o7777); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, at, []unix.Timespec{st.Atim, st.Mtim}, 0)
}
