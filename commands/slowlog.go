package commands

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/internal/kverr"
)

func slowLogRows() []*Command {
	const (
		acl  = "slow admin dangerous"
		also = "loading stale"
		tips = "request_policy:all_nodes"
	)
	return []*Command{
		{Name: "slowlog", Arity: -2, ACL: "slow", Group: "admin", Since: "2.2.12", Doc: "A container for slow log commands."},
		{Name: "slowlog|get", Arity: -2, Flags: Admin, Also: also, Tips: tips + " nondeterministic_output", ACL: acl, Group: "admin", Since: "2.2.12",
			Syntax: "[count]", Doc: "Returns the newest entries of the slow log, by default 10, all with -1. Commands that shared a transaction share an entry.", Run: runSlowLogGet},
		{Name: "slowlog|help", Arity: 2, Also: also, ACL: "slow", Group: "admin", Since: "6.2.0",
			Doc: "Lists the subcommands of SLOWLOG.", Run: runSlowLogHelp},
		{Name: "slowlog|len", Arity: 2, Flags: Admin, Also: also, Tips: tips + " response_policy:agg_sum nondeterministic_output", ACL: acl, Group: "admin", Since: "2.2.12",
			Doc: "Returns how many entries the slow log has.", Run: runSlowLogLen},
		{Name: "slowlog|reset", Arity: 2, Flags: Admin, Also: also, Tips: tips + " response_policy:all_succeeded", ACL: acl, Group: "admin", Since: "2.2.12",
			Doc: "Empties the slow log.", Run: runSlowLogReset},
	}
}

// What an entry keeps of a command, as in Redis.
const (
	slowLogArgs     = 32  // arguments
	slowLogArgBytes = 128 // of one
)

// slowLog keeps the newest runs that took longer than a threshold.
type slowLog struct {
	threshold atomic.Int64 // microseconds; negative is off
	most      atomic.Int64 // entries

	mu      sync.Mutex
	next    int64       // id of the next entry
	entries []slowEntry // oldest first
}

type slowEntry struct {
	id, at, micros int64 // at is Unix seconds
	args           []string
	remote, name   string
}

// add notes a run. The first of several commands stands for all.
func (l *slowLog) add(s *Session, items []item, d time.Duration, config Config) {
	it := &items[0]
	if it.cmd.tells("skip_slowlog") {
		return
	}
	entry := slowEntry{at: s.run.now.Unix(), micros: d.Microseconds(), args: trimArgs(shownArgs(it.cmd, it.argv, config)),
		remote: s.opts.Remote, name: s.snapshot().name}
	if more := len(items) - 1; more > 0 {
		entry.args = append(entry.args, fmt.Sprintf("... (and %d more commands in the same transaction)", more))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	entry.id = l.next
	l.next++
	l.entries = append(l.entries, entry)
	l.trim()
}

// trim forgets the oldest; mu is held.
func (l *slowLog) trim() {
	if over := int64(len(l.entries)) - l.most.Load(); over > 0 {
		l.entries = append([]slowEntry(nil), l.entries[over:]...)
	}
}

// trimArgs copies as much of a command as an entry keeps.
func trimArgs(argv [][]byte) []string {
	n := min(len(argv), slowLogArgs)
	args := make([]string, n)
	for i := range args {
		switch a := argv[i]; {
		case len(argv) > slowLogArgs && i == slowLogArgs-1:
			args[i] = fmt.Sprintf("... (%d more arguments)", len(argv)-slowLogArgs+1)
		case len(a) > slowLogArgBytes:
			args[i] = fmt.Sprintf("%s... (%d more bytes)", a[:slowLogArgBytes], len(a)-slowLogArgBytes)
		default:
			args[i] = string(a)
		}
	}
	return args
}

var errSlowLogCount = kverr.New(kverr.Err, "count should be greater than or equal to -1")

func runSlowLogGet(c *Call) error {
	count := int64(10)
	switch {
	case c.argc() == 3:
		n, ok := parseInt(c.Argv[2])
		if !ok || n < -1 {
			return errSlowLogCount
		}
		count = n
	case c.argc() > 3:
		return c.errSubcommand()
	}
	l := &c.Engine.slow
	l.mu.Lock()
	entries := l.entries
	if count >= 0 && int64(len(entries)) > count {
		entries = entries[int64(len(entries))-count:]
	}
	l.mu.Unlock() // entries never change
	c.Out.Array(len(entries))
	for i := len(entries) - 1; i >= 0; i-- {
		entry := &entries[i]
		c.Out.Array(6)
		c.Out.Int(entry.id)
		c.Out.Int(entry.at)
		c.Out.Int(entry.micros)
		c.Out.Array(len(entry.args))
		for _, a := range entry.args {
			c.Out.BulkString(a)
		}
		c.Out.BulkString(entry.remote)
		c.Out.BulkString(entry.name)
	}
	return nil
}

func runSlowLogLen(c *Call) error {
	l := &c.Engine.slow
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Out.Int(int64(len(l.entries)))
	return nil
}

func runSlowLogReset(c *Call) error {
	l := &c.Engine.slow
	l.mu.Lock()
	l.entries = nil
	l.mu.Unlock()
	c.Out.Status("OK")
	return nil
}

func runSlowLogHelp(c *Call) error {
	writeHelp(c,
		"GET [<count>]",
		"    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
		"    Entries are made of:",
		"    id, timestamp, time in microseconds, arguments array, client IP and port,",
		"    client name",
		"LEN",
		"    Return the length of the slowlog.",
		"RESET",
		"    Reset the slowlog.",
	)
	return nil
}

// tells whether COMMAND INFO shows a flag of Redis's that means nothing to the
// engine but to what it keeps of commands.
func (c *Command) tells(flag string) bool {
	for word := range strings.FieldsSeq(c.Also) {
		if word == flag {
			return true
		}
	}
	return false
}
