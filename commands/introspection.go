package commands

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

func introspectionRows() []*Command {
	const (
		also  = "loading stale"
		order = "nondeterministic_output_order"
		acl   = "slow connection"
	)
	return []*Command{
		{Name: "command", Arity: -1, Also: also, Tips: order, ACL: acl, Group: "server", Since: "2.8.13",
			Doc: "Describes every command in the terms of COMMAND INFO.", Run: runCommand},
		{Name: "command|count", Arity: 2, Also: also, ACL: acl, Group: "server", Since: "2.8.13",
			Doc: "Returns how many commands there are.", Run: runCommandCount},
		{Name: "command|docs", Arity: -2, Also: also, Tips: order, ACL: acl, Group: "server", Since: "7.0.0",
			Syntax: "[command-name [command-name ...]]", Doc: "Returns the documentation of commands, by default of all.", Run: runCommandDocs},
		{Name: "command|getkeys", Arity: -4, Also: also, ACL: acl, Group: "server", Since: "2.8.13",
			Syntax: "command [argument ...]", Doc: "Returns the keys among the arguments of a command.", Run: runCommandGetKeys},
		{Name: "command|getkeysandflags", Arity: -4, Also: also, ACL: acl, Group: "server", Since: "7.0.0",
			Syntax: "command [arg [arg ...]]", Doc: "Returns the keys among the arguments of a command, and what it may do with them at most.", Run: runCommandGetKeysAndFlags},
		{Name: "command|help", Arity: 2, Also: also, ACL: acl, Group: "server", Since: "5.0.0",
			Doc: "Lists the subcommands of COMMAND.", Run: runCommandHelp},
		{Name: "command|info", Arity: -2, Also: also, Tips: order, ACL: acl, Group: "server", Since: "2.8.13",
			Syntax: "[command-name [command-name ...]]",
			Doc:    "Returns arity, flags, key positions and ACL categories of commands, by default of all.", Run: runCommandInfo},
		{Name: "command|list", Arity: -2, Also: also, Tips: order, ACL: acl, Group: "server", Since: "7.0.0",
			Syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
			Doc:    "Returns the names of commands and subcommands.", Run: runCommandList},
	}
}

func runCommandHelp(c *Call) error {
	writeHelp(c,
		"(no subcommand)",
		"    Return details about all commands.",
		"COUNT",
		"    Return the total number of commands in this server.",
		"LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
		"    Return a list of all commands in this server.",
		"INFO [<command-name> ...]",
		"    Return details about multiple commands.",
		"    If no command names are given, details for all commands are returned.",
		"DOCS [<command-name> ...]",
		"    Return documentation details about multiple commands.",
		"    If no command names are given, documentation details for all",
		"    commands are returned.",
		"GETKEYS <full-command>",
		"    Return the keys from a full command.",
		"GETKEYSANDFLAGS <full-command>",
		"    Return the keys and the access flags from a full command.",
	)
	return nil
}

// sortedSubs are the subcommands of a container in the order of their names.
func (c *Command) sortedSubs() []*Command {
	subs := make([]*Command, 0, len(c.subs))
	for _, name := range slices.Sorted(maps.Keys(c.subs)) {
		subs = append(subs, c.subs[name])
	}
	return subs
}

// walk visits every command, subcommands after their container.
func (t *table) walk(visit func(*Command)) {
	for _, cmd := range t.rows {
		visit(cmd)
		for _, sub := range cmd.sortedSubs() {
			visit(sub)
		}
	}
}

// named finds a command, or a subcommand written as "container|name".
func (t *table) named(name []byte) *Command {
	container, sub, isSub := bytes.Cut(name, []byte("|"))
	cmd := t.lookup(container)
	if cmd == nil || !isSub {
		return cmd
	}
	return lookupFold(cmd.subs, sub)
}

// resolve finds the command that argv would run.
func (t *table) resolve(argv [][]byte) *Command {
	cmd := t.lookup(argv[0])
	if cmd != nil && cmd.subs != nil && len(argv) > 1 {
		return lookupFold(cmd.subs, argv[1])
	}
	return cmd
}

func runCommandCount(c *Call) error {
	c.Out.Int(int64(len(c.Engine.table.rows)))
	return nil
}

// runCommandList names subcommands beside their containers, as Redis does.
func runCommandList(c *Call) error {
	keep := func(*Command) bool { return true }
	switch {
	case c.argc() == 2:
	case c.argc() == 5 && strings.EqualFold(c.arg(2), "filterby"):
		arg := strings.ToLower(c.arg(4))
		switch strings.ToLower(c.arg(3)) {
		case "module":
			keep = func(*Command) bool { return false } // there are no modules
		case "aclcat":
			keep = func(cmd *Command) bool { return slices.Contains(cmd.aclCategories(), arg) }
		case "pattern":
			keep = func(cmd *Command) bool { return matchGlob(arg, cmd.Name) }
		default:
			return errSyntax
		}
	default:
		return errSyntax
	}
	var names []string
	c.Engine.table.walk(func(cmd *Command) {
		if keep(cmd) {
			names = append(names, cmd.Name)
		}
	})
	c.Out.Array(len(names))
	for _, name := range names {
		c.Out.BulkString(name)
	}
	return nil
}

var (
	errGetKeysCommand = kverr.New(kverr.Err, "Invalid command specified")
	errGetKeysNone    = kverr.New(kverr.Err, "The command has no key arguments")
	errGetKeysArity   = kverr.New(kverr.Err, "Invalid number of arguments specified for command")
)

func runCommandGetKeys(c *Call) error {
	_, keys, err := c.keysOfCommand()
	if err != nil {
		return err
	}
	c.Out.Array(len(keys))
	for _, k := range keys {
		c.Out.Bulk(k)
	}
	return nil
}

func runCommandGetKeysAndFlags(c *Call) error {
	cmd, keys, err := c.keysOfCommand()
	if err != nil {
		return err
	}
	c.Out.Array(len(keys))
	first, rest := cmd.usesOfKeys(c.Argv[2:])
	if !cmd.countsKeys(c.Argv[2:]) {
		first, rest = "", ""
	}
	for i, k := range keys {
		use := first
		if i > 0 {
			use = rest
		}
		c.Out.Array(2)
		c.Out.Bulk(k)
		writeWords(c.Out, "", strings.Fields(use))
	}
	return nil
}

// keysOfCommand finds the command that the arguments are, and its keys.
func (c *Call) keysOfCommand() (cmd *Command, keys [][]byte, err error) {
	argv := c.Argv[2:]
	cmd = c.Engine.table.resolve(argv)
	switch {
	case cmd == nil:
		return nil, nil, errGetKeysCommand
	case !cmd.namesKeys():
		return nil, nil, errGetKeysNone
	case !cmd.arityFits(len(argv)):
		return nil, nil, errGetKeysArity
	}
	first, last, step := cmd.keyRange(argv)
	if at := cmd.Keys.Count; at != 0 && !cmd.countsKeys(argv) {
		if n := leadingInt(argv[at]); n > 0 && n <= len(argv)-1-at {
			first, last, step = at+1, at+n, 1
		}
	}
	for i := first; i <= last; i += step {
		keys = append(keys, argv[i])
	}
	return cmd, keys, nil
}

// countsKeys is false when the number of keys is none. Redis then still tells
// of keys, as C reads a number, but not what happens to them.
func (c *Command) countsKeys(argv [][]byte) bool {
	if c.Keys.Count == 0 {
		return true
	}
	_, ok := parseInt(argv[c.Keys.Count])
	return ok
}

// leadingInt reads the number at the beginning of b, as C's atoi does; 0 is none,
// and what is more than a billion.
func leadingInt(b []byte) (n int) {
	b = bytes.TrimLeft(b, " \t\n\v\f\r")
	if len(b) > 0 && b[0] == '+' {
		b = b[1:]
	}
	for _, d := range b {
		if d < '0' || d > '9' {
			break
		}
		if n = n*10 + int(d-'0'); n > 1e9 {
			return 0
		}
	}
	return n
}
