//go:build linux

package faulttest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/preroll/preroll/internal/testing/faulttest/faultfs"
)

// program is the path of the Preroll under test.
var program string

func TestMain(m *testing.M) {
	if os.Getenv("PREROLL_NO_FUSE") != "" {
		fmt.Println("LEFT OUT because of PREROLL_NO_FUSE: all of internal/testing/faulttest")
		os.Exit(0)
	}
	if err := faultfs.Private(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	program = os.Getenv("PREROLL_FAULTS_PROGRAM")
	if program == "" {
		dir, err := os.MkdirTemp("", "preroll-faults-")
		if err != nil {
			return 0, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if program, err = Build(context.Background(), dir); err != nil {
			return 0, err
		}
	}
	return m.Run(), nil
}
