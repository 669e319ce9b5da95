package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDev(t *testing.T) {
	c, err := Load("", nil)
	require.NoError(t, err)
	require.NoError(t, Dev(c))
	require.Equal(t, []string{"127.0.0.1"}, c.Get("bind"))
	require.Equal(t, "./cubby-data", c.Dir)
	require.Equal(t, "dev/app", c.Anonymous)

	c, err = Load("", strings.Fields("--port 7000 --dir /data --bind localhost -::1 127.8.8.8"))
	require.NoError(t, err)
	require.NoError(t, Dev(c))
	require.Equal(t, 7000, c.Port)
	require.Equal(t, "/data", c.Dir)
	require.Equal(t, []string{"localhost", "-::1", "127.8.8.8"}, c.Get("bind"), "what was given stays")

	c, err = Load("", []string{"--bind", ""})
	require.NoError(t, err)
	require.NoError(t, Dev(c))
	require.Empty(t, c.Bind)
}

func TestDevRefusesOthers(t *testing.T) {
	for _, host := range []string{"0.0.0.0", "*", "-::*", "::", "10.0.0.1", "example.org"} {
		c, err := Parse(strings.NewReader("\nbind 127.0.0.1 "+host), "redis.conf")
		require.NoError(t, err)
		require.EqualError(t, Dev(c), `redis.conf:2: bind: "`+host+`" is not a loopback address; `+
			"with --dev clients need no password, so only 127.0.0.0/8, ::1 and localhost are allowed")
		require.Empty(t, c.Anonymous)
	}
}

func TestDevLimits(t *testing.T) {
	l := DevLimits(Default().Limits)
	require.Equal(t, Limits{
		KeyBytes:   256,
		KeyAnyByte: true,
		ValueBytes: 65536,
		MaxKeys:    [2]int64{1_000_000, 1_000_000},
		TTLMin:     [2]time.Duration{time.Millisecond, time.Millisecond},
	}, l)
}
