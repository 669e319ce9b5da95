package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newToken(env environment) *cobra.Command {
	t := new(target)
	parent := group(&cobra.Command{Use: "token", Short: "Manage the tokens of apps on a running server"},
		newTokenCreate(env, t), newTokenList(env, t), newTokenRevoke(env, t))
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
		Example: "  cubby token create acme/shop --name ci --readonly --expires 30d",
		Args:    exactly(1, "TENANT/APP"),
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
			reply, err := t.ask(cmd.Context(), env, words...)
			if err != nil {
				return err
			}
			token, err := toRecord(reply)
			if err != nil {
				return err
			}
			if t.json {
				return env.printJSON(token)
			}
			env.note("Keep the token now, it is not shown again. Clients sign in with AUTH and the token alone.\n")
			return env.printTable([][]string{{"id", token.text("id")}, {"token", token.text("token")}})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "a word for people, shown in listings")
	f.BoolVar(&o.readonly, "readonly", false, "may only read")
	f.StringVar(&o.prefix, "prefix", "", "opens only keys that start with this")
	f.StringVar(&o.expires, "expires", "", "ends after this time: seconds, or a number with ms, s, m, h, d")
	f.StringArrayVar(&o.origins, "origin", nil, "web origin it may be used from, such as https://app.example.com (may be repeated)")
	return cmd
}

func newTokenList(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "list TENANT/APP",
		Short: "List the tokens of an app, without their secrets",
		Args:  exactly(1, "TENANT/APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reply, err := t.ask(cmd.Context(), env, "TOKEN.LIST", args[0])
			if err != nil {
				return err
			}
			return t.printList(env, reply, "id", "name", "created_at", "expires_at", "readonly", "prefix", "origins")
		},
	}
}

func newTokenRevoke(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End a token and close the connections that use it",
		Args:  exactly(1, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := t.ask(cmd.Context(), env, "TOKEN.REVOKE", args[0])
			if err != nil {
				return err
			}
			if n == int64(0) {
				return errors.New("there is no token with the id " + args[0] + "; 'cubby token list TENANT/APP' shows them")
			}
			if t.json {
				return env.printJSON(record{{"id", args[0]}, {"revoked", true}})
			}
			return env.say("revoked %s\n", args[0])
		},
	}
}
