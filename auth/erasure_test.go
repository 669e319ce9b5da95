package auth

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
)

// TestSignOff drops, restarts and compacts on the real store.
func TestSignOff(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	open := func() (*bunt.Store, *Directory) {
		store, err := bunt.Open(bunt.Options{Dir: dir, Sync: bunt.SyncAlways})
		require.NoError(t, err)
		d, err := Open(ctx, store, Options{})
		require.NoError(t, err)
		return store, d
	}
	signedOff := func(store *bunt.Store, d *Directory) []Erasure {
		oldest, _ := store.History()
		list, err := d.SignOff(ctx, oldest)
		require.NoError(t, err)
		for i := range list {
			require.NotZero(t, list[i].At)
			list[i].At = 0
		}
		return list
	}
	store, d := open()
	for _, id := range []storage.ID{shop, blog, other} {
		_, err := d.CreateApp(ctx, id, nil)
		require.NoError(t, err)
		for db := range storage.Databases {
			ns, err := store.Namespace(ctx, db, id)
			require.NoError(t, err)
			seq, err := ns.Update(ctx, nil, func(tx storage.Tx) error { return tx.Set("key", storage.Entry{Value: []byte("value")}) })
			require.NoError(t, err)
			require.NoError(t, store.Wait(ctx, seq))
		}
	}
	_, _, err := d.CreateToken(ctx, blog, "", Scope{})
	require.NoError(t, err)
	require.Empty(t, signedOff(store, d), "nothing was dropped")

	x, err := d.DropTenant(ctx, "acme")
	require.NoError(t, err)
	x.At = 0
	acme := Erasure{Tenant: "acme", Namespaces: 2, Tokens: 1, Keys: 4, Bytes: 32}
	require.Equal(t, acme, x)
	require.Empty(t, signedOff(store, d), "the journal has it all")

	require.NoError(t, store.Close())
	store, d = open()
	require.Empty(t, signedOff(store, d), "so it has after a restart")
	x, err = d.DropApp(ctx, other)
	require.NoError(t, err)
	x.At = 0
	one := Erasure{Tenant: "other", App: "shop", Namespaces: 1, Keys: 1, Bytes: 8}
	require.Equal(t, one, x, "database 1 was empty after the restart")
	require.NoError(t, store.Compact(ctx))
	require.Equal(t, []Erasure{acme, one}, signedOff(store, d))
	require.Empty(t, signedOff(store, d), "each once")

	require.NoError(t, store.Close())
	store, d = open()
	require.NoError(t, store.Compact(ctx))
	require.Empty(t, signedOff(store, d))
	require.NoError(t, store.Close())
}
