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

// Kind is what fsync of a file means for names.
type Kind int

const (
	Strict  Kind = iota // nothing: a name is durable after fsync of its folder only
	Journal             // all earlier changes of names are durable with it, as on ext4
)

// Faults are what a disk does wrong. The zero value is a disk in order. Errors are given before anything is changed.
type Faults struct {
	// Full: every write and everything that takes a new name or makes a file longer fails with ENOSPC.
	Full bool
	// Room, where it is not 0, is how many bytes files may still grow by. The write that comes to its end is short, the
	// next one and each new name fail with ENOSPC. Removing and truncating gives room back. Free space, as statfs tells
	// it, is Room, in whole blocks.
	Room int64
	// ReadOnly: every change fails with EROFS.
	ReadOnly bool

	// What these calls fail with, where it is not 0: write, fsync (of files and folders), read (but of what a program
	// has mapped and the kernel holds), rename.
	WriteErr, SyncErr, ReadErr, RenameErr syscall.Errno
	// DoneErr, where it is not 0, is what calls that change names, and fsync, report although they were carried out: as
	// a network share whose server's answer was lost. Not those of open files: write and truncate.
	DoneErr syscall.Errno
	// Chance is the probability with which they fail; 0 means always.
	Chance float64

	// Hang: every call blocks until Hang is cleared or the disk is unplugged or closed. Signals do not end it but for
	// SIGKILL, which a real disk does not grant: else a test could not end what it started.
	Hang bool
	// Rate bounds reading and writing, taken together, in bytes a second. 0 is no bound.
	Rate int64

	// NoLinks: hard and symbolic links fail with EPERM.
	NoLinks bool
	// FAT: names that Windows forbids fail with EINVAL; chmod, chown and links with EPERM; flags of renameat2 with
	// EINVAL.
	FAT bool
}

// Disk is a mounted disk. Its methods may be called at any time from any goroutine.
type Disk struct {
	at     string
	server *exec.Cmd
	rpc    *rpc.Client
}

// New mounts a fresh disk for a test, on a backing folder of its own, and returns it with the folder at which it is
// mounted. It is closed when the test ends.
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

// Mount mounts a disk at a folder. What is on the disk lies in the folder backing, which must not change under it. The
// disk is [Strict] if no kind is given.
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

// start starts the server, which ends when this end of the control connection is closed.
func (d *Disk) start() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "disk"), os.NewFile(uintptr(pair[1]), "disk")
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	d.server = exec.Command("/proc/self/exe")
	d.server.Args[0] = "faultfs"
	// else each Close takes a second under the race detector
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

// Close unmounts the disk, even if it is in use, and waits until its server has ended. Calls that hang fail with EIO.
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

// Set makes faults, and no others, act on every call from now on. It panics if the disk's server has died.
func (d *Disk) Set(f Faults) {
	if err := d.call("Set", f); err != nil {
		panic(fmt.Sprintf("set faults of the disk at %s: %v", d.at, err))
	}
}

// Counts returns how often each call was made since the disk was mounted: "write", "fsync", "fsyncdir", "create",
// "rename", "unlink" and so on by the names that FUSE gives them; how often a fault made it fail, as "fail:write"; and
// how often it began to hang, as "hang:write". It panics if the disk's server has died.
func (d *Disk) Counts() map[string]int64 {
	counts := map[string]int64{}
	if err := d.rpc.Call("Disk.Counts", 0, &counts); err != nil {
		panic(fmt.Sprintf("ask for the counts of the disk at %s: %v", d.at, err))
	}
	return counts
}

// Unplug takes the disk away: each open handle answers EIO from now on, and the folder at which it was mounted is the
// bare one below. Only what a program has mapped stays readable, as long as the kernel holds it. What was written stays
// on the disk. For what a yanked drive loses, Mount the image of a power cut instead.
func (d *Disk) Unplug() error { return d.call("Unplug", 0) }

// Plug mounts the disk again. Handles of before stay broken.
func (d *Disk) Plug() error { return d.call("Plug", 0) }

// Loss is what a power cut takes of what was not fsynced.
type Loss int

const (
	Chance Loss = iota // anything
	All                // all of it
	Bytes              // what files hold, and no name: a clip that was named too early is there, and empty
)

// PowerCut writes a state that a machine might find if the power were cut now into the empty folder image. See the
// package's comment for what may be lost by chance. The disk goes on.
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

// The calls that change something, and those of them that take room on the disk.
var (
	changes = set("setattr", "create", "mknod", "mkdir", "unlink", "rmdir", "rename", "link", "symlink", "write")
	takes   = set("create", "mknod", "mkdir", "link", "symlink", "write")
)

// reported are the calls that may be carried out and report that they failed.
var reported = set("create", "mkdir", "unlink", "rmdir", "rename", "link", "fsync", "fsyncdir")

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

// strike returns what a call fails with, 0 if nothing; roll is a random number in [0, 1). What depends on more than the
// call's name is left to the call itself.
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
