package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/config"
	"github.com/cubbykv/cubby/gateway"
	"github.com/cubbykv/cubby/internal/tlsconf"
	"github.com/cubbykv/cubby/server"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
)

// process is one run of the server.
type process struct {
	env    environment
	config *config.Config
	file   string // configuration file, or empty
	dev    bool
	hangup <-chan os.Signal // asks to read certificates and keys again; may be nil

	log       *slog.Logger
	store     *bunt.Store
	directory *auth.Directory
	anonymous *auth.Principal
	engine    *atomic.Pointer[commands.Engine] // for the store, which is opened before it
	server    *server.Server
	web       *gateway.Gateway // nil without HTTP
	logLevel  *slog.LevelVar
	logOutput *logOutput
	live      *liveConfig
	tls       tlsconf.Current
	audit     *audit.Trail  // nil is none
	forgotten chan struct{} // the store has deleted old parts of its journal
	// passwordSet tells that the operator chose the admin's password.
	passwordSet atomic.Bool
}

// run serves until ctx ends or the server fails. Everything that may go wrong
// at the start is one error with what to do about it.
func (p *process) run(ctx context.Context) (err error) {
	p.logLevel = levelOf(p.config)
	if p.log, p.logOutput, err = newLogger(p.config, p.logLevel, p.env.err); err != nil {
		return err
	}
	defer func() { _ = p.logOutput.Close() }()
	p.log.Info("cubby starts", "version", version(), "dir", p.config.Dir, "appendfsync", string(p.config.AppendFsync))
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	// Listening comes first: a port in use then leaves no trace in dir.
	if err := p.loadTLS(p.config); err != nil {
		return err
	}
	listeners, err := listen(ctx, p.config, &p.tls)
	if err != nil {
		return err
	}
	defer func() {
		for _, ln := range listeners {
			_ = ln.Close() // the server has closed those that it served
		}
	}()
	if err := p.openStore(); err != nil {
		return err
	}
	defer func() {
		if e := p.store.Close(); e != nil && err == nil {
			err = fmt.Errorf("the data could not be written to its end: %w", e)
		}
	}()
	if err := p.openAudit(); err != nil {
		return err
	}
	defer func() {
		if p.audit == nil {
			return
		}
		if e := p.audit.Close(); e != nil && err == nil {
			err = fmt.Errorf("the audit trail could not be written to its end: %w", e)
		}
	}()
	if err := p.openDirectory(ctx); err != nil {
		return err
	}
	web, err := listenHTTP(ctx, p.config, &p.tls)
	if err != nil {
		return err
	}
	defer closeAll(web)
	p.server = server.New(p.serverOptions(p.newEngine(stop)))
	failed := make(chan error, len(listeners)+len(web))
	p.serveHTTP(web, failed)
	for _, ln := range listeners {
		go func() { failed <- p.server.Serve(ln) }()
	}
	p.announce(listeners, web)

	err = p.wait(ctx, failed)
	p.shutdown()
	return err
}

// wait returns when the server has to stop.
func (p *process) wait(ctx context.Context, failed <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return fmt.Errorf("the server stopped listening: %w", err)
		case <-p.hangup:
			p.reload()
		case <-p.forgotten:
			p.signOff(ctx)
		}
	}
}

func (p *process) openStore() error {
	c := p.config
	sync := bunt.SyncEverySecond
	switch c.AppendFsync {
	case config.FsyncAlways:
		sync = bunt.SyncAlways
	case config.FsyncNo:
		sync = bunt.SyncNo
	case config.FsyncEverySec:
	}
	var err error
	engine := new(atomic.Pointer[commands.Engine])
	p.engine = engine
	p.forgotten = make(chan struct{}, 1)
	p.forgotten <- struct{}{} // an earlier process may have had no time for it
	p.store, err = bunt.Open(bunt.Options{
		OnForgotten: func() {
			select {
			case p.forgotten <- struct{}{}:
			default: // it is going to be looked at
			}
		},
		Dir: c.Dir, Sync: sync, SegmentBytes: c.JournalSegmentSize,
		IdleTimeout: c.SpaceIdleTimeout, MaxMemory: c.MaxMemory, Log: p.log,
		OnExpired: func(db int, id storage.ID, keys []string) {
			if e := engine.Load(); e != nil {
				e.Expired(db, id, keys)
			}
		},
	})
	switch {
	case errors.Is(err, storage.ErrLocked):
		return fmt.Errorf("the data directory %s is in use by another server; stop it, or choose another with '--dir PATH'", c.Dir)
	case errors.Is(err, storage.ErrDamaged):
		return fmt.Errorf("%w; nothing was changed, and the server does not start on data that it cannot trust: see 'cubby check %s'", err, c.Dir)
	case err != nil:
		return fmt.Errorf("%w; see the directive dir", err)
	}
	return nil
}

// openDirectory finds the admin's password and opens the apps and tokens.
func (p *process) openDirectory(ctx context.Context) error {
	password := p.config.RequirePass
	if password == "" {
		password = p.env.getenv(passwordVar)
	}
	p.passwordSet.Store(password != "")
	if password == "" {
		var made bool
		var err error
		if password, made, err = ensurePassword(p.config.Dir); err != nil {
			return err
		}
		if made {
			p.log.Info("generated the password of the admin; it is in the file", "file", filepath.Join(p.config.Dir, passwordName))
		}
	}
	limits := auth.Limits(p.config.Limits)
	var err error
	p.directory, err = auth.Open(ctx, p.store, auth.Options{AdminPassword: password, Defaults: &limits, Log: p.log})
	if err != nil {
		return err
	}
	if err := p.setJWT(p.config); err != nil {
		return fmt.Errorf("%s: %w", jwtKeysFile, err)
	}
	if p.config.Anonymous == "" {
		return nil
	}
	app, err := p.openDevApp(ctx)
	p.anonymous = &auth.Principal{App: app}
	return err
}

func (p *process) newEngine(stop func()) *commands.Engine {
	p.live = &liveConfig{process: p, current: p.config}
	settings := engineSettings(p.config)
	e := commands.New(commands.Options{
		Store:     p.store,
		Directory: p.directory,
		Anonymous: p.anonymous,
		Log:       p.log,
		Server: commands.ServerInfo{
			Version:    version(),
			Port:       cmp.Or(p.config.Port, p.config.TLS.Port),
			ConfigFile: p.file,
			AppendSync: string(p.config.AppendFsync),
			MaxMemory:  func() int64 { return p.live.get().MaxMemory },

			MaxArgument: func() int64 { return p.live.get().ProtoMaxBulkLen },

			Expired:    func() int64 { return p.store.Stats().Expired },
			StoreStats: p.storeStats,
			Shutdown:   stop,
			Traffic:    p.traffic,
		},
		KeyspaceEvents: p.config.NotifyKeyspaceEvents,
		Config:         p.live,
		Settings:       &settings,
		Trail:          p.audit,
		TrackedKeys:    p.config.TrackingTableMaxKeys,
	})
	p.engine.Store(e)
	return e
}

// traffic is what went through the server.
func (p *process) traffic() commands.Traffic {
	t := p.server.Stats()
	return commands.Traffic{Read: t.Read, Written: t.Written, Refused: t.Refused, MaxClients: p.live.get().MaxClients}
}

// eventLoops is one loop under appendfsync always, unless the configuration
// says otherwise: several would share each fsync among fewer clients.
func eventLoops(c *config.Config) int {
	if c.EventLoops == 0 && c.AppendFsync == config.FsyncAlways {
		return 1
	}
	return c.EventLoops
}

func scriptOptions(c *config.Config) commands.ScriptOptions {
	busy := time.Duration(c.BusyReplyThreshold) * time.Millisecond
	if busy == 0 {
		busy = -1 // never
	}
	return commands.ScriptOptions{TimeLimit: c.ScriptTimeLimit, BusyAfter: busy, MemoryLimit: c.ScriptMemoryLimit}
}

// storeStats are the lines of the store in INFO persistence.
func (p *process) storeStats() []string {
	s := p.store.Stats()
	status := "ok"
	if s.WriteError != nil {
		status = "err"
	}
	return []string{
		"aof_last_write_status:" + status,
		fmt.Sprintf("aof_current_size:%d", s.JournalBytes),
		fmt.Sprintf("cubby_journal_segments:%d", s.JournalSegments),
		fmt.Sprintf("cubby_journal_last_sync:%d", s.LastSync),
		fmt.Sprintf("cubby_spaces_loaded:%d", s.Spaces),
		fmt.Sprintf("cubby_spaces_unloaded:%d", s.Unloaded),
		fmt.Sprintf("cubby_spaces_memory:%d", s.Memory),
		fmt.Sprintf("cubby_purge_lag_ms:%d", s.PurgeLag.Milliseconds()),
	}
}

// never is a duration for options that know no "never".
const never = 10 * 365 * 24 * time.Hour

func (p *process) serverOptions(e *commands.Engine) server.Options {
	o := server.Options{
		Engine:     e,
		Log:        p.log,
		EventLoops: eventLoops(p.config),
		SlowWaits:  p.config.AppendFsync == config.FsyncAlways,
		// Nobody chose a generated password, and whoever may act without
		// one must be on this machine.
		PasswordSet: func() bool { return p.passwordSet.Load() && p.anonymous == nil },
	}
	configureServer(&o, p.config)
	return o
}

func pushLimit(l config.OutputLimit) server.BufferLimit {
	return server.BufferLimit{Hard: int(l.Hard), Soft: int(l.Soft), SoftFor: time.Duration(l.SoftSeconds) * time.Second}
}

// announce tells that clients may come. Scripts wait for the words "ready:
// accepting connections on".
func (p *process) announce(listeners, web []net.Listener) {
	if len(web) > 0 {
		p.log.Info("serving HTTP on " + addresses(web))
	}
	p.log.Info("ready: accepting connections on " + addresses(listeners))
	if p.dev {
		p.welcome(len(web) > 0)
	}
}

// scriptsMayRun is how long scripts go on when the server stops.
const scriptsMayRun = time.Second

// shutdown lets clients finish what they have begun.
func (p *process) shutdown() {
	timeout := p.live.get().ShutdownTimeout
	p.log.Info("stopping: no new connections", "timeout", timeout)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	p.engine.Load().EndPauses()
	p.engine.Load().EndScripts(scriptsMayRun)
	var web sync.WaitGroup
	web.Go(func() { p.shutdownHTTP(ctx) })
	if err := p.server.Shutdown(ctx); err != nil {
		p.log.Warn("some connections were closed before they had finished", "error", err)
	}
	web.Wait()
	p.log.Info("stopped serving; writing what is left to disk")
}
