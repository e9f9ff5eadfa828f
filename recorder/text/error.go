package text

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"runtime"
	"slices"
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

// systemError is an error of the system and its message.
type systemError struct {
	err error
	m   Message
}

// errnos are the messages of the system's error numbers.
var errnos = []systemError{
	{syscall.ENOENT, ErrnoNotExist}, {syscall.EACCES, ErrnoDenied}, {syscall.EPERM, ErrnoNotPermitted},
	{syscall.ENOSPC, ErrnoFull}, {syscall.EDQUOT, ErrnoQuota}, {syscall.EROFS, ErrnoReadOnly}, {syscall.EIO, ErrnoIO},
	{syscall.EEXIST, ErrnoExists}, {syscall.ENOTDIR, ErrnoNotFolder}, {syscall.ECONNREFUSED, ErrnoRefused},
	{syscall.ECONNRESET, ErrnoReset}, {syscall.ETIMEDOUT, ErrnoTimedOut}, {syscall.EHOSTUNREACH, ErrnoNoRoute},
	{syscall.ENETUNREACH, ErrnoNoNetwork},
}

// windowsErrnos are the same on Windows, which has numbers of its own.
var windowsErrnos = []systemError{
	{syscall.Errno(2), ErrnoNotExist}, {syscall.Errno(3), ErrnoNotExist}, {syscall.Errno(5), ErrnoDenied},
	{syscall.Errno(19), ErrnoReadOnly}, {syscall.Errno(39), ErrnoFull}, {syscall.Errno(80), ErrnoExists},
	{syscall.Errno(112), ErrnoFull}, {syscall.Errno(183), ErrnoExists}, {syscall.Errno(1117), ErrnoIO},
	{syscall.Errno(10051), ErrnoNoNetwork}, {syscall.Errno(10054), ErrnoReset},
	{syscall.Errno(10060), ErrnoTimedOut}, {syscall.Errno(10061), ErrnoRefused},
	{syscall.Errno(10065), ErrnoNoRoute},
}

// unnumbered are the messages of the errors without a number.
var unnumbered = []systemError{
	{context.DeadlineExceeded, DeadlineExceeded}, {os.ErrDeadlineExceeded, Timeout}, {fs.ErrNotExist, ErrnoNotExist},
	{fs.ErrExist, ErrnoExists},
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
	all := plain(err)
	var inner Text
	var s sayer
	if errors.As(err, &s) {
		inner = s.Said()
	} else {
		inner = ofSystem(err, all)
	}
	if front, ok := strings.CutSuffix(all, " "+inner.English); ok && !inner.IsZero() {
		return Behind.With(front, inner)
	} else if all == inner.English {
		return inner
	}
	return Plain(all)
}

// plain returns the words of an error. Those of a connection name the address and what is wrong with it, without the
// names of calls.
func plain(err error) string {
	said := err.Error()
	var (
		op   *net.OpError
		dns  *net.DNSError
		call *os.SyscallError
	)
	if !errors.As(err, &op) || !slices.Contains([]string{"dial", "read", "write"}, op.Op) {
		return said
	}
	short := op.Err.Error()
	if errors.As(op.Err, &dns) {
		short = strings.Replace(short, dns.Error(), "lookup "+dns.Name+": "+dns.Err, 1)
	}
	if errors.As(op.Err, &call) {
		short = strings.Replace(short, call.Error(), call.Err.Error(), 1)
	}
	if op.Addr != nil {
		short = op.Addr.String() + ": " + short
	}
	return strings.Replace(said, op.Error(), short, 1)
}

// ofSystem returns the text for an error of the system that err ends with, or a zero text. Its English is the system's.
func ofSystem(err error, said string) Text {
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		list := errnos
		if runtime.GOOS == "windows" {
			list = windowsErrnos
		}

		// Do not ask errors.Is: it takes "directory not empty" for "file exists".
		if i := slices.IndexFunc(list, func(k systemError) bool { return k.err == errno }); i >= 0 {
			return list[i].inEnglish(errno.Error())
		}
		return Text{}
	}

	for _, k := range unnumbered {
		// A network's timeout is a deadline that was exceeded too, and says "i/o timeout".
		if errors.Is(err, k.err) && strings.HasSuffix(said, k.err.Error()) {
			return k.inEnglish(k.err.Error())
		}
	}
	if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
		return Timeout.With()
	}
	return Text{}
}

func (k systemError) inEnglish(english string) Text {
	t := k.m.With()
	t.English = english
	return t
}
