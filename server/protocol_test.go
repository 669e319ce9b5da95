package server

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/redistest"
)

// conversations are what a client says and what it hears. Where end is set,
// the server hangs up. TestLikeRedis compares with redis-server.
var conversations = []struct {
	says, hears string
	end         bool
}{
	{says: command("PING"), hears: "+PONG\r\n"},
	{says: "PING\r\n", hears: "+PONG\r\n"},
	{says: "PING\n", hears: "+PONG\r\n"},
	{says: "PING\r\r\n", hears: "+PONG\r\n"},
	{says: "\rPING\r\n", hears: "+PONG\r\n"},
	{says: "  \r\n\r\n\n PING \r\n", hears: "+PONG\r\n"},
	{says: "*0\r\n*-1\r\n*-7\r\nPING\r\n", hears: "+PONG\r\n"},
	{says: "*1\rX$4\rYPINGzz" + command("PING"), hears: "+PONG\r\n+PONG\r\n"},
	{says: command("ECHO", "") + command("ECHO", "\r\n\x00"), hears: "$0\r\n\r\n$3\r\n\r\n\x00\r\n"},
	{says: `ECHO "a\x41\n" ` + "\n", hears: "$3\r\naA\n\r\n"},
	{says: "PING\r\n*01\r\n", hears: "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n", end: true},
	{says: "*\r\n", hears: "-ERR Protocol error: invalid multibulk length\r\n", end: true},
	{says: "*+1\r\n", hears: "-ERR Protocol error: invalid multibulk length\r\n", end: true},
	{says: "*-0\r\n", hears: "-ERR Protocol error: invalid multibulk length\r\n", end: true},
	{says: "*2147483648\r\n", hears: "-ERR Protocol error: invalid multibulk length\r\n", end: true},
	{says: "*9223372036854775807\r\n", hears: "-ERR Protocol error: invalid multibulk length\r\n", end: true},
	{says: "*99999999999999999999\r\n", hears: "-ERR Protocol error: invalid multibulk length\r\n", end: true},
	{says: "*1\r\n$9223372036854775807\r\nab\r\n", hears: "-ERR Protocol error: invalid bulk length\r\n", end: true},
	{says: "*1\r\n$536870913\r\n", hears: "-ERR Protocol error: invalid bulk length\r\n", end: true},
	{says: "*1\r\n$-1\r\n", hears: "-ERR Protocol error: invalid bulk length\r\n", end: true},
	{says: "*1\r\n$04\r\n", hears: "-ERR Protocol error: invalid bulk length\r\n", end: true},
	{says: "*1\r\n:4\r\n", hears: "-ERR Protocol error: expected '$', got ':'\r\n", end: true},
	{says: "*1\r\n\r\n", hears: "-ERR Protocol error: expected '$', got ' '\r\n", end: true},
	{says: "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nPING\r\n", hears: "", end: true},
	{says: "Host: localhost\r\n\r\nPING\r\n", hears: "", end: true},
	{says: `ECHO "a"b` + "\r\n", hears: "-ERR Protocol error: unbalanced quotes in request\r\n", end: true},
	{says: strings.Repeat("A", 65537), hears: "-ERR Protocol error: too big inline request\r\n", end: true},
	{says: "*" + strings.Repeat("1", 65536), hears: "-ERR Protocol error: too big mbulk count string\r\n", end: true},
	{says: "*1\r\n$" + strings.Repeat("1", 65536), hears: "-ERR Protocol error: too big bulk count string\r\n", end: true},
}

func TestConversations(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	for _, c := range conversations {
		hold(t, d.dial(), c.says, c.hears, c.end)
	}
}

// TestLikeRedis holds the same conversations with redis-server, and has it
// split the inline commands of TestSplitInline.
func TestLikeRedis(t *testing.T) {
	socket := redistest.Start(t).Addr()
	for _, c := range conversations {
		hold(t, dial(t, "unix", socket), c.says, c.hears, c.end)
	}
	for _, c := range inlineCases {
		want := "-ERR Protocol error: unbalanced quotes in request\r\n"
		if c.want != nil {
			want = command(c.want...)
		}
		r := dial(t, "unix", socket)
		r.say("DEL list\r\nRPUSH list " + c.line + "\r\nLRANGE list 0 -1\r\n")
		_, err := r.r.ReadString('\n') // how many DEL deleted
		require.NoError(t, err)
		if c.want != nil {
			_, err = r.r.ReadString('\n') // how many RPUSH added
			require.NoError(t, err)
		}
		r.hears(want)
	}
}

func hold(t *testing.T, c *client, says, hears string, end bool) {
	t.Helper()
	c.say(says)
	if end {
		c.hearsEnd(hears)
		return
	}
	c.say(command("ECHO", "still here"))
	c.hears(hears + "$10\r\nstill here\r\n")
	require.NoError(t, c.Close())
}

func TestBeforeSignIn(t *testing.T) {
	d := openDoor(t, Options{}, func(p *fakePeer) { p.signed = false })
	ten := command("MGET", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	eleven := command("MGET", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
	large, larger := strings.Repeat("x", 16<<10), strings.Repeat("x", 16<<10+1)
	const noAuth = "-NOAUTH Authentication required.\r\n"
	for _, c := range []struct {
		says, hears string
		end         bool
	}{
		{says: ten, hears: noAuth},
		{says: command("ECHO", large), hears: noAuth},
		{says: eleven, hears: "-ERR Protocol error: unauthenticated multibulk length\r\n", end: true},
		{says: command("ECHO", larger), hears: "-ERR Protocol error: unauthenticated bulk length\r\n", end: true},
		{says: "MGET 1 2 3 4 5 6 7 8 9 10\r\n", hears: "-ERR Protocol error: unauthenticated multibulk length\r\n", end: true},
		{says: "ECHO " + larger + "\r\n", hears: "-ERR Protocol error: unauthenticated bulk length\r\n", end: true},
		// What follows AUTH is judged when AUTH has been answered.
		{says: "PING\r\n" + command("AUTH", "x") + command("ECHO", larger) + "PING\r\n",
			hears: noAuth + "+OK\r\n" + bulk(larger) + "+PONG\r\n"},
	} {
		c1 := d.dial()
		c1.say(c.says)
		if c.end {
			c1.hearsEnd(c.hears)
		} else {
			c1.hears(c.hears)
		}
	}
}

func TestOversizedArgumentIsRefusedInItsPlace(t *testing.T) {
	d := openDoor(t, Options{MaxBulkBytes: 1000, MaxRequestBytes: 4000}, nil)
	c := d.dial()
	c.say(command("SET", "a", "1") + command("SET", "a", strings.Repeat("x", 3000000)) + command("GET", "a") +
		command("ECHO", strings.Repeat("y", 1000)) + command(strings.Repeat("z", 1001)) + "PING\r\n")
	c.hears("+OK\r\n" +
		"-SIZE_EXCEEDED the argument is 3000000 bytes; at most 1000 are allowed (proto-max-bulk-len)\r\n" +
		"$1\r\n1\r\n" +
		bulk(strings.Repeat("y", 1000)) +
		"-SIZE_EXCEEDED the argument is 1001 bytes; at most 1000 are allowed (proto-max-bulk-len)\r\n" +
		"+PONG\r\n")
	many := []string{"MGET"}
	for range 500 {
		many = append(many, "0123456789")
	}
	c.say(command(many...) + command("SET", "b", "2"))
	c.hears("-SIZE_EXCEEDED the request is 8516 bytes; at most 4000 are allowed (client-query-buffer-limit)\r\n+OK\r\n")
}

// A million arguments at most; they are counted, not trusted.
func TestManyArguments(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	c := d.dial()
	c.say("*1000000\r\n$5\r\nCOUNT\r\n" + strings.Repeat("$0\r\n\r\n", 999999))
	c.hears(":1000000\r\n")
	c.say("*1048577\r\n")
	c.hearsEnd("-ERR Protocol error: invalid multibulk length\r\n")
}

func TestDisconnectInMidFrame(t *testing.T) {
	d := openDoor(t, Options{}, nil)
	for i, part := range []string{"", "*", "*2\r\n$4\r", "*2\r\n$4\r\nECHO\r\n$100\r\nabc", "ECHO \"abc"} {
		c := d.dial()
		p := d.peer(i)
		c.say(part)
		require.NoError(t, c.Close())
		receive(t, p.ended)
	}
	eventually(t, func() bool { return d.Stats().Open == 0 })
}

// A whole pipeline is one batch, so that it costs one transaction.
func TestPipelineIsOneBatch(t *testing.T) {
	sizes := make(chan int, 100)
	near := listenPipe()
	d := newDoor(t, Options{}, func(p *fakePeer) { p.batches = sizes })
	d.serve(near)
	c := near.dial(t)
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	go c.say(strings.Repeat(command("PING"), 50))
	c.hears(strings.Repeat("+PONG\r\n", 50))
	require.Equal(t, 50, receive(t, sizes))
}
