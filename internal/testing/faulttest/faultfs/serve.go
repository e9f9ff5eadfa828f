//go:build linux

package faultfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// serveDisk is the process of the server. It handles the calls on file 3, ends when file 3 ends, and returns the exit
// code.
func serveDisk() int {
	unix.Umask(0) // the kernel has applied the caller's umask
	file := os.NewFile(3, "control")
	conn, err := net.FileConn(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "serve a disk:", err)
		return 1
	}
	_ = file.Close()
	c := &control{}
	s := rpc.NewServer()
	if err := s.RegisterName("Disk", c); err != nil {
		fmt.Fprintln(os.Stderr, "serve a disk:", err)
		return 1
	}
	s.ServeConn(conn)
	if c.disk == nil || c.session == nil {
		return 0
	}
	if err := c.Unplug(0, nil); err != nil {
		fmt.Fprintln(os.Stderr, "close a disk:", err)
		return 1
	}
	return 0
}

// control is the server's end of a [Disk].
type control struct {
	disk *disk
	at   string

	mu      sync.Mutex
	session *session // guarded by mu; nil while unplugged
}

// Package net/rpc accepts only types that are exported or have no name.
type (
	mountArgs = struct {
		Backing, At string
		Kind        Kind
	}
	cutArgs = struct {
		Image string
		Loss  Loss
		Seed  [2]uint64
	}
)

func (c *control) Mount(a mountArgs, _ *int) (err error) {
	c.at = a.At
	if c.disk, err = newDisk(a.Backing, a.Kind); err != nil {
		return err
	}
	return c.Plug(0, nil)
}

func (c *control) Set(f Faults, _ *int) error {
	c.disk.set(f)
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.ReadErr != 0 && !f.Hang && c.session != nil {
		c.session.dropCache() // the kernel would serve reads from its cache
	}
	return nil
}

func (c *control) Counts(_ int, counts *map[string]int64) error {
	*counts = c.disk.counted()
	return nil
}

func (c *control) Plug(_ int, _ *int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		return errors.New("the disk is plugged in")
	}
	s := newSession(c.disk)
	server, err := fuse.NewServer(s, c.at, &fuse.MountOptions{
		FsName:                   "faultfs",
		Name:                     "faultfs",
		DirectMountStrict:        true,
		AllowOther:               true,
		DisableXAttrs:            true,
		DisableReadDirPlus:       true,
		ExplicitDataCacheControl: true, // all changes pass through the kernel, so its cache is right
		MaxWrite:                 1 << 20,
		MaxBackground:            64,
	})
	if err != nil {
		return need(fmt.Errorf("mount(2) of FUSE (%w)", err))
	}
	s.server = server
	go server.Serve() // until the last handle is closed or the process ends
	err = server.WaitMount()
	if err == nil {
		s.dev, err = device(c.at)
	}
	if err != nil {
		return errors.Join(err, unix.Unmount(c.at, unix.MNT_DETACH))
	}
	c.session = s
	return nil
}

func (c *control) Unplug(_ int, _ *int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return errors.New("the disk is not plugged in")
	}
	c.session.kill()
	c.session = nil
	return unix.Unmount(c.at, unix.MNT_DETACH)
}

func (c *control) PowerCut(a cutArgs, _ *int) error {
	return c.disk.cut(a.Loss, rand.New(rand.NewPCG(a.Seed[0], a.Seed[1])), a.Image)
}
