package access

import (
	"crypto/rand"
	"crypto/subtle"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/recorder/text"
)

// Bounds of codes.
const (
	CodeTime   = 10 * time.Minute // how long a code counts
	maxGuesses = 50               // wrong codes until the right one counts no more
)

// The errors of Use.
var (
	ErrCode    = text.WrongCode.Error()
	ErrGuesses = text.TooManyGuesses.Error()
)

// Code is the code that lets one device in, once. Only one code counts at a time. Its zero value lets nobody in.
type Code struct {
	mu      sync.Mutex // guards everything below
	code    string
	made    time.Time
	until   time.Time
	guesses int
}

// New makes a code, in the form ABCD-EFGH, which replaces an earlier one.
func (c *Code) New(now time.Time) (code string, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.code, c.made, c.until, c.guesses = rand.Text()[:8], now, now.Add(CodeTime), 0
	return c.code[:4] + "-" + c.code[4:], c.until
}

// Made returns when the code was made; zero if there was none.
func (c *Code) Made() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// Use uses a code up. People type codes, so case, blanks and the hyphen do not matter.
func (c *Code) Use(code string, now time.Time) error {
	code = strings.NewReplacer("-", "", " ", "").Replace(strings.ToUpper(code))
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.code != "" && c.guesses >= maxGuesses:
		return ErrGuesses
	case c.code == "" || now.After(c.until):
		return ErrCode
	case subtle.ConstantTimeCompare([]byte(c.code), []byte(code)) == 0:
		c.guesses++
		return ErrCode
	}
	c.code = ""
	return nil
}
