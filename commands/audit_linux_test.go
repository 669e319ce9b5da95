package commands

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/internal/resp"
)

// TestFullTrail writes the trail to a pipe that nobody reads, which is a disk
// that hangs: commands that write wait for room, the others do not until there is
// twice as much.
func TestFullTrail(t *testing.T) {
	h := newHarness(t)
	path := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	const queue = 64 << 10
	tr, err := audit.Open(audit.Options{Path: path, Settings: audit.Settings{QueueBytes: queue, Block: true, NoSync: true}})
	require.NoError(t, err)
	pipe, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	admin, c := h.admin(), h.open()
	h.engine.SetAuditTrail(tr)
	c.run("SET a 1")
	line := []byte(strings.Repeat("x", 1023) + "\n")
	// What the pipe and the writer take is gone for the moment: more comes until
	// the queue stays full.
	fill := func(to audit.Pressure) {
		for tr.Pressure() != to {
			require.LessOrEqual(t, tr.Pressure(), to)
			require.True(t, tr.Append(line, 0))
		}
	}
	fill(audit.Full)
	require.Eventually(t, func() bool {
		before := tr.Stats().Queued
		fill(audit.Full)
		return before >= queue && before == tr.Stats().Queued
	}, 10*time.Second, 10*time.Millisecond)

	tryDo := func(cl *client, words ...string) (n int, waits bool) {
		var req Request
		for _, w := range words {
			req.Argv = append(req.Argv, []byte(w))
		}
		n, _, waits = h.engine.TryDo(t.Context(), cl.s, []Request{req}, resp.NewWriter(resp.V2))
		return n, waits
	}
	n, waits := tryDo(c, "SET", "a", "2")
	require.Zero(t, n)
	require.True(t, waits, "a loop hands it to a goroutine")
	require.Equal(t, "$1\r\n1", c.run("GET a"))
	require.Equal(t, "+OK", admin.run("APP.CREATE acme/shop"))

	done := make(chan string)
	go func() {
		out := resp.NewWriter(resp.V2)
		h.engine.Do(t.Context(), c.s, []Request{{Argv: [][]byte{[]byte("SET"), []byte("a"), []byte("2")}}}, out)
		done <- string(out.Bytes())
	}()
	require.Eventually(t, func() bool { return c.s.snapshot().waiting }, 10*time.Second, time.Millisecond)

	fill(audit.Packed)
	other := h.open()
	n, waits = tryDo(other, "GET", "a")
	require.Zero(t, n)
	require.True(t, waits, "a flood of refusals waits too")
	require.Equal(t, "+OK", admin.run("APP.CREATE acme/blog"))

	go func() {
		buf := make([]byte, 64<<10)
		for {
			if _, err := pipe.Read(buf); err != nil {
				return
			}
		}
	}()
	require.Equal(t, "+OK\r\n", <-done)
	require.Equal(t, "$1\r\n2", other.run("GET a"))
	require.NoError(t, tr.Flush(t.Context()))
	require.NoError(t, tr.Close())
	require.NoError(t, pipe.Close())
}
