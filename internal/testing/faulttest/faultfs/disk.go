//go:build linux

package faultfs

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// disk is what the server knows of a disk, plugged in or not.
//
// Locks are taken in this order: still, mu, node.mu, then faultMu, which nothing is called under.
type disk struct {
	kind  Kind
	owner int // the process of the [Disk]
	root  *node

	still sync.RWMutex // held for reading by each call that is carried out, for writing by a power cut

	mu    sync.Mutex       // guards what follows, all names of the backing folder, and the parts of nodes that say so
	byID  map[uint64]*node // by the number under which the kernel knows it
	byIno map[uint64]*node // by the backing folder's number; a node's fd keeps it from being given to another
	last  uint64           // the last number of a node
	seq   uint64           // the last number of a change

	faultMu sync.Mutex // guards what follows
	faults  Faults
	changed chan struct{} // closed when what holds calls back has changed
	left    int64         // of Faults.Room
	busy    time.Time     // until when Faults.Rate is taken
	counts  map[string]int64
}

// node is a file, folder or link of the backing folder. It is kept as long as the kernel or a power cut can ask for it.
type node struct {
	id, ino uint64
	mode    uint32 // the type of file, as in stat
	fd      int    // O_PATH; -1 if the file is gone and nothing of it was ever durable

	// Guarded by disk.mu.
	known   int              // sessions in which the kernel knows it
	refs    int              // names and pending names that stand for it
	names   map[string]*node // of a folder: its durable names; nil as long as they are those in the backing folder
	pending []*change        // of a folder: its changes that are not durable, oldest first

	mu     sync.Mutex // guards what follows
	synced bool       // some of the bytes were durable once
	edits  []edit     // of a file: its changes since the last that must not be lost
}

func newDisk(backing string, kind Kind) (*disk, error) {
	d := &disk{
		kind: kind, owner: os.Getppid(), changed: make(chan struct{}),
		byID: map[uint64]*node{}, byIno: map[uint64]*node{}, counts: map[string]int64{},
	}
	fd, err := unix.Open(backing, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the backing folder %s: %w", backing, err)
	}
	d.root, err = d.adopt(fd) // the first node is 1, FUSE's root
	return d, err
}

// path is a name by which the node itself can be opened, whatever its names are.
func (n *node) path() string { return fmt.Sprintf("/proc/self/fd/%d", n.fd) }

func (n *node) is(kind uint32) bool { return n.mode&unix.S_IFMT == kind }

func (n *node) stat() (st unix.Stat_t, err error) {
	err = unix.Fstat(n.fd, &st)
	return st, err
}

// adopt returns the node of an open file, which it takes over. mu is held, or nobody else knows the disk.
func (d *disk) adopt(fd int) (*node, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	if n := d.byIno[st.Ino]; n != nil {
		return n, unix.Close(fd)
	}
	d.last++
	n := &node{id: d.last, ino: st.Ino, mode: st.Mode, fd: fd, synced: true}
	d.byID[n.id], d.byIno[n.ino] = n, n
	return n, nil
}

// child returns the node of a name. mu is held.
func (d *disk) child(dir *node, name string) (*node, error) {
	fd, err := unix.Openat(dir.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return d.adopt(fd)
}

// children returns a folder's nodes as they are in the backing folder. mu is held.
func (d *disk) children(dir *node) (map[string]*node, error) {
	list, err := os.ReadDir(dir.path())
	if err != nil {
		return nil, err
	}
	names := make(map[string]*node, len(list))
	for _, e := range list {
		if names[e.Name()], err = d.child(dir, e.Name()); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// sweep drops what nobody can ask for any more. mu is held.
func (d *disk) sweep(n *node) {
	if n.known > 0 || n == d.root {
		return
	}
	if n.fd < 0 {
		if n.refs == 0 {
			delete(d.byID, n.id)
		}
		return
	}
	st, err := n.stat()
	gone := err != nil || st.Nlink == 0
	n.mu.Lock()
	synced, edited := n.synced, len(n.edits) > 0
	n.mu.Unlock()
	switch {
	case n.refs == 0 && (gone || n.names == nil && !edited):
		delete(d.byID, n.id)
	case gone && !synced && n.is(unix.S_IFREG): // a ring that is never synced must not keep what it has dropped
	default:
		return
	}
	delete(d.byIno, n.ino)
	_ = unix.Close(n.fd)
	n.fd, n.edits = -1, nil

	var held []*node
	for _, o := range n.names {
		held = append(held, o)
	}
	for _, c := range n.pending {
		for _, e := range c.sets {
			if e.node != nil {
				held = append(held, e.node)
			}
		}
	}
	n.names, n.pending = nil, nil
	for _, o := range held {
		o.refs--
		d.sweep(o)
	}
}

// set puts faults in force and wakes what waits.
func (d *disk) set(f Faults) {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	d.faults, d.left, d.busy = f, f.Room, time.Time{}
	d.wake()
}

// wake makes what waits look again. faultMu is held.
func (d *disk) wake() {
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *disk) counted() map[string]int64 {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	return maps.Clone(d.counts)
}

// glance is how often a call that is held back looks whether its caller was killed.
const glance = 100 * time.Millisecond

// lose returns what a call reports that was carried out.
func (d *disk) lose(op string) error {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	if e := d.faults.DoneErr; e != 0 && reported[op] && rand.Float64() < cmp.Or(d.faults.Chance, 1) {
		return d.failed(op, e)
	}
	return nil
}

// admit lets a call of a thread pass when its time has come, or returns what it fails with. bytes are those that it
// moves.
func (d *disk) admit(s *session, op string, thread uint32, bytes int) error {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	d.counts[op]++
	var hung bool
	var due time.Time
	for {
		if s.dead.Load() {
			return d.failed(op, unix.EIO)
		}
		f := d.faults
		if f.Hang {
			if !hung {
				hung = true
				d.counts["hang:"+op]++
			}
			if !d.wait(glance, thread) {
				return unix.EINTR
			}
			continue
		}
		if f.Rate > 0 && bytes > 0 {
			if due.IsZero() {
				if now := time.Now(); d.busy.Before(now) {
					d.busy = now
				}
				d.busy = d.busy.Add(time.Duration(float64(bytes) / float64(f.Rate) * float64(time.Second)))
				due = d.busy
			}
			if rest := time.Until(due); rest > 0 {
				if !d.wait(min(rest, glance), thread) {
					return unix.EINTR
				}
				continue
			}
		}
		if e := f.strike(op, rand.Float64()); e != 0 {
			return d.failed(op, e)
		}
		if f.Room > 0 && d.left <= 0 && takes[op] && op != "write" {
			return d.failed(op, unix.ENOSPC)
		}
		return nil
	}
}

// wait waits until something has changed or a time has passed. It returns false if the thread that made the call, or
// the process whose disk this is, is dying. faultMu is held, but for the time of waiting.
func (d *disk) wait(long time.Duration, thread uint32) bool {
	changed := d.changed
	d.faultMu.Unlock()
	defer d.faultMu.Lock()
	select {
	case <-changed:
		return true
	case <-time.After(long):
		return !dying(int(thread)) && !dying(d.owner)
	}
}

// dying reports whether a thread was killed or is at its end, and only waits for us. The kernel does not say: it
// reports an interrupt with the first signal that comes, whatever it is, and Go programs get many. (/proc/PID/stat has
// a flag for it, but reading it may block until the thread goes on.)
func dying(thread int) bool {
	if thread == 0 { // the kernel itself
		return false
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	memory := false
	for line := range strings.Lines(string(status)) {
		if set, ok := strings.CutPrefix(line, "SigPnd:"); ok {
			signals, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
			if err == nil && signals&(1<<(unix.SIGKILL-1)) != 0 {
				return true
			}
		}
		memory = memory || strings.HasPrefix(line, "VmSize:")
	}
	return !memory
}

// failed counts a call that a fault made fail, and returns its error. faultMu is held.
func (d *disk) failed(op string, e syscall.Errno) error {
	d.counts["fail:"+op]++
	return e
}

// fail is failed for a call that is under way.
func (d *disk) fail(op string, e syscall.Errno) error {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	return d.failed(op, e)
}

func (d *disk) now() Faults {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	return d.faults
}

// take takes room for a file to grow by n bytes, and returns for how many there is some.
func (d *disk) take(n int64) int64 {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	switch {
	case n <= 0:
		return n
	case d.faults.Full:
		return 0
	case d.faults.Room > 0:
		n = max(0, min(n, d.left))
		d.left -= n
	}
	return n
}

// give gives back the room of n bytes.
func (d *disk) give(n int64) {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	if d.faults.Room > 0 {
		d.left += n
	}
}

// room returns the free bytes, and whether they are bounded at all.
func (d *disk) room() (free int64, bounded bool) {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	if d.faults.Full {
		return 0, true
	}
	return d.left, d.faults.Room > 0
}

// dirty returns the folders with changes that are not durable, in the order in which they were first seen. mu is held.
func (d *disk) dirty() (list []*node) {
	for _, n := range d.byID {
		if len(n.pending) > 0 {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b *node) int { return int(a.id) - int(b.id) })
	return list
}
