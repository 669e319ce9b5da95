package commands

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDocsAreUpToDate(t *testing.T) {
	var want bytes.Buffer
	require.NoError(t, WriteDocs(&want))
	got, err := os.ReadFile("../docs/commands.md")
	require.NoError(t, err)
	require.True(t, bytes.Equal(want.Bytes(), got), "docs/commands.md is not what the table says: run go generate ./commands")
}

// Every row has what the documentation and COMMAND DOCS show.
func TestEveryRowIsDocumented(t *testing.T) {
	newTable().walk(func(c *Command) {
		require.NotEmpty(t, c.Doc, c.Name)
		require.True(t, strings.HasSuffix(c.Doc, "."), "%s: the text is a sentence", c.Name)
		require.NotContains(t, c.Doc, "\n", c.Name)
		require.NotContains(t, c.Syntax, "`", c.Name)
		require.NotEmpty(t, c.Group, c.Name)
		require.NotEmpty(t, c.Since, c.Name)
		require.NotEmpty(t, c.ACL, c.Name)
		require.Equal(t, strings.ToLower(c.Name), c.Name)
		for _, word := range strings.Fields(c.Also) {
			require.Contains(t, c.flagWords(), word, "%s: Redis has no such flag", c.Name)
		}
	})
}
