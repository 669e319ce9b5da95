package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

// TestMain lets the test binary be the empty handler, the proxy and the flood, as
// the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == emptyHandler {
		fmt.Fprintln(os.Stderr, serveEmptyHandler(os.Args[2:]))
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == httpProxy {
		fail(serveHTTPProxy(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == floodProgram {
		if err := runFlood(os.Args[2:]); err != nil {
			fail(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestQuickRun starts all servers and takes most of a minute of both cores, so
// it runs where it is asked for.
func TestQuickRun(t *testing.T) {
	if os.Getenv("CUBBY_BENCH_SMOKE") != "1" {
		t.Skip("CUBBY_BENCH_SMOKE=1 runs it")
	}
	testneed.Program(t, "redis-server")
	o, err := parseOptions([]string{"-quick", "-dir", t.TempDir()})
	require.NoError(t, err)
	r, err := measure(t.Context(), o)
	require.NoError(t, err)
	for _, name := range suiteNames() {
		require.NotEmpty(t, r.Suites[name].Series, name)
	}
	left, err := os.ReadDir(o.parent)
	require.NoError(t, err)
	require.Empty(t, left, "everything is removed")
}
