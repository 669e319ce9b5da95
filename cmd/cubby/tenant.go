package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newTenant(env environment) *cobra.Command {
	t := new(target)
	parent := group(&cobra.Command{Use: "tenant", Short: "Manage tenants on a running server"}, newTenantList(env, t), newTenantDrop(env, t))
	t.addFlags(parent)
	return parent
}

func newTenantList(env environment, t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List tenants with what their apps use together",
		Long: `List tenants with what the apps of each use together, both databases. Of apps
that are on disk only and were not looked at since the server started nothing is
known; not_seen says how many these are.`,
		Args:              atMost(0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var apps []record
			err := t.together(env, func(c *adminClient) (err error) {
				apps, err = c.list(cmd.Context(), "APP.USAGE")
				return err
			})
			if err != nil {
				return err
			}
			return t.printRecords(env, byTenant(apps), column{field: "tenant"}, number("apps", "", showCount, ""),
				number("keys", "", showCount, ""), number("bytes", "", showBytes, ""),
				number("connections", "CONNS", showCount, "").spared(1), number("not_seen", "NOT SEEN", showCount, "").spared(2))
		},
	}
}

// byTenant adds up APP.USAGE, whose rows are in the order of the names.
func byTenant(apps []record) []record {
	var list []record
	for _, a := range apps {
		tenant, _, _ := strings.Cut(a.text("name"), "/")
		if len(list) == 0 || list[len(list)-1].text("tenant") != tenant {
			list = append(list, record{{"tenant", tenant}, {"apps", int64(0)}, {"keys", int64(0)}, {"bytes", int64(0)}, {"connections", int64(0)}, {"not_seen", int64(0)}})
		}
		r := list[len(list)-1]
		add := func(to string, n int64) {
			sum, _ := r.number(to)
			r.set(to, sum+n)
		}
		add("apps", 1)
		for _, of := range []struct{ to, from string }{
			{"keys", "keys"}, {"bytes", "bytes"}, {"keys", "ephemeral-keys"}, {"bytes", "ephemeral-bytes"}, {"connections", "connections"},
		} {
			n, _ := a.number(of.from)
			add(of.to, n)
		}
		if a.get("keys") == nil {
			add("not_seen", 1)
		}
	}
	return list
}

func newTenantDrop(env environment, t *target) *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use:   "drop TENANT",
		Short: "Erase all apps of a tenant with their data and tokens",
		Long: `Erase all apps of a tenant with their data and tokens, and close their
connections. It says what will be gone and asks, unless there is --yes. Nothing
brings it back but a backup.`,
		Args:              exactly(1, "TENANT"),
		ValidArgsFunction: t.complete(env, forFirst(completeTenants)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := env.mayAsk(yes); err != nil {
				return err
			}
			return t.together(env, func(c *adminClient) error {
				if !yes {
					if err := c.confirmTenant(cmd.Context(), env, args[0]); err != nil {
						return err
					}
				}
				n, err := c.do(cmd.Context(), "TENANT.DROP", args[0])
				switch {
				case err != nil:
					return err
				case n == int64(0):
					return noTenant(args[0])
				case t.json:
					return env.printJSON(record{{"tenant", args[0]}, {"dropped", n}})
				}
				return env.say("dropped %d app(s) of %s\n", n, args[0])
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func noTenant(name string) error {
	return fmt.Errorf("there is no tenant %s; 'cubby tenant list' shows all", name)
}

// mostNamed is how many apps are named before they are erased.
const mostNamed = 20

// confirmTenant says what a tenant has before it asks.
func (c *adminClient) confirmTenant(ctx context.Context, env environment, tenant string) error {
	apps, err := c.list(ctx, "APP.LIST", "MATCH", globQuote(tenant)+"/*")
	if err != nil {
		return err
	}
	if len(apps) == 0 {
		return noTenant(tenant)
	}
	for i, a := range apps {
		if i == mostNamed {
			env.note("and %s more\n", plural(int64(len(apps)-i), "app"))
			break
		}
		name := a.text("name")
		info, err := c.one(ctx, "APP.INFO", name)
		if err != nil {
			return err
		}
		n, _ := a.number("tokens")
		env.note("%s holds %s, and %s.\n", name, holdings(info), plural(n, "token"))
	}
	return env.confirm("Erase the tenant " + tenant + " with all apps, their data and tokens?")
}

// globQuote makes a pattern of a word that matches nothing else.
func globQuote(s string) string {
	return strings.NewReplacer("\\", "\\\\", "*", "\\*", "?", "\\?", "[", "\\[").Replace(s)
}

// holdings puts what APP.INFO says of an app's data into words.
func holdings(info record) string {
	keys, _ := info.number("keys")
	bytes, _ := info.number("bytes")
	text := fmt.Sprintf("%s (%s)", plural(keys, "key"), formatBytes(bytes))
	if keys, _ := info.number("ephemeral-keys"); keys > 0 {
		bytes, _ := info.number("ephemeral-bytes")
		text += fmt.Sprintf(", %s (%s) in database 1", plural(keys, "key"), formatBytes(bytes))
	}
	return text
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return showCount(n) + " " + what + "s"
}

// mayAsk refuses to erase anything where nobody can confirm it: a script has to
// say --yes.
func (e environment) mayAsk(yes bool) error {
	if yes || e.interactive {
		return nil
	}
	return usagef("this erases data for good and nobody is there to confirm it; add --yes")
}

// confirm asks before something is erased.
func (e environment) confirm(question string) error {
	e.note("%s [y/N] ", question)
	answer, _ := bufio.NewReader(e.in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was erased; it takes the answer y, or --yes")
}
