package commands

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
)

var clientScripts = []string{
	`client kill
	CLIENT KILL
	CLIENT KILL 1.2.3.4:5
	CLIENT KILL ID
	CLIENT KILL ID 99999
	CLIENT KILL ID x
	CLIENT KILL ID 0
	CLIENT KILL ID -1
	CLIENT KILL ID 9223372036854775808
	CLIENT KILL TYPE foo
	CLIENT KILL TYPE master
	CLIENT KILL TYPE slave
	CLIENT KILL type Replica
	CLIENT KILL TYPE pubsub
	CLIENT KILL ID 1 TYPE
	CLIENT KILL FOO 1
	CLIENT KILL ADDR 1:2 LADDR 3:4
	CLIENT KILL USER nope
	CLIENT KILL USER ""
	CLIENT KILL USER default ID 99999
	CLIENT KILL SKIPME
	CLIENT KILL SKIPME no ID 99999
	CLIENT KILL SKIPME maybe
	CLIENT KILL skipme YES id 99999
	CLIENT KILL ID 99999 ID 99998`,
	`client pause and unpause
	CLIENT PAUSE
	CLIENT PAUSE x
	CLIENT PAUSE -1
	CLIENT PAUSE 10 foo
	CLIENT PAUSE 1 WRITE x
	CLIENT PAUSE 0
	CLIENT PAUSE 0 write
	CLIENT PAUSE 0 ALL
	CLIENT PAUSE 99999999999999999999
	CLIENT UNPAUSE x
	CLIENT UNPAUSE
	CLIENT PAUSE 100000 WRITE
	GET k
	CLIENT UNPAUSE
	SET k v`,
	`client unblock
	CLIENT UNBLOCK
	CLIENT UNBLOCK x
	CLIENT UNBLOCK 99999
	CLIENT UNBLOCK 99999 TIMEOUT
	CLIENT UNBLOCK 99999 error
	CLIENT UNBLOCK 99999 foo
	CLIENT UNBLOCK x foo
	CLIENT UNBLOCK 1 ERROR x`,
	`client names and switches
	CLIENT GETNAME
	CLIENT GETNAME x
	CLIENT SETNAME a
	CLIENT GETNAME
	CLIENT SETNAME ""
	CLIENT GETNAME
	CLIENT SETNAME "a b"
	CLIENT NO-EVICT on
	CLIENT NO-EVICT OFF
	CLIENT NO-EVICT x
	CLIENT NO-EVICT
	CLIENT LIST TYPE
	CLIENT LIST TYPE foo
	CLIENT LIST TYPE master
	CLIENT LIST ID
	CLIENT LIST ID x
	CLIENT LIST ID 99999
	CLIENT LIST foo
	CLIENT INFO x
	CLIENT REPLY
	CLIENT REPLY x
	CLIENT REPLY ON`,
}

func TestReplayClient(t *testing.T) { replay(t, clientScripts) }

// TestReplayReply compares all that is sent, since nothing tells what belongs
// to which command.
func TestReplayReply(t *testing.T) {
	for _, lines := range []string{
		"CLIENT REPLY OFF; PING; SET k v; CLIENT REPLY SKIP; CLIENT REPLY x; NOSUCH; GET; CLIENT REPLY ON; GET k",
		"CLIENT REPLY SKIP; PING; PING",
		"CLIENT REPLY SKIP; CLIENT REPLY SKIP; PING; PING",
		"CLIENT REPLY SKIP; CLIENT REPLY ON; PING",
		"CLIENT REPLY SKIP; CLIENT REPLY OFF; PING; CLIENT REPLY ON",
		"CLIENT REPLY SKIP; NOSUCH; PING",
		"CLIENT REPLY SKIP; GET; PING",
		"CLIENT REPLY SKIP; SET a 1; SET b 2; GET a; GET b",
		"CLIENT REPLY SKIP; GET a; GET b; PING",
		"SET a 1; CLIENT REPLY OFF; SET a 2; INCR a; CLIENT REPLY ON; GET a",
		"MULTI; CLIENT REPLY ON; GET a; DISCARD; PING",
		"CLIENT REPLY OFF; MULTI; INCR a; EXEC; CLIENT REPLY ON; GET a",
		"CLIENT REPLY OFF; RESET; PING",
		"CLIENT REPLY SKIP; RESET; PING",
		"CLIENT REPLY OFF; HELLO 3; CLIENT REPLY ON; GET none",
	} {
		w := newTwins(t)
		c := w.dial(t, resp.V2)
		var batch [][]string
		for cmd := range strings.SplitSeq(lines, ";") {
			batch = append(batch, strings.Fields(cmd))
		}
		// What ends the script shows where the replies end.
		batch = append(batch, []string{"ECHO", "the end"})
		theirs := c.theirs.Pipeline("$7\r\nthe end\r\n", batch...)
		if strings.HasPrefix(lines, "MULTI; CLIENT REPLY") {
			theirs = strings.Replace(theirs, "+QUEUED", "-ERR Command not allowed inside a transaction", 1)
		}
		require.Equal(t, theirs, strings.Join(c.ours.pipeline(batch...), ""), lines)
		require.Equal(t, theirs, c.ours.oneByOne(batch...), "%s, one after the other", lines)
	}
}

// oneByOne starts anew and runs each command in a batch of its own.
func (c *client) oneByOne(cmds ...[]string) string {
	c.t.Helper()
	c.run("RESET", "FLUSHALL")
	text := ""
	for _, args := range cmds {
		text += strings.Join(c.pipeline(args), "")
	}
	return text
}
