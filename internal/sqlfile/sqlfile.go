// Package sqlfile opens SQLite files by path, whatever characters the path has.
package sqlfile

import (
	"database/sql"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver
)

// Open returns a database with at most maxConns connections; 0 means no limit. The first statement opens the file.
// options are those of the driver and of SQLite's file names (https://www.sqlite.org/uri.html), such as
// "mode=ro&_pragma=query_only(1)".
func Open(path, options string, maxConns int) (*sql.DB, error) {
	escaped := (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() // a # or ? in a folder's name would end the path
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: escaped, RawQuery: options}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(maxConns)
	return db, nil
}
