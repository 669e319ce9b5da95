package commands

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedisCommandListIsRedis(t *testing.T) {
	redis := realRedis(t)
	var theirs, ours []string
	for _, name := range parseReply(t, redis("COMMAND", "LIST")).items {
		theirs = append(theirs, name.text[1:])
	}
	for line := range strings.Lines(redisCommands) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		ours = append(ours, name)
	}
	require.ElementsMatch(t, theirs, ours)
}

// What the document calls absent has to be, and to have a reason.
func TestAbsentCommandsAreUnknown(t *testing.T) {
	c := newHarness(t).open()
	for _, r := range redisCommandList() {
		row := c.e.table.byName[r.name]
		if row == nil {
			require.Equal(t, "-ERR unknown command '"+r.name+"', with args beginning with: 'a' \r\n", c.do(r.name, "a"))
			if _, why := r.judge(c.e.table); why == "" {
				t.Errorf("%s is absent and nothing says why: see absent", r.name)
			}
			continue
		}
		require.Empty(t, absent[r.name], "%s is not absent any more", r.name)
		for _, sub := range r.subs {
			if row.subs[sub] == nil {
				require.Contains(t, c.do(r.name, sub), "ERR unknown subcommand '"+sub+"'. Try "+strings.ToUpper(r.name)+" HELP.")
			}
		}
	}
}

// Remarks are about commands that exist in Redis and here.
func TestCompatibilityRemarksHaveCommands(t *testing.T) {
	list := redisCommandList()
	names := newTable()
	for _, remarks := range []map[string]string{narrower, different} {
		for name := range remarks {
			require.True(t, slices.ContainsFunc(list, func(r redisCommand) bool { return r.name == name }), name)
			require.NotNil(t, names.byName[name], name)
		}
	}
	for name := range absent {
		require.True(t, slices.ContainsFunc(list, func(r redisCommand) bool { return r.name == name }), name)
	}
	for group := range absentGroups {
		require.True(t, slices.ContainsFunc(list, func(r redisCommand) bool { return r.group == group }), group)
	}
}

// The differences that the replay tests allow are told to users as well.
func TestDeliberateDifferencesAreTold(t *testing.T) {
	names, list := newTable(), redisCommandList()
	for _, d := range deliberate {
		title, steps := parseScript(t, d.script)
		told := slices.ContainsFunc(steps, func(s step) bool {
			i := slices.IndexFunc(list, func(r redisCommand) bool { return strings.EqualFold(r.name, s.args[0]) })
			how, why := list[i].judge(names)
			return how != "same" && why != ""
		})
		require.True(t, told, "the remarks in compatibility.go say nothing of it: %s", title)
	}
}

func TestCompatibilityShowsEveryCommand(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WriteCompatibility(&b))
	for _, r := range redisCommandList() {
		name := strings.ToUpper(r.name)
		if newTable().byName[r.name] != nil {
			require.Contains(t, b.String(), "\n| ["+name+"](commands.md#"+r.name+") | ")
		} else {
			require.Regexp(t, `[ ]`+name+`( \||,|\.)`, b.String())
		}
	}
	require.Contains(t, b.String(), "[KV.SET](commands.md#kvset)")
}
