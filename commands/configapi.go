package commands

import (
	"time"

	"github.com/cubbykv/cubby/auth"
)

// Config is the server's configuration as CONFIG sees it. The engine knows no
// directive; whoever does hands it over in Options.
type Config interface {
	// Get returns the directives that may be shown, in order: all but secrets to
	// the admin, and for an app with these limits what is harmless, as it is for
	// that app. No lock of the engine is held.
	Get(app *auth.Limits) []Setting
	// Set changes directives, all of them or none. Errors: *ConfigError.
	Set(changes []Setting) error
	// Rewrite writes the configuration file anew. Errors: ErrNoConfigFile, and
	// others for the log.
	Rewrite() error
	// Secret tells whether a directive's value must not be shown.
	Secret(name string) bool
}

// Setting is a directive and its value as CONFIG GET and CONFIG SET have it.
type Setting struct{ Name, Value string }

// ConfigError says which change was refused and why, without secrets.
type ConfigError struct {
	Name    string
	Reason  string
	Unknown bool // there is no such directive
}

func (e *ConfigError) Error() string { return e.Name + ": " + e.Reason }

// Settings are what may change of an Engine while it runs.
type Settings struct {
	// SlowLogThreshold is how long a command takes to get into the slow log;
	// negative is off, 0 logs all.
	SlowLogThreshold time.Duration
	// SlowLogMax is how many entries the slow log keeps.
	SlowLogMax int
	// LatencyThreshold is how long a command takes to be a sample of the latency
	// monitor; 0 is off. Whole milliseconds.
	LatencyThreshold time.Duration
	// Scripts bound Lua scripts. One that runs keeps what held when it began.
	Scripts ScriptOptions
}

// DefaultSettings are Redis's.
func DefaultSettings() Settings {
	return Settings{SlowLogThreshold: 10 * time.Millisecond, SlowLogMax: 128}
}

// Reconfigure changes settings while the engine runs.
func (e *Engine) Reconfigure(s Settings) {
	threshold := s.SlowLogThreshold.Microseconds()
	if s.SlowLogThreshold < 0 {
		threshold = -1
	}
	e.slow.threshold.Store(threshold)
	e.slow.most.Store(int64(max(0, s.SlowLogMax)))
	e.slow.mu.Lock()
	e.slow.trim()
	e.slow.mu.Unlock()
	e.latency.threshold.Store(s.LatencyThreshold.Milliseconds())
	s.Scripts.fill()
	e.scriptOptions.Store(&s.Scripts)
	e.payAttention()
	e.observeStore()
}
