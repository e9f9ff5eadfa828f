package ffmpeg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

func interrupt(p *os.Process) error { return p.Kill() }

func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW}
}

// killJob returns a job object that kills its processes when the last handle to it closes, which is when Preroll ends.
var killJob = sync.OnceValues(func() (windows.Handle, error) {
	h, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, err
	}
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(h, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	return h, err
})

// adopt puts FFmpeg into the job object.
func adopt(p *os.Process) error {
	job, err := killJob()
	if err != nil {
		return fmt.Errorf("make a job object for FFmpeg: %w", err)
	}
	h, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(p.Pid))
	if err != nil {
		return fmt.Errorf("open FFmpeg's process: %w", err)
	}
	defer func() { _ = windows.CloseHandle(h) }()
	if err := windows.AssignProcessToJobObject(job, h); err != nil {
		return fmt.Errorf("put FFmpeg into its job object: %w", err)
	}
	return nil
}

func release(*os.Process) {}

// EndOrphans does nothing: the job object ends FFmpeg with Preroll.
func EndOrphans(context.Context, string) error { return nil }

// limitMemory does nothing: FFmpeg's memory is not limited on Windows.
func limitMemory(*os.Process, uint64) error { return nil }
