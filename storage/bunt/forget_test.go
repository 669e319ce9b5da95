package bunt

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// TestHistory holds what the sign-off of a drop relies on.
func TestHistory(t *testing.T) {
	told := 0
	s, err := Open(Options{Dir: t.TempDir(), OnForgotten: func() { told++ }, manual: true})
	require.NoError(t, err)
	defer s.Close()
	ctx := context.Background()
	id := storage.ID{Tenant: "t", App: "a"}
	ns, err := s.Namespace(ctx, 0, id)
	require.NoError(t, err)
	_, err = ns.Update(ctx, nil, func(tx storage.Tx) error { return tx.Set("k", storage.Entry{Value: []byte("v")}) })
	require.NoError(t, err)
	oldest, first := s.History()
	require.LessOrEqual(t, oldest, first, "its record is there")
	require.NoError(t, s.Drop(ctx, id))
	other, err := s.Namespace(ctx, 0, storage.ID{Tenant: "t", App: "b"})
	require.NoError(t, err)
	seq, err := other.Update(ctx, nil, func(tx storage.Tx) error { return tx.Set("k", storage.Entry{Value: []byte("v")}) })
	require.NoError(t, err)
	require.NoError(t, s.Wait(ctx, seq))
	_, last := s.History()
	require.Greater(t, last, first)
	require.Zero(t, told)
	require.NoError(t, s.Compact(ctx))
	require.Equal(t, 1, told)
	oldest, _ = s.History()
	require.Greater(t, oldest, last)
	require.NoError(t, s.Compact(ctx))
	require.Equal(t, 1, told, "nothing more to forget")

	memory, err := Open(Options{})
	require.NoError(t, err)
	defer memory.Close()
	oldest, _ = memory.History()
	require.Equal(t, uint64(math.MaxUint64), oldest)
}
