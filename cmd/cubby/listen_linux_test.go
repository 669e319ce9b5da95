package main

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A socket that nobody accepts on at the moment is not stale.
func TestABusySocketIsNotReplaced(t *testing.T) {
	dir, err := os.MkdirTemp("", "cubby")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer func() { _ = syscall.Close(fd) }()
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
	require.NoError(t, syscall.Listen(fd, 0))
	waiting, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer waiting.Close()

	_, err = listenUnix(t.Context(), path, 0)
	require.ErrorContains(t, err, "unixsocket: "+path+" exists, and whether it is in use cannot be found out: ")
	require.FileExists(t, path)

	_, err = listenUnix(t.Context(), filepath.Join(dir, "nowhere", "s"), 0)
	require.ErrorContains(t, err, "cannot listen on the unix socket: ")
	require.ErrorContains(t, err, "no such file or directory; see the directive unixsocket")
}
