package main

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/config"
	"github.com/cubbykv/cubby/gateway"
	"github.com/cubbykv/cubby/server"
)

// liveConfig is the configuration as the CONFIG command sees it. The table in
// package config says what may change while the server runs and which part it
// concerns; appliers says how each part takes it.
type liveConfig struct {
	process *process

	mu      sync.Mutex // guards current, held while parts are told
	current *config.Config
}

var _ commands.Config = (*liveConfig)(nil)

// appliers tell the parts of the process about a changed configuration. What a
// part has taken it must be able to take back.
func (l *liveConfig) appliers() map[config.Part]func(*config.Config) error {
	p := l.process
	return map[config.Part]func(*config.Config) error{
		config.PartServer: func(c *config.Config) error {
			p.server.Reconfigure(func(o *server.Options) { configureServer(o, c) })
			if p.web != nil {
				p.web.Reconfigure(func(o *gateway.Options) { configureHTTP(o, c) })
			}
			return nil
		},
		config.PartEngine: func(c *config.Config) error {
			p.engine.Load().Reconfigure(engineSettings(c))
			p.engine.Load().SetKeyspaceEvents(c.NotifyKeyspaceEvents)
			return nil
		},
		config.PartDirectory: func(c *config.Config) error {
			if c.RequirePass != "" {
				p.directory.SetAdminPassword(c.RequirePass)
				p.passwordSet.Store(true)
			}
			return p.directory.SetDefaults(auth.Limits(c.Limits))
		},
		config.PartSignIn: func(c *config.Config) error {
			if err := p.setJWT(c); err != nil {
				return &config.Error{Directive: jwtKeysFile, Reason: err.Error()}
			}
			return nil
		},
		config.PartStore: func(c *config.Config) error {
			p.store.SetMemory(c.MaxMemory, c.SpaceIdleTimeout)
			return nil
		},
		config.PartLog: func(c *config.Config) error {
			p.logLevel.Set(logLevel(c.LogLevel))
			return nil
		},
		config.PartAudit: func(c *config.Config) error {
			if p.audit != nil {
				p.audit.Configure(auditSettings(&c.Audit))
			}
			return nil
		},
		config.PartTLS:     p.loadTLS,
		config.PartProcess: func(*config.Config) error { return nil }, // reads it when it needs it
	}
}

func (l *liveConfig) get() *config.Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// Get shows an app its own limits as the configuration: they are what holds
// for it.
func (l *liveConfig) Get(app *auth.Limits) []commands.Setting {
	c := *l.get()
	if app != nil {
		c.Limits = config.Limits(*app)
		c.MaxMemory = 0
		if app.MaxBytes[0] != 0 && app.MaxBytes[1] != 0 {
			c.MaxMemory = app.MaxBytes[0] + app.MaxBytes[1]
		}
	}
	var list []commands.Setting
	for _, s := range c.Settings(app != nil) {
		list = append(list, commands.Setting(s))
	}
	return list
}

func (l *liveConfig) Secret(name string) bool { return config.IsSecret(name) }

var errEmptyPassword = errors.New("the admin needs a password")

func (l *liveConfig) Set(changes []commands.Setting) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]config.Setting, len(changes))
	names := make([]string, len(changes))
	for i, c := range changes {
		list[i], names[i] = config.Setting(c), c.Name
	}
	changed, parts, err := l.current.Change(list)
	if err == nil && changed.RequirePass == "" && l.current.RequirePass != "" {
		err = &config.Error{Directive: "requirepass", Reason: errEmptyPassword.Error()}
	}
	if err != nil {
		return configError(err)
	}
	// Certificates come last, and are never taken back: those that were in use
	// may be on no disk any more. A failure leaves them as they were.
	if i := slices.Index(parts, config.PartTLS); i >= 0 {
		parts = append(slices.Delete(parts, i, i+1), config.PartTLS)
	}
	appliers := l.appliers()
	for i, part := range parts {
		if err := appliers[part](changed); err != nil {
			for _, told := range parts[:i+1] {
				if told != config.PartTLS {
					_ = appliers[told](l.current) // which they had taken before
				}
			}
			var of *config.Error
			if errors.As(err, &of) {
				return configError(err)
			}
			return &commands.ConfigError{Name: changes[0].Name, Reason: err.Error()}
		}
	}
	l.current = changed
	l.process.log.Info("CONFIG SET changed the configuration", "directives", names)
	return nil
}

// configError puts an error of package config in the engine's words.
func configError(err error) error {
	var e *config.Error
	if !errors.As(err, &e) {
		return err
	}
	return &commands.ConfigError{Name: e.Directive, Reason: e.Reason, Unknown: errors.Is(e, config.ErrUnknown)}
}

func (l *liveConfig) Rewrite() error {
	if l.process.file == "" || l.process.file == "-" {
		return commands.ErrNoConfigFile
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.current.Rewrite(l.process.file); err != nil {
		return err
	}
	l.process.log.Info("CONFIG REWRITE wrote the configuration file", "file", l.process.file)
	return nil
}

// engineSettings are what may change of the engine.
func engineSettings(c *config.Config) commands.Settings {
	return commands.Settings{
		SlowLogThreshold: time.Duration(c.SlowLogSlowerThan) * time.Microsecond,
		SlowLogMax:       int(c.SlowLogMaxLen),
		LatencyThreshold: time.Duration(c.LatencyThreshold) * time.Millisecond,
		Scripts:          scriptOptions(c),
	}
}

// configureServer fills in what the configuration says of connections.
func configureServer(o *server.Options, c *config.Config) {
	o.MaxClients = c.MaxClients
	o.MaxStrangers = max(c.MaxClients*c.SignInMaxClients/100, 1)
	o.MaxStrangersPerAddress = c.SignInMaxClientsAddress
	o.SignInTimeout = c.SignInTimeout
	o.Timeout = c.Timeout
	o.KeepAlive = c.TCPKeepAlive
	o.MaxRequestBytes = int(c.ClientQueryBufferLimit)
	o.MaxBulkBytes = int(c.ProtoMaxBulkLen)
	o.MaxReplyBytes = int(c.ClientOutputBufferLimits.Normal.Hard)
	o.PushLimit = pushLimit(c.ClientOutputBufferLimits.PubSub)
	o.ProtectedMode = c.ProtectedMode
	if o.WriteTimeout = c.ClientWriteTimeout; o.WriteTimeout == 0 {
		o.WriteTimeout = never
	}
}

// levelOf returns a level that CONFIG SET loglevel can change.
func levelOf(c *config.Config) *slog.LevelVar {
	level := new(slog.LevelVar)
	level.Set(logLevel(c.LogLevel))
	return level
}
