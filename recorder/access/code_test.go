package access

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCode(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var c Code
	if err := c.Use("", now); !errors.Is(err, ErrCode) {
		t.Errorf("no code yet: got %v", err)
	}
	code, until := c.New(now)
	if len(code) != 9 || code[4] != '-' || until.Sub(now) != CodeTime {
		t.Fatalf("got %q until %s", code, until)
	}
	for _, wrong := range []string{"", "x", code[:8], code + "A", strings.Repeat("A", 1000)} {
		if err := c.Use(wrong, now); !errors.Is(err, ErrCode) {
			t.Errorf("%q: got %v", wrong, err)
		}
	}
	if err := c.Use(" "+strings.ToLower(code[:4])+" "+code[5:], now); err != nil {
		t.Errorf("as people type it: %v", err)
	}
	if err := c.Use(code, now); !errors.Is(err, ErrCode) {
		t.Errorf("a code counts twice: %v", err)
	}

	code, _ = c.New(now)
	if err := c.Use(code, now.Add(CodeTime+time.Second)); !errors.Is(err, ErrCode) {
		t.Errorf("too late: got %v", err)
	}
	old, _ := c.New(now)
	code, _ = c.New(now)
	if err := c.Use(old, now); !errors.Is(err, ErrCode) {
		t.Errorf("a replaced code: got %v", err)
	}
	for range maxGuesses {
		_ = c.Use("ABCD-EFGH", now)
	}
	if err := c.Use(code, now); !errors.Is(err, ErrGuesses) {
		t.Errorf("after %d guesses: got %v", maxGuesses, err)
	}
	code, _ = c.New(now)
	if err := c.Use(code, now); err != nil {
		t.Errorf("a new code: %v", err)
	}
}
