//go:build linux

package faultfs

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// session is a disk from the moment when it is plugged in until the last handle of that time is closed. A session
// answers the kernel.
type session struct {
	fuse.RawFileSystem // answers ENOSYS to all other calls, so that the kernel does without them

	d      *disk
	server *fuse.Server
	dev    string      // the mounted file system, as named in /proc/PID/maps
	dead   atomic.Bool // unplugged

	known map[*node]uint64 // how many references to each node the kernel got; guarded by disk.mu

	mu    sync.Mutex // guards the fields below
	files map[uint64]*handle
	last  uint64
}

// handle is an open file or folder.
type handle struct {
	node *node
	fd   int // -1 for a folder
	mu   sync.Mutex
	list []fuse.DirEntry // the folder when reading began; guarded by mu
}

func newSession(d *disk) *session {
	return &session{RawFileSystem: fuse.NewDefaultRawFileSystem(), d: d, known: map[*node]uint64{},
		files: map[uint64]*handle{}}
}

// kill makes each call of the session fail with EIO.
func (s *session) kill() {
	s.dead.Store(true)
	s.d.faultMu.Lock()
	s.d.wake()
	s.d.faultMu.Unlock()
	func() {
		s.d.still.Lock() // waits for calls in progress
		defer s.d.still.Unlock()
	}()
	s.dropCache()
}

// dropCache makes the kernel ask again for cached parts of files. What a program has mapped stays. On a real disk it is
// in memory too, and dropping it would end the program with SIGBUS.
func (s *session) dropCache() {
	mapped := mapped(s.dev)
	s.d.mu.Lock()
	nodes := slices.Collect(maps.Keys(s.known))
	s.d.mu.Unlock()
	for _, n := range nodes {
		if n.is(unix.S_IFREG) && !mapped[n.ino] {
			_ = s.server.InodeNotify(n.id, 0, -1)
		}
	}
}

// device returns the name that /proc/PID/maps uses for the file system mounted at a folder, without asking that file
// system.
func device(at string) (string, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, at, unix.AT_STATX_DONT_SYNC, unix.STATX_INO, &st)
	return fmt.Sprintf("%02x:%02x", st.Dev_major, st.Dev_minor), err
}

// mapped returns the inode numbers of the files of a file system that programs have mapped.
func mapped(dev string) map[uint64]bool {
	inos := map[uint64]bool{}
	list, _ := filepath.Glob("/proc/[0-9]*/maps")
	for _, path := range list {
		b, _ := os.ReadFile(path) // an ended process has nothing mapped
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 4 && f[3] == dev {
				if ino, err := strconv.ParseUint(f[4], 10, 64); err == nil {
					inos[ino] = true
				}
			}
		}
	}
	return inos
}

// --- Calls ---

// OnUnmount is called when the last handle is closed.
func (s *session) OnUnmount() {
	s.mu.Lock()
	for _, h := range s.files {
		h.close()
	}
	s.files = nil
	s.mu.Unlock()
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for n := range s.known {
		n.known--
		s.d.sweep(n)
	}
	s.known = nil
}

// call carries out one call that moves a number of bytes.
func (s *session) call(op string, h *fuse.InHeader, bytes int, f func() error) fuse.Status {
	if err := s.d.admit(s, op, h.Pid, bytes); err != nil {
		return fuse.ToStatus(err)
	}
	s.d.still.RLock()
	defer s.d.still.RUnlock()
	if s.dead.Load() {
		return fuse.EIO
	}
	if err := f(); err != nil {
		return fuse.ToStatus(err)
	}
	return fuse.ToStatus(s.d.lose(op))
}

// named is like call, for calls that read or change names.
func (s *session) named(op string, h *fuse.InHeader, f func(dir *node) error) fuse.Status {
	return s.call(op, h, 0, func() error {
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		n := s.d.byID[h.NodeId]
		if n == nil || n.fd < 0 {
			return unix.ESTALE
		}
		if changes[op] {
			if err := s.d.load(n); err != nil {
				return err
			}
		}
		return f(n)
	})
}

// node returns a node that the kernel knows.
func (s *session) node(id uint64) (*node, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if n := s.d.byID[id]; n != nil && n.fd >= 0 {
		return n, nil
	}
	return nil, unix.ESTALE
}

// tell passes a node to the kernel. The kernel may cache nothing, because no validity time is set. The caller holds
// disk.mu.
func (s *session) tell(n *node, out *fuse.EntryOut) error {
	if s.known[n] == 0 {
		n.known++
	}
	s.known[n]++
	out.NodeId, out.Generation = n.id, 1
	return attr(n, &out.Attr)
}

func attr(n *node, out *fuse.Attr) error {
	st, err := n.stat()
	if err != nil {
		return err
	}
	*out = fuse.Attr{
		Ino: st.Ino, Size: uint64(st.Size), Blocks: uint64(st.Blocks), Mode: st.Mode, Nlink: uint32(st.Nlink),
		Rdev: uint32(st.Rdev), Blksize: uint32(st.Blksize),
		Owner: fuse.Owner{Uid: st.Uid, Gid: st.Gid},
		Atime: uint64(st.Atim.Sec), Atimensec: uint32(st.Atim.Nsec),
		Mtime: uint64(st.Mtim.Sec), Mtimensec: uint32(st.Mtim.Nsec),
		Ctime: uint64(st.Ctim.Sec), Ctimensec: uint32(st.Ctim.Nsec),
	}
	return nil
}

// --- Attributes ---

func (s *session) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	return s.named("lookup", h, func(dir *node) error {
		n, err := s.d.child(dir, name)
		if err != nil {
			return err
		}
		return s.tell(n, out)
	})
}

func (s *session) Forget(id, times uint64) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	n := s.d.byID[id]
	if n == nil || s.known[n] == 0 {
		return
	}
	if s.known[n] > times {
		s.known[n] -= times
		return
	}
	delete(s.known, n)
	n.known--
	s.d.sweep(n)
}

func (s *session) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	return s.call("getattr", &in.InHeader, 0, func() error {
		n, err := s.node(in.NodeId)
		if err != nil {
			return err
		}
		return attr(n, &out.Attr)
	})
}

func (s *session) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	return s.call("setattr", &in.InHeader, 0, func() error {
		n, err := s.node(in.NodeId)
		if err != nil {
			return err
		}
		if in.Valid&(fuse.FATTR_MODE|fuse.FATTR_UID|fuse.FATTR_GID) != 0 && s.d.now().FAT {
			return s.d.fail("setattr", unix.EPERM)
		}
		if mode, ok := in.GetMode(); ok {
			if err := unix.Chmod(n.path(), mode); err != nil {
				return err
			}
		}
		if in.Valid&(fuse.FATTR_UID|fuse.FATTR_GID) != 0 {
			uid, gid := -1, -1
			if id, ok := in.GetUID(); ok {
				uid = int(id)
			}
			if id, ok := in.GetGID(); ok {
				gid = int(id)
			}
			if err := unix.Fchownat(n.fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
				return err
			}
		}
		if size, ok := in.GetSize(); ok {
			if err := s.d.truncate(n, int64(size)); err != nil {
				return err
			}
		}
		if in.Valid&(fuse.FATTR_ATIME|fuse.FATTR_MTIME) != 0 {
			times := []unix.Timespec{
				timespec(in.Valid, fuse.FATTR_ATIME, fuse.FATTR_ATIME_NOW, in.Atime, in.Atimensec),
				timespec(in.Valid, fuse.FATTR_MTIME, fuse.FATTR_MTIME_NOW, in.Mtime, in.Mtimensec),
			}
			if err := unix.UtimesNanoAt(n.fd, "", times, unix.AT_EMPTY_PATH); err != nil {
				return err
			}
		}
		return attr(n, &out.Attr)
	})
}

func timespec(valid, given, now uint32, sec uint64, nsec uint32) unix.Timespec {
	switch {
	case valid&given == 0:
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	case valid&now != 0:
		return unix.Timespec{Nsec: unix.UTIME_NOW}
	}
	return unix.Timespec{Sec: int64(sec), Nsec: int64(nsec)}
}

func (s *session) Access(_ <-chan struct{}, in *fuse.AccessIn) fuse.Status {
	return s.call("access", &in.InHeader, 0, func() error {
		n, err := s.node(in.NodeId)
		if err != nil {
			return err
		}
		if in.Mask&unix.W_OK != 0 && s.d.now().ReadOnly {
			return s.d.fail("access", unix.EROFS)
		}
		return unix.Access(n.path(), in.Mask)
	})
}

// --- Files ---

// allowed returns an error if the disk rejects a new name.
func (s *session) allowed(op, name string) error {
	if !s.d.now().FAT {
		return nil
	}
	bad := func(r rune) bool { return r < ' ' || strings.ContainsRune(`<>:"|?*\`, r) }
	if strings.ContainsFunc(name, bad) || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") {
		return s.d.fail(op, unix.EINVAL)
	}
	return nil
}

// made records a name that was just made and passes its node to the kernel. The caller holds disk.mu.
func (s *session) made(dir *node, name string, out *fuse.EntryOut) (*node, error) {
	n, err := s.d.child(dir, name)
	if err != nil {
		return nil, err
	}
	s.d.note(dir, entry{name, n})
	return n, s.tell(n, out)
}

// fresh marks a node as new: nothing in it was ever durable.
func (n *node) fresh() {
	n.mu.Lock()
	n.synced = false
	n.mu.Unlock()
}

func (s *session) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	return s.named("create", &in.InHeader, func(dir *node) error {
		if err := s.allowed("create", name); err != nil {
			return err
		}
		fd, err := unix.Openat(dir.fd, name, backing(in.Flags)|unix.O_CREAT|unix.O_EXCL, in.Mode)
		if err == unix.EEXIST && in.Flags&unix.O_EXCL == 0 { // another call was faster
			n, err := s.d.child(dir, name)
			if err != nil {
				return err
			}
			if err := s.open(n, in.Flags, &out.OpenOut); err != nil {
				return err
			}
			return s.tell(n, &out.EntryOut)
		}
		if err != nil {
			return err
		}
		n, err := s.made(dir, name, &out.EntryOut)
		if err != nil {
			_ = unix.Close(fd)
			return err
		}
		n.fresh()
		s.add(&handle{node: n, fd: fd}, &out.OpenOut)
		return nil
	})
}

// backing returns the flags for opening a file in the backing folder. A file that is written must be readable, so that
// the write can be undone. The kernel has handled the other flags.
func backing(flags uint32) int {
	if flags&unix.O_ACCMODE == unix.O_RDONLY {
		return unix.O_RDONLY | unix.O_CLOEXEC
	}
	return unix.O_RDWR | unix.O_CLOEXEC
}

func (s *session) open(n *node, flags uint32, out *fuse.OpenOut) error {
	if !n.is(unix.S_IFREG) {
		return unix.EINVAL
	}
	if flags&unix.O_ACCMODE != unix.O_RDONLY && s.d.now().ReadOnly {
		return s.d.fail("open", unix.EROFS)
	}
	fd, err := unix.Open(n.path(), backing(flags), 0)
	if err != nil {
		return err
	}
	if flags&unix.O_TRUNC != 0 {
		if err := s.d.truncate(n, 0); err != nil {
			_ = unix.Close(fd)
			return err
		}
	}
	s.add(&handle{node: n, fd: fd}, out)
	return nil
}

func (s *session) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return s.call("open", &in.InHeader, 0, func() error {
		n, err := s.node(in.NodeId)
		if err != nil {
			return err
		}
		return s.open(n, in.Flags, out)
	})
}

// add passes a handle to the kernel. The kernel does not report each close (FOPEN_NOFLUSH). A close that hangs would
// block every process that inherited the file, even if the process only closes it on exec. No real disk does that.
func (s *session) add(h *handle, out *fuse.OpenOut) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.files[s.last] = h
	out.Fh, out.OpenFlags = s.last, fuse.FOPEN_NOFLUSH
}

func (s *session) handle(id uint64) (*handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.files[id]; h != nil {
		return h, nil
	}
	return nil, unix.EBADF
}

func (h *handle) close() {
	if h.fd >= 0 {
		_ = unix.Close(h.fd)
	}
}

func (s *session) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	s.mu.Lock()
	h := s.files[in.Fh]
	delete(s.files, in.Fh)
	s.mu.Unlock()
	if h != nil {
		h.close()
	}
}

func (s *session) ReleaseDir(in *fuse.ReleaseIn) { s.Release(nil, in) }

func (s *session) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (result fuse.ReadResult, status fuse.Status) {
	status = s.call("read", &in.InHeader, int(in.Size), func() error {
		h, err := s.handle(in.Fh)
		if err != nil {
			return err
		}
		b, err := peek(h.fd, int64(in.Offset), int64(min(int(in.Size), len(buf))))
		result = fuse.ReadResultData(b)
		return err
	})
	return result, status
}

func (s *session) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (n uint32, status fuse.Status) {
	status = s.call("write", &in.InHeader, len(data), func() error {
		h, err := s.handle(in.Fh)
		if err != nil {
			return err
		}
		done, err := s.d.write(h.node, h.fd, data, int64(in.Offset))
		n = uint32(done)
		if done > 0 {
			return nil
		}
		return err
	})
	return n, status
}

func (s *session) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	h, err := s.handle(in.Fh)
	if err != nil {
		return fuse.ToStatus(err)
	}
	struck := true
	status := s.call("fsync", &in.InHeader, 0, func() error {
		struck = false
		h.node.settleBytes(true)
		if s.d.kind == Journal {
			s.d.settleNames(s.d.root)
		}
		return nil
	})
	if struck {
		s.d.still.RLock()
		defer s.d.still.RUnlock()
		h.node.settleBytes(false)
	}
	return status
}

func (s *session) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return s.call("fsyncdir", &in.InHeader, 0, func() error {
		n, err := s.node(in.NodeId)
		if err != nil {
			return err
		}
		s.d.settleNames(n)
		return nil
	})
}

// --- Folders ---

func (s *session) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return s.call("opendir", &in.InHeader, 0, func() error {
		n, err := s.node(in.NodeId)
		if err != nil {
			return err
		}
		s.add(&handle{node: n, fd: -1}, out)
		return nil
	})
}

func (s *session) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return s.call("readdir", &in.InHeader, 0, func() error {
		h, err := s.handle(in.Fh)
		if err != nil {
			return err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if in.Offset == 0 {
			if h.list, err = list(h.node); err != nil {
				return err
			}
		}
		for i := int(in.Offset); i < len(h.list); i++ {
			if !out.AddDirEntry(h.list[i]) {
				break
			}
		}
		return nil
	})
}

func list(dir *node) ([]fuse.DirEntry, error) {
	// The folder above the root does not belong to the disk.
	all := []fuse.DirEntry{{Name: ".", Mode: unix.S_IFDIR, Off: 1}, {Name: "..", Mode: unix.S_IFDIR, Off: 2}}
	entries, err := os.ReadDir(dir.path())
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		var mode uint32 = unix.S_IFREG
		switch t := e.Type(); {
		case t.IsDir():
			mode = unix.S_IFDIR
		case t&os.ModeSymlink != 0:
			mode = unix.S_IFLNK
		case t&os.ModeSocket != 0:
			mode = unix.S_IFSOCK
		case t&os.ModeNamedPipe != 0:
			mode = unix.S_IFIFO
		}
		all = append(all, fuse.DirEntry{Name: e.Name(), Mode: mode, Off: uint64(len(all)) + 1})
	}
	return all, nil
}

// --- Names ---

func (s *session) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return s.named("mkdir", &in.InHeader, func(dir *node) error {
		if err := s.allowed("mkdir", name); err != nil {
			return err
		}
		if err := unix.Mkdirat(dir.fd, name, in.Mode); err != nil {
			return err
		}
		n, err := s.made(dir, name, out)
		if err == nil {
			n.names = map[string]*node{}
		}
		return err
	})
}

func (s *session) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	return s.named("mknod", &in.InHeader, func(dir *node) error {
		if err := s.allowed("mknod", name); err != nil {
			return err
		}
		if err := unix.Mknodat(dir.fd, name, in.Mode, int(in.Rdev)); err != nil {
			return err
		}
		n, err := s.made(dir, name, out)
		if err == nil {
			n.fresh()
		}
		return err
	})
}

func (s *session) Symlink(_ <-chan struct{}, h *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	return s.named("symlink", h, func(dir *node) error {
		if err := unix.Symlinkat(target, dir.fd, name); err != nil {
			return err
		}
		_, err := s.made(dir, name, out)
		return err
	})
}

func (s *session) Readlink(_ <-chan struct{}, h *fuse.InHeader) (target []byte, status fuse.Status) {
	status = s.call("readlink", h, 0, func() error {
		n, err := s.node(h.NodeId)
		if err != nil {
			return err
		}
		t, err := readlink(n)
		target = []byte(t)
		return err
	})
	return target, status
}

func readlink(n *node) (string, error) {
	b := make([]byte, unix.PathMax)
	l, err := unix.Readlinkat(n.fd, "", b)
	return string(b[:max(0, l)]), err
}

func (s *session) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	return s.named("link", &in.InHeader, func(dir *node) error {
		n := s.d.byID[in.Oldnodeid]
		if n == nil || n.fd < 0 {
			return unix.ESTALE
		}
		if err := unix.Linkat(unix.AT_FDCWD, n.path(), dir.fd, name, unix.AT_SYMLINK_FOLLOW); err != nil {
			return err
		}
		_, err := s.made(dir, name, out)
		return err
	})
}

// remove removes a name; flags are those of unlinkat.
func (s *session) remove(op string, in *fuse.InHeader, name string, flags int) fuse.Status {
	return s.named(op, in, func(dir *node) error {
		n, err := s.d.child(dir, name)
		if err != nil {
			return err
		}
		if n.is(unix.S_IFDIR) {
			if err := s.d.load(n); err != nil { // the folder cannot be read later
				return err
			}
		}
		if err := unix.Unlinkat(dir.fd, name, flags); err != nil {
			return err
		}
		s.d.note(dir, entry{name: name})
		s.removed(n)
		return nil
	})
}

// removed gives back the space of a node that lost its last name. The caller holds disk.mu.
func (s *session) removed(n *node) {
	if st, err := n.stat(); err == nil && st.Nlink == 0 && n.is(unix.S_IFREG) {
		s.d.give(st.Size)
	}
	s.d.sweep(n)
}

func (s *session) Unlink(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return s.remove("unlink", h, name, 0)
}

func (s *session) Rmdir(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return s.remove("rmdir", h, name, unix.AT_REMOVEDIR)
}

func (s *session) Rename(_ <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	return s.named("rename", &in.InHeader, func(from *node) error {
		if in.Flags != 0 && s.d.now().FAT {
			return s.d.fail("rename", unix.EINVAL)
		}
		if err := s.allowed("rename", newName); err != nil {
			return err
		}
		to := s.d.byID[in.Newdir]
		if to == nil || to.fd < 0 {
			return unix.ESTALE
		}
		if err := s.d.load(to); err != nil {
			return err
		}
		moved, err := s.d.child(from, oldName)
		if err != nil {
			return err
		}
		there, err := s.d.child(to, newName)
		if err != nil && err != unix.ENOENT {
			return err
		}
		if there != nil && there.is(unix.S_IFDIR) {
			if err := s.d.load(there); err != nil {
				return err
			}
		}
		if err := unix.Renameat2(from.fd, oldName, to.fd, newName, uint(in.Flags)); err != nil {
			return err
		}
		if there == moved { // two names of one file: nothing was done
			return nil
		}
		left := entry{name: oldName}
		if in.Flags&unix.RENAME_EXCHANGE != 0 {
			left.node = there
		}
		if from == to {
			s.d.note(from, left, entry{newName, moved})
		} else {
			came, went := s.d.note(to, entry{newName, moved}), s.d.note(from, left)
			came.seq = went.seq
			came.other, went.other = went, came
			came.leaves, went.leaves = left.node != nil, true
			came.whole = moved.is(unix.S_IFDIR)
			went.whole = came.whole
		}
		if there != nil && left.node == nil {
			s.removed(there)
		}
		return nil
	})
}

// --- Free space ---

func (s *session) StatFs(_ <-chan struct{}, h *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	return s.call("statfs", h, 0, func() error {
		var st unix.Statfs_t
		if err := unix.Fstatfs(s.d.root.fd, &st); err != nil {
			return err
		}
		*out = fuse.StatfsOut{
			Blocks: st.Blocks, Bfree: st.Bfree, Bavail: st.Bavail, Files: st.Files, Ffree: st.Ffree,
			Bsize: uint32(st.Bsize), Frsize: uint32(cmp.Or(st.Frsize, st.Bsize)), NameLen: uint32(st.Namelen),
		}
		if free, bounded := s.d.room(); bounded {
			out.Bfree = uint64(max(0, free)) / uint64(out.Frsize)
			out.Bavail = out.Bfree
		}
		return nil
	})
}
