package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/cubbykv/cubby/config"
	"github.com/cubbykv/cubby/internal/tlsconf"
)

// listen opens everything that the configuration names, or nothing.
// Connections with TLS get what secure has then.
func listen(ctx context.Context, c *config.Config, secure *tlsconf.Current) (list []net.Listener, err error) {
	defer func() {
		if err != nil {
			closeAll(list)
			list = nil
		}
	}()
	for _, port := range []struct {
		directive string
		number    int
	}{{"port", c.Port}, {"tls-port", c.TLS.Port}} {
		if port.number == 0 {
			continue
		}
		for _, a := range c.Bind {
			ln, err := listenTCP(ctx, a, port.number, port.directive)
			if err != nil {
				return list, err
			}
			if ln != nil && port.directive == "tls-port" {
				ln = secureListener{secure.Listen(ln)}
			}
			if ln != nil {
				list = append(list, ln)
			}
		}
	}
	if c.UnixSocket != "" {
		ln, err := listenUnix(ctx, c.UnixSocket, c.UnixSocketPerm)
		if err != nil {
			return list, err
		}
		list = append(list, ln)
	}
	if len(list) == 0 {
		return nil, errors.New("there is nothing to listen on: set bind and port or tls-port, or unixsocket")
	}
	return list, nil
}

// secureListener is told apart in addresses.
type secureListener struct{ net.Listener }

func closeAll(list []net.Listener) {
	for _, ln := range list {
		_ = ln.Close()
	}
}

// listenTCP returns nil for an optional address that this machine lacks.
func listenTCP(ctx context.Context, a config.Address, port int, directive string) (net.Listener, error) {
	network, address := a.Listen(port)
	// Keepalive is the door's, which knows how often.
	ln, err := (&net.ListenConfig{KeepAlive: -1}).Listen(ctx, network, address)
	switch {
	case err == nil:
		return ln, nil
	case a.Optional && isMissingAddress(err):
		return nil, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d on %s is in use by another program; stop it, or add '--%s N' with another number", port, a.Host, directive)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("port %d on %s needs more rights than this process has; add '--%s N' with a number above 1023", port, a.Host, directive)
	default:
		return nil, fmt.Errorf("cannot listen on %s: %w; see the directives bind and %s", address, err, directive)
	}
}

// isMissingAddress tells whether err means that the machine does not have the
// address, or not its family, as in Redis.
func isMissingAddress(err error) bool {
	var dns *net.DNSError
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.EPROTONOSUPPORT) || errors.As(err, &dns)
}

func listenUnix(ctx context.Context, path string, perm fs.FileMode) (net.Listener, error) {
	if err := removeStaleSocket(ctx, path); err != nil {
		return nil, err
	}
	ln, err := bindUnix(ctx, path, perm)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on the unix socket: %w; see the directive unixsocket", err)
	}
	if perm != 0 {
		if err := os.Chmod(path, perm); err != nil {
			_ = ln.Close()
			return nil, fmt.Errorf("unixsocketperm: %w", err)
		}
	}
	return ln, nil
}

// bindUnix makes a socket that nobody may use who is not to use it later: with
// permissions set only afterwards, there would be a moment for others to connect
// in, and who has connected stays. The umask is the process's, but at the start
// nothing else makes files.
func bindUnix(ctx context.Context, path string, perm fs.FileMode) (net.Listener, error) {
	if perm != 0 {
		old := syscall.Umask(0o777)
		syscall.Umask(old | int(^perm&0o777))
		defer syscall.Umask(old)
	}
	return (&net.ListenConfig{}).Listen(ctx, "unix", path)
}

// removeStaleSocket removes what a killed server left. Anything else stays: a
// mistyped path must not cost a file.
func removeStaleSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil //nolint:nilerr // nothing there, or listening says it better
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("unixsocket: %s exists and is no socket; choose another path", path)
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = c.Close()
		return fmt.Errorf("unixsocket: another program is listening on %s; stop it, or choose another path", path)
	case errors.Is(err, syscall.ECONNREFUSED): // nobody listens
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		// A server that is too busy to accept, or another user's, is not stale.
		return fmt.Errorf("unixsocket: %s exists, and whether it is in use cannot be found out: %w", path, err)
	}
	return nil
}

// addresses lists where clients can connect.
func addresses(list []net.Listener) string {
	names := make([]string, len(list))
	for i, ln := range list {
		names[i] = ln.Addr().String()
		if _, ok := ln.(secureListener); ok {
			names[i] += " (TLS)"
		}
	}
	return strings.Join(names, ", ")
}
