package commands

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

var monitoringScripts = []string{
	`slowlog
	SLOWLOG
	SLOWLOG NOPE
	SLOWLOG RESET
	SLOWLOG RESET x
	SLOWLOG LEN
	SLOWLOG LEN x
	SLOWLOG GET
	SLOWLOG GET 5
	SLOWLOG GET -1
	SLOWLOG GET -2
	SLOWLOG GET x
	SLOWLOG GET 1 2
	SLOWLOG HELP`,
	`latency
	LATENCY
	LATENCY NOPE
	LATENCY RESET
	LATENCY RESET command
	LATENCY LATEST
	LATENCY LATEST x
	LATENCY HISTORY
	LATENCY HISTORY command
	LATENCY GRAPH
	LATENCY GRAPH command
	LATENCY GRAPH "a b"
	LATENCY DOCTOR x
	LATENCY HISTOGRAM nope
	LATENCY HISTOGRAM getrange nope config|get
	LATENCY HELP`,
	`monitor
	MONITOR x
	MULTI
	SLOWLOG LEN
	MONITOR
	EXEC`,
}

func TestReplayMonitoring(t *testing.T) { replayAsAdmin(t, monitoringScripts) }

// What the slow log keeps of commands, and that it hides secrets.
func TestReplaySlowLogEntries(t *testing.T) {
	w := newTwins(t)
	w.h.engine.anonymous.Admin = true
	w.h.engine.Reconfigure(Settings{SlowLogMax: 128})
	c := w.dial(t, resp.V2)
	require.Equal(t, "+OK\r\n", c.theirs.Do("CONFIG", "SET", "slowlog-log-slower-than", "0"))
	long := strings.Repeat("x", 300)
	many := strings.Fields("MGET" + strings.Repeat(" k", 40))
	for _, args := range [][]string{
		{"SLOWLOG", "RESET"}, {"SET", "k", "v"}, {"get", "k"}, {"GET"}, {"NOSUCH"}, {"SET", "k", long}, {"SET", "k", long[:128]}, {"SET", "k", long[:129]},
		many, many[:32], many[:33], {"AUTH", "a", "b"}, {"HELLO", "2", "SETNAME", "me", "AUTH", "admin", "z"},
		{"MULTI"}, {"GET", "k"}, {"EXEC"}, {"CLIENT", "ID"},
	} {
		ours, theirs := c.ours.do(args...), c.theirs.Do(args...)
		require.Equal(t, ours[0], theirs[0], "%q", args)
	}
	entries := func(reply string) (list []string) {
		for _, e := range parseReply(t, reply).items {
			text := ""
			for _, a := range e.items[3].items {
				text += " " + a.text[1:]
			}
			list = append(list, text)
		}
		return list
	}
	theirs := entries(c.theirs.Do("SLOWLOG", "GET", "-1"))
	require.Greater(t, len(theirs), 10)
	require.Equal(t, theirs, entries(c.ours.do("SLOWLOG", "GET", "-1")))
}
