package commands

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// boundedStore is the double with a limit on its memory.
type boundedStore struct {
	storage.Store
	full bool
}

func (s *boundedStore) MayGrow() error {
	if s.full {
		return storage.ErrOutOfMemory
	}
	return nil
}

func TestOutOfMemoryStopsWhatGrows(t *testing.T) {
	const oom = "-OOM command not allowed when used memory > 'maxmemory'."
	clock := storetest.NewClock()
	store := &boundedStore{Store: storetest.NewMemory(clock)}
	c := newHarnessOn(t, store, clock).open()
	c.run("MSET a 1 b 2 n 3")
	store.full = true
	for _, line := range []string{"SET new v", "SET a 22", "APPEND a x", "MSET a 1 new 1", "SETRANGE a 5 x", "COPY a new", "RENAME a longer"} {
		require.Equal(t, oom, c.run(line), line)
	}
	require.Equal(t, "*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$-1", c.run("MGET a b n new"), "all or nothing")
	for _, line := range []string{"SET a 2", "INCR n", "GET a", "EXPIRE a 100", "PERSIST a", "DEL b", "RENAME a b", "SELECT 1", "SELECT 0"} {
		require.NotContains(t, c.run(line), "OOM", line)
	}
	// In a transaction the command fails that grows.
	require.Equal(t, "*3\r\n+OK\r\n"+oom+"\r\n:5", c.run("MULTI", "SET b 9", "SET new v", "INCR n", "EXEC"))
	store.full = false
	require.Equal(t, "+OK", c.run("SET new v"))
}
