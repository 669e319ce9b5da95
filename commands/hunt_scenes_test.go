package commands

import (
	"slices"
	"strconv"

	"github.com/stretchr/testify/require"
)

// pause has the victim pause its namespace. No command of the stranger may have
// to wait, and none may end the pause.
func (u *hunter) pause() {
	u.t.Helper()
	main := u.busy.victims[0]
	waits := func(c *client, args ...string) bool {
		r := Request{}
		for _, a := range args {
			r.Argv = append(r.Argv, []byte(a))
		}
		return c.e.mustWait(c.s, r) != nil
	}
	for _, mode := range []string{"ALL", "WRITE"} {
		require.Equal(u.t, "+OK\r\n", main.do("CLIENT", "PAUSE", "3600000", mode))
		for _, row := range u.rows {
			if slices.Contains([]string{"client|pause", "quit"}, row.Name) {
				continue
			}
			args := u.arguments(row, "stranger", false)
			for _, conn := range lasting {
				c := u.busy.client("stranger", conn)
				if c.s.Closing() {
					continue
				}
				u.note("stranger", conn, args)
				require.False(u.t, waits(c, args...), "%q has to wait while another namespace is paused", args)
				u.both("stranger", conn, func(c *client) string { return string(c.raw(args)) })
				require.True(u.t, waits(main, "SET", "a", "1"), "%q has ended the pause of another namespace", args)
			}
		}
		require.Equal(u.t, "+OK\r\n", main.do("CLIENT", "UNPAUSE"))
		u.note("stranger", "all", "what was pushed meanwhile")
		for _, conn := range lasting {
			u.both("stranger", conn, func(c *client) string { return c.pushed() })
		}
		for _, w := range []*huntWorld{u.busy, u.quiet} {
			for _, conn := range lasting {
				w.restore("stranger", conn, true)
			}
		}
	}
}

// cursors has the victim scan up to each of its keys. The cursors that it got
// mean nothing to others: a scan with one of them starts over.
func (u *hunter) cursors() {
	u.t.Helper()
	u.refill()
	main := u.busy.victims[0]
	main.do("SET", "zz:canary", huntSecret)
	u.busy.ownDoing()
	seen := 0
	for count := 1; ; count++ {
		cursor := parseReply(u.t, main.do("SCAN", "0", "COUNT", strconv.Itoa(count))).items[0].text[1:]
		if cursor == "0" {
			break
		}
		seen++
		for _, who := range []string{"stranger", "neighbour"} {
			for _, conn := range []string{"2", "3"} {
				u.strike(who, conn, [][]string{{"SCAN", cursor}, {"SCAN", cursor, "COUNT", "1"}, {"SCAN", cursor, "MATCH", "own*"}})
			}
		}
	}
	require.Greater(u.t, seen, 5)
}
