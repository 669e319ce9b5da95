//go:build !unix

package bunt

import "time"

func cpuTime() time.Duration { return 0 }
