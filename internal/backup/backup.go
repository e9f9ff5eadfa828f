// Package backup writes what makes up an installation of Preroll into one file, and puts it back: settings,
// certificate, list of events, callers and paired devices. Clips are not part of it. The file is a tar archive,
// compressed by gzip. With a passphrase it is encrypted by age (https://age-encryption.org/v1); without one, passwords,
// tokens, the certificate and the devices are left out.
package backup

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/pelletier/go-toml/v2"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/internal/sqlfile"
	"github.com/preroll/preroll/recorder/config"
)

// Names in a backup.
const (
	noteName     = "backup.json"
	settingsName = "preroll.toml"
	indexName    = "index.db"
)

// secretNames are the files of the state folder that let somebody in.
var secretNames = []string{"smtp-certificate.pem", "callers.json", "devices.json", "push-keys.json"}

// maxFile is the max size of a file in a backup, in bytes. The list of a million events has 500 MB.
const maxFile = 2 << 30

// note says what a backup is.
type note struct {
	Version int       `json:"version"`
	Preroll string    `json:"preroll"` // version that made it
	Made    time.Time `json:"made"`
	Missing []string  `json:"missing,omitempty"` // keys of passwords that were left out
}

// These are the errors that callers check for.
var (
	ErrPassphrase = errors.New("the backup is encrypted; name the file with its passphrase by --passphrase-file")
	ErrWrong      = errors.New("the passphrase is not that of the backup")
	ErrNoBackup   = errors.New("this is no backup of Preroll, or it is damaged")
	ErrNewer      = errors.New("the backup is from a newer Preroll")
)

// Write writes a backup. An empty passphrase leaves all that is secret out.
func Write(ctx context.Context, to io.Writer, p config.Paths, version, passphrase string) error {
	file, err := os.ReadFile(p.File) // without what comes from this machine's environment
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &config.FileError{Path: p.File, Err: err}
	}
	if _, err := config.ParseHere(file); err != nil {
		return &config.FileError{Path: p.File, Err: err}
	}
	s := config.Held(file)
	var missing []string
	out := io.WriteCloser(nopCloser{to})
	if passphrase != "" {
		r, err := age.NewScryptRecipient(passphrase)
		if err != nil {
			return err
		}
		if out, err = age.Encrypt(to, r); err != nil {
			return err
		}
	} else {
		s, missing = withoutSecrets(s)
	}
	zipped := gzip.NewWriter(out)
	t := &writer{Writer: tar.NewWriter(zipped), now: time.Now()}
	head, err := json.Marshal(note{1, version, t.now.UTC().Truncate(time.Second), missing})
	if err != nil {
		return err
	}
	t.bytes(noteName, head)
	text, err := toml.Marshal(s)
	if err != nil {
		return err
	}
	t.bytes(settingsName, text)
	t.index(ctx, filepath.Join(p.State, indexName))
	for _, name := range secretNames {
		if passphrase == "" {
			break
		}
		b, err := os.ReadFile(filepath.Join(p.State, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		t.bytes(name, b)
	}
	return errors.Join(t.err, t.Close(), zipped.Close(), out.Close())
}

// withoutSecrets returns settings without passwords, and the keys of those that were set.
func withoutSecrets(s config.Settings) (plain config.Settings, missing []string) {
	s = s.Clone()
	drop := func(key string, secret *config.Secret, instead config.Secret) {
		if *secret != "" && *secret != config.Keyring {
			missing = append(missing, key)
			*secret = instead
		}
	}
	public := config.Public(s)
	cut := func(key string, address *string, shown string) {
		if *address != shown {
			missing = append(missing, key)
			*address = strings.TrimSuffix(shown, "…")
		}
	}
	drop("smtp.password", &s.SMTP.Password, "")
	for i := range s.Cameras {
		drop("camera."+s.Cameras[i].ID+".password", &s.Cameras[i].Password, "")
		cut("camera."+s.Cameras[i].ID+".url", &s.Cameras[i].URL, public.Cameras[i].URL)
		cut("camera."+s.Cameras[i].ID+".url_small", &s.Cameras[i].URLSmall, public.Cameras[i].URLSmall)
	}
	for i := range s.Targets { // some kinds are wrong without a token
		drop("target."+s.Targets[i].ID+".token", &s.Targets[i].Token, config.Keyring)
		cut("target."+s.Targets[i].ID+".url", &s.Targets[i].URL, public.Targets[i].URL)
	}
	return s, missing
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// writer keeps the first error.
type writer struct {
	*tar.Writer
	now time.Time
	err error
}

func (w *writer) add(name string, size int64, from io.Reader) {
	if w.err != nil {
		return
	}
	if w.err = w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: w.now}); w.err == nil {
		_, w.err = io.Copy(w, from)
	}
}

func (w *writer) bytes(name string, b []byte) {
	w.add(name, int64(len(b)), strings.NewReader(string(b)))
}

// index adds a copy of the list of events, which a recorder may be writing.
func (w *writer) index(ctx context.Context, path string) {
	if _, err := os.Stat(path); w.err != nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	dir, err := os.MkdirTemp("", "preroll-backup-")
	if err != nil {
		w.err = err
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := sqlfile.Open(path, "_pragma=busy_timeout(25000)&mode=ro", 1)
	if err != nil {
		w.err = err
		return
	}
	copied := filepath.Join(dir, indexName)
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", copied)
	if w.err = errors.Join(err, db.Close()); w.err != nil {
		w.err = fmt.Errorf("copy the list of events: %w", w.err)
		return
	}
	f, err := os.Open(copied)
	if err != nil {
		w.err = err
		return
	}
	defer func() { _ = f.Close() }()
	fi, err := f.Stat()
	if err != nil {
		w.err = err
		return
	}
	w.add(indexName, fi.Size(), f)
}

// Restored is what Restore did.
type Restored struct {
	Made    time.Time
	Version string   // of the Preroll that made the backup
	Files   []string // that were put back
	Aside   []string // where the files lie now that were there before
	Missing []string // keys of passwords that the backup does not hold
}

// Restore puts a backup back. No recorder may run with these paths. Files that are there are set aside, never
// overwritten. Nothing is changed unless the whole backup is well.
func Restore(from io.Reader, p config.Paths, passphrase string, now time.Time) (r Restored, err error) {
	buffered := bufio.NewReader(from)
	in := io.Reader(buffered)
	if head, _ := buffered.Peek(3); string(head) == "age" {
		if passphrase == "" {
			return r, ErrPassphrase
		}
		id, err := age.NewScryptIdentity(passphrase)
		if err != nil {
			return r, err
		}
		if in, err = age.Decrypt(buffered, id); err != nil {
			return r, fmt.Errorf("%w: %w", ErrWrong, err)
		}
	}
	zipped, err := gzip.NewReader(in)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrNoBackup, err)
	}
	if err := os.MkdirAll(p.State, 0o700); err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp(p.State, "restore-")
	if err != nil {
		return r, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	names, err := unpack(tar.NewReader(zipped), dir)
	if err != nil {
		return r, err
	}
	var n note
	b, err := os.ReadFile(filepath.Join(dir, noteName))
	if err == nil {
		err = json.Unmarshal(b, &n)
	}
	if err != nil || n.Version < 1 {
		return r, fmt.Errorf("%w: %w", ErrNoBackup, err)
	}
	if n.Version > 1 {
		return r, fmt.Errorf("%w (%s)", ErrNewer, n.Preroll)
	}
	text, err := os.ReadFile(filepath.Join(dir, settingsName))
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrNoBackup, err)
	}
	if _, err := config.ParseHere(text); err != nil {
		return r, &config.FileError{Path: settingsName + " in the backup", Err: err}
	}
	r.Made, r.Version, r.Missing = n.Made, n.Preroll, n.Missing
	return r, r.put(names, dir, p, now)
}

// unpack writes the known files of an archive to a folder, and returns their names.
func unpack(t *tar.Reader, dir string) (names []string, err error) {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoBackup, err)
		}
		known := h.Name == noteName || h.Name == settingsName || h.Name == indexName ||
			slices.Contains(secretNames, h.Name)
		if !known || h.Typeflag != tar.TypeReg || h.Size > maxFile || slices.Contains(names, h.Name) {
			return nil, fmt.Errorf("%w: it holds %q", ErrNoBackup, h.Name)
		}
		f, err := os.OpenFile(filepath.Join(dir, h.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(f, io.LimitReader(t, maxFile))
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoBackup, err)
		}
		names = append(names, h.Name)
	}
}

// put moves the files to their places.
func (r *Restored) put(names []string, dir string, p config.Paths, now time.Time) error {
	if err := os.MkdirAll(filepath.Dir(p.File), 0o700); err != nil {
		return err
	}
	mark := ".before-restore-" + now.Format("20060102-150405")
	for n := 2; slices.ContainsFunc([]string{p.File, filepath.Join(p.State, indexName)}, func(f string) bool {
		_, err := os.Lstat(f + mark)
		return err == nil
	}); n++ {
		mark = fmt.Sprintf(".before-restore-%s-%d", now.Format("20060102-150405"), n)
	}
	for _, name := range names {
		if name == noteName {
			continue
		}
		to := filepath.Join(p.State, name)
		if name == settingsName {
			to = p.File
		}
		beside := []string{""}
		if name == indexName {
			beside = []string{"", "-wal", "-shm", "-journal"} // those of the old list
		}
		for _, end := range beside {
			aside := to + mark + end
			switch err := os.Rename(to+end, aside); {
			case err == nil:
				r.Aside = append(r.Aside, aside)
			case !errors.Is(err, fs.ErrNotExist):
				return err
			}
		}
		var err error
		if name == settingsName { // which may lie on another disk
			var b []byte
			if b, err = os.ReadFile(filepath.Join(dir, name)); err == nil {
				err = durable.WriteFile(to, b, 0o600)
			}
		} else {
			err = os.Rename(filepath.Join(dir, name), to)
		}
		if err != nil {
			return err
		}
		r.Files = append(r.Files, to)
	}
	return durable.SyncDir(p.State)
}
