package integration

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

// redisExporter is Debian's prometheus-redis-exporter.
func redisExporter() subject {
	return subject{Name: "redis_exporter", Language: "Go", Over: "redigo", drive: driveExporter}
}

func driveExporter(d *driven) {
	program := testneed.Program(d, "prometheus-redis-exporter")
	out, err := exec.Command(program, "--version").CombinedOutput()
	require.NoError(d, err)
	_, version, _ := strings.Cut(string(out), "Metrics Exporter ")
	d.done.Version = strings.Fields(version)[0]

	kv := d.server.client(d, d.token, 3)
	require.NoError(d, kv.MSet(background, "a", 1, "b", 20).Err())
	scrape := func(t *testing.T, user, password string, options ...string) (metrics, log string) {
		t.Helper()
		addr := "127.0.0.1:" + strconv.Itoa(freePort(t))
		exporter := spawn(t, exec.Command(program, append([]string{
			"--redis.addr", "redis://" + d.server.addr(), "--redis.user", user, "--redis.password", password,
			"--web.listen-address", addr, "--export-client-list",
		}, options...)...))
		t.Cleanup(exporter.kill)
		require.Eventually(t, func() bool {
			r, err := http.Get("http://" + addr + "/metrics")
			if err != nil {
				return false
			}
			defer r.Body.Close()
			b, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			metrics = string(b)
			return true
		}, patience, pollEvery, "%s", exporter.stderr.String())
		require.Contains(t, metrics, "\nredis_up 1\n")
		require.Contains(t, metrics, "\nredis_exporter_last_scrape_error{err=\"\"} 0\n")
		return metrics, exporter.stderr.String()
	}
	d.check("the figures of a namespace", func(t *testing.T) {
		metrics, _ := scrape(t, d.user, d.token, "--check-keys", "db0=*", "--count-keys", "db0=*")
		for _, line := range []string{
			`redis_db_keys{db="db0"} 2`, `redis_keys_count{db="db0",key="*"} 2`, `redis_key_size{db="db0",key="b"} 2`,
			`redis_key_value{db="db0",key="b"} 20`, "redis_aof_enabled 1",
		} {
			require.Contains(t, metrics, "\n"+line+"\n")
		}
		require.Contains(t, metrics, "redis_connected_clients_details{")
	})
	d.check("the figures of the server", func(t *testing.T) {
		metrics, log := scrape(t, "admin", adminPassword)
		require.NotContains(t, log, "level=error", "none of its queries is refused")
		for _, name := range []string{"start_time_seconds", "connected_clients", "commands_processed_total", "memory_used_bytes"} {
			require.Regexp(t, fmt.Sprintf(`\nredis_%s [1-9]`, name), metrics)
		}
	})
}
