package commands

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// huntTable is what docs/security.md tells of the hunt.
func huntTable(t *testing.T) string {
	commands := 0
	newTable().walk(func(row *Command) {
		if row.Run != nil {
			commands++
		}
	})
	kinds := map[string]string{"@key": "key", "@channel": "channel", "@pattern": "pattern", "@cursor": "SCAN cursor", "@page": "KV.LIST cursor", "@version": "version", "@sha": "script",
		"@id": "client id", "@addr": "address", "@token": "token id", "@name": "connection name", "@app": "namespace"}
	var known []string
	u := newHunter(t, 1, memoryStore)
	for _, kind := range slices.Sorted(maps.Keys(u.busy.learnt)) {
		require.Contains(t, kinds, kind)
		known = append(known, kinds[kind])
	}
	var left []string
	for _, loom := range heirlooms {
		left = append(left, loom.name)
	}
	var b strings.Builder
	b.WriteString("| the hunt goes through | |\n|---|---|\n")
	for _, line := range [][2]string{
		{"who", "another tenant; a token with a prefix of the victim's namespace"},
		{"commands", fmt.Sprintf("all %d, in these forms: %s", commands, strings.Join(huntForms, ", "))},
		{"over", fmt.Sprintf("RESP2, RESP3, and one session for each request, as over HTTP (%s)", huntOrigin)},
		{"in the place of each argument", "the victim's " + strings.Join(known, ", ")},
		{"on connections that were the victim's or the admin's, and signed in again after", strings.Join(left, "; ")},
		{"scenes", "the victim pauses its namespace; the victim scans up to each of its keys; the victim works while nobody asks"},
		{"compared", "replies and messages, with those of a world without the victim; the victim's data, connections, scripts and messages, before and after"},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", line[0], line[1])
	}
	return b.String()
}

// TestTheHuntIsDocumented keeps the table in docs/security.md. CUBBY_UPDATE_HUNT=1
// writes it.
func TestTheHuntIsDocumented(t *testing.T) {
	const file, begin, end = "../docs/security.md", "<!-- made by TestTheHuntIsDocumented -->\n\n", "\n<!-- end -->"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok)
	told, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	want := huntTable(t)
	if os.Getenv("CUBBY_UPDATE_HUNT") != "" {
		require.NoError(t, os.WriteFile(file, []byte(before+begin+want+end+after), 0o644))
		return
	}
	require.Equal(t, want, told, "CUBBY_UPDATE_HUNT=1 go test ./commands -run TestTheHuntIsDocumented writes it")
}
