package commands

import (
	"slices"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

func clientRows() []*Command {
	// Redis tells these flags of every CLIENT subcommand.
	const also = "noscript loading stale"
	rows := []*Command{
		{Name: "client", Arity: -2, ACL: "slow", Group: "connection", Since: "2.4.0", Syntax: "subcommand [argument ...]",
			Doc: "The subcommands that concern connections."},
		{Name: "client|getname", Arity: 2, Flags: OwnConnection, Also: also, ACL: "slow connection", Group: "connection", Since: "2.6.9",
			Doc: "Returns the name of this connection, or nil.", Run: runClientGetName},
		{Name: "client|help", Arity: 2, Also: "loading stale", ACL: "slow connection", Group: "connection", Since: "5.0.0",
			Doc: "Lists the subcommands of CLIENT.", Run: runClientHelp},
		{Name: "client|id", Arity: 2, Flags: OwnConnection, Also: also, ACL: "slow connection", Group: "connection", Since: "5.0.0",
			Doc: "Returns the number of this connection.", Run: runClientID},
		{Name: "client|info", Arity: 2, Flags: OwnConnection, Also: also, Tips: "nondeterministic_output", ACL: "slow connection", Group: "connection", Since: "6.2.0",
			Doc: "Describes this connection in the format of CLIENT LIST.", Run: runClientInfo},
		{Name: "client|kill", Arity: -3, Flags: Controls, Also: also, ACL: "slow admin dangerous connection", Group: "connection", Since: "2.4.0",
			Syntax: "<ip:port | [ID client-id] [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME <YES | NO>] [MAXAGE maxage]>",
			Doc:    "Closes connections of the namespace; the admin those of any. A restricted token closes only what was opened with it.", Run: runClientKill},
		{Name: "client|list", Arity: -2, Also: also, Tips: "nondeterministic_output",
			ACL: "slow admin dangerous connection", Group: "connection", Since: "2.4.0",
			Syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
			Doc:    "Describes the connections of the namespace; the admin sees those of all.", Run: runClientList},
		{Name: "client|no-evict", Arity: 3, Flags: OwnConnection, Also: also, ACL: "slow admin dangerous connection", Group: "connection", Since: "7.0.0",
			Syntax: "<ON | OFF>", Doc: "Accepted and without effect: no connection is ever evicted.", Run: runClientSwitch},
		{Name: "client|no-touch", Arity: 3, Flags: OwnConnection, Also: also, ACL: "slow connection", Group: "connection", Since: "7.2.0",
			Syntax: "<ON | OFF>", Doc: "Accepted and without effect: reading a key changes nothing about it.", Run: runClientSwitch},
		{Name: "client|pause", Arity: -3, Flags: Controls, Also: also, ACL: "slow admin dangerous connection", Group: "connection", Since: "3.0.0",
			Syntax: "timeout [WRITE | ALL]",
			Doc: "Lets the commands of the namespace, or only those that write, wait for a number of milliseconds, at most an hour. " +
				"The admin pauses everybody but admins. Commands that sign in do not wait, nor does CLIENT UNPAUSE.", Run: runClientPause},
		{Name: "client|reply", Arity: 3, Flags: OwnConnection | Stateful | NoMulti, Also: also, ACL: "slow connection", Group: "connection", Since: "3.2.0",
			Syntax: "<ON | OFF | SKIP>", Doc: "Sends replies, sends none from now on, or none to the next command.", Run: runClientReply},
		{Name: "client|setinfo", Arity: 4, Flags: OwnConnection | Stateful, Also: also, ACL: "slow connection", Group: "connection", Since: "7.2.0",
			Syntax: "<LIB-NAME name | LIB-VER version>", Doc: "Tells the client library's name and version to CLIENT LIST.", Run: runClientSetInfo},
		{Name: "client|setname", Arity: 3, Flags: OwnConnection | Stateful, Also: also, ACL: "slow connection", Group: "connection", Since: "2.6.9",
			Syntax: "connection-name", Doc: "Names this connection; an empty name takes it back.", Run: runClientSetName},
		{Name: "client|unblock", Arity: -3, Flags: Controls, Also: also, ACL: "slow admin dangerous connection", Group: "connection", Since: "5.0.0",
			Syntax: "client-id [TIMEOUT | ERROR]", Doc: "Answers 0: no command blocks a connection.", Run: runClientUnblock},
		{Name: "client|unpause", Arity: 2, Flags: Controls | EndsPause, Also: also, ACL: "slow admin dangerous connection", Group: "connection", Since: "6.2.0",
			Doc: "Ends the pause that CLIENT PAUSE began.", Run: runClientUnpause},
	}
	rows = append(rows, trackingRows()...)
	for _, row := range rows {
		row.Flags |= KeepsCaching
	}
	return rows
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
// so here. CLIENT LIST shows who asked.
func runClientSwitch(c *Call) error {
	on := strings.EqualFold(c.arg(2), "on")
	if !on && !strings.EqualFold(c.arg(2), "off") {
		return errSyntax
	}
	c.Session.show(func(v *shownState) {
		if strings.HasSuffix(c.Cmd.Name, "evict") {
			v.noEvict = on
		} else {
			v.noTouch = on
		}
	})
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
	wanted, ok := clientType(kind)
	if !ok {
		return kverr.Newf(kverr.Err, "Unknown client type '%s'", kind)
	}
	sessions := slices.DeleteFunc(c.Engine.visibleSessions(c.Session), func(s *Session) bool {
		v := s.snapshot()
		return v.kind() != wanted
	})
	return listClients(c, sessions)
}

var errUnblockReason = kverr.New(kverr.Err, "CLIENT UNBLOCK reason should be TIMEOUT or ERROR")

func runClientUnblock(c *Call) error {
	switch {
	case c.argc() == 4:
		if word := c.arg(3); !strings.EqualFold(word, "timeout") && !strings.EqualFold(word, "error") {
			return errUnblockReason
		}
	case c.argc() > 4:
		return c.errSubcommand()
	}
	if _, ok := parseInt(c.Argv[2]); !ok {
		return errNotInteger
	}
	c.Out.Int(0)
	return nil
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
