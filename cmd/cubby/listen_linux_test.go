package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
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

// From its first moment a socket is only for those whom unixsocketperm lets in,
// also where the umask would let in others.
func TestASocketBeginsWithItsPermissions(t *testing.T) {
	dir := t.TempDir()
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	for i, perm := range []os.FileMode{0o700, 0o770, 0o600, 0o777, 0o020} {
		path := filepath.Join(dir, "s"+strconv.Itoa(i))
		ln, err := bindUnix(t.Context(), path, perm) // before any chmod
		require.NoError(t, err)
		info, err := os.Lstat(path)
		require.NoError(t, err)
		require.Equal(t, perm, info.Mode().Perm())
		require.NoError(t, ln.Close())
		require.Zero(t, syscall.Umask(0), "the umask is as before")

		ln, err = listenUnix(t.Context(), path, perm)
		require.NoError(t, err)
		info, err = os.Lstat(path)
		require.NoError(t, err)
		require.Equal(t, perm, info.Mode().Perm())
		require.NoError(t, ln.Close())
	}
	// What the umask takes away and the directive gives is there in the end.
	syscall.Umask(0o077)
	ln, err := listenUnix(t.Context(), filepath.Join(dir, "s"), 0o770)
	require.NoError(t, err)
	defer ln.Close()
	info, err := os.Lstat(filepath.Join(dir, "s"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o770), info.Mode().Perm())
}
