// Package commands is the command engine: one table of commands, one
// admission function, and one way to run a batch. Doors (RESP, HTTP, the Go
// test double) hand it arguments and send what it replies; they hold no
// command logic.
package commands

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// Options configure an Engine.
type Options struct {
	Store     storage.Store   // required
	Directory *auth.Directory // required: apps, tokens, the admin's password
	// Anonymous is the principal of sessions that did not sign in; nil means
	// that they may only sign in. Only serve --dev sets it.
	Anonymous *auth.Principal
	// Clock gives the time that admission judges by; default time.Now. It should
	// agree with the store's.
	Clock func() time.Time
	Log   *slog.Logger // default discards
	// KeyspaceEvents are the flags of notify-keyspace-events; empty is none.
	// For expired keys the Store must be a storage.Expirer that calls Expired.
	KeyspaceEvents string
	// TrackedKeys bounds how many keys of one namespace are remembered for
	// connections that track them (tracking-table-max-keys); 0 is no bound.
	TrackedKeys int
	// Server describes the process for INFO and HELLO.
	Server ServerInfo
	// Config is what CONFIG shows and changes; nil is nothing.
	Config Config
	// Settings may change later (Reconfigure); nil are DefaultSettings.
	Settings *Settings
	// Trail is the audit trail; nil is none. See SetAuditTrail.
	Trail *audit.Trail
}

// ServerInfo is what INFO tells about the process.
type ServerInfo struct {
	Version    string // Cubby's version
	Port       int    // TCP port of the RESP door
	ConfigFile string // path of the configuration file, or empty
	AppendSync string // always, everysec or no
	// MaxMemory returns the bytes that data may take, 0 for no limit; may be nil.
	MaxMemory func() int64
	// MaxArgument returns the bytes of the largest argument that a client can
	// send, 0 for no limit; may be nil.
	MaxArgument func() int64
	// Expired counts the keys that have ended and were removed; may be nil.
	Expired func() int64
	// StoreStats returns further "field:value" lines for INFO's persistence
	// section; may be nil.
	StoreStats func() []string
	// Traffic tells about all doors together; may be nil.
	Traffic func() Traffic
	// Shutdown is asked to stop the process in an orderly way; may be nil.
	Shutdown func()
}

// Traffic is what went through the doors since the start.
type Traffic struct {
	Read, Written int64 // bytes from and to clients
	Refused       int64 // connections turned away
	MaxClients    int   // how many may be connected at once
}

// traffic returns what the doors tell.
func (e *Engine) traffic() Traffic {
	if e.server.Traffic == nil {
		return Traffic{}
	}
	return e.server.Traffic()
}

// Engine runs commands. Its methods are safe for concurrent use; a Session
// belongs to one connection and is used by one goroutine at a time.
type Engine struct {
	store     storage.Store
	dir       *auth.Directory
	anonymous *auth.Principal
	clock     func() time.Time
	log       *slog.Logger
	server    ServerInfo
	config    Config           // may be nil
	fake      func() time.Time // Options.Clock, or nil
	table     *table
	started   time.Time
	runID     string

	mu       sync.Mutex // guards sessions
	sessions map[int64]*Session
	hubs     hubs
	events   atomic.Uint32 // that are told

	trackedKeys int
	versions    *versionCipher
	queued      queuedBytes
	newest      atomic.Int64 // number of the session that came last

	slow      slowLog
	latency   latencyMonitor
	monitors  monitors
	attention atomic.Int64 // see payAttention
	lookups   lookupTable
	peak      highest // of used memory, as INFO saw it

	slowdown      slowdown
	pauses        pauses
	saving        saving
	backups       backups
	cursors       cursorTable
	refusalLogged atomic.Int64 // Unix milliseconds of the last line about a disk that refuses writes
	totals        totals
	scripts       scriptSpaces
	trail         atomic.Pointer[audit.Trail]
	machines      machinePool
	scriptOptions atomic.Pointer[ScriptOptions]
	noScripts     atomic.Bool // the server stops, and waits for none any more
}

// New returns an Engine on a store and a directory.
func New(o Options) *Engine {
	e := &Engine{
		store:     o.Store,
		dir:       o.Directory,
		anonymous: o.Anonymous,
		clock:     o.Clock,
		log:       o.Log,
		server:    o.Server,
		config:    o.Config,
		fake:      o.Clock,
		table:     newTable(),
		sessions:  make(map[int64]*Session),
		runID:     newRunID(),
	}
	if e.clock == nil {
		e.clock = time.Now
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.hubs.init(e)
	e.versions = newVersionCipher(e.dir.VersionKey())
	e.trackedKeys = o.TrackedKeys
	if e.trackedKeys <= 0 {
		e.trackedKeys = math.MaxInt
	}
	e.events.Store(uint32(parseEvents(o.KeyspaceEvents)))
	e.started = e.clock()
	settings := DefaultSettings()
	if o.Settings != nil {
		settings = *o.Settings
	}
	e.Reconfigure(settings)
	e.SetAuditTrail(o.Trail)
	return e
}

// Request is one command of a batch. Its arguments must not change until it
// has run; the engine copies what it keeps, so a door may use their memory again
// then.
type Request struct {
	Argv [][]byte // the name first; never empty
	// Refusal, when set, is a door's reason not to run the command, such as an
	// argument that was too large to be kept. It is answered in the command's
	// place, and spoils an open transaction like any refusal.
	Refusal error
	// Own tells that the door put the command in by itself, to do for a
	// Stateless session what its client asked for in another way. It costs the
	// client nothing of its rate.
	Own bool
}

// Wait returns when the replies that depend on s may be sent.
func (e *Engine) Wait(ctx context.Context, s storage.Seq) error {
	if s == 0 {
		return nil
	}
	return e.store.Wait(ctx, s)
}

// Settled tells whether Wait would return nil at once, without waiting for
// anything.
func (e *Engine) Settled(s storage.Seq) bool {
	if s == 0 {
		return true
	}
	store, ok := e.store.(storage.Settler)
	return ok && store.Settled(s)
}

// Fail replaces the replies of the n commands of the session's last Do by the
// error that Wait returned, those excepted that wanted no reply. The caller
// passes the Writer rewound to where those replies began.
func (e *Engine) Fail(s *Session, n int, err error, out *resp.Writer) {
	text := e.wireText(err)
	for range n - s.silenced {
		out.Error(text)
	}
	e.auditFailed(s, wireError(err).Code)
}
