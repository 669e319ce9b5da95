package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cubbykv/cubby/auth"
)

// limitsHelp is what app create and app set tell about limits.
const limitsHelp = `Limits are key-bytes, key-charset (printable or any), value-bytes,
commands-per-second, commands-burst, max-keys, max-bytes, ttl-min, ttl-max, and
the last four with ephemeral- before them for database 1. Sizes take kb, mb,
gb; durations take ms, s, m, h, d. Limits that were never set are those of the
server's configuration.`

func newApp(env environment) *cobra.Command {
	t := new(target)
	parent := group(&cobra.Command{Use: "app", Short: "Manage apps and their limits on a running server"},
		newAppCreate(env, t), newAppSet(env, t), newAppInfo(env, t), newAppList(env, t), newAppDrop(env, t))
	t.addFlags(parent)
	return parent
}

func newAppCreate(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "create TENANT/APP [LIMIT=VALUE ...]",
		Short:   "Open a namespace for an app",
		Long:    "Open a namespace for an app.\n\n" + limitsHelp,
		Example: "  cubby app create acme/shop max-keys=50000 ttl-min=1s",
		Args:    atLeast(1, "TENANT/APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			limits, err := limitWords(args[1:])
			if err != nil {
				return err
			}
			if _, err := t.ask(cmd.Context(), env, append([]string{"APP.CREATE", args[0]}, limits...)...); err != nil {
				return err
			}
			return t.report(env, args[0], "created")
		},
	}
}

func newAppSet(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "set TENANT/APP LIMIT=VALUE ...",
		Short:   "Change limits of an app; the value default takes a setting back",
		Long:    "Change limits of an app, from its next command on. The value default takes a\nsetting back.\n\n" + limitsHelp,
		Example: "  cubby app set acme/shop max-keys=100000 ttl-min=default",
		Args:    atLeast(2, "TENANT/APP and LIMIT=VALUE"),
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
		Use:   "info TENANT/APP",
		Short: "Show what an app holds and its limits",
		Args:  exactly(1, "TENANT/APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reply, err := t.ask(cmd.Context(), env, "APP.INFO", args[0])
			if err != nil {
				return err
			}
			info, err := toRecord(reply)
			if err != nil {
				return err
			}
			if t.json {
				return env.printJSON(info)
			}
			set, _ := info.get("overrides").([]any)
			var rows [][]string
			for _, f := range info {
				if f.name == "overrides" {
					continue
				}
				name, text := limitForPeople(f, info.text(f.name))
				row := []string{name, text}
				if slices.Contains(set, any(name)) {
					row = append(row, "set for this app")
				}
				rows = append(rows, row)
			}
			return env.printTable(rows)
		},
	}
}

// limitForPeople gives a field of APP.INFO the name and the form in which a limit
// is set.
func limitForPeople(f field, text string) (string, string) {
	name, isDuration := strings.CutSuffix(f.name, "-ms")
	switch ms, isNumber := f.value.(int64); {
	case f.value == nil:
		return name, "no limit"
	case isDuration && isNumber:
		return name, auth.FormatDuration(time.Duration(ms) * time.Millisecond)
	}
	return name, text
}

func newAppList(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "list [PATTERN]",
		Short:   "List apps",
		Long:    "List apps whose TENANT/APP matches a pattern; * ? [a-z] stand for parts of it.",
		Example: "  cubby app list 'acme/*'",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			words := []string{"APP.LIST"}
			if len(args) == 1 {
				words = append(words, "MATCH", args[0])
			}
			reply, err := t.ask(cmd.Context(), env, words...)
			if err != nil {
				return err
			}
			return t.printList(env, reply, "name", "created_at", "tokens")
		},
	}
}

func newAppDrop(env environment, t *target) *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use:   "drop TENANT/APP",
		Short: "Erase an app with its data and tokens",
		Args:  exactly(1, "TENANT/APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := env.confirm(yes, "Erase "+args[0]+" with all its data and tokens?"); err != nil {
				return err
			}
			if _, err := t.ask(cmd.Context(), env, "APP.DROP", args[0]); err != nil {
				return err
			}
			return t.report(env, args[0], "dropped")
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}
