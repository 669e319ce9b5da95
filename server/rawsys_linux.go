package server

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of a loop do not tell Go's scheduler that they may block: on
// descriptors that never do, or for a millisecond at most, that only makes the
// scheduler hand the processor to a thread that finds nothing to do. With two
// busy cores that doubled the processor time of a GET. The signal by which the
// scheduler or the collector asks a goroutine to stop ends the wait for events.

// readNow reads what a non-blocking descriptor has.
func readNow(fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), 0
}

// writeNow writes what a non-blocking descriptor takes.
func writeNow(fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), 0
}

// epollWait returns how many events there are after at most so many ms; 0 also
// when a signal came first.
func epollWait(fd int, events []unix.EpollEvent, ms int) int {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(ms), 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}
