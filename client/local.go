package client

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/inmemory"
	"github.com/cubbykv/cubby/internal/resp"
)

// LocalOptions configure a local store. The zero value has wide limits.
type LocalOptions struct {
	Prefix string
	// Limits are pairs of name and value as APP.CREATE takes them. Without them
	// there are 1,000,000 keys of any bytes and TTLs from a millisecond on.
	Limits []string
	Clock  func() time.Time // default time.Now
}

// localApp is the only app of a local store.
const localApp = "local/app"

// NewLocal returns a store inside of this process: the real engine, without a
// network and without a disk. It forgets everything at Close. Errors: limits that
// are none.
func NewLocal(o LocalOptions) (*KV, error) {
	engine, err := inmemory.New(inmemory.Options{Clock: o.Clock})
	if err != nil {
		return nil, err
	}
	limits := o.Limits
	if len(limits) == 0 {
		limits = []string{"key-charset", "any", "max-keys", "1000000", "ttl-min", "1ms", "ttl-max", "0"}
	}
	l := &local{engine: engine}
	app, err := engine.CreateApp(localApp, limits...)
	if err == nil {
		l.token, _, err = engine.Directory.CreateToken(context.Background(), app.ID, "", auth.Scope{})
	}
	if err != nil {
		_ = engine.Close()
		return nil, err
	}
	return &KV{l, o.Prefix}, nil
}

// local is an engine in this process.
type local struct {
	engine *inmemory.Engine
	token  string

	using  sync.RWMutex // held to use the engine, so that close waits
	closed bool

	mu   sync.Mutex // guards idle
	idle []*session
}

// session is used by one call at a time.
type session struct {
	*commands.Session
	out *resp.Writer
}

// session returns one that is signed in and idle. There are as many as there
// were calls at once.
func (l *local) session() *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.idle); n > 0 {
		s := l.idle[n-1]
		l.idle = l.idle[:n-1]
		return s
	}
	s := &session{l.engine.NewSession(commands.SessionOptions{Door: "local"}), resp.NewWriter(resp.V2)}
	l.engine.Do(context.Background(), s.Session, []commands.Request{request("AUTH", l.token)}, s.out)
	s.out.Reset()
	return s
}

func (l *local) giveBack(s *session) {
	s.out.Reset()
	l.mu.Lock()
	l.idle = append(l.idle, s)
	l.mu.Unlock()
}

func request(args ...any) commands.Request {
	argv := make([][]byte, len(args))
	for i, arg := range args {
		argv[i] = fmt.Append(nil, arg)
	}
	return commands.Request{Argv: argv}
}

func (l *local) call(ctx context.Context, _ retry, args ...any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, &Error{Code: "network_error", Message: "the call was given up: " + err.Error(), cause: err}
	}
	l.using.RLock()
	defer l.using.RUnlock()
	if l.closed {
		return nil, errAlreadyClosed
	}
	s := l.session()
	defer l.giveBack(s)
	_, seq := l.engine.Do(ctx, s.Session, []commands.Request{request(args...)}, s.out)
	if err := l.engine.Wait(ctx, seq); err != nil {
		return nil, &Error{Code: "platform_error", Message: err.Error(), cause: err}
	}
	reply, rest, err := resp.Decode(bytes.Clone(s.out.Bytes()))
	if err != nil || len(rest) > 0 {
		return nil, errReply
	}
	if text, ok := reply.(resp.ErrorText); ok {
		return nil, replyError(string(text))
	}
	return reply, nil
}

func (l *local) close() error {
	l.using.Lock()
	defer l.using.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return l.engine.Close()
}
