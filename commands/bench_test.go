package commands

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
)

// benchmarkEngine drives one session of an engine on the real store, in memory,
// with 1,000 keys of 64 bytes.
func benchmarkEngine(b *testing.B, pipeline int, argv func(i int) [][]byte, change ...func(*Engine)) {
	b.Helper()
	store, err := bunt.Open(bunt.Options{})
	require.NoError(b, err)
	defer store.Close()
	dir, err := auth.Open(context.Background(), store, auth.Options{})
	require.NoError(b, err)
	e := New(Options{Store: store, Directory: dir})
	for _, f := range change {
		f(e)
	}
	s := e.NewSession(SessionOptions{Door: "resp"})
	limits := auth.DefaultLimits()
	limits.TTLMin[0] = time.Second
	s.become(&auth.Principal{App: auth.NewApp(storage.ID{Tenant: "t", App: "a"}, limits)})
	out := resp.NewWriter(resp.V2)
	value := make([]byte, 64)
	for i := range 1000 {
		e.Do(context.Background(), s, []Request{{Argv: [][]byte{[]byte("SET"), benchKey(i), value}}}, out)
	}
	batches := make([][]Request, 64)
	for i := range batches {
		for j := range pipeline {
			batches[i] = append(batches[i], Request{Argv: argv(i*pipeline + j)})
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		out.Reset()
		n, seq := e.Do(context.Background(), s, batches[i%len(batches)], out)
		if n != pipeline || e.Wait(context.Background(), seq) != nil || out.Bytes()[0] == '-' {
			b.Fatalf("ran %d: %.100s", n, out.Bytes())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*pipeline), "ns/cmd")
}

func benchKey(i int) []byte { return fmt.Appendf(nil, "key:%06d", i%1000) }

func BenchmarkEngine(b *testing.B) {
	value := make([]byte, 64)
	cmds := []struct {
		name string
		argv func(i int) [][]byte
	}{
		{"GET", func(i int) [][]byte { return [][]byte{[]byte("GET"), benchKey(i)} }},
		{"SET", func(i int) [][]byte { return [][]byte{[]byte("SET"), benchKey(i), value} }},
		{"SETEX", func(i int) [][]byte { return [][]byte{[]byte("SET"), benchKey(i), value, []byte("EX"), []byte("100")} }},
		{"INCR", func(i int) [][]byte { return [][]byte{[]byte("INCR"), []byte("counter")} }},
	}
	for _, cmd := range cmds {
		for _, pipeline := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/P%d", cmd.name, pipeline), func(b *testing.B) { benchmarkEngine(b, pipeline, cmd.argv) })
		}
	}
}

// BenchmarkAudited is BenchmarkEngine with an audit trail. Its writer shares the
// processor, as it does in a server.
func BenchmarkAudited(b *testing.B) {
	value := make([]byte, 64)
	for _, cmd := range []struct {
		name string
		argv func(i int) [][]byte
	}{
		{"GET", func(i int) [][]byte { return [][]byte{[]byte("GET"), benchKey(i)} }},
		{"SET", func(i int) [][]byte { return [][]byte{[]byte("SET"), benchKey(i), value} }},
	} {
		for _, pipeline := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/P%d", cmd.name, pipeline), func(b *testing.B) {
				t, err := audit.Open(audit.Options{Path: filepath.Join(b.TempDir(), "audit.log"),
					Settings: audit.Settings{QueueBytes: 16 << 20, FileBytes: 64 << 20, Files: 2}})
				require.NoError(b, err)
				benchmarkEngine(b, pipeline, cmd.argv, func(e *Engine) { e.SetAuditTrail(t) })
				require.NoError(b, t.Close())
				b.ReportMetric(float64(t.Stats().Written)/float64(b.N*pipeline), "lines/cmd")
			})
		}
	}
}

// TestHotPathAllocatesNextToNothing guards what the benchmarks show: a GET
// allocates nothing, a SET its value.
func TestHotPathAllocatesNextToNothing(t *testing.T) {
	store, err := bunt.Open(bunt.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	c := newHarnessOn(t, store, nil).open()
	out := resp.NewWriter(resp.V2)
	run := func(words ...string) float64 {
		batch := make([]Request, 16)
		for i := range batch {
			for _, w := range words {
				batch[i].Argv = append(batch[i].Argv, []byte(w))
			}
		}
		return testing.AllocsPerRun(200, func() {
			out.Reset()
			if n, _ := c.e.Do(context.Background(), c.s, batch, out); n != len(batch) {
				t.Errorf("ran %d", n)
			}
		}) / float64(len(batch))
	}
	require.LessOrEqual(t, run("SET", "k", "some value"), 1.2)
	require.LessOrEqual(t, run("SET", "k", "some value", "EX", "100"), 1.2)
	require.LessOrEqual(t, run("GET", "k"), 0.1)
	require.LessOrEqual(t, run("INCR", "n"), 1.2)

	trail, err := audit.Open(audit.Options{Path: filepath.Join(t.TempDir(), "audit.log"), Settings: audit.Settings{QueueBytes: 16 << 20}})
	require.NoError(t, err)
	c.e.SetAuditTrail(trail)
	require.LessOrEqual(t, run("SET", "k", "some value"), 1.3, "a line costs none, but for the buffers that grow and go")
	require.LessOrEqual(t, run("GET", "k"), 0.1)
	require.NoError(t, trail.Close())
}
