// Package drive tells archive drives apart. Each drive has a file with an id at its root. So another drive at the same
// mount point is recognized as another drive, and a drive that moves to another mount point as the same drive.
package drive

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/preroll/preroll/internal/durable"
)

// File is the name of the file with the id. The file is hidden, so that a person who empties the folder by hand leaves
// it.
const File = ".preroll-archive.json"

// mark is the content of the file.
type mark struct {
	ID   string    `json:"id"`
	Made time.Time `json:"made"`
	Note string    `json:"note"`
}

const noteText = "Preroll tells this drive from others by this file. Leave it here; do not copy it to another drive."

// maxFile is how much of the file is read at most, in bytes.
const maxFile = 4 << 10

var valid = regexp.MustCompile(`^[0-9a-f]{16}$`)

// NewID returns an id for a drive that has none.
func NewID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // crypto/rand never fails
	return hex.EncodeToString(b)
}

// ErrID is the error for a file with this name that holds no valid id.
var ErrID = errors.New(File + " is damaged; remove it, and run: preroll reindex")

// Read returns the id of the drive with the given root. The error is [fs.ErrNotExist] if the drive has no id file.
func Read(root *os.Root) (string, error) {
	f, _, err := durable.OpenPlain(root, File)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err := errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("read %s: %w", File, err)
	}
	var m mark
	if json.Unmarshal(b, &m) != nil || !valid.MatchString(m.ID) {
		return "", ErrID
	}
	return m.ID, nil
}

// Mark writes an id file to a drive, durably.
func Mark(root *os.Root, id string) error {
	b, err := json.MarshalIndent(mark{ID: id, Made: time.Now().UTC().Truncate(time.Second), Note: noteText}, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteIn(root, File, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", File, err)
	}
	return nil
}
