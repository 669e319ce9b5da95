package commands

func serverRows() []*Command {
	return []*Command{
		{Name: "info", Arity: -1, Flags: CrossDB, Also: "loading stale", ACL: "slow dangerous", Group: "server", Since: "1.0.0",
			Syntax: "[section [section ...]]",
			Doc:    "Describes the server as far as the asking namespace may know it.", Run: runInfo},
		{Name: "time", Arity: 1, Also: "loading stale", Tips: "nondeterministic_output", ACL: "fast", Group: "server", Since: "2.6.0",
			Doc: "Returns the server's time: Unix seconds, and microseconds of the second.", Run: runTime},
	}
}

func runTime(c *Call) error {
	now := c.clock().UnixMicro()
	const second = 1_000_000
	c.Out.Array(2)
	c.Out.BulkInt(now / second)
	c.Out.BulkInt(now % second)
	return nil
}
