package config

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const exampleFile = "../redis.conf.example"

const exampleHead = `# Cubby's configuration: every directive with its range and its default.
#
#   cubby serve /path/to/redis.conf
#   cubby serve /path/to/redis.conf --port 7000
#
# The syntax is Redis's: one directive on a line, its name in any case. When a
# directive is given twice the last one counts; the command line comes after all
# files. Words with blanks stand in "double" or 'single' quotes; double quotes
# know \n \r \t \b \a \" \\ and \xHH. A line that begins with # is a comment. A
# wrong line stops the start.
#
# Sizes are bytes, or a number with a unit, in any case:
#   1k = 1000      1m = 1000000      1g = 1000000000
#   1kb = 1024     1mb = 1024*1024   1gb = 1024*1024*1024
# Durations are seconds, or a number with ms, s, m, h or d.
#
# This file is made from the table in config/table.go: go generate ./config
`

const docsHead = `# Configuration

<!-- Made from the table in config/table.go: go generate ./config -->

` + "`cubby serve [redis.conf] [--directive value ...]`" + ` reads a file in redis.conf's syntax and lays the command line over it. ` +
	"The command line takes each directive as `--name value ...` or `--name=value`. The file may be `-`, standard input.\n" + `
- When a directive is given twice, the last one counts; the command line comes after all files.
- A wrong line stops the start. Every wrong line is reported: its file, its number, what is wrong and what is allowed.
- Directives of Redis that Cubby lacks are wrong lines too; the report says why there is no such thing and what to use.
- A **size** is bytes, or a number with ` + "`k` (1000), `kb` (1024), `m`, `mb`, `g` or `gb`" + `.
- A **duration** is seconds, or a number with ` + "`ms`, `s`, `m`, `h` or `d`" + `.
- ` + "`CONFIG SET`" + ` changes a directive while the server runs, unless its row says that it needs a restart, and ` + "`CONFIG REWRITE`" + ` writes what is in force into the file.
- The admin may set each limit for one namespace alone, under the same name: ` + "`APP.SET tenant/app max-keys 50000`" + `.

[redis.conf.example](../redis.conf.example) has the same, ready to be edited.
`

// TestExampleGolden holds that the example file is up to date.
func TestExampleGolden(t *testing.T) {
	requireGolden(t, exampleFile, renderExample())
}

// TestDocsGolden holds that the documentation is up to date.
func TestDocsGolden(t *testing.T) {
	requireGolden(t, "../docs/configuration.md", renderDocs())
}

// TestExampleIsDefault reads the example file as it is, and with every
// commented directive in force.
func TestExampleIsDefault(t *testing.T) {
	c, err := Load(exampleFile, nil)
	require.NoError(t, err)
	given := c.origins
	c.origins = map[string]position{}
	want := Default()
	for _, d := range table { // the file turns on what a server for real use should have
		if d.Example != "" {
			require.NoError(t, d.value.set(want, strings.Fields(d.Example)))
			require.NotEqual(t, Default().Get(d.Name), want.Get(d.Name), d.Name)
		}
	}
	require.Equal(t, want, c)

	content := renderExample()
	all := regexp.MustCompile(`(?m)^#([a-z])`).ReplaceAllString(content, "$1")
	require.NotEqual(t, content, all)
	c, err = Parse(strings.NewReader(all), "redis.conf.example")
	require.NoError(t, err)
	for _, d := range Directives() {
		if d.Kind != KindFiles {
			require.Contains(t, c.origins, d.Name)
		}
		require.Contains(t, all, "\n"+d.Name+" ")
	}
	require.Less(t, len(given), len(c.origins))
	c.origins = map[string]position{}
	require.Equal(t, want, c)
}

// TestTable holds what the documentation relies on.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Directives() {
		require.False(t, seen[d.Name], "%s is there twice", d.Name)
		seen[d.Name] = true
		require.Equal(t, strings.ToLower(d.Name), d.Name)
		require.NotEmpty(t, d.Allowed, d.Name)
		require.NotEmpty(t, d.Kind, d.Name)
		require.NotEmpty(t, d.Group, d.Name)
		require.Regexp(t, `^[A-Za-z].*\.$`, d.Doc, d.Name)
		require.NotContains(t, d.Doc, "|", "%s: breaks the documentation's table", d.Name)
		if d.Kind == KindFiles {
			continue
		}
		c, err := Parse(strings.NewReader(d.Name+" "+d.Default), "default")
		require.NoError(t, err)
		require.Equal(t, Default().Get(d.Name), c.Get(d.Name))
	}
}

// facts are the range and what 0 means.
func facts(d Directive) string {
	if d.Zero == "" {
		return d.Allowed
	}
	return d.Allowed + "; 0: " + d.Zero
}

func renderExample() string {
	var b strings.Builder
	b.WriteString(exampleHead)
	group := ""
	for _, d := range Directives() {
		if d.Group != group {
			group = d.Group
			fmt.Fprintf(&b, "\n%s %s\n", strings.Repeat("#", 78-len(group)), group)
		}
		b.WriteString("\n" + comment(d.Doc))
		b.WriteString(comment("Allowed: " + facts(d) + "."))
		if d.Unit != "" {
			b.WriteString(comment("Unit: " + d.Unit + "."))
		}
		switch {
		case d.Kind == KindFiles:
			fmt.Fprintf(&b, "#%s /path/to/conf.d/*.conf\n", d.Name)
		case d.Example != "":
			fmt.Fprintf(&b, "# Default: %s; this file turns it on.\n", strings.Replace(d.Default, `""`, "empty", 1))
			fmt.Fprintf(&b, "%s %s\n", d.Name, d.Example)
		case d.Default == `""`:
			b.WriteString("# Default: empty.\n")
			fmt.Fprintf(&b, "#%s %s\n", d.Name, d.Default)
		default:
			fmt.Fprintf(&b, "# Default: %s\n", d.Default)
			fmt.Fprintf(&b, "%s %s\n", d.Name, d.Default)
		}
	}
	return b.String()
}

// comment wraps text into comment lines.
func comment(text string) string {
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 79 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

func renderDocs() string {
	var b strings.Builder
	b.WriteString(docsHead)
	group := ""
	for _, d := range Directives() {
		if d.Group != group {
			group = d.Group
			fmt.Fprintf(&b, "\n## %s\n\n| directive | default | unit | allowed | meaning |\n|---|---|---|---|---|\n", group)
		}
		value := "`" + d.Default + "`"
		if d.Default == "" {
			value = "none"
		}
		doc := d.Doc
		if d.Repeat {
			doc += " May be given more than once."
		}
		if d.Live == "" && d.Kind != KindFiles {
			doc += " Needs a restart."
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", d.Name, value, d.Unit, escape(facts(d)), escape(doc))
	}
	return b.String()
}

// escape keeps Markdown from reading placeholders as HTML and patterns as
// emphasis.
func escape(s string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", "*", `\*`, "[", `\[`, "]", `\]`).Replace(s)
}
