package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newToken(env environment) *cobra.Command {
	t := new(target)
	parent := group(&cobra.Command{Use: "token", Short: "Manage the tokens of apps on a running server"},
		newTokenCreate(env, t), newTokenList(env, t), newTokenRotate(env, t), newTokenRevoke(env, t))
	t.addFlags(parent)
	return parent
}

func newTokenCreate(env environment, t *target) *cobra.Command {
	var o struct {
		name, prefix, expires string
		readonly              bool
		origins               []string
	}
	cmd := &cobra.Command{
		Use:   "create TENANT/APP",
		Short: "Make a token, the secret that opens an app's namespace",
		Long: `Make a token, the secret that opens an app's namespace. It is shown only this
once: the server keeps nothing from which it could be told again.`,
		Example:           "  cubby token create acme/shop --name ci --readonly --expires 30d",
		Args:              exactly(1, "TENANT/APP"),
		ValidArgsFunction: t.complete(env, forFirst(completeApps)),
		RunE: func(cmd *cobra.Command, args []string) error {
			words := []string{"TOKEN.CREATE", args[0]}
			for _, f := range []struct{ word, value string }{{"NAME", o.name}, {"PREFIX", o.prefix}, {"EXPIRES", o.expires}} {
				if f.value != "" {
					words = append(words, f.word, f.value)
				}
			}
			if o.readonly {
				words = append(words, "READONLY")
			}
			for _, origin := range o.origins {
				words = append(words, "ORIGIN", origin)
			}
			token, err := t.askRecord(cmd.Context(), env, words...)
			if err != nil {
				return err
			}
			if t.json {
				return env.printJSON(token)
			}
			env.note("Keep the token now, it is not shown again. Clients sign in with AUTH and the token alone.\n")
			return env.printPairs([][]string{{"id", token.text("id")}, {"token", token.text("token")}})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "a word for people, shown in listings")
	f.BoolVar(&o.readonly, "readonly", false, "may only read")
	f.StringVar(&o.prefix, "prefix", "", "opens only keys that start with this")
	f.StringVar(&o.expires, "expires", "", "ends after this time: seconds, or a number with ms, s, m, h, d")
	f.StringArrayVar(&o.origins, "origin", nil, "web origin it may be used from, such as https://app.example.com (may be repeated)")
	mustComplete(cmd, "expires", "1h", "1d", "30d", "365d")
	return cmd
}

// printPairs prints names and values.
func (e environment) printPairs(rows [][]string) error {
	if e.width > 0 {
		return e.printTable(rows)
	}
	return e.printTabbed(rows)
}

func newTokenRotate(env environment, t *target) *cobra.Command {
	var grace string
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Give a token a new secret; the old one works for a while",
		Long: `Give a token a new secret for the same scope. It is shown only this once. The old
one works until the grace has passed, so that programs can be given the new one
without a gap; --grace 0 ends it, and its connections, at once.`,
		Example:           "  cubby token rotate 4k2jx7wq5mzr3nta --grace 1h",
		Args:              exactly(1, "ID"),
		ValidArgsFunction: t.complete(env, forFirst(completeTokens)),
		RunE: func(cmd *cobra.Command, args []string) error {
			words := []string{"TOKEN.ROTATE", args[0]}
			if grace != "" {
				words = append(words, "GRACE", grace)
			}
			token, err := t.askRecord(cmd.Context(), env, words...)
			if err != nil {
				return err
			}
			if t.json {
				return env.printJSON(token)
			}
			env.note("Keep the token now, it is not shown again.\n")
			rows := [][]string{{"id", token.text("id")}, {"token", token.text("token")}}
			switch ends := token.get("grace_ends_at"); {
			case ends == nil:
			case env.width > 0:
				rows = append(rows, []string{"old secret ends", showTime(ends) + " UTC"})
			default:
				rows = append(rows, []string{"grace_ends_at", token.text("grace_ends_at")})
			}
			return env.printPairs(rows)
		},
	}
	cmd.Flags().StringVar(&grace, "grace", "", "how long the old secret works: seconds, or a number with ms, s, m, h, d (default a minute)")
	mustComplete(cmd, "grace", "0", "1m", "1h", "1d")
	return cmd
}

func newTokenList(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:               "list [TENANT/APP]",
		Short:             "List the tokens of an app, or of all, without their secrets",
		Args:              atMost(1),
		ValidArgsFunction: t.complete(env, forFirst(completeApps)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []record
			err := t.together(env, func(c *adminClient) (err error) {
				if len(args) == 1 {
					list, err = c.list(cmd.Context(), "TOKEN.LIST", args[0])
					return err
				}
				list, err = c.allTokens(cmd.Context())
				return err
			})
			if err != nil {
				return err
			}
			now := time.Now()
			columns := []column{
				{field: "id"}, {field: "name"},
				column{field: "created_at", title: "CREATED (UTC)", show: showTime}.spared(1),
				{field: "expires_at", title: "EXPIRES (UTC)", none: "never", show: func(v any) string { return showEnd(v, now) }},
				{field: "readonly", show: showYes}, {field: "prefix"}, column{field: "origins"}.spared(2),
				column{field: "grace_ends_at", title: "OLD SECRET ENDS (UTC)", show: showTime}.spared(3),
			}
			if len(args) == 0 {
				columns = append([]column{{field: "app"}}, columns...)
			}
			return t.printRecords(env, list, columns...)
		},
	}
}

// allTokens lists the tokens of all apps, with the app as first field.
func (c *adminClient) allTokens(ctx context.Context) ([]record, error) {
	apps, err := c.list(ctx, "APP.LIST")
	if err != nil {
		return nil, err
	}
	var all []record
	for _, a := range apps {
		if n, _ := a.number("tokens"); n == 0 {
			continue
		}
		list, err := c.list(ctx, "TOKEN.LIST", a.text("name"))
		if err != nil && !strings.HasPrefix(err.Error(), "no such app") { // dropped meanwhile
			return nil, err
		}
		for _, r := range list {
			all = append(all, append(record{{"app", a.text("name")}}, r...))
		}
	}
	return all, nil
}

// showEnd is showTime for what may be over.
func showEnd(v any, now time.Time) string {
	if at, err := time.Parse(time.RFC3339, fmt.Sprint(v)); err == nil && !at.After(now) {
		return "ended"
	}
	return showTime(v)
}

func newTokenRevoke(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:               "revoke ID",
		Short:             "End a token and close the connections that use it",
		Args:              exactly(1, "ID"),
		ValidArgsFunction: t.complete(env, forFirst(completeTokens)),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := t.ask(cmd.Context(), env, "TOKEN.REVOKE", args[0])
			if err != nil {
				return err
			}
			if n == int64(0) {
				return errors.New("there is no token with the id " + args[0] + "; 'cubby token list' shows all")
			}
			if t.json {
				return env.printJSON(record{{"id", args[0]}, {"revoked", true}})
			}
			return env.say("revoked %s\n", args[0])
		},
	}
}
