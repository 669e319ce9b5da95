package commands

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

func TestWatchSeesAKeyEnd(t *testing.T) {
	h := newHarness(t)
	c, other := h.open(), h.open()
	c.run("SET k v EX 10", "WATCH k")
	h.clock.Advance(10*time.Second - time.Millisecond)
	require.Equal(t, "*1\r\n$1\r\nv", c.run("MULTI", "GET k", "EXEC"))
	c.run("WATCH k")
	h.clock.Advance(time.Millisecond)
	require.Equal(t, "*-1", c.run("MULTI", "GET k", "EXEC"))

	c.run("SET k v EX 10", "WATCH k")
	h.clock.Advance(10 * time.Second)
	other.run("SET k v") // the same value again is another entry
	require.Equal(t, "*-1", c.run("MULTI", "GET k", "EXEC"))

	// What had ended before WATCH was missing then, and still is.
	c.run("SET k v EX 10")
	h.clock.Advance(10 * time.Second)
	require.Equal(t, "*1\r\n$-1", c.run("WATCH k", "MULTI", "GET k", "EXEC"))
}

func TestWatchSeesDeletionAndRevival(t *testing.T) {
	h := newHarness(t)
	c, other := h.open(), h.open()
	c.run("SET k v", "WATCH k")
	other.run("DEL k", "SET k v")
	require.Equal(t, "*-1", c.run("MULTI", "PING", "EXEC"))
	c.run("WATCH k")
	other.run("RENAME k l", "RENAME l k")
	require.Equal(t, "*-1", c.run("MULTI", "PING", "EXEC"))
}

// TestWatchInBothDatabases decides over both although the transaction uses one.
func TestWatchInBothDatabases(t *testing.T) {
	h := newHarness(t)
	c, other := h.open(), h.open()
	other.run("SELECT 1")
	c.run("WATCH k", "SELECT 1", "WATCH k", "SELECT 0")
	require.Equal(t, "*1\r\n+PONG", c.run("MULTI", "PING", "EXEC"))
	c.run("WATCH k", "SELECT 1", "WATCH k", "SELECT 0")
	other.run("SET k v")
	require.Equal(t, "*-1", c.run("MULTI", "SET k v", "EXEC"))
	require.Equal(t, "$-1", c.run("GET k"))
	require.Equal(t, "*3\r\n$-1\r\n+OK\r\n$1\r\nv", c.run("MULTI", "GET k", "SELECT 1", "GET k", "EXEC"))
	require.Equal(t, "$1\r\nv", c.run("GET k"), "SELECT holds after EXEC")
}

func TestWatchedKeysAreTheNamespaces(t *testing.T) {
	h := newHarness(t)
	c, other := h.open(), h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	c.run("WATCH k")
	other.run("SET k v")
	require.Equal(t, "*1\r\n+PONG", c.run("MULTI", "PING", "EXEC"))
}

func TestReadOnlyTokensHaveTransactions(t *testing.T) {
	h := newHarness(t)
	h.open().run("SET k v")
	c := h.scoped(auth.Scope{ReadOnly: true})
	require.Equal(t, "*2\r\n$1\r\nv\r\n:1", c.run("WATCH k", "MULTI", "GET k", "DBSIZE", "EXEC"))
	require.Contains(t, c.run("MULTI", "SET k w"), "-NOPERM")
	require.Equal(t, "-EXECABORT Transaction discarded because of previous errors.", c.run("EXEC"))
}

func TestATokenThatEndsBeforeExec(t *testing.T) {
	h := newHarness(t)
	c := h.scoped(auth.Scope{ExpiresAt: h.clock.Now() + 1000})
	c.run("MULTI", "SET k v")
	h.clock.Advance(time.Second)
	require.Equal(t, "-EXECABORT Transaction discarded because of: NOAUTH the token has expired or was revoked; sign in again", c.run("EXEC"))
	require.Equal(t, "$-1", h.open().run("GET k"))
}

// TestCountersUnderContention retries optimistic transactions on one key from
// several connections: no update is lost.
func TestCountersUnderContention(t *testing.T) {
	h := newHarness(t)
	const clients, rounds = 4, 50
	var wg sync.WaitGroup
	for range clients {
		c := h.open()
		wg.Go(func() {
			for done := 0; done < rounds; {
				c.do("WATCH", "n")
				_, text, _ := strings.Cut(c.do("GET", "n"), "\r\n")
				n, _ := strconv.Atoi(strings.TrimSpace(text)) // missing is 0
				replies := c.pipeline([]string{"MULTI"}, []string{"SET", "n", strconv.Itoa(n + 1)}, []string{"EXEC"})
				if replies[2] == "*1\r\n+OK\r\n" {
					done++
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, "$3\r\n200", h.open().run("GET n"))
}

// TestBothDatabasesAtOnce crosses them in both directions at the same time.
func TestBothDatabasesAtOnce(t *testing.T) {
	h := newHarness(t)
	h.open().run("SET a 1", "SELECT 1", "SET b 1")
	var wg sync.WaitGroup
	for i := range 4 {
		c := h.open()
		c.run("SELECT " + strconv.Itoa(i%2))
		wg.Go(func() {
			for range 50 {
				c.do("COPY", "a", "c", "DB", "1", "REPLACE")
				c.do("COPY", "b", "c", "DB", "0", "REPLACE")
				c.pipeline([]string{"MULTI"}, []string{"SELECT", "1"}, []string{"INCR", "n"}, []string{"SELECT", "0"}, []string{"INCR", "n"}, []string{"EXEC"})
			}
		})
	}
	wg.Wait()
	c := h.open()
	require.Equal(t, "$3\r\n200", c.run("GET n"))
	require.Equal(t, "$3\r\n200", c.run("SELECT 1", "GET n"))
}

func TestATransactionHoldsABoundedAmount(t *testing.T) {
	c := newHarness(t).open()
	require.Equal(t, "+OK\r\n", c.do("MULTI"))
	value := strings.Repeat("v", 1<<20)
	for range maxQueuedBytes/len(value) - 1 {
		require.Equal(t, "+QUEUED\r\n", c.do("SET", "k", value))
	}
	require.Contains(t, c.do("SET", "k", value), "-BAD_INPUT the transaction would hold more than 67108864 bytes of commands (hint: split it into several)")
	require.Contains(t, c.do("EXEC"), "-EXECABORT")
	require.Equal(t, "$-1\r\n", c.do("GET", "k"), "nothing of it ran")
	require.Equal(t, "+OK\r\n", c.do("SET", "k", "v"), "the connection is usable")
}

func TestAConnectionWatchesABoundedNumberOfKeys(t *testing.T) {
	c := newHarness(t).open()
	args := []string{"WATCH"}
	for i := range maxWatched {
		args = append(args, "k"+strconv.Itoa(i))
	}
	require.Equal(t, "+OK\r\n", c.do(args...))
	require.Equal(t, "+OK\r\n", c.do("WATCH", "k1"), "it is watched already")
	require.Contains(t, c.do("WATCH", "one more"), "-BAD_INPUT the connection would watch more than 4096 keys")
	require.Equal(t, "+OK\r\n", c.do("UNWATCH"))
	require.Contains(t, c.do(append(args, "one more")...), "-BAD_INPUT")
	require.Empty(t, c.s.watched, "all of them or none")
	require.Equal(t, "+OK\r\n", c.do("WATCH", "one more"))
}

// What the transactions of a namespace hold together has a bound, which those
// that end make room below.
func TestQueuedCommandsOfANamespaceAreBounded(t *testing.T) {
	h := newHarness(t)
	big := strings.Repeat("v", 1<<20)
	var clients []*client
	full := ""
	for full == "" {
		require.LessOrEqual(t, len(clients), maxQueuedAll/maxQueuedBytes)
		c := h.open()
		clients = append(clients, c)
		c.do("MULTI")
		for range maxQueuedBytes/(1<<20) - 1 {
			if reply := c.do("SET", "k", big); reply != "+QUEUED\r\n" {
				full = reply
				break
			}
		}
	}
	require.Equal(t, "-"+errQueuesFull.Error()+"\r\n", full)
	last := clients[len(clients)-1]
	require.Equal(t, "-EXECABORT Transaction discarded because of previous errors.\r\n", last.do("EXEC"))
	other := h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	require.Equal(t, []string{"+OK\r\n", "+QUEUED\r\n"}, other.pipeline([]string{"MULTI"}, []string{"SET", "k", big}))

	// Each way out of MULTI gives back what it held.
	clients[0].do("DISCARD")
	clients[1].do("RESET")
	h.engine.EndSession(clients[2].s)
	h.engine.EndSession(other.s)
	for _, c := range clients[3:] {
		c.do("EXEC")
	}
	require.Empty(t, h.engine.queued.byApp)
}
