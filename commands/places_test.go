package commands

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// impatient ends when somebody wants to wait for its end.
type impatient struct {
	context.Context
	cancel func()
}

func (i impatient) Done() <-chan struct{} {
	i.cancel()
	return i.Context.Done()
}

// hurried runs a batch for a client who hangs up rather than wait for a place;
// what would have to is not run.
func (c *client) hurried(cmds ...[]string) string {
	c.t.Helper()
	out := resp.NewWriter(resp.V2)
	for batch := requests(cmds...); len(batch) > 0; {
		ctx, cancel := context.WithCancel(context.Background())
		n, _ := c.e.Do(impatient{ctx, cancel}, c.s, batch, out)
		cancel()
		batch = batch[n:]
	}
	return string(out.Bytes())
}

// occupy takes all places of the client's namespace until the result is called.
func (c *client) occupy() (free func()) {
	p := c.s.scriptSpace().places
	for range cap(p) {
		p <- struct{}{}
	}
	return func() {
		for range cap(p) {
			<-p
		}
	}
}

func TestSlowCommandsTakeAPlace(t *testing.T) {
	h := newHarness(t)
	c, same, other := h.open(), h.open(), h.session(storage.ID{Tenant: "t", App: "b"}, wideOpen())
	c.run("SET k v")
	other.run("SET k v")
	slow := [][]string{
		{"KEYS", "*"}, {"SCAN", "0"}, {"EVAL", "return 1", "0"}, {"COPY", "k", "l", "DB", "1"}, {"KV.PURGE"}, {"KV.LIST", "limit", "201"},
		slices.Repeat([]string{"EXISTS"}, hastyArguments+1),
	}
	free := c.occupy()
	for _, cmd := range slow {
		require.Contains(t, same.hurried(cmd), "-PLATFORM_ERROR", cmd[0])
		require.NotContains(t, other.hurried(cmd), "-PLATFORM_ERROR", "%s of another namespace", cmd[0])
	}
	require.Equal(t, "+OK\r\n+QUEUED\r\n", same.hurried([]string{"MULTI"}, []string{"SET", "multi", "v"}))
	require.Contains(t, same.hurried([]string{"EXEC"}), "PLATFORM_ERROR")
	same.run("DISCARD")
	require.Equal(t, "$1\r\nv\r\n+PONG\r\n", same.hurried([]string{"GET", "k"}, []string{"PING"}), "what is quick needs none")
	require.NotContains(t, same.hurried([]string{"KV.LIST", "PREFIX", "LIMIT", "LIMIT", "200"}), "-PLATFORM_ERROR")
	require.Equal(t, "-NOTBUSY No scripts in execution right now.\r\n", same.hurried([]string{"SCRIPT", "KILL"}), "nor what ends the others")
	require.Equal(t, ":0", same.run("EXISTS multi"), "nothing that had no place was run")
	free()
	for _, cmd := range slow {
		require.NotContains(t, same.hurried(cmd), "-PLATFORM_ERROR", cmd[0])
		require.Empty(t, c.s.scriptSpace().places, "%s kept its place", cmd[0])
	}
}

// A long pipeline is much work too, for a door without loops.
func TestLongBatchesTakeAPlace(t *testing.T) {
	h := newHarness(t)
	c, same := h.open(), h.open()
	c.run("SET k v")
	free := c.occupy()
	batch := slices.Repeat([][]string{{"GET", "k"}}, longBatch-1)
	require.Equal(t, strings.Repeat("$1\r\nv\r\n", longBatch-1), same.hurried(batch...))
	require.Contains(t, same.hurried(append(batch, []string{"GET", "k"})...), "-PLATFORM_ERROR")
	free()
	require.Equal(t, strings.Repeat("$1\r\nv\r\n", longBatch), same.hurried(append(batch, []string{"GET", "k"})...))
	require.Empty(t, c.s.scriptSpace().places)
}

// What TryDo put off is run with a place, whatever it is: it came from a loop, and
// the other connections of the namespace would do the same.
func TestWhatWasPutOffTakesAPlace(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	c.run("SET k v")
	c.s.spaces = [storage.Databases]storage.Namespace{}
	batch := requests([]string{"GET", "k"})
	out := resp.NewWriter(resp.V2)
	n, _, waits := h.engine.TryDo(context.Background(), c.s, batch, out)
	require.Zero(t, n)
	require.True(t, waits)
	free := c.occupy()
	require.Contains(t, c.hurried([]string{"GET", "k"}), "-PLATFORM_ERROR")
	free()
	require.Equal(t, "$1\r\nv\r\n", c.hurried([]string{"GET", "k"}))
}

// A command that only waits keeps no place: it would lock its namespace out.
func TestWhatOnlyWaitsNeedsNoPlace(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	r := &c.s.run
	var none []string
	for _, rows := range families() {
		for _, row := range rows {
			cmd := h.engine.table.resolve([][]byte{[]byte(strings.Split(row.Name, "|")[0]), []byte(row.Name[strings.IndexByte(row.Name, '|')+1:])})
			if cmd != nil && cmd.slow() && !cmd.has(Admin) && !r.needsPlace(cmd, [][]byte{[]byte(cmd.Name)}) {
				none = append(none, cmd.Name)
			}
		}
	}
	slices.Sort(none)
	require.Equal(t, []string{"auth", "hello", "info", "select", "token.session", "wait", "waitaof"}, none)
	// In one pipeline with a slow command, it gives the place of that back.
	held := -1
	h.addCommand("test.waits", Slow, func(c *Call) error {
		held = len(c.Session.scriptSpace().places)
		c.Out.Status("OK")
		return nil
	})
	require.Equal(t, []string{":1\r\n", "+OK\r\n", ":1\r\n"},
		c.pipeline([]string{"EVAL", "return 1", "0"}, []string{"TEST.WAITS"}, []string{"EVAL", "return 1", "0"}))
	require.Zero(t, held)
}

// Whoever leaves a namespace in the middle of a pipeline leaves its place, too.
func TestPlacesBelongToTheNamespace(t *testing.T) {
	h := newHarness(t)
	c, same := h.open(), h.open()
	places, held := same.s.scriptSpace().places, -1
	h.addCommand("test.looks", NoAuth, func(c *Call) error {
		held = len(places)
		c.Out.Status("OK")
		return nil
	})
	require.Equal(t, []string{":1\r\n", "+RESET\r\n", "+OK\r\n"},
		c.pipeline([]string{"EVAL", "return 1", "0"}, []string{"RESET"}, []string{"TEST.LOOKS"}))
	require.Zero(t, held)
}

// TryDo hands out a bounded number of messages, and of bytes, at once.
func TestTryDoStopsAfterMuchOfAnyKind(t *testing.T) {
	h := newHarness(t)
	c := h.open()
	c.run("SET k v")
	try := func(cmds ...[]string) int {
		n, _, _ := h.engine.TryDo(context.Background(), c.s, requests(cmds...), resp.NewWriter(resp.V2))
		return n
	}
	const hearers = 32
	for range hearers {
		h.open().run("SUBSCRIBE ch")
	}
	publish := slices.Repeat([][]string{{"PUBLISH", "ch", "m"}}, 200)
	require.Equal(t, hastyExtra/hearers, try(publish...))
	require.Equal(t, hastyExtra, c.s.Extra())
	require.Len(t, c.pipeline(publish...), 200, "the rest follows")
	require.Equal(t, 1, try([]string{"GET", "k"}))
	require.Zero(t, c.s.Extra())

	c.run("SET large " + strings.Repeat("v", hastyReplies/4))
	gets := slices.Repeat([][]string{{"GET", "large"}}, 100)
	require.Equal(t, 100, try(gets...), "nobody knows before how long replies are")
	require.Equal(t, 6, try(gets...), "two runs of what fits")
	require.Equal(t, 6, try(gets...))
}
