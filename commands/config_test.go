package commands

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

// fakeConfig knows three directives: timeout can be changed, databases not,
// and requirepass is a secret.
type fakeConfig struct {
	timeout  string
	rewrites int
	broken   error
}

func (f *fakeConfig) Get(app *auth.Limits) []Setting {
	if app != nil {
		return []Setting{{"timeout", f.timeout}, {"max-keys", "app"}}
	}
	return []Setting{{"timeout", f.timeout}, {"databases", "16"}, {"port", "0"}}
}

func (f *fakeConfig) Set(changes []Setting) error {
	seen := ""
	for _, c := range changes {
		switch name := strings.ToLower(c.Name); {
		case name == "databases":
			return &ConfigError{Name: c.Name, Reason: "can't set immutable config"}
		case name != "timeout" && name != "requirepass":
			return &ConfigError{Name: c.Name, Unknown: true}
		case name == seen:
			return &ConfigError{Name: c.Name, Reason: "duplicate parameter"}
		default:
			seen = name
		}
	}
	for _, c := range changes {
		if strings.EqualFold(c.Name, "timeout") {
			f.timeout = c.Value
		}
	}
	return nil
}

func (f *fakeConfig) Rewrite() error {
	f.rewrites++
	return f.broken
}

func (f *fakeConfig) Secret(name string) bool { return strings.EqualFold(name, "requirepass") }

var configScripts = []string{
	`config
	CONFIG
	CONFIG NOPE
	CONFIG HELP
	CONFIG HELP x
	CONFIG GET
	CONFIG GET nope
	CONFIG GET timeout
	CONFIG GET TimeOut
	CONFIG GET timeout timeout
	CONFIG GET timeou?
	CONFIG GET TIMEOU*
	CONFIG SET
	CONFIG SET timeout
	CONFIG SET nope 1
	CONFIG SET "no\nname" 1
	CONFIG SET timeout 1 nope 2
	CONFIG SET timeout 1 nope
	CONFIG SET timeout 1 TIMEOUT 2
	CONFIG SET timeout 1 timeout 2
	CONFIG SET databases 3
	CONFIG GET timeout
	CONFIG SET TIMEOUT 300
	CONFIG GET timeout
	CONFIG SET timeout 0
	CONFIG REWRITE
	CONFIG REWRITE x
	CONFIG RESETSTAT
	CONFIG RESETSTAT x`,
}

func TestReplayConfig(t *testing.T) {
	w := newTwins(t)
	w.h.engine.anonymous.Admin = true
	w.h.engine.config = &fakeConfig{timeout: "0", broken: ErrNoConfigFile}
	w.replay(t, configScripts)
}

func TestConfigForAppsAndAdmin(t *testing.T) {
	h := newHarness(t)
	app, admin := h.open(), h.admin()
	require.Equal(t, "*0", app.run("CONFIG GET *"))
	require.Equal(t, "-ERR this server has no configuration that could be changed", admin.run("CONFIG SET a b"))
	require.Equal(t, "-ERR The server is running without a config file", admin.run("CONFIG REWRITE"))

	c := &fakeConfig{timeout: "0"}
	h.engine.config = c
	require.Equal(t, "*4\r\n$7\r\ntimeout\r\n$1\r\n0\r\n$8\r\nmax-keys\r\n$3\r\napp", app.run("CONFIG GET *"))
	require.Equal(t, "%1\r\n$4\r\nport\r\n$1\r\n0\r\n", admin.resp3().do("CONFIG", "GET", "port", "p*"))
	for _, sub := range []string{"SET timeout 1", "REWRITE", "RESETSTAT"} {
		require.Contains(t, app.run("CONFIG "+sub), "-NOPERM only the admin may run the 'config|")
	}
	require.Equal(t, "0", c.timeout)
	require.Equal(t, "+OK", admin.run("CONFIG REWRITE"))
	c.broken = errors.New("disk full at /etc/secret/path")
	require.Equal(t, "-ERR Rewriting config file: the file could not be written (hint: the server's log says why)", admin.run("CONFIG REWRITE"))
	require.Contains(t, h.log.String(), "/etc/secret/path")

	// Secrets do not get into the slow log.
	h.engine.Reconfigure(Settings{SlowLogMax: 10})
	require.Equal(t, "+OK", admin.run("CONFIG SET timeout 5 RequirePass hunter2"))
	require.NotContains(t, admin.do("SLOWLOG", "GET"), "hunter2")
	require.Contains(t, admin.do("SLOWLOG", "GET"), redacted)
}

func TestResetStatStartsAnew(t *testing.T) {
	h := newHarness(t)
	app, admin := h.open(), h.admin()
	app.run("SET k v", "GET k", "GET none", "NOSUCH")
	_, fields := infoOf(t, app.do("INFO"))
	require.Equal(t, []string{"1", "1"}, []string{fields["keyspace_hits"], fields["keyspace_misses"]})
	other := h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	_, fields = infoOf(t, other.do("INFO"))
	require.Equal(t, []string{"0", "0"}, []string{fields["keyspace_hits"], fields["keyspace_misses"]})
	_, fields = infoOf(t, admin.do("INFO", "everything"))
	require.Equal(t, []string{"1", "1", "1"}, []string{fields["keyspace_hits"], fields["keyspace_misses"], fields["total_error_replies"]})
	require.Equal(t, "count=1", fields["errorstat_ERR"])
	require.Contains(t, fields, "latency_percentiles_usec_get")
	require.Contains(t, fields, "cmdstat_get")

	require.Equal(t, "+OK", admin.run("CONFIG RESETSTAT"))
	_, fields = infoOf(t, admin.do("INFO", "everything"))
	require.Equal(t, []string{"0", "0", "0"}, []string{fields["keyspace_hits"], fields["keyspace_misses"], fields["total_error_replies"]})
	require.NotContains(t, fields, "cmdstat_get")
	require.NotContains(t, fields, "errorstat_ERR")
	require.Equal(t, "1", fields["total_commands_processed"], "CONFIG RESETSTAT itself")
}
