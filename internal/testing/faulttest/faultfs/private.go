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

// mark is the environment variable that says why the test binary was started.
const (
	mark    = "PREROLL_FAULTFS"
	private = "private" // runs in its own mount namespace
	serve   = "serve"   // serves a disk

	noFUSE = "PREROLL_NO_FUSE"
)

func off() bool { return os.Getenv(noFUSE) == "1" }

// Private puts the test binary into its own mount namespace, so that no mount outlives it. TestMain must call Private
// first. Private starts the test binary again in the new namespace, passes on the signals of this process, and exits
// with the exit code of the new process. So Private returns only in the new process. Processes that the new process
// starts with its environment stay in the namespace, and Private does nothing in them. In the server of a disk, Private
// never returns.
//
// Private needs CAP_SYS_ADMIN or user namespaces. The error says what is missing. With PREROLL_NO_FUSE=1 in the
// environment, Private does nothing.
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

	// The kernel sends the death signal when the thread that started the process ends.
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

// again starts this program again.
func again(attr *syscall.SysProcAttr) (*exec.Cmd, error) {
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Args[0] = os.Args[0]
	c.Env = append(os.Environ(), mark+"="+private)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = attr
	return c, c.Start()
}

// available returns an error if the FUSE device of the kernel cannot be opened.
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
