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

// Error is an error for a person. A program compares it with errors.Is: two errors of the same message are equal.
type Error struct {
	Text Text
	Err  error // the cause; may be nil
}

func (e *Error) Error() string { return e.Text.English }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether the target is an error of the same message.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && e.Text.Code != "" && e.Text.Code == t.Text.Code
}

// Said returns the text of the error, for [Of].
func (e *Error) Said() Text { return e.Text }

// Error returns the message as an error. If one of the values is an error, it becomes the cause.
func (m Message) Error(values ...any) error {
	e := &Error{Text: m.With(values...)}
	for _, v := range values {
		if err, ok := v.(error); ok {
			e.Err = err
		}
	}
	return e
}

// sayer is an error with a text.
type sayer interface {
	error
	Said() Text
}

// known maps the errors of the system to messages. ofSystem tries them in this order.
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

// Of returns the text of an error. If an error without a text wraps a known error, its words stay as they are in front
// of the known error's text.
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

// ofSystem returns the text for an error of the system, or a zero text.
func ofSystem(err error) Text {
	for _, k := range known {
		if !errors.Is(err, k.err) {
			continue
		}
		t := k.m.With()
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			t.English = errno.Error() // Windows uses other words
		}
		return t
	}
	if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
		return Timeout.With()
	}
	return Text{}
}
