//go:build !linux

package bunt

import "os"

// systemFile is a file of the system's.
type systemFile struct{ *os.File }
