package server

import (
	"log/slog"
	"net"
	"runtime/debug"
)

// logger writes log lines that name the connection's peer.
type logger struct {
	*slog.Logger
	nc net.Conn
}

func (l logger) remote() slog.Attr {
	return slog.String("remote", address(l.nc.RemoteAddr(), l.nc.LocalAddr()))
}

func (l logger) debug(msg string, args ...any) { l.Debug(msg, append(args, l.remote())...) }
func (l logger) warn(msg string, args ...any)  { l.Warn(msg, append(args, l.remote())...) }

func (l logger) panicked(doing string, v any) {
	l.Error("panic while "+doing, "panic", v, "stack", string(debug.Stack()), l.remote())
}
