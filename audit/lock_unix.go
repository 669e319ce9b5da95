//go:build unix && !solaris

package audit

import (
	"os"
	"syscall"
)

// lock keeps other processes from writing the file; they would break the chain.
// The system lets go of it with the file.
func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
