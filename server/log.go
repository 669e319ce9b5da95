package server

import (
	"log/slog"
	"net"
	"runtime/debug"

	"github.com/cubbykv/cubby/internal/kverr"
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
	l.Error("panic while "+doing, "panic", kverr.PanicText(v), "stack", string(debug.Stack()), l.remote())
}

// breach notes a breach of the protocol and returns the reply to it, nil for
// none.
func (l logger) breach(f fault) []byte {
	reply := f.reply()
	if reply == nil {
		l.warn("closing a connection that speaks another protocol: possibly an attack by a web page", "got", string(f))
	} else {
		l.debug("protocol error", "error", string(f))
	}
	return reply
}
