package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// lastSecond is the field with the commands of the last second.
const lastSecond = "commands-last-second"

// useOf says which limit bounds what an app uses.
var useOf = map[string]string{
	"keys":            "max-keys",
	"bytes":           "max-bytes",
	"ephemeral-keys":  "ephemeral-max-keys",
	"ephemeral-bytes": "ephemeral-max-bytes",
	"connections":     "max-connections",
}

// usedPart is how much of a limit is used, or nil where there is no limit or it
// is not known. 1 is all.
func usedPart(r record, used, limit string) *float64 {
	n, known := r.number(used)
	most, limited := r.number(limit)
	if !known || !limited || most <= 0 {
		return nil
	}
	return new(float64(n) / float64(most))
}

// usageOrders are the words of --sort. Names go up, the rest down.
var usageOrders = []string{"use", "keys", "bytes", "connections", "commands", "name"}

type usage struct {
	target *target
	env    environment
	sort   string
	top    int
	load   bool
	watch  watching
}

func newUsage(env environment) *cobra.Command {
	u := &usage{target: new(target), env: env}
	cmd := &cobra.Command{
		Use:   "usage [TENANT[/APP]]",
		Short: "Show what apps use of their limits, the fullest first",
		Long: `Show what the apps of a running server use of their limits, the fullest first:
all of them, those of a tenant, one, or those that match a pattern such as
'*/shop'.

USE is the limit that is nearest: keys or bytes of one of the two databases.
KEYS/1 and BYTES/1 are database 1, CMD/S the commands of the last second. "?" is
an app that is on disk only and was not looked at since the server started;
--load reads such apps.`,
		Example: "  cubby usage\n  cubby usage acme --sort bytes\n  cubby usage --top 10 --watch",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(usageOrders, u.sort) {
				return usagef("--sort %q is none of %s", u.sort, strings.Join(usageOrders, ", "))
			}
			if u.top < 0 {
				return usagef("--top %d is no count", u.top)
			}
			return u.target.together(env, func(c *adminClient) error {
				return u.watch.run(cmd.Context(), env, func(ctx context.Context, env environment) error {
					return u.draw(ctx, env, c, args)
				})
			})
		},
	}
	u.target.addFlags(cmd)
	cmd.ValidArgsFunction = u.target.complete(env, forFirst(completeUsage))
	u.watch.add(cmd)
	f := cmd.Flags()
	f.StringVar(&u.sort, "sort", "use", "order: "+strings.Join(usageOrders, ", "))
	f.IntVar(&u.top, "top", 0, "show only so many (default: all)")
	f.BoolVar(&u.load, "load", false, "read apps that are on disk only; they take memory until they are idle again")
	mustComplete(cmd, "sort", usageOrders...)
	return cmd
}

// pattern is what APP.USAGE shall match.
func (u *usage) pattern(args []string) (pattern string, single bool) {
	switch {
	case len(args) == 0:
		return "", false
	case !strings.Contains(args[0], "/"):
		return args[0] + "/*", false
	}
	return args[0], !strings.ContainsAny(args[0], "*?[\\")
}

func (u *usage) draw(ctx context.Context, env environment, c *adminClient, args []string) error {
	words := []string{"APP.USAGE"}
	pattern, single := u.pattern(args)
	if pattern != "" {
		words = append(words, "MATCH", pattern)
	}
	list, err := c.list(ctx, words...)
	if err != nil {
		return err
	}
	if single && len(list) == 0 {
		_, err := c.do(ctx, "APP.INFO", args[0]) // says what is wrong with the name
		return err
	}
	unseen := 0
	for i := range list {
		if list[i].get("keys") == nil {
			if !u.load && !single {
				unseen++
				continue
			}
			if err := look(ctx, c, list[i]); err != nil {
				return err
			}
		}
	}
	for i := range list {
		list[i].set("use", nearest(list[i]))
	}
	u.order(list)
	total := list
	if u.top > 0 && len(list) > u.top {
		list = list[:u.top]
	}
	if err := u.target.printRecords(env, list, u.columns(env, slices.ContainsFunc(list, usesEphemeral))...); err != nil || u.target.json || env.width == 0 {
		return err
	}
	if len(total) > 1 {
		env.note("%s\n", summary(total))
	}
	if unseen > 0 {
		env.note("? is on disk only and was not looked at since the server started; --load reads it\n")
	}
	return nil
}

// look asks for what an app holds, which reads it from the disk.
func look(ctx context.Context, c *adminClient, r record) error {
	info, err := c.one(ctx, "APP.INFO", r.text("name"))
	if err != nil {
		return err
	}
	for name := range useOf {
		r.set(name, info.get(name))
	}
	return nil
}

// nearest is the greatest part used of any limit, or nil where that is not known.
func nearest(r record) any {
	var most *float64
	if r.get("keys") == nil {
		return nil
	}
	for used, limit := range useOf {
		if part := usedPart(r, used, limit); part != nil && (most == nil || *part > *most) {
			most = part
		}
	}
	if most == nil {
		return nil
	}
	return float64(int64(*most*1e4+0.5)) / 1e4
}

// sum is what --sort bytes and keys go by: both databases.
func sum(r record, field string) float64 {
	a, known := r.number(field)
	b, _ := r.number("ephemeral-" + field)
	if !known {
		return -1
	}
	return float64(a + b)
}

func (u *usage) order(list []record) {
	value := func(r record) float64 {
		switch u.sort {
		case "keys", "bytes":
			return sum(r, u.sort)
		case "use":
			if f, ok := r.get("use").(float64); ok {
				return f
			}
			return -1
		}
		field := u.sort
		if field == "commands" {
			field = lastSecond
		}
		n, ok := r.number(field)
		if !ok {
			return -1
		}
		return float64(n)
	}
	if u.sort == "name" {
		return // as the server has them
	}
	slices.SortStableFunc(list, func(a, b record) int { return cmp.Compare(value(b), value(a)) })
}

// columns leave database 1 out on a terminal where nobody uses it.
func (u *usage) columns(env environment, ephemeral bool) []column {
	list := []column{
		{field: "name", title: "APP"},
		number("use", "USE", showPercent, "?"),
		number("keys", "KEYS", showCount, "?"),
		number("max-keys", "OF", showCount, "any").spared(2),
		number("bytes", "BYTES", showBytes, "?"),
		number("max-bytes", "OF", showBytes, "any").spared(3),
		number("ephemeral-keys", "KEYS/1", showCount, "?").spared(4),
		number("ephemeral-max-keys", "OF", showCount, "any").spared(7),
		number("ephemeral-bytes", "BYTES/1", showBytes, "?").spared(5),
		number("ephemeral-max-bytes", "OF", showBytes, "any").spared(6),
		number("connections", "CONNS", showCount, ""),
		number(lastSecond, "CMD/S", showCount, "").spared(1),
	}
	if env.width > 0 {
		if !ephemeral {
			list = slices.DeleteFunc(list, func(c column) bool { return strings.HasPrefix(c.field, "ephemeral-") })
		}
		return list
	}
	return append(list, number("commands-per-second", "", nil, ""), column{field: "in_memory"})
}

func usesEphemeral(r record) bool {
	n, _ := r.number("ephemeral-keys")
	return n > 0
}

func summary(list []record) string {
	var keys, bytes, connections int64
	for _, r := range list {
		if known := sum(r, "keys"); known >= 0 {
			keys += int64(known)
			bytes += int64(sum(r, "bytes"))
		}
		n, _ := r.number("connections")
		connections += n
	}
	return fmt.Sprintf("%s, %s, %s, %s", plural(int64(len(list)), "app"), plural(keys, "key"), formatBytes(bytes), plural(connections, "connection"))
}
