package commands

import (
	"slices"
	"strings"

	"github.com/cubbykv/cubby/internal/resp"
)

// This file answers COMMAND, COMMAND INFO and COMMAND DOCS in the shape of
// Redis 7.0.

// redisFlags are the words of COMMAND INFO in Redis's order, with the flag of
// the table that means the same.
var redisFlags = []struct {
	word string
	flag Flag
}{
	{"write", Writes}, {"readonly", 0}, {"denyoom", Grows}, {"module", 0}, {"admin", Admin}, {"pubsub", 0},
	{"noscript", 0}, {"blocking", 0}, {"loading", 0}, {"stale", 0}, {"skip_monitor", 0}, {"skip_slowlog", 0},
	{"asking", 0}, {"fast", 0}, {"no_auth", NoAuth}, {"may_replicate", 0}, {"no_mandatory_keys", 0},
	{"no_async_loading", 0}, {"no_multi", NoMulti}, {"movablekeys", 0}, {"allow_busy", 0},
}

// flagWords are the flags that COMMAND INFO tells.
func (c *Command) flagWords() []string {
	also, categories := strings.Fields(c.Also), c.aclCategories()
	var words []string
	for _, f := range redisFlags {
		told := f.flag != 0 && c.has(f.flag)
		switch f.word {
		case "readonly": // the category too, since WATCH reads and is not one
			told = c.has(Reads) && !c.has(Writes) && slices.Contains(categories, "read")
		case "fast", "pubsub":
			told = slices.Contains(categories, f.word)
		case "movablekeys":
			told = c.Keys.Find != nil || c.Keys.Count != 0
		}
		if told || slices.Contains(also, f.word) {
			words = append(words, f.word)
		}
	}
	return words
}

// aclOrder lists the ACL categories as Redis orders them.
var aclOrder = []string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
	"pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting",
}

// aclCategories are the command's categories in Redis's order; words of our
// own follow.
func (c *Command) aclCategories() []string {
	words := strings.Fields(c.ACL)
	rank := func(w string) int {
		if i := slices.Index(aclOrder, w); i >= 0 {
			return i
		}
		return len(aclOrder)
	}
	slices.SortStableFunc(words, func(a, b string) int { return rank(a) - rank(b) })
	return words
}

// fast tells whether Redis expects the command to be quick whatever is stored.
func (c *Command) fast() bool { return slices.Contains(strings.Fields(c.ACL), "fast") }

// redisAdmin tells whether Redis keeps the command for admins, though apps may
// run it here on what is theirs.
func (c *Command) redisAdmin() bool { return slices.Contains(strings.Fields(c.ACL), "admin") }

// namesKeys tells whether some of the arguments are keys.
func (c *Command) namesKeys() bool {
	return c.Keys.First != 0 || c.Keys.Find != nil || c.Keys.Count != 0
}

func runCommand(c *Call) error {
	c.Out.Array(len(c.Engine.table.rows))
	for _, cmd := range c.Engine.table.rows {
		writeCommandInfo(c.Out, cmd)
	}
	return nil
}

func runCommandInfo(c *Call) error {
	if c.argc() == 2 {
		return runCommand(c)
	}
	c.Out.Array(c.argc() - 2)
	for _, name := range c.Argv[2:] {
		if cmd := c.Engine.table.named(name); cmd != nil {
			writeCommandInfo(c.Out, cmd)
		} else {
			c.Out.Null()
		}
	}
	return nil
}

func writeCommandInfo(out *resp.Writer, cmd *Command) {
	// Key positions that depend on the arguments have no fixed form.
	first, last, step := cmd.Keys.First, cmd.Keys.Last, cmd.Keys.Step
	if cmd.Keys.Find != nil {
		first, last, step = 0, 0, 0
	}
	out.Array(10)
	out.BulkString(cmd.Name)
	out.Int(int64(cmd.Arity))
	writeWords(out, "", cmd.flagWords())
	out.Int(int64(first))
	out.Int(int64(last))
	out.Int(int64(step))
	writeWords(out, "@", cmd.aclCategories())
	tips := strings.Fields(cmd.Tips)
	out.Set(len(tips))
	for _, t := range tips {
		out.BulkString(t)
	}
	writeKeySpecs(out, cmd)
	subs := cmd.sortedSubs()
	if len(subs) == 0 {
		out.Set(0) // as Redis does, though the full one is an array
		return
	}
	out.Array(len(subs))
	for _, sub := range subs {
		writeCommandInfo(out, sub)
	}
}

func writeWords(out *resp.Writer, prefix string, words []string) {
	out.Set(len(words))
	for _, w := range words {
		out.Status(prefix + w)
	}
}

func runCommandDocs(c *Call) error {
	rows := c.Engine.table.rows
	if c.argc() > 2 {
		rows = nil
		for _, name := range c.Argv[2:] {
			if cmd := c.Engine.table.named(name); cmd != nil {
				rows = append(rows, cmd)
			}
		}
	}
	c.Out.Map(len(rows))
	for _, cmd := range rows {
		writeCommandDocs(c.Out, cmd)
	}
	return nil
}

func writeCommandDocs(out *resp.Writer, cmd *Command) {
	subs := cmd.sortedSubs()
	fields := 3
	if len(subs) > 0 {
		fields++
	}
	args, _ := cmd.arguments()
	if len(args) > 0 && len(subs) == 0 {
		fields++
	}
	out.BulkString(cmd.Name)
	out.Map(fields)
	out.BulkString("summary")
	out.BulkString(cmd.Doc)
	out.BulkString("since")
	out.BulkString(cmd.Since)
	out.BulkString("group")
	out.BulkString(cmd.Group)
	if len(subs) == 0 {
		if len(args) > 0 {
			out.BulkString("arguments")
			writeArguments(out, args)
		}
		return
	}
	out.BulkString("subcommands")
	out.Map(len(subs))
	for _, sub := range subs {
		writeCommandDocs(out, sub)
	}
}
