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

// disk is what the server knows about a disk, whether the disk is plugged in or not.
//
// Locks are taken in this order: still, mu, node.mu, faultMu. A holder of faultMu calls nothing that takes a lock.
type disk struct {
	kind  Kind
	owner int // the process that owns the [Disk]
	root  *node

	still sync.RWMutex // calls in progress hold it for reading, a power cut for writing

	mu    sync.Mutex       // guards the fields below, all names in the backing folder, and the marked fields of nodes
	byID  map[uint64]*node // by the number that the kernel uses
	byIno map[uint64]*node // by the inode number in the backing folder; a node's fd keeps the number from being reused
	last  uint64           // last number of a node
	seq   uint64           // last number of a change

	faultMu sync.Mutex // guards the fields below
	faults  Faults
	changed chan struct{} // closed when waiting calls must check again
	left    int64         // bytes left of Faults.Room
	busy    time.Time     // until when Faults.Rate is used up
	counts  map[string]int64
}

// node is a file, folder or link in the backing folder. It is kept as long as the kernel or a power cut may ask for it.
type node struct {
	id, ino uint64
	mode    uint32 // the type of file, as in stat
	fd      int    // O_PATH; -1 if the file is gone and nothing of it was ever durable

	// Guarded by disk.mu.
	known   int              // number of sessions in which the kernel knows the node
	refs    int              // number of durable and pending names of the node
	names   map[string]*node // of a folder: its durable names; nil while the same as in the backing folder
	pending []*change        // of a folder: its changes that are not durable, oldest first

	mu     sync.Mutex // guards the fields below
	synced bool       // some of the bytes were durable at some time
	edits  []edit     // of a file: its edits from the oldest that is not durable
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
	d.root, err = d.adopt(fd) // the first node is 1, the root of FUSE
	return d, err
}

// path returns a path that opens the node itself, whatever its names are.
func (n *node) path() string { return fmt.Sprintf("/proc/self/fd/%d", n.fd) }

func (n *node) is(kind uint32) bool { return n.mode&unix.S_IFMT == kind }

func (n *node) stat() (st unix.Stat_t, err error) {
	err = unix.Fstat(n.fd, &st)
	return st, err
}

// adopt returns the node of an open file and takes over fd. The caller holds mu, or nobody else knows the disk.
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

// child returns the node of a name. The caller holds mu.
func (d *disk) child(dir *node, name string) (*node, error) {
	fd, err := unix.Openat(dir.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return d.adopt(fd)
}

// children returns the nodes of a folder as they are in the backing folder. The caller holds mu.
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

// sweep drops a node that nobody can ask for any more. The caller holds mu.
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
	case gone && !synced && n.is(unix.S_IFREG): // else a ring that is never synced would keep dropped segments
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

// --- Faults ---

// set puts faults in force and wakes waiting calls.
func (d *disk) set(f Faults) {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	d.faults, d.left, d.busy = f, f.Room, time.Time{}
	d.wake()
}

// wake makes waiting calls check again. The caller holds faultMu.
func (d *disk) wake() {
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *disk) counted() map[string]int64 {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	return maps.Clone(d.counts)
}

// glance is how often a waiting call checks whether its caller was killed.
const glance = 100 * time.Millisecond

// lose returns the error that a call reports although the call was carried out, or nil.
func (d *disk) lose(op string) error {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	if e := d.faults.DoneErr; e != 0 && reported[op] && rand.Float64() < cmp.Or(d.faults.Chance, 1) {
		return d.failed(op, e)
	}
	return nil
}

// admit waits until a call of a thread may go on, or returns the error of the call. bytes is the number of bytes that
// the call moves.
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

// wait waits until something has changed or a time has passed. It returns false if the calling thread or the process
// that owns the disk is dying. The caller holds faultMu; wait releases it while waiting.
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

// dying reports whether a thread was killed or is exiting and only waits for this server. The kernel does not report
// that: it sends an interrupt at the first signal of any kind, and Go programs get many signals. (/proc/PID/stat has a
// flag for it, but reading that file may block until the thread goes on.)
func dying(thread int) bool {
	if thread == 0 { // the call comes from the kernel itself
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

// failed counts a call that failed by a fault, and returns its error. The caller holds faultMu.
func (d *disk) failed(op string, e syscall.Errno) error {
	d.counts["fail:"+op]++
	return e
}

// fail is like failed, for a caller that does not hold faultMu.
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

// take takes room for a file to grow by n bytes, and returns for how many bytes there is room.
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

// room returns the number of free bytes, and reports whether the space is limited.
func (d *disk) room() (free int64, bounded bool) {
	d.faultMu.Lock()
	defer d.faultMu.Unlock()
	if d.faults.Full {
		return 0, true
	}
	return d.left, d.faults.Room > 0
}

// dirty returns the folders with changes that are not durable, in the order of their numbers. The caller holds mu.
func (d *disk) dirty() (list []*node) {
	for _, n := range d.byID {
		if len(n.pending) > 0 {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b *node) int { return int(a.id) - int(b.id) })
	return list
}
