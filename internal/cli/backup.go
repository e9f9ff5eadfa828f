package cli

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/preroll/preroll/internal/backup"
	"github.com/preroll/preroll/internal/importer"
	"github.com/preroll/preroll/recorder"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
)

// passphraseFlag is the option that names a file with a passphrase.
func passphraseFlag(fs *flag.FlagSet, to *string) { fs.StringVar(to, "passphrase-file", "", "") }

// passphrase returns the first line of a file, or of standard input for "-". An empty path means none.
func passphrase(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
	}
	p, err := readLine(f)
	if err == nil && p == "" {
		err = errors.New("the passphrase is empty")
	}
	return p, err
}

func backupCommand() command {
	var file string
	return command{
		args:  [2]int{1, 1},
		flags: func(fs *flag.FlagSet) { passphraseFlag(fs, &file) },
		run: func(e *env) error {
			secret, err := passphrase(file)
			if err != nil {
				return err
			}
			to, err := os.OpenFile(e.args[0], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			err = backup.Write(e.ctx, to, e.paths, recorder.Version(), secret)
			if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
				_ = os.Remove(e.args[0])
				return err
			}
			fmt.Fprintf(e.out, "%s holds settings and list of events; clips are not in it\n", e.args[0])
			if secret == "" {
				fmt.Fprintln(e.out, "Passwords, tokens, certificate, callers and paired devices are left out; with "+
					"--passphrase-file they are in it, encrypted.")
			}
			return nil
		},
	}
}

func restoreCommand() command {
	var file string
	return command{
		args:  [2]int{1, 1},
		flags: func(fs *flag.FlagSet) { passphraseFlag(fs, &file) },
		run: func(e *env) error {
			secret, err := passphrase(file)
			if err != nil {
				return err
			}
			ln, err := control.Listen(e.paths.Socket, "") // no recorder begins meanwhile
			if errors.Is(err, control.ErrTaken) {
				return fmt.Errorf("%w; end it first", errRunning)
			}
			if err != nil {
				return err
			}
			defer func() { _ = ln.Close() }()
			from, err := os.Open(e.args[0])
			if err != nil {
				return err
			}
			defer func() { _ = from.Close() }()
			r, err := backup.Restore(from, e.paths, secret, time.Now())
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "Restored the backup of %s\n", r.Made.Local().Format("2006-01-02 15:04"))
			for _, f := range r.Files {
				fmt.Fprintf(e.out, "  %s\n", f)
			}
			for _, f := range r.Aside {
				fmt.Fprintf(e.out, "Set aside: %s\n", f)
			}
			for _, key := range r.Missing {
				fmt.Fprintf(e.out, "Missing: preroll settings set %s -\n", key)
			}
			return nil
		},
	}
}

func importCommand() command {
	var kind string
	var dry bool
	return command{
		args: [2]int{1, 1},
		flags: func(fs *flag.FlagSet) {
			fs.StringVar(&kind, "from", "", "")
			fs.BoolVar(&dry, "dry-run", false, "")
		},
		run: func(e *env) error {
			if kind != "" && !slices.Contains(importer.Kinds, kind) {
				return errUsage(fmt.Sprintf("--from %q: there are %s", kind, strings.Join(importer.Kinds, ", ")))
			}
			text, err := os.ReadFile(e.args[0])
			if err != nil {
				return err
			}
			cameras, skipped, err := importer.Read(kind, text)
			if err != nil {
				return fmt.Errorf("%s: %w", e.args[0], err)
			}
			var added []config.Camera
			err = changeSettings(e, func(s *config.Settings) (config.ValidationErrors, error) {
				var ids []string
				for _, c := range s.Cameras {
					ids = append(ids, c.ID)
				}
				for _, c := range cameras {
					if known := cameraAt(*s, c.URL); known != "" {
						skipped = append(skipped, importer.Skipped{Name: c.Name, Why: "it is there already, as " +
							known})
						continue
					}
					c.ID = config.NewID(c.ID, ids)
					ids, added = append(ids, c.ID), append(added, c)
				}
				if !dry {
					s.Cameras = append(s.Cameras, added...)
				}
				return nil, nil
			})
			if err != nil {
				return err
			}
			for _, c := range added {
				fmt.Fprintf(e.out, "%s  %s  %s\n", map[bool]string{true: "would add", false: "added"}[dry], c.ID, c.URL)
			}
			for _, s := range skipped {
				fmt.Fprintf(e.out, "not all   %s: %s\n", s.Name, s.Why)
			}
			if len(added) == 0 {
				fmt.Fprintln(e.out, "No camera was added.")
			} else if !dry {
				fmt.Fprintf(e.out,
					"Alarm mails tell cameras by their address, such as %s@preroll; see: preroll check\n",
					added[0].ID)
			}
			return nil
		},
	}
}

// cameraAt returns the id of the camera with an address, or "".
func cameraAt(s config.Settings, address string) string {
	for _, c := range s.Cameras {
		if strings.EqualFold(c.URL, address) {
			return c.ID
		}
	}
	return ""
}
