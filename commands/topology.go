package commands

import "github.com/cubbykv/cubby/internal/kverr"

// A server stands alone: no replicas, no cluster, no modules. Clients and tools
// ask all the same, and get what a Redis that stands alone answers.

func topologyRows() []*Command {
	rows := []*Command{
		{Name: "role", Arity: 1, Also: "noscript loading stale", ACL: "fast admin dangerous", Group: "server", Since: "2.8.12",
			Doc: "Tells that the server is a master without replicas.", Run: runRole},

		{Name: "module", Arity: -2, ACL: "slow", Group: "server", Since: "4.0.0", Doc: "A container for module commands."},
		{Name: "module|help", Arity: 2, Also: "loading stale", ACL: "slow", Group: "server", Since: "5.0.0",
			Doc: "Lists the subcommands of MODULE.", Run: runModuleHelp},
		{Name: "module|list", Arity: 2, Flags: Admin, Also: "noscript", Tips: "nondeterministic_output_order", ACL: "slow admin dangerous", Group: "server", Since: "4.0.0",
			Doc: "Returns no modules: there are none.", Run: runModuleList},
	}
	for _, name := range []string{"asking", "readonly", "readwrite"} {
		row := &Command{Name: name, Arity: 1, Also: "loading stale", ACL: "fast connection", Group: "cluster", Since: "3.0.0",
			Doc: "An error, as of every Redis that is not in cluster mode.", Run: runNoCluster}
		if name == "asking" {
			row.Also = ""
		}
		rows = append(rows, row)
	}
	rows = append(rows, &Command{Name: "cluster", Arity: -2, ACL: "slow", Group: "cluster", Since: "3.0.0", Doc: "A container for cluster commands."})
	const random = "nondeterministic_output"
	for _, r := range []struct {
		name                string
		arity               int
		tips, since, syntax string
	}{
		{"countkeysinslot", 3, "", "3.0.0", "slot"}, {"getkeysinslot", 4, random, "3.0.0", "slot count"}, {"help", 2, "", "5.0.0", ""},
		{"info", 2, random, "3.0.0", ""}, {"keyslot", 3, "", "3.0.0", "key"}, {"links", 2, random, "7.0.0", ""}, {"myid", 2, "", "3.0.0", ""},
		{"nodes", 2, random, "3.0.0", ""}, {"shards", 2, random, "7.0.0", ""}, {"slots", 2, random, "3.0.0", ""},
	} {
		row := &Command{Name: "cluster|" + r.name, Arity: r.arity, Also: "stale", Tips: r.tips, ACL: "slow", Group: "cluster", Since: r.since, Syntax: r.syntax,
			Doc: "An error, as of every Redis that is not in cluster mode.", Run: runNoCluster}
		if r.name == "help" {
			row.Also = "loading stale"
		}
		rows = append(rows, row)
	}
	return rows
}

var errNoCluster = kverr.New(kverr.Err, "This instance has cluster support disabled")

func runNoCluster(*Call) error { return errNoCluster }

func runRole(c *Call) error {
	c.Out.Array(3)
	c.Out.BulkString("master")
	c.Out.Int(0)
	c.Out.Array(0)
	return nil
}

func runModuleList(c *Call) error {
	c.Out.Array(0)
	return nil
}

func runModuleHelp(c *Call) error {
	writeHelp(c,
		"LIST",
		"    Return a list of loaded modules.",
	)
	return nil
}
