// Package access keeps who may reach Preroll from outside: a name and a token for each caller, and for each device that
// shows the web pages. A device gets its token for a [Code], which is short and soon expires.
//
// A token is shown once, when it is made. Only its hash is kept, so whoever reads the file cannot call. Methods may be
// called from any goroutine.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/preroll/preroll/internal/durable"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
)

// The names of the lists in the state folder.
const (
	Callers = "callers.json"
	Devices = "devices.json"
)

// Bounds of the list.
const (
	maxCallers = 200
	maxName    = 100     // characters
	maxFile    = 1 << 20 // bytes
)

// The errors of Add and Remove.
var (
	ErrName     = text.CallerNeedsName.Error()
	ErrTaken    = text.CallerNameTaken.Error()
	ErrMany     = text.TooManyCallers.Error(maxCallers)
	ErrNoCaller = text.NoSuchCaller.Error()
)

// caller is a caller as the file has it.
type caller struct {
	status.Caller
	Hash string       `json:"hash"`           // of the token, SHA-256 in hex
	Word *status.Push `json:"word,omitempty"` // where its word goes, if it wants any
}

// List is the list of callers. Make one with Open.
type List struct {
	path string

	mu      sync.Mutex // guards everything below
	err     error      // why the file cannot be read; then nobody may call, and nothing is written
	loaded  time.Time  // when the file was read last
	callers []caller
	used    map[string]time.Time // when a caller came last, by id
}

// Open reads a list in a state folder. A list that is not there is empty. A list that cannot be read lets nobody in,
// see Err; it is never overwritten.
func Open(state, file string) *List {
	l := &List{path: filepath.Join(state, file), used: map[string]time.Time{}}
	l.load()
	return l
}

// load reads the list. l.mu is held, or nobody else has l.
func (l *List) load() {
	l.callers, l.err, l.loaded = nil, nil, time.Now()
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.LimitReader(f, maxFile))
		_ = f.Close()
	}
	if err == nil {
		err = json.Unmarshal(b, &l.callers)
	}
	if err != nil {
		l.callers, l.err = nil, text.CallersUnreadable.Error(l.path, err)
	}
}

// Err returns why the list cannot be read, or nil.
func (l *List) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		l.load()
	}
	return l.err
}

// hashOf returns the hash of a token. A token is random, so it needs no slow hash.
func hashOf(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// Add adds a caller with the name and the rights of c, durably, and returns it with its token.
func (l *List) Add(c status.Caller) (added status.Caller, token string, err error) {
	if c.Name = event.Clean(c.Name, maxName); c.Name == "" {
		return added, "", ErrName
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil { // it may have been repaired
		l.load()
	}
	if len(l.callers) >= maxCallers {
		return added, "", ErrMany
	}
	if slices.ContainsFunc(l.callers, func(o caller) bool { return strings.EqualFold(o.Name, c.Name) }) {
		return added, "", ErrTaken
	}

	token = rand.Text()
	c.ID, c.Made, c.Used = strings.ToLower(rand.Text()[:8]), time.Now().Truncate(time.Second), time.Time{}
	list := append(slices.Clip(l.callers), caller{c, hashOf(token), nil})
	if err := l.write(list); err != nil {
		return status.Caller{}, "", err
	}
	return c, token, nil
}

// SetWord keeps where word for a caller goes, durably; nil: nowhere.
func (l *List) SetWord(id string, p *status.Push) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Clone(l.callers)
	i := slices.IndexFunc(list, func(c caller) bool { return c.ID == id })
	if i < 0 {
		return ErrNoCaller
	}
	list[i].Word = p
	return l.write(list)
}

// Words calls f for each caller that wants word.
func (l *List) Words(f func(c status.Caller, p status.Push)) {
	l.mu.Lock()
	list := l.callers
	l.mu.Unlock()
	for _, c := range list {
		if c.Word != nil {
			f(c.Caller, *c.Word)
		}
	}
}

// Remove removes a caller, durably. From then on its token is refused.
func (l *List) Remove(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(l.callers), func(c caller) bool { return c.ID == id })
	if l.err == nil && len(list) == len(l.callers) {
		return ErrNoCaller
	}
	return l.write(list)
}

// write writes the list, which then is in force. l.mu is held.
func (l *List) write(list []caller) error {
	if l.err != nil {
		return l.err
	}
	b, err := json.MarshalIndent(list, "", "  ")
	if err == nil {
		err = durable.WriteFile(l.path, append(b, '\n'), 0o600)
	}
	if err == nil {
		l.callers = list
	}
	return err
}

// All returns the callers, the oldest first.
func (l *List) All() []status.Caller {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]status.Caller, 0, len(l.callers))
	for _, c := range l.callers {
		c.Used, c.Caller.Word = l.used[c.ID], c.Word != nil
		list = append(list, c.Caller)
	}
	return list
}

// Find returns the caller with a token, and notes that it came.
func (l *List) Find(token string) (status.Caller, bool) {
	h := hashOf(token) // whoever measures the time of a comparison learns of the hash, not of the token
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil && time.Since(l.loaded) > time.Second {
		l.load()
	}
	i := slices.IndexFunc(l.callers, func(c caller) bool { return c.Hash == h })
	if i < 0 || token == "" {
		return status.Caller{}, false
	}
	l.used[l.callers[i].ID] = time.Now()
	return l.callers[i].Caller, true
}
