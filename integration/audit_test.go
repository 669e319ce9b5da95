package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// audited counts the lines of a trail by what they are about. Lines that cannot
// be read are an error, but for one.
func audited(t *testing.T, dir string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "audit.log*"))
	require.NoError(t, err)
	counts, torn := make(map[string]int), 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for line := range strings.Lines(string(b)) {
			var e struct{ Event, Command, Via string }
			if json.Unmarshal([]byte(line), &e) != nil {
				torn++
				continue
			}
			counts[strings.TrimSpace(e.Event+" "+e.Command+" "+e.Via)]++
		}
	}
	require.LessOrEqual(t, torn, 1)
	return counts
}

// TestEveryCommandIsAudited sends pipelines, transactions and scripts over event
// loops and over redcon's connections, from several clients at once, and counts.
func TestEveryCommandIsAudited(t *testing.T) {
	for name, door := range map[string][]string{"event loops": nil, "redcon": {"--event-loops", "-1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := start(t, append(door, "--audit-file", filepath.Join(dir, "audit.log"), "--audit-file-size", "100kb")...)
			token := s.app(t, "acme/shop", "ttl-min", "1s")
			const clients, rounds = 5, 40
			var wg sync.WaitGroup
			for i := range clients {
				wg.Go(func() {
					c := s.client(t, token, 2)
					for range rounds {
						_, err := c.Pipelined(t.Context(), func(p redis.Pipeliner) error {
							for j := range 10 {
								p.Set(t.Context(), fmt.Sprintf("k%d.%d", i, j), "v", 0)
								p.Get(t.Context(), "k")
							}
							p.Do(t.Context(), "NOPE")
							p.Incr(t.Context(), "n")
							return nil
						})
						if err == nil {
							t.Error("NOPE is no command")
						}
						_, err = c.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
							p.Append(t.Context(), fmt.Sprint("a", i), "v")
							p.Get(t.Context(), "n")
							return nil
						})
						if err == nil {
							err = c.Eval(t.Context(), "redis.call('DEL', KEYS[1]) return redis.call('EXISTS', KEYS[1])", []string{fmt.Sprint("d", i)}).Err()
						}
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			s.terminate()
			counts := audited(t, dir)
			for what, n := range map[string]int{"write set": 10, "refused NOPE": 1, "write incr": 1, "write append exec": 1, "write del script": 1, "write eval": 1} {
				require.Equal(t, n*clients*rounds, counts[what], "%s of %v", what, counts)
			}
			require.Equal(t, 1, counts["admin token.create"])
			require.Zero(t, counts["write get"])
			v := run(t, exec.Command(binary, "audit", "verify", filepath.Join(dir, "audit.log")))
			require.Zero(t, v.code, v.stdout)
			require.Contains(t, v.stdout, " 0 lines are not sealed yet")
		})
	}
}

// TestTheTrailSurvivesKill kills the server under load and starts it again on the
// same trail.
func TestTheTrailSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	trail := []string{"--audit-file", filepath.Join(dir, "audit.log"), "--audit-file-size", "200kb"}
	data := t.TempDir()
	wrote := 0
	for range crashRounds(t) {
		s := startIn(t, data, trail...)
		if wrote == 0 {
			s.app(t, "acme/shop")
		}
		admin := s.admin(t)
		require.NoError(t, admin.Do(t.Context(), "APP.USE", "acme/shop").Err())
		conn := admin.Conn()
		require.NoError(t, conn.Process(t.Context(), redis.NewStatusCmd(t.Context(), "APP.USE", "acme/shop")))
		for range 200 {
			_, err := conn.Pipelined(t.Context(), func(p redis.Pipeliner) error {
				for j := range 10 {
					p.Set(t.Context(), fmt.Sprint("k", j), "v", 0)
				}
				return nil
			})
			require.NoError(t, err)
			wrote += 10
		}
		s.kill()
	}
	counts := audited(t, dir)
	require.Positive(t, counts["admin set"])
	require.LessOrEqual(t, counts["admin set"], wrote)
	t.Logf("%d of %d lines were not written yet", wrote-counts["admin set"], wrote)
	s := startIn(t, data, trail...)
	s.terminate()
	v := run(t, exec.Command(binary, "audit", "verify", filepath.Join(dir, "audit.log")))
	require.Zero(t, v.code, v.stdout)
}
