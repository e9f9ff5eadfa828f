package index

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/preroll/preroll/internal/disk"
	"github.com/preroll/preroll/recorder/text"
)

// Error is an error of the index, as opposed to an error of the archive drive.
type Error struct {
	Doing text.Message // IndexOpen, IndexRead or IndexWrite
	Err   error
}

func (e *Error) Error() string { return e.Said().String() }
func (e *Error) Unwrap() error { return e.Err }

// Said says the error.
func (e *Error) Said() text.Text { return e.Doing.With(e.Err) }

func newError(doing text.Message, err error) error { return &Error{doing, err} }

// damaged reports whether an error means that the index's file is damaged, or hints at it. Preroll's own statements are
// right. So if SQLite rejects a statement, the tables or events are probably not what they were.
func damaged(err error) bool { return corrupt(err) || code(err) == sqlite3.SQLITE_ERROR }

// corrupt reports whether an error proves that the index's file is damaged.
func corrupt(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT:
		return true
	}

	// A file that ends too early: the index was cut, or its log is not the one that was written.
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_IOERR_SHORT_READ {
		return true
	}
	return errors.Is(err, errDamaged)
}

// passing reports whether an error of opening the index may pass by itself: its disk is full or fails, or another
// program holds the index.
func passing(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_READONLY:
		return true
	}
	return disk.Full(err)
}

// code returns SQLite's primary result code, or 0 if err is not from SQLite.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// errDamaged is the error for damage that Preroll finds and not SQLite.
var errDamaged = errors.New("index is damaged")
