//go:build linux

package faultfs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// mark is the environment variable that tells the test binary what it was started as.
const (
	mark    = "PREROLL_FAULTFS"
	private = "private" // in a mount namespace of its own
	serve   = "serve"   // to serve a disk

	noFUSE = "PREROLL_NO_FUSE"
)

func off() bool { return os.Getenv(noFUSE) == "1" }

// Private puts the test binary into a mount namespace of its own, so that no mount outlives it. It is called first in
// TestMain: the test binary is started once more in the new namespace, gets this one's signals, and its exit code is
// this one's, so that Private returns in the new process only. Processes that it starts with its environment stay in
// the namespace; in them Private does nothing. In the server of a disk it does not return at all.
//
// As root it needs CAP_SYS_ADMIN, else user namespaces; the error says what is missing. With PREROLL_NO_FUSE=1 in the
// environment it does nothing.
func Private() error {
	switch os.Getenv(mark) {
	case serve:
		os.Exit(serveDisk())
	case private:
		return nil
	}
	if off() {
		return nil
	}
	if err := available(); err != nil {
		return err
	}

	// The death signal is sent when the thread that started the process ends.
	runtime.LockOSThread()
	attr := &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	child, err := again(attr)
	if err != nil {
		user := *attr
		user.Cloneflags = syscall.CLONE_NEWUSER
		user.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		user.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		var uerr error
		if child, uerr = again(&user); uerr != nil {
			return need(fmt.Errorf("a mount namespace (%w) or a user namespace (%w)", err, uerr))
		}
	}

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	go func() {
		for s := range signals {
			_ = child.Process.Signal(s)
		}
	}()
	err = child.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("wait for the tests: %w", err)
	}
	code := child.ProcessState.ExitCode()
	if w, ok := child.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		fmt.Fprintln(os.Stderr, "the tests ended by", w.Signal())
		code = 128 + int(w.Signal())
	}
	os.Exit(code)
	return nil
}

// again starts this program once more.
func again(attr *syscall.SysProcAttr) (*exec.Cmd, error) {
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Args[0] = os.Args[0]
	c.Env = append(os.Environ(), mark+"="+private)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = attr
	return c, c.Start()
}

// available reports whether the kernel's side of FUSE can be reached.
func available() error {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return need(fmt.Errorf("/dev/fuse (%w)", err))
	}
	return unix.Close(fd)
}

func need(what error) error {
	return fmt.Errorf("a disk that fails needs %w: run as root, load the kernel's module fuse, in a container add --device /dev/fuse --cap-add SYS_ADMIN, or skip its tests with %s=1", what, noFUSE)
}
