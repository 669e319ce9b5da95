package bunt

import (
	"os"

	"golang.org/x/sys/unix"
)

// systemFile leaves out of an fsync what nobody needs to read the file again,
// the time of its last change above all.
type systemFile struct{ *os.File }

func (f *systemFile) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
