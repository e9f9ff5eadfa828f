//go:build linux

package faultfs

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Kind says what fsync of a file means for names.
type Kind int

const (
	Strict  Kind = iota // nothing: only fsync of the folder makes a name durable
	Journal             // fsync also makes all earlier changes of names durable, as on ext4
)

// Faults are the faults of a disk. The zero value is a disk without faults. A call that fails changes nothing, except
// with DoneErr.
type Faults struct {
	// Full makes each write and each call that adds a name or makes a file longer fail with ENOSPC.
	Full bool
	// Room, if not 0, is the number of bytes by which files may still grow. The write that reaches the limit is short.
	// The next write and each new name fail with ENOSPC. Removing and truncating give room back. statfs reports Room as
	// the free space, in whole blocks.
	Room int64
	// ReadOnly makes every change fail with EROFS.
	ReadOnly bool

	// WriteErr, SyncErr, ReadErr and RenameErr, if not 0, are the errors of write, of fsync of files and folders, of
	// read and of rename. ReadErr does not affect what a program has mapped and the kernel holds.
	WriteErr, SyncErr, ReadErr, RenameErr syscall.Errno
	// DoneErr, if not 0, is what fsync and calls that change names return although they were carried out, like a
	// network share whose server's answer was lost. DoneErr does not affect write and truncate of open files.
	DoneErr syscall.Errno
	// Chance is the probability that a call fails; 0 means always.
	Chance float64

	// Hang blocks every call until Hang is cleared or the disk is unplugged or closed. No signal except SIGKILL ends a
	// blocked call. A call on a real disk ignores SIGKILL too, but a test must be able to end what it started.
	Hang bool
	// Rate limits reading and writing together, in bytes per second. 0 means no limit.
	Rate int64

	// NoLinks makes hard links and symbolic links fail with EPERM.
	NoLinks bool
	// FAT makes names that Windows forbids fail with EINVAL, chmod, chown and links with EPERM, and flags of renameat2
	// with EINVAL.
	FAT bool
}

// Disk is a mounted disk. Any goroutine may call its methods at any time.
type Disk struct {
	at     string
	server *exec.Cmd
	rpc    *rpc.Client
}

// New mounts a new disk for a test, with its own backing folder. New returns the disk and the folder at which the disk
// is mounted. The disk is closed when the test ends.
func New(t testing.TB, kind ...Kind) (*Disk, string) {
	t.Helper()
	if off() {
		t.Skip("a disk that fails needs FUSE, and " + noFUSE + "=1 says that there is none")
	}
	at := t.TempDir()
	d, err := Mount(t.TempDir(), at, kind...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, at
}

// Mount mounts a disk at a folder. The content of the disk lies in the folder backing, which nobody else may change.
// The disk is [Strict] if no kind is given.
func Mount(backing, at string, kind ...Kind) (*Disk, error) {
	if os.Getenv(mark) != private {
		return nil, errors.New("mount a disk: TestMain must call faultfs.Private first")
	}
	a := mountArgs{Backing: backing, At: at}
	if len(kind) > 0 {
		a.Kind = kind[0]
	}
	for _, p := range []*string{&a.Backing, &a.At} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return nil, err
		}
		*p = abs
	}

	d := &Disk{at: a.At}
	if err := d.start(); err != nil {
		return nil, fmt.Errorf("start the server of a disk: %w", err)
	}
	if err := d.call("Mount", a); err != nil {
		return nil, errors.Join(fmt.Errorf("mount a disk at %s: %w", a.At, err), d.Close())
	}
	return d, nil
}

// start starts the server. The server ends when this end of the control connection is closed.
func (d *Disk) start() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "disk"), os.NewFile(uintptr(pair[1]), "disk")
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	d.server = exec.Command("/proc/self/exe")
	d.server.Args[0] = "faultfs"
	// Without this setting each Close takes a second under the race detector.
	d.server.Env = append(os.Environ(), mark+"="+serve, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	d.server.Stderr = os.Stderr
	d.server.ExtraFiles = []*os.File{theirs}
	conn, err := net.FileConn(ours)
	if err != nil {
		return err
	}
	if err := d.server.Start(); err != nil {
		return errors.Join(err, conn.Close())
	}
	d.rpc = rpc.NewClient(conn)
	return nil
}

func (d *Disk) call(method string, args any) error {
	var none int
	return d.rpc.Call("Disk."+method, args, &none)
}

// Close unmounts the disk, even if it is in use, and waits until its server has ended. Hanging calls fail with EIO.
func (d *Disk) Close() error {
	_ = d.rpc.Close()
	stuck := time.AfterFunc(10*time.Second, func() { _ = d.server.Process.Kill() })
	defer stuck.Stop()
	if err := d.server.Wait(); err != nil {
		_ = unix.Unmount(d.at, unix.MNT_DETACH)
		return fmt.Errorf("the server of the disk at %s: %w", d.at, err)
	}
	return nil
}

// Set replaces the faults that act on every call. It panics if the disk's server has died.
func (d *Disk) Set(f Faults) {
	if err := d.call("Set", f); err != nil {
		panic(fmt.Sprintf("set faults of the disk at %s: %v", d.at, err))
	}
}

// Counts returns how often each call was made since the disk was mounted, by the names of FUSE: "write", "fsync",
// "fsyncdir", "create", "rename", "unlink" and so on. "fail:write" is how often a fault made the call fail, and
// "hang:write" how often the call began to hang. Counts panics if the disk's server has died.
func (d *Disk) Counts() map[string]int64 {
	counts := map[string]int64{}
	if err := d.rpc.Call("Disk.Counts", 0, &counts); err != nil {
		panic(fmt.Sprintf("ask for the counts of the disk at %s: %v", d.at, err))
	}
	return counts
}

// Unplug removes the disk. From then on each open handle returns EIO, and the mount point is the bare folder below.
// Only what a program has mapped stays readable, as long as the kernel holds it. What was written stays on the disk. To
// test what an unplugged drive loses, Mount the image of a power cut instead.
func (d *Disk) Unplug() error { return d.call("Unplug", 0) }

// Plug mounts the disk again. Handles from before stay broken.
func (d *Disk) Plug() error { return d.call("Plug", 0) }

// Loss is what a power cut takes from the changes that were not fsynced.
type Loss int

const (
	Chance Loss = iota // anything
	All                // everything
	Bytes              // the bytes of files, but no name: a clip that was named too early exists and is empty
)

// PowerCut writes to the empty folder image a state that a machine might find if the power were cut now. The comment of
// the package says what chance may lose. The disk goes on.
func (d *Disk) PowerCut(loss Loss, rng *rand.Rand, image string) error {
	image, err := filepath.Abs(image)
	if err == nil {
		err = d.call("PowerCut", cutArgs{Image: image, Loss: loss, Seed: [2]uint64{rng.Uint64(), rng.Uint64()}})
	}
	if err != nil {
		return fmt.Errorf("cut the power of the disk at %s: %w", d.at, err)
	}
	return nil
}

// changes are the calls that change something. takes are those of them that take space on the disk.
var (
	changes = set("setattr", "create", "mknod", "mkdir", "unlink", "rmdir", "rename", "link", "symlink", "write")
	takes   = set("create", "mknod", "mkdir", "link", "symlink", "write")
)

// reported are the calls that DoneErr affects.
var reported = set("create", "mkdir", "unlink", "rmdir", "rename", "link", "fsync", "fsyncdir")

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

// strike returns the error of a call, or 0. roll is a random number in [0, 1). Faults that depend on more than the name
// of the call are left to the call itself.
func (f Faults) strike(op string, roll float64) syscall.Errno {
	var e syscall.Errno
	switch op {
	case "write":
		e = f.WriteErr
	case "fsync", "fsyncdir":
		e = f.SyncErr
	case "read":
		e = f.ReadErr
	case "rename":
		e = f.RenameErr
	}
	switch {
	case e != 0 && roll < cmp.Or(f.Chance, 1):
		return e
	case f.ReadOnly && changes[op]:
		return syscall.EROFS
	case (f.FAT || f.NoLinks) && (op == "link" || op == "symlink"):
		return syscall.EPERM
	case f.Full && takes[op]:
		return syscall.ENOSPC
	}
	return 0
}
