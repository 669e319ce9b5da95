package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func newClient(env environment) *cobra.Command {
	t := new(target)
	parent := group(&cobra.Command{Use: "client", Short: "See and close the connections of a running server"}, newClientList(env, t), newClientKill(env, t))
	t.addFlags(parent)
	return parent
}

// clientFields are those of CLIENT LIST that we show, and how we call them.
var clientFields = []struct{ wire, name string }{
	{"id", "id"}, {"user", "app"}, {"addr", "addr"}, {"name", "name"}, {"age", "age"}, {"idle", "idle"}, {"db", "db"},
	{"cmd", "command"}, {"auth", "auth"}, {"lib-name", "lib_name"}, {"lib-ver", "lib_version"}, {"resp", "resp"},
}

// clients asks for the connections, less the asking one.
func (c *adminClient) clients(ctx context.Context) ([]record, error) {
	reply, err := c.do(ctx, "CLIENT", "ID")
	if err != nil {
		return nil, err
	}
	own := fmt.Sprint(reply)
	if reply, err = c.do(ctx, "CLIENT", "LIST"); err != nil {
		return nil, err
	}
	var list []record
	for line := range strings.Lines(fmt.Sprint(reply)) {
		values := make(map[string]string)
		for word := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(word, "=")
			values[name] = value
		}
		if values["id"] == own || values["id"] == "" {
			continue
		}
		r := make(record, 0, len(clientFields))
		for _, f := range clientFields {
			var value any = values[f.wire]
			if n, err := strconv.ParseInt(values[f.wire], 10, 64); err == nil && f.name != "name" {
				value = n
			}
			r = append(r, field{f.name, value})
		}
		list = append(list, r)
	}
	return list, nil
}

func newClientList(env environment, t *target) *cobra.Command {
	var watch watching
	cmd := &cobra.Command{
		Use:   "list [TENANT/APP]",
		Short: "List the connections of an app, or all",
		Long: `List the connections of an app, or all, less this command's own. APP is who has
signed in: an app, or admin; AUTH says with what. Ages are in seconds in JSON and
in a pipe.`,
		Args:              atMost(1),
		ValidArgsFunction: t.complete(env, forFirst(completeApps)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.together(env, func(c *adminClient) error {
				return watch.run(cmd.Context(), env, func(ctx context.Context, env environment) error {
					list, err := c.clients(ctx)
					if err != nil {
						return err
					}
					if len(args) == 1 {
						list = slices.DeleteFunc(list, func(r record) bool { return r.text("app") != args[0] })
					}
					return t.printRecords(env, list, number("id", "", nil, ""), column{field: "app"}, column{field: "addr"}, column{field: "name"}.spared(2),
						number("age", "", showSeconds, ""), number("idle", "", showSeconds, ""), column{field: "command"}.spared(1),
						column{field: "auth"}, column{field: "lib_name", title: "LIBRARY"}.spared(3), column{field: "lib_version", title: "VERSION"}.spared(4))
				})
			})
		},
	}
	watch.add(cmd)
	return cmd
}

func newClientKill(env environment, t *target) *cobra.Command {
	app := ""
	cmd := &cobra.Command{
		Use:     "kill (ID ... | --app TENANT/APP)",
		Short:   "Close connections",
		Long:    "Close connections by their ids, or all of an app. Their clients may connect\nagain: 'cubby token revoke' keeps them out.",
		Example: "  cubby client kill 17 18\n  cubby client kill --app acme/shop",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && app == "":
				return usagef("ID or --app is missing")
			case len(args) > 0 && app != "":
				return usagef("give either ids or --app, not both")
			}
			for _, id := range args {
				if n, err := strconv.ParseInt(id, 10, 64); err != nil || n < 1 {
					return usagef("%q is no id; 'cubby client list' shows them", id)
				}
			}
			return nil
		},
		ValidArgsFunction: t.complete(env, completeClients),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.together(env, func(c *adminClient) error {
				closed := int64(0)
				kill := func(by, value string) error {
					n, err := c.do(cmd.Context(), "CLIENT", "KILL", by, value)
					if k, ok := n.(int64); ok {
						closed += k
					}
					return err
				}
				if app != "" {
					if _, err := c.do(cmd.Context(), "APP.INFO", app); err != nil {
						return err
					}
					if err := kill("USER", app); err != nil {
						return err
					}
				}
				for _, id := range args {
					if err := kill("ID", id); err != nil {
						return err
					}
				}
				if len(args) > 0 && closed == 0 {
					return errors.New("there is no such connection; 'cubby client list' shows them")
				}
				if t.json {
					return env.printJSON(record{{"closed", closed}})
				}
				return env.say("closed %s\n", plural(closed, "connection"))
			})
		},
	}
	cmd.Flags().StringVar(&app, "app", "", "all connections of this app")
	_ = cmd.RegisterFlagCompletionFunc("app", t.complete(env, forFirst(completeApps)))
	return cmd
}
