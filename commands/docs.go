package commands

import (
	"bytes"
	"io"
	"strings"
)

//go:generate go run ./internal/gendocs ../docs/commands.md

// WriteDocs writes the reference of all commands, a chapter per group, from
// the rows that the engine runs by.
func WriteDocs(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(docsIntro)
	var groups []string
	byGroup := make(map[string][]*Command)
	for _, rows := range families() {
		for _, row := range rows {
			if byGroup[row.Group] == nil {
				groups = append(groups, row.Group)
			}
			byGroup[row.Group] = append(byGroup[row.Group], row)
		}
	}
	b.WriteString("\n| chapter | commands |\n|---|---|\n")
	for _, group := range groups {
		b.WriteString("| [" + group + "](#" + anchor(group) + ") | " + strings.Join(topLevel(byGroup[group]), " ") + " |\n")
	}
	for _, group := range groups {
		b.WriteString("\n## " + group + "\n")
		for _, row := range byGroup[group] {
			row.writeDocs(&b)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

const docsIntro = `# Commands

<!-- Generated from the command table by "go generate ./commands"; do not edit. -->

Commands behave as in Redis 7.0 unless their text says otherwise. Each line of facts uses these words:

- **reads**, **writes**: the command reads or may change keys; a read-only token may run only those that do not write.
- **may grow**: it may add keys or bytes, and is refused when the namespace is at its cap.
- **whole namespace**: it sees keys that its arguments do not name; refused to a token that opens only a prefix.
- **whole namespace or prefix**: the same, but for such a token only the keys under its prefix exist ([scopes](security.md#scopes)).
- **both databases**: it may touch databases 0 and 1 of the namespace.
- **before sign-in**: it answers without AUTH.
- **not in MULTI**, **at once in MULTI**: it cannot be queued, or is never queued.
- **admin**: only the admin may run it.
`

// topLevel names the commands of a chapter without their subcommands.
func topLevel(rows []*Command) []string {
	var names []string
	for _, row := range rows {
		if !strings.Contains(row.Name, "|") {
			names = append(names, strings.ToUpper(row.Name))
		}
	}
	return names
}

// anchor is how Markdown viewers name a heading's link.
func anchor(heading string) string {
	return strings.ReplaceAll(strings.ToLower(heading), " ", "-")
}

func (c *Command) writeDocs(b *bytes.Buffer) {
	name := strings.ToUpper(strings.ReplaceAll(c.Name, "|", " "))
	b.WriteString("\n### " + name + "\n\n`" + strings.TrimSpace(name+" "+c.Syntax) + "`\n\n" + c.Doc + "\n\n*" + c.origin())
	for _, fact := range c.facts() {
		b.WriteString(", " + fact)
	}
	b.WriteString("*\n")
}

// origin names whose command it is, and since which version. A version that
// comes with a name, such as "cubby 0.1.0", speaks for itself.
func (c *Command) origin() string {
	if strings.Contains(c.Since, " ") {
		return c.Since
	}
	return "Redis " + c.Since
}

// facts are the flags that matter to who writes a program.
func (c *Command) facts() []string {
	seesAll := "whole namespace"
	if c.has(Narrowed) {
		seesAll = "whole namespace or prefix"
	}
	var facts []string
	for _, f := range []struct {
		flag Flag
		text string
	}{
		{Admin, "admin"},
		{Writes, "writes"},
		{Grows, "may grow"},
		{WholeNamespace, seesAll},
		{CrossDB, "both databases"},
		{NoAuth, "before sign-in"},
		{NoMulti, "not in MULTI"},
		{AlwaysNow, "at once in MULTI"},
	} {
		if c.has(f.flag) {
			facts = append(facts, f.text)
		}
		if f.flag == Admin && c.has(Reads) && !c.has(Writes) {
			facts = append(facts, "reads")
		}
	}
	return facts
}
