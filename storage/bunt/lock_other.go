//go:build !unix

package bunt

import (
	"errors"
	"os"
)

// lockDir refuses: without a lock two servers could write one journal.
func lockDir(string) (*os.File, error) {
	return nil, errors.New("a data directory needs a Unix system; without Dir the store lives in memory")
}
