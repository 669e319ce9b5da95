package commands

import (
	"strings"

	"github.com/cubbykv/cubby/internal/resp"
)

// This file tells which arguments of a command are keys and what happens to
// them, as COMMAND INFO and COMMAND GETKEYSANDFLAGS do.

// writeKeySpecs writes the key specifications: none, one for all keys, or two
// when the first key is used in another way than the others.
func writeKeySpecs(out *resp.Writer, cmd *Command) {
	switch k := &cmd.Keys; {
	case !cmd.namesKeys():
		out.Set(0)
	case k.UseRest == "":
		out.Set(1)
		writeKeySpec(out, cmd.keyUse(), k)
	default:
		first, rest := *k, *k
		first.Last = first.First
		rest.First += rest.Step
		out.Set(2)
		writeKeySpec(out, k.Use, &first)
		writeKeySpec(out, k.UseRest, &rest)
	}
}

func writeKeySpec(out *resp.Writer, use string, k *KeySpec) {
	fields := 3
	if k.UseNote != "" {
		fields++
	}
	out.Map(fields)
	if k.UseNote != "" {
		out.BulkString("notes")
		out.BulkString(k.UseNote)
	}
	out.BulkString("flags")
	writeWords(out, "", strings.Fields(use))
	out.BulkString("begin_search")
	if k.Find != nil {
		writeSpec(out, "unknown")
		out.BulkString("find_keys")
		writeSpec(out, "unknown")
		return
	}
	if n := k.Count; n != 0 {
		writeSpec(out, "index", specField{"index", n})
		out.BulkString("find_keys")
		writeSpec(out, "keynum", specField{"keynumidx", 0}, specField{"firstkey", 1}, specField{"keystep", 1})
		return
	}
	writeSpec(out, "index", specField{"index", k.First})
	out.BulkString("find_keys")
	last := k.Last
	if last > 0 {
		last -= k.First // a specification counts from the first key
	}
	writeSpec(out, "range", specField{"lastkey", last}, specField{"keystep", k.Step}, specField{"limit", 0})
}

// keyUse is what the command does with its keys at most.
func (c *Command) keyUse() string {
	switch {
	case c.Keys.Use != "":
		return c.Keys.Use
	case c.mayWrite():
		return "RW access update"
	}
	return "RO access"
}

// usesOfKeys is what the command does with its first key, and with the others,
// when it is called like this.
func (c *Command) usesOfKeys(argv [][]byte) (first, rest string) {
	k := &c.Keys
	switch {
	case k.Uses != nil:
		first = k.Uses(argv)
		return first, first
	case k.UseRest != "":
		return k.Use, k.UseRest
	}
	return c.keyUse(), c.keyUse()
}

type specField struct {
	name  string
	value int
}

func writeSpec(out *resp.Writer, kind string, fields ...specField) {
	out.Map(2)
	out.BulkString("type")
	out.BulkString(kind)
	out.BulkString("spec")
	out.Map(len(fields))
	for _, f := range fields {
		out.BulkString(f.name)
		out.Int(int64(f.value))
	}
}
