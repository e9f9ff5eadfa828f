// Package lockfile lets one process at a time use a folder, and says which process does.
//
// The lock is a lock of the system on an open file, so it ends with the process, however the process ends. Network
// shares with such locks also keep it between machines. On a file system without such locks there is no lock.
package lockfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"runtime"
	"time"
)

// Name is the name of the lock file.
const Name = ".preroll.lock"

// Owner is the process that holds a lock.
type Owner struct {
	Host    string    `json:"host"`
	User    string    `json:"user"`
	Process int       `json:"process"`
	Since   time.Time `json:"since"`
}

// InUseError is the error for a folder that another process uses.
type InUseError struct {
	Path  string
	Owner Owner
}

func (t *InUseError) Error() string {
	if t.Owner.Process == 0 {
		return t.Path + " is used by another Preroll"
	}
	return fmt.Sprintf("%s is used by another Preroll (process %d of %s on %s)", t.Path, t.Owner.Process, t.Owner.User,
		t.Owner.Host)
}

// Lock is a lock that is held.
type Lock struct{ file *os.File }

// maxFile is how much of a lock file is read at most, in bytes.
const maxFile = 4 << 10

// Acquire locks a folder. The error is an [InUseError] if another process holds the lock. The lock is nil if the file
// system has no locks.
func Acquire(root *os.Root) (*Lock, error) {
	if fi, err := root.Lstat(Name); err == nil && !fi.Mode().IsRegular() {
		return nil, &os.PathError{Op: "lock", Path: Name, Err: errors.New("not a plain file")}
	}
	f, err := root.OpenFile(Name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	switch err := lock(f); {
	case errors.Is(err, errTaken):
		t := &InUseError{Path: root.Name()}
		b, _ := io.ReadAll(io.LimitReader(f, maxFile))
		_ = json.Unmarshal(b, &t.Owner)
		return nil, errors.Join(t, f.Close())
	case errors.Is(err, errors.ErrUnsupported):
		return nil, f.Close()
	case err != nil:
		return nil, errors.Join(err, f.Close())
	}

	b, err := json.Marshal(me())
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(b, '\n'), 0)
	}
	if err != nil { // others then cannot read who holds the lock, which matters little
		_ = f.Truncate(0)
	}
	return &Lock{f}, nil
}

func me() Owner {
	o := Owner{Process: os.Getpid(), Since: time.Now().Truncate(time.Second)}
	o.Host, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		o.User = u.Username
	} else if runtime.GOOS != "windows" {
		o.User = fmt.Sprint(os.Getuid())
	}
	return o
}

// Holds reports whether the lock is that of the lock file in a folder. It reports false if another drive is in the
// folder's place now, or if somebody removed the file.
func (l *Lock) Holds(root *os.Root) bool {
	if l == nil {
		return false
	}
	named, err := root.Lstat(Name)
	if err != nil {
		return false
	}
	is, err := l.file.Stat()
	return err == nil && os.SameFile(named, is)
}

// Release ends the lock. The file stays, because removing it could remove the lock of another process.
func (l *Lock) Release() {
	if l != nil {
		_ = l.file.Close()
	}
}
