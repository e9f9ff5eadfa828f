package text

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

// Error is an error that a person reads. Compare it with errors.Is where a program decides by it: each message's Error
// is the same as any other one of that message.
type Error struct {
	Text Text
	Err  error // what led to it; may be nil
}

func (e *Error) Error() string { return e.Text.English }

// Unwrap returns what led to the error.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether the target is an error of the same message.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && e.Text.Code != "" && e.Text.Code == t.Text.Code
}

// Said returns what is said, as [Of] wants it.
func (e *Error) Said() Text { return e.Text }

// Error returns the message as an error. An error among the values is what led to it.
func (m Message) Error(values ...any) error {
	e := &Error{Text: m.With(values...)}
	for _, v := range values {
		if err, ok := v.(error); ok {
			e.Err = err
		}
	}
	return e
}

// sayer is an error that knows its text.
type sayer interface {
	error
	Said() Text
}

// known are what a system says, in the order in which they are looked for.
var known = []struct {
	err error
	m   Message
}{
	{context.DeadlineExceeded, DeadlineExceeded}, {os.ErrDeadlineExceeded, Timeout},
	{syscall.ENOENT, ErrnoNotExist}, {syscall.EACCES, ErrnoDenied}, {syscall.EPERM, ErrnoNotPermitted},
	{syscall.ENOSPC, ErrnoFull}, {syscall.EDQUOT, ErrnoQuota}, {syscall.EROFS, ErrnoReadOnly}, {syscall.EIO, ErrnoIO},
	{syscall.EEXIST, ErrnoExists}, {syscall.ENOTDIR, ErrnoNotFolder}, {syscall.ECONNREFUSED, ErrnoRefused},
	{syscall.ECONNRESET, ErrnoReset}, {syscall.ETIMEDOUT, ErrnoTimedOut}, {syscall.EHOSTUNREACH, ErrnoNoRoute},
	{syscall.ENETUNREACH, ErrnoNoNetwork}, {fs.ErrNotExist, ErrnoNotExist}, {fs.ErrExist, ErrnoExists},
}

// Of says an error. What wraps a known error without a text of its own stands in front of it as it is.
func Of(err error) Text {
	if err == nil {
		return Text{}
	}
	if s, ok := err.(sayer); ok {
		return s.Said()
	}
	all := err.Error()
	var inner Text
	var s sayer
	if errors.As(err, &s) {
		inner = s.Said()
	} else {
		inner = ofSystem(err)
	}
	if front, ok := strings.CutSuffix(all, " "+inner.English); ok && !inner.IsZero() {
		return Behind.With(front, inner)
	} else if all == inner.English {
		return inner
	}
	return Plain(all)
}

// ofSystem says what a system says, or nothing.
func ofSystem(err error) Text {
	for _, k := range known {
		if !errors.Is(err, k.err) {
			continue
		}
		t := k.m.With()
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			t.English = errno.Error() // Windows has other words
		}
		return t
	}
	if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
		return Timeout.With()
	}
	return Text{}
}
