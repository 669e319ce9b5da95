package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// limitsHelp is what app create and app set tell about limits.
const limitsHelp = `Limits are key-bytes, key-charset (printable or any), value-bytes,
commands-per-second, commands-burst, max-connections, max-keys, max-bytes,
ttl-min, ttl-max, and the last four with ephemeral- before them for database 1.
Sizes take kb, mb, gb; durations take ms, s, m, h, d. Limits that were never set
are those of the server's configuration.`

func newApp(env environment) *cobra.Command {
	t := new(target)
	parent := group(&cobra.Command{Use: "app", Short: "Manage apps and their limits on a running server"},
		newAppCreate(env, t), newAppSet(env, t), newAppInfo(env, t), newAppList(env, t), newAppDrop(env, t))
	t.addFlags(parent)
	return parent
}

func newAppCreate(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:               "create TENANT/APP [LIMIT=VALUE ...]",
		Short:             "Open a namespace for an app",
		Long:              "Open a namespace for an app.\n\n" + limitsHelp,
		Example:           "  cubby app create acme/shop max-keys=50000 ttl-min=1s",
		Args:              atLeast(1, "TENANT/APP"),
		ValidArgsFunction: t.complete(env, forFirst(completeTenantSlash), completeLimits),
		RunE: func(cmd *cobra.Command, args []string) error {
			limits, err := limitWords(args[1:])
			if err != nil {
				return err
			}
			if _, err := t.ask(cmd.Context(), env, append([]string{"APP.CREATE", args[0]}, limits...)...); err != nil {
				return err
			}
			if env.watched && !t.json {
				defer env.note("'cubby token create %s' makes a secret that opens it.\n", args[0])
			}
			return t.report(env, args[0], "created")
		},
	}
}

func newAppSet(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:               "set TENANT/APP LIMIT=VALUE ...",
		Short:             "Change limits of an app; the value default takes a setting back",
		Long:              "Change limits of an app, from its next command on. The value default takes a\nsetting back.\n\n" + limitsHelp,
		Example:           "  cubby app set acme/shop max-keys=100000 ttl-min=default",
		Args:              atLeast(2, "TENANT/APP and LIMIT=VALUE"),
		ValidArgsFunction: t.complete(env, forFirst(completeApps), completeLimits),
		RunE: func(cmd *cobra.Command, args []string) error {
			limits, err := limitWords(args[1:])
			if err != nil {
				return err
			}
			if _, err := t.ask(cmd.Context(), env, append([]string{"APP.SET", args[0]}, limits...)...); err != nil {
				return err
			}
			return t.report(env, args[0], "changed")
		},
	}
}

// limitWords splits LIMIT=VALUE into the words of APP.CREATE and APP.SET.
func limitWords(args []string) ([]string, error) {
	words := make([]string, 0, 2*len(args))
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" || value == "" {
			return nil, usagef("%q is not LIMIT=VALUE, such as max-keys=50000", arg)
		}
		words = append(words, name, value)
	}
	return words, nil
}

// report says what became of an app.
func (t *target) report(env environment, name, what string) error {
	if t.json {
		return env.printJSON(record{{"name", name}, {what, true}})
	}
	return env.say("%s %s\n", what, name)
}

func newAppInfo(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:               "info TENANT/APP",
		Short:             "Show what an app holds and its limits",
		Args:              exactly(1, "TENANT/APP"),
		ValidArgsFunction: t.complete(env, forFirst(completeApps)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var info record
			err := t.together(env, func(c *adminClient) (err error) {
				info, err = c.one(cmd.Context(), "APP.INFO", args[0])
				return err
			})
			switch {
			case err != nil:
				return err
			case t.json:
				return env.printJSON(info)
			}
			return env.printInfo(info)
		},
	}
}

func newAppList(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:               "list [PATTERN]",
		Short:             "List apps",
		Long:              "List apps whose TENANT/APP matches a pattern; * ? [a-z] stand for parts of it.",
		Example:           "  cubby app list 'acme/*'",
		Args:              atMost(1),
		ValidArgsFunction: t.complete(env, forFirst(completeApps)),
		RunE: func(cmd *cobra.Command, args []string) error {
			words := []string{"APP.LIST"}
			if len(args) == 1 {
				words = append(words, "MATCH", args[0])
			}
			var list []record
			err := t.together(env, func(c *adminClient) (err error) {
				list, err = c.list(cmd.Context(), words...)
				return err
			})
			if err != nil {
				return err
			}
			return t.printRecords(env, list, column{field: "name", title: "APP"},
				column{field: "created_at", title: "CREATED (UTC)", show: showTime}, number("tokens", "", showCount, ""))
		},
	}
}

func newAppDrop(env environment, t *target) *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use:               "drop TENANT/APP",
		Short:             "Erase an app with its data and tokens",
		Long:              "Erase an app with its data and tokens, and close its connections. It says what\nwill be gone and asks, unless there is --yes. Nothing brings it back but a backup.",
		Args:              exactly(1, "TENANT/APP"),
		ValidArgsFunction: t.complete(env, forFirst(completeApps)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := env.mayAsk(yes); err != nil {
				return err
			}
			return t.together(env, func(c *adminClient) error {
				if !yes {
					info, err := c.one(cmd.Context(), "APP.INFO", args[0])
					if err != nil {
						return err
					}
					tokens, err := c.list(cmd.Context(), "TOKEN.LIST", args[0])
					if err != nil {
						return err
					}
					env.note("%s holds %s, and %s.\n", args[0], holdings(info), plural(int64(len(tokens)), "token"))
					if err := env.confirm("Erase " + args[0] + " with all its data and tokens?"); err != nil {
						return err
					}
				}
				if _, err := c.do(cmd.Context(), "APP.DROP", args[0]); err != nil {
					return err
				}
				return t.report(env, args[0], "dropped")
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}
