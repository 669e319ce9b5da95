//go:build unix

package bunt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/cubbykv/cubby/storage"
)

// lockDir takes the directory for this process. The lock ends with the
// returned file, also when the process dies.
func lockDir(dir string) (*os.File, error) {
	name := filepath.Join(dir, "LOCK")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: %s (stop the other server, or choose another dir)", storage.ErrLocked, dir)
	}
	return nil, fmt.Errorf("lock %s: %w", name, err)
}
