// Package gateway is the HTTP door: the REST protocol of @upstash/redis, a path
// form for curl, messages as server-sent events, and tokens for browsers. It
// turns requests into arguments and replies into JSON; it holds no command
// logic.
package gateway

import (
	"log/slog"
	"time"

	"github.com/cubbykv/cubby/commands"
)

// Defaults of the Options whose zero value means "the default".
const (
	defaultMaxBodyBytes   = 8 << 20
	defaultMaxBulkBytes   = 1 << 20
	defaultMaxReplyBytes  = 64 << 20
	defaultMaxConnections = 10_000
	defaultRequestTimeout = time.Minute
	defaultPushBytes      = 32 << 20
	defaultHeartbeat      = 25 * time.Second
)

// Options configure a Gateway.
type Options struct {
	Engine *commands.Engine // required
	Log    *slog.Logger     // default discards

	// MaxConnections bounds the connections open at once, and the requests; 0 is
	// 10000.
	MaxConnections int
	// MaxStrangers bounds how many of them have not brought a right token yet; 0
	// is MaxConnections.
	MaxStrangers int
	// MaxStrangersPerAddress bounds the same for one address; 0 is no bound.
	MaxStrangersPerAddress int
	// MaxBodyBytes bounds the body of a request; 0 is 8 MiB. A larger one is
	// refused with 413.
	MaxBodyBytes int
	// MaxBulkBytes bounds one argument; 0 is 1 MiB.
	MaxBulkBytes int
	// MaxReplyBytes bounds the replies to one request; 0 is 64 MiB.
	MaxReplyBytes int
	// RequestTimeout is how long a request may take to arrive, and its answer to
	// leave; 0 is a minute. Streams of messages have no end.
	RequestTimeout time.Duration
	// PushBytes bounds the messages that wait for one stream's client; 0 is 32
	// MiB. A stream that exceeds it is ended.
	PushBytes int
	// Heartbeat is how often a silent stream sends a comment, so that proxies
	// keep it open; 0 is 25 s.
	Heartbeat time.Duration
	// Local tells that requests without a token act as somebody (serve --dev), so
	// that only this machine and no web page may send them: see refuseStrangers.
	Local bool
}

func (o *Options) setDefaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, x := range []struct {
		field *int
		value int
	}{
		{&o.MaxConnections, defaultMaxConnections}, {&o.MaxBodyBytes, defaultMaxBodyBytes}, {&o.MaxBulkBytes, defaultMaxBulkBytes},
		{&o.MaxReplyBytes, defaultMaxReplyBytes}, {&o.PushBytes, defaultPushBytes},
	} {
		if *x.field == 0 {
			*x.field = x.value
		}
	}
	if o.MaxStrangers == 0 {
		o.MaxStrangers = o.MaxConnections
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = defaultRequestTimeout
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = defaultHeartbeat
	}
}
