package commands

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shape writes a tree as a line: what COMMAND DOCS says of arguments without
// names of groups, which are each server's own.
func (n node) shape() string {
	var parts []string
	for _, arg := range n.items {
		f := make(map[string]node)
		for i := 0; i < len(arg.items); i += 2 {
			f[arg.items[i].text[1:]] = arg.items[i+1]
		}
		text := f["type"].text[1:]
		if text != "oneof" && text != "block" && text != "pure-token" {
			text += " " + f["name"].text[1:]
		}
		if t := f["token"].text; t != "" {
			text += " " + t[1:]
		}
		for _, flag := range f["flags"].items {
			text += " " + flag.text[1:]
		}
		if inner := f["arguments"]; inner.items != nil {
			text += " (" + inner.shape() + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func TestSyntaxReads(t *testing.T) {
	for syntax, want := range map[string]string{
		"":                               "",
		"key":                            "key key",
		"key value":                      "key key, string value",
		"key [key ...]":                  "key key multiple",
		"key value [key value ...]":      "block multiple (key key, string value)",
		"[key [key ...]]":                "key key optional multiple",
		"[GET]":                          "pure-token GET optional",
		"[NX | XX]":                      "oneof optional (pure-token NX, pure-token XX)",
		"[EX seconds | KEEPTTL]":         "oneof optional (integer seconds EX, pure-token KEEPTTL)",
		"[MATCH pattern]":                "pattern pattern MATCH optional",
		"[AUTH username password]":       "block AUTH optional (string username, string password)",
		"[TYPE <A | B>]":                 "oneof TYPE optional (pure-token A, pure-token B)",
		"<ON | OFF>":                     "oneof (pure-token ON, pure-token OFF)",
		"[start end [BYTE | BIT]]":       "block optional (integer start, integer end, oneof optional (pure-token BYTE, pure-token BIT))",
		"[GET encoding offset ...]":      "block GET optional multiple multiple_token (string encoding, integer offset)",
		"[ID client-id [client-id ...]]": "integer client-id ID optional multiple",
		"key unix-time-seconds [NX] [COUNT count]": "key key, unix-time unix-time-seconds, pure-token NX optional, integer count COUNT optional",
	} {
		cmd := &Command{Name: "test", Keys: KeySpec{First: 1}, Syntax: syntax}
		args, err := cmd.arguments()
		require.NoError(t, err, syntax)
		require.Equal(t, want, shapeOf(args), syntax)
	}
	for _, syntax := range []string{"[key", "key]", "<a | b", "a >", "[a | ]", "a ...", "<a]"} {
		_, err := (&Command{Name: "test", Syntax: syntax}).arguments()
		require.Error(t, err, syntax)
	}
}

func shapeOf(args []argument) string {
	var parts []string
	for _, a := range args {
		text := a.kind
		if text != "oneof" && text != "block" && text != "pure-token" {
			text += " " + a.name
		}
		if a.token != "" {
			text += " " + a.token
		}
		if a.optional {
			text += " optional"
		}
		if a.multiple {
			text += " multiple"
		}
		if a.repeatsToken {
			text += " multiple_token"
		}
		if a.parts != nil {
			text += " (" + shapeOf(a.parts) + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// otherArguments says where COMMAND DOCS tells other arguments than Redis on
// purpose.
var otherArguments = map[string]string{
	"set":         "takes IFEQ too",
	"lcs":         "the name of a length",
	"bitop":       "the operations are told",
	"copy":        "the databases are told",
	"move":        "the databases are told",
	"select":      "the databases are told",
	"auth":        "a token is no password",
	"client|kill": "no slaves, MAXAGE, and the filters are optional instead of alternatives that repeat",
	"client|list": "a token before several values is theirs, not a block's",

	"command|getkeys":         "Redis forgets to tell",
	"command|getkeysandflags": "Redis forgets to tell",

	// A block of one, which says no more.
	"psubscribe": "a block of one",
	"config|get": "a block of one",
}

func TestArgumentsAreRedis(t *testing.T) {
	redis := realRedis(t)
	redis("HELLO", "3")
	c := newHarness(t).open().resp3()
	arguments := func(reply string) (shape string, known bool) {
		docs := parseReply(t, reply)
		if len(docs.items) == 0 {
			return "", false
		}
		fields := docs.items[1].items
		for i := 0; i < len(fields); i += 2 {
			if fields[i].text == "$arguments" {
				return fields[i+1].shape(), true
			}
		}
		return "", true
	}
	c.e.table.walk(func(cmd *Command) {
		_, err := cmd.arguments()
		require.NoError(t, err)
		ours, _ := arguments(c.do("COMMAND", "DOCS", cmd.Name))
		theirs, known := arguments(redis("COMMAND", "DOCS", cmd.Name))
		switch why := otherArguments[cmd.Name]; {
		case !known:
		case why == "" && ours != theirs:
			t.Errorf("%s\n  ours:  %s\n  Redis: %s", cmd.Name, ours, theirs)
		case why != "" && ours == theirs:
			t.Errorf("%s is no longer different: %s", cmd.Name, why)
		}
	})
}
