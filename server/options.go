// Package server is the RESP door: it listens, turns what arrives into
// batches of commands for the engine, and sends the replies. It holds no
// command logic.
//
// On Linux, connections without TLS are served by a few event loops
// (loopConn). All others are redcon's, which gives each a goroutine. It trusts
// its clients too much to meet them alone, so each socket is wrapped (conn),
// and redcon reads from the wrapper only frames that the guard found whole and
// valid.
package server

import (
	"log/slog"
	"time"

	"github.com/cubbykv/cubby/commands"
)

// Defaults of the Options whose zero value means "the default".
const (
	defaultMaxClients      = 10000
	defaultMaxRequestBytes = 8 << 20
	defaultMaxBulkBytes    = 1 << 20
	defaultWriteTimeout    = time.Minute
)

// Options configure a Server.
type Options struct {
	Engine *commands.Engine // required
	Log    *slog.Logger     // default discards

	// MaxClients bounds the connections open at once (maxclients); 0 is 10000.
	MaxClients int
	// MaxStrangers bounds how many of them have not signed in
	// (signin-maxclients); 0 is MaxClients.
	MaxStrangers int
	// MaxStrangersPerAddress bounds the same for one address
	// (signin-maxclients-per-address); 0 is no bound.
	MaxStrangersPerAddress int
	// SignInTimeout closes a connection that has not signed in for so long
	// (signin-timeout); 0 is never.
	SignInTimeout time.Duration
	// EventLoops is how many event loops serve plain TCP and unix connections
	// (event-loops): 0 is one for each processor core, below 0 none. What loops
	// do not serve, TLS and systems other than Linux, is redcon's. It cannot
	// change while the server runs.
	EventLoops int
	// SlowWaits says that the store's Wait takes long, an fsync (appendfsync
	// always). A loop then goes on with the connections whose replies depend on
	// nothing that is under way. It cannot change while the server runs.
	SlowWaits bool
	// Timeout closes a connection that sent nothing for so long (timeout); 0
	// is never.
	Timeout time.Duration
	// KeepAlive is how long a TCP connection may be silent before the kernel
	// probes it (tcp-keepalive); 0 is no probes.
	KeepAlive time.Duration
	// MaxRequestBytes bounds what is kept of one command
	// (client-query-buffer-limit); 0 is 8 MiB. A larger command is read to its
	// end and answered with SIZE_EXCEEDED.
	MaxRequestBytes int
	// MaxBulkBytes bounds one argument (proto-max-bulk-len); 0 is 1 MiB. A
	// larger argument is read to its end without being kept, and its command
	// answered with SIZE_EXCEEDED.
	MaxBulkBytes int
	// MaxReplyBytes closes a connection whose replies not yet sent exceed it
	// (client-output-buffer-limit, normal class); 0 is no bound.
	MaxReplyBytes int
	// PushLimit closes a connection that does not keep up with the messages
	// pushed to it (client-output-buffer-limit, class pubsub). The zero value is
	// no limit.
	PushLimit BufferLimit
	// WriteTimeout is how long a client may refuse to take its replies before
	// it is cut off; 0 is one minute. It may take up to twice as long.
	WriteTimeout time.Duration
	// ProtectedMode refuses peers from other machines as long as PasswordSet
	// does not say otherwise (protected-mode).
	ProtectedMode bool
	// PasswordSet tells whether the admin has a password. It is asked for each
	// new connection; nil means no.
	PasswordSet func() bool
}

// withDefaults replaces zero values that stand for a default.
func (o Options) withDefaults() *Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxClients <= 0 {
		o.MaxClients = defaultMaxClients
	}
	if o.MaxStrangers <= 0 {
		o.MaxStrangers = o.MaxClients
	}
	if o.MaxRequestBytes <= 0 {
		o.MaxRequestBytes = defaultMaxRequestBytes
	}
	// The guard keeps positions in a frame as 32-bit numbers.
	o.MaxRequestBytes = min(o.MaxRequestBytes, redisMaxBulk)
	if o.MaxBulkBytes <= 0 {
		o.MaxBulkBytes = defaultMaxBulkBytes
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = defaultWriteTimeout
	}
	return &o
}
