package redistest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/redistest"
)

func TestRepliesAreRaw(t *testing.T) {
	c := redistest.Start(t).Dial(t)
	require.Equal(t, "+OK\r\n", c.Do("SET", "k", "a\r\nb\x00"))
	require.Equal(t, "$5\r\na\r\nb\x00\r\n", c.Do("GET", "k"))
	require.Equal(t, "*2\r\n$-1\r\n$5\r\na\r\nb\x00\r\n", c.Do("MGET", "none", "k"))
	require.Equal(t, "-ERR DB index is out of range\r\n", c.Do("SELECT", "2"))
}

func TestServersAreApart(t *testing.T) {
	a, b := redistest.Start(t), redistest.Start(t, "--requirepass", "secret")
	require.Equal(t, "+OK\r\n", a.Dial(t).Do("SET", "k", "v"))
	c := b.Dial(t)
	require.Equal(t, "-NOAUTH Authentication required.\r\n", c.Do("GET", "k"))
	require.Equal(t, "+OK\r\n", c.Do("AUTH", "secret"))
	require.Equal(t, "$-1\r\n", c.Do("GET", "k"))
}
