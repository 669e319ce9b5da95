package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAuditTrailOfAServer runs a server with the example's directives and reads
// its trail with the command line.
func TestAuditTrailOfAServer(t *testing.T) {
	w := newWorld(t)
	w.vars["CUBBY_ADMIN_PASSWORD"] = testPassword
	r := w.serve("--port", "0", "--audit-file", "./trail/audit.log", "--audit-file-size", "6000", "--loglevel", "debug", "--log-format", "json")
	ctx := t.Context()
	admin := r.client("admin", testPassword)
	for _, name := range []string{"acme/shop", "acme/blog"} {
		require.NoError(t, admin.Do(ctx, "APP.CREATE", name).Err())
	}
	require.NoError(t, admin.Do(ctx, "APP.SET", "acme/shop", "key-charset", "any").Err())
	made, err := admin.Do(ctx, "TOKEN.CREATE", "acme/shop").Result()
	require.NoError(t, err)
	secret, id := made.(map[any]any)["token"].(string), made.(map[any]any)["id"].(string)
	app := r.client("", secret)
	const value = "V4LU3-of-a-tenant"
	for range 20 {
		require.NoError(t, app.Set(ctx, "key\x1b[31m", value, 0).Err())
	}
	require.Error(t, r.client("", "cub_wrong-secret").Ping(ctx).Err())
	require.Error(t, r.client("admin", "WRONG-PASSWORD").Ping(ctx).Err())
	require.NoError(t, admin.ConfigSet(ctx, "requirepass", "NEW-PASSWORD").Err())
	require.ErrorContains(t, admin.ConfigSet(ctx, "audit-file", "/tmp/x").Err(), "can't set immutable config")
	require.NoError(t, admin.ConfigSet(ctx, "audit-max-files", "100").Err())
	require.NoError(t, admin.Do(ctx, "TENANT.DROP", "acme").Err())
	require.NoError(t, admin.BgSave(ctx).Err())
	<-r.err.seen("nothing is left of what was dropped")
	require.Equal(t, exitOK, r.stop())

	for _, line := range strings.Split(strings.TrimSpace(r.err.String()), "\n") {
		require.True(t, strings.HasPrefix(line, `{"time":`), line)
	}
	all := w.ok("audit", "trail/audit.log", "-n", "0", "--json", "--all")
	for _, s := range []string{secret[21:], value, "wrong-secret", "WRONG-PASSWORD", "NEW-PASSWORD", testPassword} {
		require.NotContains(t, all.out, s)
		require.NotContains(t, r.err.String(), s)
	}
	entries, err := os.ReadDir("trail")
	require.NoError(t, err)
	require.Greater(t, len(entries), 1)

	shown := w.ok("audit", "trail/audit.log", "--event", "erased", "--json").out
	require.Contains(t, shown, `"tenant":"acme","dropped":`)
	require.Contains(t, shown, `"namespaces":2,"tokens":1,"erased_keys":1`)
	require.Equal(t, 20, strings.Count(w.ok("audit", "trail/audit.log", "--token", id, "--command", "SET").out, "\twrite\t"))
	require.Equal(t, 3, strings.Count(w.ok("audit", "trail/audit.log", "--token", id, "--command", "SET", "-n", "3").out, "\twrite\t"))
	require.Equal(t, 1, strings.Count(w.ok("audit", "trail/audit.log", "--tenant", "acme", "--app", "shop", "--since", "1h", "--event", "auth").out, "\tOK"))
	require.GreaterOrEqual(t, strings.Count(w.ok("audit", "trail/audit.log", "--code", "WRONGPASS").out, "\tWRONGPASS"), 2, "the client may try again")
	require.Contains(t, w.cubby("audit", "trail/audit.log", "--since", "yesterday").err, "--since yesterday")
	require.Contains(t, w.cubby("audit", "none.log").err, "there is no audit trail none.log")
	w.width = 300
	table := w.ok("audit", "trail/audit.log").out
	require.Contains(t, table, "TIME ")
	require.NotContains(t, table, "\x1b[31m")
	w.width = 0

	require.Contains(t, w.ok("audit", "verify", "trail/audit.log").out, " 0 lines are not sealed yet; 0 were lost")
	name := "trail/" + entries[0].Name()
	if name == "trail/audit.log" {
		name = "trail/" + entries[1].Name()
	}
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, []byte(strings.Replace(string(b), `"time":"2`, `"time":"3`, 1)), 0o600))
	v := w.cubby("audit", "verify", "trail/audit.log")
	require.Equal(t, exitError, v.code)
	require.Contains(t, v.out, "BROKEN: ")
}

func TestAuditFollows(t *testing.T) {
	w := newWorld(t)
	w.vars["CUBBY_ADMIN_PASSWORD"] = testPassword
	r := w.serve("--port", "0", "--audit-file", "audit.log", "--audit-file-size", "1000")
	env, out, _ := w.environment("")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int)
	go func() { done <- run(ctx, env, []string{"audit", "audit.log", "--follow", "--command", "app.create"}) }()
	admin := r.client("admin", testPassword)
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		require.NoError(t, admin.Do(t.Context(), "APP.CREATE", "acme/"+name).Err())
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		<-out.seen("acme/" + name)
	}
	stop()
	require.Equal(t, exitOK, <-done)
}
