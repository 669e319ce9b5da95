package commands

import (
	"maps"
	"slices"
	"strings"
)

// huntedOver are the connections over which each puts calls.
var huntedOver = []string{"2", "3", "http"}

// huntForms are the forms in which a command is sent.
var huntForms = []string{"plain", "multi", "eval"}

// each goes through the table: for every command, every place of its arguments
// and every kind of thing that a hostile client should not know, over RESP2 and
// RESP3. Half of the commands are the stranger's on one store and the neighbour's on the
// other. Forms other than the plain one, and HTTP, are drawn; in the whole hunt
// it is everything.
func (u *hunter) each(part huntPart) {
	u.t.Helper()
	g, all := u.g, part == wholeHunt
	kinds := slices.Sorted(maps.Keys(u.busy.learnt))
	for i, row := range u.rows {
		for j, who := range []string{"stranger", "neighbour"} {
			if !part.has(i + j) {
				continue
			}
			u.refill()
			for _, args := range u.calls(row, who, all) {
				for at := strings.Count(row.Name, "|") + 1; at <= len(args); at++ {
					for _, conn := range huntedOver {
						for _, form := range huntForms {
							if !all && (conn == "http" && !g.chance(20) || form != "plain" && !g.chance(20)) {
								continue
							}
							u.eachKind(row, who, conn, form, args, at, kinds)
						}
					}
				}
			}
		}
	}
}

// calls are some of a command that are not refused for their number of arguments.
func (u *hunter) calls(row *Command, who string, all bool) [][]string {
	n := 1
	if all {
		n = 3
	}
	var calls [][]string
	for try := 0; try < 40 && len(calls) < n; try++ {
		args := u.g.of(row).args
		if special := huntArguments[row.Name]; special != nil && try < len(special) {
			args = append(strings.Split(row.Name, "|"), special[try]...)
		}
		if row.arityFits(len(args)) {
			calls = append(calls, args)
		}
	}
	if who == "neighbour" {
		for _, args := range calls {
			u.own(row, args)
		}
	}
	return calls
}

// eachKind puts one thing of each kind into one place of a call, in one batch.
func (u *hunter) eachKind(row *Command, who, conn, form string, args []string, at int, kinds []string) {
	u.t.Helper()
	var calls [][]string
	for _, kind := range kinds {
		call := append(slices.Clone(args), "")[:max(len(args), at+1)]
		call[at] = pick(&u.g.generator, u.busy.learnt[kind]...)
		calls = append(calls, call)
	}
	both := []*huntWorld{u.busy, u.quiet}
	for _, w := range both {
		if conn == "http" {
			w.request(who)
		}
	}
	u.strike(who, conn, inForm(form, row, calls...))
	for _, w := range both {
		if conn == "http" {
			w.end(who, conn)
		} else {
			// Nothing of the last call may keep the next from being looked at.
			w.restore(who, conn, row.has(Stateful|PubSub) || form == "multi")
		}
	}
}

// refill gives the hostile clients something of their own to lose.
func (u *hunter) refill() {
	u.t.Helper()
	for _, who := range []string{"stranger", "neighbour"} {
		u.note(who, "2", "refill")
		for _, w := range []*huntWorld{u.busy, u.quiet} {
			w.restore(who, "2", true)
		}
		u.both(who, "2", func(c *client) string {
			// The tokens of a namespace share the room for its scripts, so none may fill it.
			return string(c.raw([]string{"SCRIPT", "FLUSH"}, []string{"SCRIPT", "LOAD", ownScript}, []string{"MSET", "own:a", "1", "own:b", "text", "own:n", "7"}, []string{"SELECT", "1"}, []string{"SET", "own:a", "one"}, []string{"SELECT", "0"}))
		})
		u.busy.victimHears(who)
	}
}
