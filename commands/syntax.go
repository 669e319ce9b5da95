package commands

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cubbykv/cubby/internal/resp"
)

// This file reads a row's Syntax into the tree of arguments that COMMAND DOCS
// tells. The notation is that of Redis's documentation:
//
//	word          an argument;  WORD  a token, which takes the rest of its
//	              alternative as its value
//	[a b]         may be left out
//	<a | b>       one of several; the brackets [] group as well
//	a b [a b ...] any number of times;  [a ...]  also none

// argument is one node of the tree.
type argument struct {
	name, kind, token  string
	optional, multiple bool
	repeatsToken       bool       // the token stands in front of each
	parts              []argument // of a block or a oneof
}

// syntaxReader reads one Syntax.
type syntaxReader struct {
	cmd  *Command
	rest []string
}

// arguments are the command's, from its Syntax. A Syntax that does not follow
// the notation is a fault of the table: a test reads them all.
func (c *Command) arguments() ([]argument, error) {
	r := syntaxReader{cmd: c}
	for _, bracket := range []string{"[", "]", "<", ">"} {
		if r.rest == nil {
			r.rest = []string{c.Syntax}
		}
		r.rest[0] = strings.ReplaceAll(r.rest[0], bracket, " "+bracket+" ")
	}
	r.rest = strings.Fields(r.rest[0])
	args, repeated, err := r.alternatives("")
	if err == nil && repeated {
		err = fmt.Errorf("%s: ... stands in no brackets", c.Name)
	}
	return args, err
}

func (r *syntaxReader) next() string {
	if len(r.rest) == 0 {
		return ""
	}
	word := r.rest[0]
	r.rest = r.rest[1:]
	return word
}

// alternatives reads up to the closing bracket. It tells whether "..." stood
// before that.
func (r *syntaxReader) alternatives(closing string) (args []argument, repeated bool, err error) {
	var all [][]argument
	var now []argument
	for {
		switch word := r.next(); word {
		case closing:
			all = append(all, now)
			if len(all) == 1 {
				return withToken(all[0]), repeated, nil
			}
			one := argument{kind: "oneof"}
			for _, alternative := range all {
				if len(alternative) == 0 {
					return nil, false, fmt.Errorf("%s: an alternative is empty", r.cmd.Name)
				}
				one.parts = append(one.parts, asOne(withToken(alternative)))
			}
			one.name = nameOf(one.parts)
			return []argument{one}, repeated, nil
		case "", "]", ">":
			return nil, false, fmt.Errorf("%s: brackets do not match", r.cmd.Name)
		case "|":
			all, now = append(all, now), nil
		case "...":
			repeated = true
		case "<":
			group, _, err := r.alternatives(">")
			if err != nil {
				return nil, false, err
			}
			now = append(now, asOne(group))
		case "[":
			group, again, err := r.alternatives("]")
			if err != nil {
				return nil, false, err
			}
			if n := len(now) - len(group); again && n >= 0 && slices.EqualFunc(now[n:], group, sameArgument) {
				one := asOne(group)
				one.multiple = true
				now = append(now[:n:n], one)
				continue
			}
			one := asOne(group)
			one.optional, one.multiple, one.repeatsToken = true, one.multiple || again, again && one.token != ""
			now = append(now, one)
		default:
			now = append(now, r.word(word))
		}
	}
}

// asOne makes a single argument of a sequence.
func asOne(args []argument) argument {
	if len(args) == 1 {
		return args[0]
	}
	return argument{name: nameOf(args), kind: "block", parts: args}
}

// withToken lets a token at the front take what follows as its value.
func withToken(args []argument) []argument {
	if len(args) < 2 || args[0].kind != "pure-token" || args[1].optional && args[1].kind != "oneof" {
		return args
	}
	value := asOne(args[1:])
	if value.token != "" {
		value = argument{name: value.name, kind: "block", parts: args[1:]}
	}
	value.token = args[0].token
	return []argument{value}
}

func nameOf(args []argument) string {
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = a.name
	}
	return strings.Join(names, "_")
}

func sameArgument(a, b argument) bool {
	return a.name == b.name && a.kind == b.kind && a.token == b.token && slices.EqualFunc(a.parts, b.parts, sameArgument)
}

// Words of Syntax that are not strings.
var (
	keyWords     = strings.Fields("key key1 key2 newkey destkey source destination")
	integerWords = strings.Fields("seconds milliseconds count cursor offset start end bit slot decrement min-match-len numkeys numreplicas numlocal timeout ttl " +
		"frequency protover client-id version maxage bits")
)

// word reads an argument or a token.
func (r *syntaxReader) word(word string) argument {
	a := argument{name: word, kind: "string"}
	switch {
	case strings.ToUpper(word) == word: // digits too
		a.name, a.kind, a.token = strings.ToLower(word), "pure-token", word
	case slices.Contains(keyWords, word) && r.cmd.namesKeys():
		a.kind = "key"
	case word == "pattern":
		a.kind = "pattern"
	case word == "increment" && strings.HasSuffix(r.cmd.Name, "float"):
		a.kind = "double"
	case word == "value" && slices.Contains(r.cmd.aclCategories(), "bitmap"), word == "increment", slices.Contains(integerWords, word):
		a.kind = "integer"
	case strings.HasPrefix(word, "unix-time"):
		a.kind = "unix-time"
	}
	return a
}

// writeArguments writes the trees as Redis 7.0 does.
func writeArguments(out *resp.Writer, args []argument) {
	out.Array(len(args))
	for i := range args {
		a := &args[i]
		var flags []string
		if a.optional {
			flags = append(flags, "optional")
		}
		if a.multiple {
			flags = append(flags, "multiple")
		}
		if a.repeatsToken {
			flags = append(flags, "multiple_token")
		}
		fields := 2
		for _, there := range []bool{a.kind == "key", a.token != "", len(flags) > 0, len(a.parts) > 0} {
			if there {
				fields++
			}
		}
		out.Map(fields)
		out.BulkString("name")
		out.BulkString(a.name)
		out.BulkString("type")
		out.BulkString(a.kind)
		if a.kind == "key" {
			out.BulkString("key_spec_index")
			out.Int(0) // a row has one specification
		}
		if a.token != "" {
			out.BulkString("token")
			out.BulkString(a.token)
		}
		if len(flags) > 0 {
			out.BulkString("flags")
			writeWords(out, "", flags)
		}
		if len(a.parts) > 0 {
			out.BulkString("arguments")
			writeArguments(out, a.parts)
		}
	}
}
