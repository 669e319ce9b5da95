package bunt

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// A Trier declines while others use the space, or while it is on disk, and
// runs nothing then.
func TestTryDeclinesInsteadOfWaiting(t *testing.T) {
	ctx := context.Background()
	never := func(storage.Tx) error { t.Error("it ran"); return nil }
	write := func(tx storage.Tx) error { return tx.Set("k", storage.Entry{Value: []byte("v")}) }
	store, err := Open(Options{Dir: t.TempDir(), Log: quiet})
	require.NoError(t, err)
	ns, err := store.Namespace(ctx, storage.Durable, storage.ID{Tenant: "acme", App: "notes"})
	require.NoError(t, err)
	_, err = ns.Update(ctx, nil, write)
	require.NoError(t, err)
	try := ns.(storage.Trier)

	_, err = ns.Update(ctx, nil, func(storage.Tx) error {
		_, err := try.TryView(ctx, nil, never)
		require.Equal(t, storage.ErrWouldWait, err)
		_, err = try.TryUpdate(ctx, nil, never)
		require.Equal(t, storage.ErrWouldWait, err)
		return nil
	})
	require.NoError(t, err)
	_, err = ns.View(ctx, nil, func(storage.Tx) error {
		_, err := try.TryUpdate(ctx, nil, never)
		require.Equal(t, storage.ErrWouldWait, err)
		_, err = try.TryView(ctx, nil, func(storage.Tx) error { return nil })
		require.NoError(t, err, "readers do not wait for readers")
		return nil
	})
	require.NoError(t, err)
	seq, err := try.TryUpdate(ctx, nil, write)
	require.NoError(t, err)
	require.NotZero(t, seq)

	require.Equal(t, 1, unloadAll(t, store))
	_, err = try.TryView(ctx, nil, never)
	require.Equal(t, storage.ErrWouldWait, err, "it is not in memory yet")
	_, err = try.TryUpdate(ctx, nil, never)
	require.Equal(t, storage.ErrWouldWait, err)
	_, err = ns.View(ctx, nil, func(tx storage.Tx) error { _, err := tx.Get("k"); return err })
	require.NoError(t, err)
	_, err = try.TryView(ctx, nil, func(tx storage.Tx) error { _, err := tx.Get("k"); return err })
	require.NoError(t, err)

	require.NoError(t, store.Close())
	_, err = try.TryView(ctx, nil, never)
	require.ErrorIs(t, err, storage.ErrClosed)
	_, err = try.TryUpdate(ctx, nil, never)
	require.ErrorIs(t, err, storage.ErrClosed)
}
