package server

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// parker parks a loop's goroutine until the loop's epoll instance has events.
//
// Go's own poller watches a second epoll instance, and that one watches the
// loop's only while the loop is parked. Otherwise each request that arrives
// would wake up the thread that waits in Go's poller, and for nothing: that was
// a fifth of the processor time of a SET at pipeline 1, and twice as many context
// switches.
type parker struct {
	file *os.File // the second instance
	raw  syscall.RawConn
	fd   int // its descriptor
	loop int // the loop's
}

func newParker(loop int) (parker, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return parker{}, err
	}
	// A non-blocking descriptor of a File is watched by Go's poller: an idle loop
	// is a parked goroutine then, and not a thread in a system call that keeps a
	// processor from the others.
	if err = unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return parker{}, err
	}
	p := parker{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, loop: loop}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.watch(unix.EPOLL_CTL_ADD, 0)
	}
	if err != nil {
		p.close()
	}
	return p, err
}

func (p *parker) close() { _ = p.file.Close() }

func (p *parker) watch(op int, events uint32) error {
	return unix.EpollCtl(p.fd, op, p.loop, &unix.EpollEvent{Events: events, Fd: int32(p.loop)})
}

// park returns how many events there are, when there are some. ready looks
// without waiting.
func (p *parker) park(ready func() int) (n int) {
	// Both calls only fail for descriptors that are not open.
	_ = p.watch(unix.EPOLL_CTL_MOD, unix.EPOLLIN)
	_ = p.raw.Read(func(uintptr) bool {
		n = ready()
		return n > 0
	})
	_ = p.watch(unix.EPOLL_CTL_MOD, 0)
	return n
}
