package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cubbykv/cubby/config"
)

func newConfig(env environment) *cobra.Command {
	t := new(target)
	parent := group(&cobra.Command{Use: "config", Short: "See and change the configuration of a running server"},
		newConfigGet(env, t), newConfigSet(env, t), newConfigRewrite(env, t))
	t.addFlags(parent)
	return parent
}

func newConfigGet(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "get [PATTERN ...]",
		Short: "Show directives, without secrets",
		Long: `Show the directives whose names match a pattern, or all, as they are in force.
Secrets such as requirepass are not shown. CHANGE says whether 'cubby config set'
can change it, or only a restart.`,
		Example:           "  cubby config get 'max*'\n  cubby config get",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: t.complete(env, completeDirectives(false)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"*"}
			}
			var all record
			err := t.together(env, func(c *adminClient) (err error) {
				all, err = c.one(cmd.Context(), append([]string{"CONFIG", "GET"}, args...)...)
				return err
			})
			if err != nil {
				return err
			}
			if len(all) == 0 && !strings.ContainsAny(strings.Join(args, ""), "*?[") {
				return noDirective(args)
			}
			list := make([]record, 0, len(all))
			for _, f := range all {
				list = append(list, record{f2("name", strings.ToLower(f.name)), f2("value", f.value), f2("change", changes(f.name))})
			}
			return t.printRecords(env, list, column{field: "name"}, column{field: "value"}, column{field: "change"})
		},
	}
}

func f2(name string, value any) field { return field{name, value} }

// noDirective says why nothing was found.
func noDirective(names []string) error {
	name := strings.ToLower(names[0])
	if config.IsSecret(name) {
		return fmt.Errorf("%s is a secret and not shown; 'cubby config set %s' changes it", name, name)
	}
	return fmt.Errorf("there is no directive %s; 'cubby config get' shows all", name)
}

// changes says how a directive changes.
func changes(name string) string {
	i := slices.IndexFunc(config.Directives(), func(d config.Directive) bool { return strings.EqualFold(d.Name, name) })
	switch {
	case i < 0:
		return "never"
	case config.Directives()[i].Live == "":
		return "restart"
	}
	return "live"
}

func newConfigSet(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME=VALUE ...",
		Short: "Change directives while the server runs, all of them or none",
		Long: `Change directives while the server runs, all of them or none. It lasts until the
server stops; 'cubby config rewrite' makes it last.

A secret need not stand on the command line, where others on the machine see it:
with its NAME alone the value is asked for, or read from standard input.`,
		Example:           "  cubby config set maxclients=20000 loglevel=verbose\n  cubby config set 'client-output-buffer-limit=normal 128mb 0 0'\n  cubby config set requirepass < new-password",
		Args:              atLeast(1, "NAME=VALUE"),
		ValidArgsFunction: t.complete(env, completeDirectives(true)),
		RunE: func(cmd *cobra.Command, args []string) error {
			words := []string{"CONFIG", "SET"}
			var names []string
			secrets := 0
			for _, arg := range args {
				name, value, given := strings.Cut(arg, "=")
				switch {
				case name == "":
					return usagef("%q is not NAME=VALUE, such as maxclients=20000", arg)
				case !given && !config.IsSecret(name):
					return usagef("%q is not NAME=VALUE; 'cubby config get %s' shows it", arg, name)
				case !given:
					if secrets++; secrets > 1 {
						return usagef("one secret at a time")
					}
					question := ""
					if env.interactive {
						question = "New " + name + ": "
					}
					var err error
					if value, err = env.readSecret(question); err != nil {
						return err
					}
				}
				words, names = append(words, name, value), append(names, name)
			}
			if _, err := t.ask(cmd.Context(), env, words...); err != nil {
				return err
			}
			if t.json {
				return env.printJSON(record{{"changed", names}})
			}
			if err := env.say("changed %s\n", strings.Join(names, " ")); err != nil {
				return err
			}
			if env.watched && slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, "requirepass") }) {
				env.note("From now on commands need the new password.\n")
			}
			if env.watched {
				env.note("It lasts until the server stops; 'cubby config rewrite' writes it into the server's file.\n")
			}
			return nil
		},
	}
}

func newConfigRewrite(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "rewrite",
		Short: "Write what is in force into the server's configuration file",
		Long: `Write what is in force into the file that the server was started with. Comments
and the order of the lines stay, and the file is replaced as a whole or not at all.`,
		Args:              atMost(0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := t.ask(cmd.Context(), env, "CONFIG", "REWRITE"); err != nil {
				return err
			}
			if t.json {
				return env.printJSON(record{{"rewritten", true}})
			}
			return env.say("rewritten\n")
		},
	}
}
