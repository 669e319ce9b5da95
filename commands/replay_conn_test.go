package commands

import (
	"strings"
	"testing"

	"github.com/cubbykv/cubby/internal/redistest"
)

var connScripts = []string{
	`ping and echo
	PING
	ping
	PING ""
	PING "a\r\nb\x00"
	PING a b
	ECHO
	ECHO a
	ECHO ""
	ECHO a b`,
	`select
	SELECT
	SELECT 0 1
	SELECT 0
	SELECT 1
	SELECT 2
	SELECT -1
	SELECT x
	SELECT ""
	SELECT 01
	SELECT 1.0
	SET a 1
	SELECT 0
	GET a`,
	`quit
	QUIT`,
	`quit with arguments
	QUIT a b`,
	`reset
	SELECT 1
	SET a 1
	RESET x
	RESET
	GET a
	PING
	GET none`,
	`unknown commands
	NOSUCH
	NOSUCH a
	NOSUCH a b c
	NOSUCH "" ""
	NOSUCH "it's" "\"quoted\""
	NOSUCH "a\r\nb" "c\nd"
	NOSUCH "a\n"
	"NO\r\nSUCH" a
	"\r\n" a
	"NOSUCH\n"
	NOSUCH "a\x00b" c
	"NO\x00SUCH" a
	"\xff\xfe" "\x80"
	NOSUCH "x"*100 "y"*100 "z"*100
	NOSUCH "x"*127 y z
	NOSUCH "x"*124 y z
	NOSUCH "x"*125 y z
	NOSUCH "x"*126 y z
	NOSUCH "x"*128 y
	NOSUCH "x"*129 y
	NOSUCH "x"*500
	NOSUCH "a\x00"*100 b c
	"x"*127 a
	"x"*128 a
	"x"*129 a
	"x"*1000 a
	"" a
	" GET" a
	"GET " a
	"get\x00" a
	GETT a
	GE a
	get|x
	client|id
	foo|bar baz`,
	`unknown subcommands
	CLIENT
	CLIENT NOSUCH
	client nosuch
	CLIENT "x"*200
	CLIENT "a\r\nb"
	CLIENT "a\n"
	CLIENT "a\x00b"
	CLIENT ""
	cLiEnT "it's" x
	CLIENT ID x
	CLIENT "ID " x`,
	`unknown inside multi
	MULTI
	CLIENT NOSUCH
	EXEC
	MULTI
	CLIENT
	EXEC`,
}

func TestReplayConnection(t *testing.T) { replay(t, connScripts) }

func TestReplayBeforeSignIn(t *testing.T) {
	h := newHarness(t)
	w := &twins{t: t, h: h, redis: redistest.Start(t, "--requirepass", testAdminPassword)}
	c := &twin{t: t, w: w, ours: h.connect(), theirs: w.redis.Dial(t)}
	for _, line := range []string{
		"PING", "GET k", "GET", "NOSUCH k", "CLIENT NOSUCH", "MULTI", "EXEC", "EXEC x", "DISCARD", "WATCH k", "SELECT 1", "SELECT x", "ECHO", "ECHO a",
		"AUTH", "AUTH wrong", "AUTH default wrong", "AUTH a b c", "AUTH a b c d", "HELLO 4", "HELLO x", "HELLO", "HELLO 2", "HELLO 3 AUTH default wrong",
		"HELLO 3 AUTH default", "HELLO 3 FOO", "HELLO 3 SETNAME", "HELLO 3 SETNAME a\"b", "RESET", "RESET x", "RESET", "QUIT",
	} {
		c.do(true, strings.Fields(line)...)
	}
}
