//go:build !windows

package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrTaken means that another process already listens.
var ErrTaken = errors.New("another one is running already")

// listener holds a lock while it listens. Without the lock, two starts at the same moment could each take the other's
// socket for a dead one.
type listener struct {
	net.Listener
	lock *os.File
}

func (l *listener) Close() error { return errors.Join(l.Listener.Close(), l.lock.Close()) }

// Listen listens on a socket that only this user can open, and unless shared is empty also the group of its folder. It
// replaces a socket that a killed process left.
func Listen(socket, shared string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	lock, err := os.OpenFile(socket+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrTaken
		}
		return nil, fmt.Errorf("control socket: %w", err)
	}

	_ = os.Remove(socket)
	ln, err := net.Listen("unix", socket)
	if err == nil {
		// The umask of this process and the folder already keep others out.
		mode := os.FileMode(0o600)
		if shared != "" {
			mode = 0o660
		}
		err = os.Chmod(socket, mode)
	}
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return &listener{ln, lock}, nil
}

// Dial connects to a socket.
func Dial(ctx context.Context, socket string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", socket)
}
