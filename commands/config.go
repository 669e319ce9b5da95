package commands

import (
	"errors"
	"slices"
	"strings"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
)

func configRows() []*Command {
	const (
		acl  = "slow admin dangerous"
		also = "noscript loading stale"
		all  = "request_policy:all_nodes response_policy:all_succeeded"
	)
	return []*Command{
		{Name: "config", Arity: -2, ACL: "slow", Group: "server", Since: "2.0.0", Doc: "A container for server configuration commands."},
		{Name: "config|get", Arity: -3, Also: also, ACL: acl, Group: "server", Since: "2.0.0", Syntax: "parameter [parameter ...]",
			Doc: "Returns the directives whose names match the patterns: all but secrets to the admin; to an app its own limits and what concerns its connections.", Run: runConfigGet},
		{Name: "config|help", Arity: 2, Also: "loading stale", ACL: "slow", Group: "server", Since: "5.0.0",
			Doc: "Lists the subcommands of CONFIG.", Run: runConfigHelp},
		{Name: "config|resetstat", Arity: 2, Flags: Admin, Also: also, ACL: acl, Group: "server", Since: "2.0.0",
			Doc: "Starts the counts of INFO and LATENCY HISTOGRAM anew.", Run: runConfigResetStat},
		{Name: "config|rewrite", Arity: 2, Flags: Admin | Slow, Also: also, ACL: acl, Group: "server", Since: "2.8.0",
			Doc: "Writes what is in force into the configuration file, whose comments and order stay.", Run: runConfigRewrite},
		{Name: "config|set", Arity: -4, Flags: Admin | Slow, Also: also, Tips: all, ACL: acl, Group: "server", Since: "2.0.0",
			Syntax: "parameter value [parameter value ...]",
			Doc:    "Changes directives while the server runs, all of them or none. docs/configuration.md says which need a restart.", Secrets: secretsOfConfigSet, Run: runConfigSet},
	}
}

// ErrNoConfigFile is returned by Config.Rewrite when the server was started
// without a file.
var ErrNoConfigFile = kverr.New(kverr.Err, "The server is running without a config file")

var errNoConfig = kverr.New(kverr.Err, "this server has no configuration that could be changed")

func runConfigGet(c *Call) error {
	var app *auth.Limits
	if p := c.Session.principal; !p.Admin {
		app = p.App.Limits()
	}
	var settings []Setting
	if c.Engine.config != nil {
		settings = c.Engine.config.Get(app)
	}
	patterns := c.words(2)
	settings = slices.DeleteFunc(settings, func(s Setting) bool {
		return !slices.ContainsFunc(patterns, func(p string) bool { return matchGlob(strings.ToLower(p), s.Name) })
	})
	c.Out.Map(len(settings))
	for _, s := range settings {
		c.Out.BulkString(nameAsAsked(patterns, s.Name))
		c.Out.BulkString(s.Value)
	}
	return nil
}

// nameAsAsked keeps the case of a name that was written out, as Redis does.
func nameAsAsked(patterns []string, name string) string {
	for _, p := range patterns {
		if strings.EqualFold(p, name) {
			return p
		}
	}
	return name
}

func runConfigSet(c *Call) error {
	if c.argc()%2 != 0 {
		return errSyntax
	}
	if c.Engine.config == nil {
		return errNoConfig
	}
	var changes []Setting
	for i := 2; i < c.argc(); i += 2 {
		changes = append(changes, Setting{string(c.Argv[i]), string(c.Argv[i+1])})
	}
	err := c.Engine.config.Set(changes)
	var refused *ConfigError
	switch {
	case errors.As(err, &refused) && refused.Unknown:
		return kverr.Newf(kverr.Err, "Unknown option or number of arguments for CONFIG SET - '%s'", cString([]byte(refused.Name), 128))
	case errors.As(err, &refused):
		return kverr.Newf(kverr.Err, "CONFIG SET failed (possibly related to argument '%s') - %s", cString([]byte(refused.Name), 128), refused.Reason)
	case err != nil:
		return err
	}
	c.Out.Status("OK")
	return nil
}

func runConfigRewrite(c *Call) error {
	if c.Engine.config == nil {
		return ErrNoConfigFile
	}
	err := c.Engine.config.Rewrite()
	var known *kverr.Error
	if err != nil && !errors.As(err, &known) {
		return kverr.New(kverr.Err, "Rewriting config file: the file could not be written").WithHint("the server's log says why").WithCause(err)
	}
	if err != nil {
		return err
	}
	c.Out.Status("OK")
	return nil
}

func runConfigResetStat(c *Call) error {
	e := c.Engine
	e.table.walk(func(cmd *Command) { cmd.hits.reset() })
	e.totals.connections.Store(0)
	e.totals.errors.reset()
	e.totals.rates.reset()
	e.lookups.reset()
	e.peak.Store(0)
	c.Out.Status("OK")
	return nil
}

func runConfigHelp(c *Call) error {
	writeHelp(c,
		"GET <pattern>",
		"    Return parameters matching the glob-like <pattern> and their values.",
		"SET <directive> <value>",
		"    Set the configuration <directive> to <value>.",
		"RESETSTAT",
		"    Reset statistics reported by the INFO command.",
		"REWRITE",
		"    Rewrite the configuration file.",
	)
	return nil
}
