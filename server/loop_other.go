//go:build !linux

package server

import "net"

// loop serves many connections from one goroutine; here the system has no
// epoll, and redcon serves all of them.
type loop struct{}

func startLoops(*Server, int) ([]*loop, error) { return nil, nil }

func (*loop) stop() {}

func (*Server) adopt(net.Conn) bool { return false }
