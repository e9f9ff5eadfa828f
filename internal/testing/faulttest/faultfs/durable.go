//go:build linux

package faultfs

import (
	"slices"

	"golang.org/x/sys/unix"
)

// fate is what happens to an edit in a power cut.
type fate int

const (
	open   fate = iota // the next fsync makes it durable
	lost               // an fsync that covered it failed, and no later fsync covers it
	stored             // it is durable
)

// edit is one write to a file, or one change of its size. An edit keeps the previous bytes, so the durable content is
// the live content with the edits undone. A file that only grows needs no second copy.
type edit struct {
	cut  bool   // true: the size was set to off; false: n bytes were written at off
	off  int64  // bytes
	n    int64  // bytes
	size int64  // size of the file before
	old  []byte // the bytes at off before
	fate fate
}

// write writes to a file that is open as fd, and records how to undo the write.
func (d *disk) write(n *node, fd int, data []byte, off int64) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	grow := off + int64(len(data)) - st.Size
	if got := d.take(grow); got < grow {
		rest := int64(len(data)) - (grow - got)
		if rest <= 0 {
			d.give(got)
			return 0, d.fail("write", unix.ENOSPC)
		}
		data = data[:rest]
	}
	old, err := peek(fd, off, min(int64(len(data)), st.Size-off))
	if err != nil {
		return 0, err
	}
	done, err := pwrite(fd, data, off)
	if done > 0 {
		n.edits = append(n.edits, edit{off: off, n: int64(done), size: st.Size, old: old[:min(len(old), done)]})
	}
	return done, err
}

// truncate sets the size of a file.
func (d *disk) truncate(n *node, size int64) error {
	fd, err := unix.Open(n.path(), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	n.mu.Lock()
	defer n.mu.Unlock()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	grow := size - st.Size
	if got := d.take(grow); got < grow {
		d.give(got)
		return d.fail("setattr", unix.ENOSPC)
	}
	old, err := peek(fd, size, st.Size-size)
	if err != nil {
		return err
	}
	if err := unix.Ftruncate(fd, size); err != nil {
		return err
	}
	if st.Nlink > 0 { // else its room was given back with its last name
		d.give(max(0, -grow))
	}
	if grow != 0 {
		n.edits = append(n.edits, edit{cut: true, off: size, size: st.Size, old: old})
	}
	return nil
}

// settleBytes applies an fsync that succeeded or failed to the edits of a file.
func (n *node) settleBytes(ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	to := lost
	if ok {
		to, n.synced = stored, true
	}
	for i := range n.edits {
		if n.edits[i].fate == open {
			n.edits[i].fate = to
		}
	}
	first := slices.IndexFunc(n.edits, func(e edit) bool { return e.fate != stored })
	if first < 0 {
		n.edits = nil
	} else {
		n.edits = slices.Delete(n.edits, 0, first)
	}
}

// change is one change of names in a folder. It becomes durable as a whole or not at all.
type change struct {
	seq  uint64
	dir  *node
	sets []entry

	// The other half of a rename between folders.
	other  *change
	leaves bool // removes a name; must not be durable before the other half
	whole  bool // neither half may be durable without the other
}

type entry struct {
	name string
	node *node // nil: the name is gone
}

// load records the durable names of a folder before their first change. The caller holds mu.
func (d *disk) load(dir *node) error {
	if dir.names != nil {
		return nil
	}
	names, err := d.children(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		n.refs++
	}
	dir.names = names
	return nil
}

// note adds a change of names. The caller holds mu.
func (d *disk) note(dir *node, sets ...entry) *change {
	d.seq++
	c := &change{seq: d.seq, dir: dir, sets: sets}
	for _, e := range sets {
		if e.node != nil {
			e.node.refs++
		}
	}
	dir.pending = append(dir.pending, c)
	return c
}

// choice says how many of the oldest changes of each folder become durable.
type choice map[*node]int

// settle extends a choice until no file is lost between two folders: if a name has left for another folder, the other
// folder has it. With atomic, the reverse holds too. The caller holds mu.
func (c choice) settle(atomic bool) {
	for again := true; again; {
		again = false
		for dir, n := range c {
			for _, ch := range dir.pending[:n] {
				o := ch.other
				if o == nil || !ch.leaves && !ch.whole && !atomic {
					continue
				}
				if at := slices.Index(o.dir.pending, o); at >= c[o.dir] { // -1: durable already
					c[o.dir], again = at+1, true
				}
			}
		}
	}
}

// apply makes a choice durable. The caller holds mu.
func (d *disk) apply(c choice) {
	for dir, n := range c {
		n = min(n, len(dir.pending)) // a folder that an earlier folder removed for good has none left
		for _, ch := range dir.pending[:n] {
			for _, e := range ch.sets {
				was := dir.names[e.name]
				if e.node == nil {
					delete(dir.names, e.name)
				} else {
					dir.names[e.name] = e.node // takes over the reference of the pending name
				}
				if was != nil {
					was.refs--
					d.sweep(was)
				}
			}
		}
		dir.pending = slices.Delete(dir.pending, 0, n)
	}
}

// settleNames makes the changes of a folder durable; on a journal, those of all folders.
func (d *disk) settleNames(dir *node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := choice{dir: len(dir.pending)}
	if d.kind == Journal {
		for _, n := range d.dirty() {
			c[n] = len(n.pending)
		}
	}
	c.settle(false)
	d.apply(c)
}

// peek reads n bytes of a file at off, or nothing if n is not positive.
func peek(fd int, off, n int64) ([]byte, error) {
	if n <= 0 {
		return nil, nil
	}
	b := make([]byte, n)
	for done := 0; done < len(b); {
		m, err := unix.Pread(fd, b[done:], off+int64(done))
		if err != nil {
			return nil, err
		}
		if m == 0 {
			return b[:done], nil
		}
		done += m
	}
	return b, nil
}

func pwrite(fd int, b []byte, off int64) (done int, err error) {
	for done < len(b) {
		m, err := unix.Pwrite(fd, b[done:], off+int64(done))
		if err != nil {
			return done, err
		}
		done += m
	}
	return done, nil
}
