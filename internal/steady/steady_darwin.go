package steady

import "golang.org/x/sys/unix"

const steadyClock = unix.CLOCK_MONOTONIC // goes on while a Mac sleeps, see clock_gettime(3)
