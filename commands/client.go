package commands

import (
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

func clientRows() []*Command {
	// Redis tells these flags of every CLIENT subcommand.
	const also = "noscript loading stale"
	return []*Command{
		{Name: "client", Arity: -2, ACL: "slow", Group: "connection", Since: "2.4.0", Syntax: "subcommand [argument ...]",
			Doc: "The subcommands that concern connections."},
		{Name: "client|getname", Arity: 2, Also: also, ACL: "slow connection", Group: "connection", Since: "2.6.9",
			Doc: "Returns the name of this connection, or nil.", Run: runClientGetName},
		{Name: "client|help", Arity: 2, Also: "loading stale", ACL: "slow connection", Group: "connection", Since: "5.0.0",
			Doc: "Lists the subcommands of CLIENT.", Run: runClientHelp},
		{Name: "client|id", Arity: 2, Also: also, ACL: "slow connection", Group: "connection", Since: "5.0.0",
			Doc: "Returns the number of this connection.", Run: runClientID},
		{Name: "client|info", Arity: 2, Also: also, Tips: "nondeterministic_output", ACL: "slow connection", Group: "connection", Since: "6.2.0",
			Doc: "Describes this connection in the format of CLIENT LIST.", Run: runClientInfo},
		{Name: "client|list", Arity: -2, Also: also, Tips: "nondeterministic_output",
			ACL: "slow admin dangerous connection", Group: "connection", Since: "2.4.0",
			Syntax: "[TYPE NORMAL | MASTER | REPLICA | PUBSUB] [ID client-id [client-id ...]]",
			Doc:    "Describes the connections of the namespace; the admin sees those of all.", Run: runClientList},
		{Name: "client|no-evict", Arity: 3, Also: also, ACL: "slow admin dangerous connection", Group: "connection", Since: "7.0.0",
			Syntax: "ON | OFF", Doc: "Accepted and without effect: no connection is ever evicted.", Run: runClientSwitch},
		{Name: "client|no-touch", Arity: 3, Also: also, ACL: "slow connection", Group: "connection", Since: "7.2.0",
			Syntax: "ON | OFF", Doc: "Accepted and without effect: reading a key changes nothing about it.", Run: runClientSwitch},
		{Name: "client|setinfo", Arity: 4, Flags: Stateful, Also: also, ACL: "slow connection", Group: "connection", Since: "7.2.0",
			Syntax: "LIB-NAME name | LIB-VER version", Doc: "Tells the client library's name and version to CLIENT LIST.", Run: runClientSetInfo},
		{Name: "client|setname", Arity: 3, Flags: Stateful, Also: also, ACL: "slow connection", Group: "connection", Since: "2.6.9",
			Syntax: "connection-name", Doc: "Names this connection; an empty name takes it back.", Run: runClientSetName},
	}
}

func runClientHelp(c *Call) error {
	writeHelp(c,
		"GETNAME",
		"    Return the name of the current connection.",
		"ID",
		"    Return the ID of the current connection.",
		"INFO",
		"    Return information about the current client connection.",
		"LIST [options ...]",
		"    Return information about client connections. Options:",
		"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
		"      Return clients of specified type.",
		"    * ID <client-id> [<client-id> [...]]",
		"      Return clients with the specified IDs.",
		"NO-EVICT (ON|OFF)",
		"    Protect current client connection from eviction.",
		"NO-TOUCH (ON|OFF)",
		"    Will not touch LRU/LFU stats when this mode is on.",
		"SETINFO (LIB-NAME|LIB-VER) <value>",
		"    Set the name or the version of the client library.",
		"SETNAME <name>",
		"    Assign the name <name> to the current connection.",
	)
	return nil
}

// writeHelp answers a HELP subcommand in Redis's frame.
func writeHelp(c *Call, lines ...string) {
	container, _, _ := strings.Cut(c.Cmd.Name, "|")
	c.Out.Array(len(lines) + 3)
	c.Out.Status(strings.ToUpper(container) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, line := range lines {
		c.Out.Status(line)
	}
	c.Out.Status("HELP")
	c.Out.Status("    Prints this help.")
}

func runClientID(c *Call) error {
	c.Out.Int(c.Session.id)
	return nil
}

func runClientGetName(c *Call) error {
	name := c.Session.snapshot().name
	if name == "" {
		c.Out.Null()
		return nil
	}
	c.Out.BulkString(name)
	return nil
}

func runClientSetName(c *Call) error {
	name := strings.Clone(c.arg(2))
	if err := checkClientName(name); err != nil {
		return err
	}
	c.Session.show(func(v *shownState) { v.name = name })
	c.Out.Status("OK")
	return nil
}

func runClientSetInfo(c *Call) error {
	option, value := c.arg(2), strings.Clone(c.arg(3))
	var set func(*shownState)
	switch {
	case strings.EqualFold(option, "lib-name"):
		set = func(v *shownState) { v.libName = value }
	case strings.EqualFold(option, "lib-ver"):
		set = func(v *shownState) { v.libVersion = value }
	default:
		return kverr.Newf(kverr.Err, "Unrecognized option '%s'", option)
	}
	if checkClientName(value) != nil {
		return kverr.Newf(kverr.Err, "%s cannot contain spaces, newlines or special characters.", option)
	}
	c.Session.show(set)
	c.Out.Status("OK")
	return nil
}

// runClientSwitch accepts NO-EVICT and NO-TOUCH, which promise what is always
// so here.
func runClientSwitch(c *Call) error {
	if v := c.arg(2); !strings.EqualFold(v, "on") && !strings.EqualFold(v, "off") {
		return errSyntax
	}
	c.Out.Status("OK")
	return nil
}

func runClientInfo(c *Call) error {
	c.Out.Verbatim("txt", string(appendClient(nil, c, c.Session)))
	return nil
}

func runClientList(c *Call) error {
	switch {
	case c.argc() == 2:
		return listClients(c, c.Engine.visibleSessions(c.Session))
	case c.argc() == 4 && strings.EqualFold(c.arg(2), "type"):
		return listClientsOfType(c, c.arg(3))
	case c.argc() > 3 && strings.EqualFold(c.arg(2), "id"):
		return listClientsByID(c, c.Argv[3:])
	default:
		return errSyntax
	}
}

func listClients(c *Call, sessions []*Session) error {
	var text []byte
	for _, s := range sessions {
		text = appendClient(text, c, s)
	}
	c.Out.Verbatim("txt", string(text))
	return nil
}

// listClientsOfType knows Redis's types. There are no replicas here.
func listClientsOfType(c *Call, kind string) error {
	switch strings.ToLower(kind) {
	case "normal":
		return listClients(c, c.Engine.visibleSessions(c.Session))
	case "master", "slave", "replica", "pubsub":
		return listClients(c, nil)
	default:
		return kverr.Newf(kverr.Err, "Unknown client type '%s'", kind)
	}
}

// listClientsByID skips ids that do not exist or may not be seen, as Redis
// skips the former.
func listClientsByID(c *Call, ids [][]byte) error {
	visible := make(map[int64]*Session)
	for _, s := range c.Engine.visibleSessions(c.Session) {
		visible[s.id] = s
	}
	var asked []*Session
	for _, arg := range ids {
		id, ok := parseInt(arg)
		if !ok {
			return kverr.New(kverr.Err, "Invalid client ID")
		}
		if s := visible[id]; s != nil {
			asked = append(asked, s)
		}
	}
	return listClients(c, asked)
}
