// Package inmemory puts the real engine on a store that keeps everything in
// memory: for tests, and for programs that want a store of their own.
package inmemory

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
)

// TrackedKeys is the default of tracking-table-max-keys.
const TrackedKeys = 100_000

// Options configure an Engine. The zero value works.
type Options struct {
	Clock  func() time.Time // default time.Now
	Log    *slog.Logger     // default discards
	Events string           // as notify-keyspace-events
	Port   int              // what INFO says
	// Password is the admin's; empty makes one up.
	Password string
}

// Engine is a command engine with its store and its directory.
type Engine struct {
	*commands.Engine
	Directory *auth.Directory
	Store     *bunt.Store
	Password  string // the admin's
}

// New returns an engine without any app. Close ends it.
func New(o Options) (*Engine, error) {
	clock := o.Clock
	if clock == nil {
		clock = time.Now
	}
	if o.Password == "" {
		o.Password = rand.Text()
	}
	var engine atomic.Pointer[commands.Engine] // for the store, which is opened before it
	options := bunt.Options{Log: o.Log, OnExpired: func(db int, id storage.ID, keys []string) {
		if e := engine.Load(); e != nil {
			e.Expired(db, id, keys)
		}
	}}
	if o.Clock != nil {
		options.Clock = func() int64 { return clock().UnixMilli() }
	}
	store, err := bunt.Open(options)
	if err != nil {
		return nil, err
	}
	directory, err := auth.Open(context.Background(), store, auth.Options{AdminPassword: o.Password, Clock: clock, Log: o.Log})
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	e := &Engine{Directory: directory, Store: store, Password: o.Password}
	e.Engine = commands.New(commands.Options{
		Store: store, Directory: directory, Clock: o.Clock, Log: o.Log, KeyspaceEvents: o.Events, TrackedKeys: TrackedKeys,
		Server: commands.ServerInfo{Version: "in memory", Port: o.Port, AppendSync: "no"},
	})
	engine.Store(e.Engine)
	return e, nil
}

// CreateApp opens a namespace, with limits in pairs of name and value as
// APP.CREATE takes them. Errors: *auth.InputError, auth.ErrAppExists.
func (e *Engine) CreateApp(name string, limits ...string) (*auth.App, error) {
	id, err := auth.ParseID(name)
	if err != nil {
		return nil, err
	}
	overrides, err := auth.ParseOverrides(limits)
	if err != nil {
		return nil, fmt.Errorf("limits of %s: %w", name, err)
	}
	return e.Directory.CreateApp(context.Background(), id, overrides)
}

// Close ends the store. Errors: the store's.
func (e *Engine) Close() error { return e.Store.Close() }
