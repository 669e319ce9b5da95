package bunt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// BenchmarkScan reads a journal of single writes over a thousand namespaces, as
// a start does.
func BenchmarkScan(b *testing.B) {
	s, err := Open(Options{Dir: b.TempDir(), Sync: SyncNo, Log: quiet, SegmentBytes: 8 << 20, manual: true})
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	var spaces []storage.Namespace
	for i := range 1000 {
		spaces = append(spaces, namespace(b, s, storage.ID{Tenant: "tenant", App: fmt.Sprint(i)}))
	}
	value := make([]byte, 64)
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 300_000 {
		key := benchKey(rnd.IntN(100))
		_, err := spaces[rnd.IntN(len(spaces))].Update(context.Background(), nil, func(tx storage.Tx) error {
			return tx.Set(key, storage.Entry{Value: value})
		})
		require.NoError(b, err)
	}
	require.NoError(b, s.Sync(context.Background()))
	segments, err := listSegments(s.fs, filepath.Join(s.dir, journalDir), quiet)
	require.NoError(b, err)
	b.SetBytes(s.journal.bytes())
	b.ReportAllocs()
	for b.Loop() {
		var done atomic.Int64
		require.NoError(b, scanSegments(s.fs, segments, &done, func(scan *segmentScan) error { return scan.err }))
	}
}
