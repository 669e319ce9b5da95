package bunt

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/buntdb"
)

// What buntdb does that this package has to know. A test that fails here says
// that a reason for how things are done has gone.

func openIndex(t *testing.T) *buntdb.DB {
	t.Helper()
	db, err := buntdb.Open(":memory:")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func length(t *testing.T, db *buntdb.DB) (n int) {
	t.Helper()
	require.NoError(t, db.View(func(tx *buntdb.Tx) error {
		var err error
		n, err = tx.Len()
		return err
	}))
	return n
}

func TestBuntCommitsWhenItPanics(t *testing.T) {
	db := openIndex(t)
	half := func(tx *buntdb.Tx) error {
		_, _, err := tx.Set("half", "", nil)
		require.NoError(t, err)
		panic("in the middle")
	}
	require.Panics(t, func() { _ = db.Update(half) })
	require.Equal(t, 1, length(t, db), "half a transaction is there")

	db = openIndex(t)
	require.ErrorContains(t, indexUpdate(db, half), "in the middle")
	require.Zero(t, length(t, db), "our way it is not")
}

func TestBuntMiscountsExpiredRows(t *testing.T) {
	db := openIndex(t)
	require.NoError(t, db.Update(func(tx *buntdb.Tx) error {
		ended := &buntdb.SetOptions{Expires: true, TTL: -time.Hour}
		for _, key := range []string{"set", "deleted", "left"} {
			_, _, err := tx.Set(key, "", ended)
			require.NoError(t, err)
		}
		n, err := tx.Len()
		require.NoError(t, err)
		require.Equal(t, 3, n, "Len counts what Get does not find")
		_, replaced, err := tx.Set("set", "", nil)
		require.NoError(t, err)
		require.False(t, replaced, "Set replaced a row and says that it did not")
		_, err = tx.Delete("deleted")
		require.ErrorIs(t, err, buntdb.ErrNotFound, "Delete removed a row and says that there was none")
		n, err = tx.Len()
		require.NoError(t, err)
		require.Equal(t, 2, n)
		listed := 0
		require.NoError(t, tx.Ascend("", func(string, string) bool { listed++; return true }))
		require.Equal(t, 1, listed, "listings hide what buntdb's own clock calls ended")
		return nil
	}))
}
