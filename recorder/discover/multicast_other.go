//go:build !windows

package discover

import "syscall"

func multicastBy(fd uintptr, a [4]byte) error {
	return syscall.SetsockoptInet4Addr(int(fd), syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF, a)
}
