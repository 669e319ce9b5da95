package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// flip changes one bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	s := start(t)
	kv := s.client(t, s.app(t, "acme/notes"), 3)
	fill(t, kv, 500, func(i int) []any { return []any{"SET", fmt.Sprintf("k%d", i), i} })
	s.terminate()

	segment := segments(t, s.dir)[0]
	flip(t, segment)
	reason := refuses(t, s.dir, "--dir", s.dir, "--port", strconv.Itoa(freePort(t)))
	require.Contains(t, reason, segment)
	require.Regexp(t, `damaged at byte \d+`, reason)
}

// What a crash leaves half written at the end is no damage: it was never
// acknowledged.
func TestTornJournal(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.app(t, "acme/notes")
	kv := s.client(t, token, 3)
	for i := range 20 {
		require.NoError(t, kv.Set(background, fmt.Sprintf("k%d", i), i, 0).Err())
	}
	s.kill()
	segment := segments(t, s.dir)[0]
	info, err := os.Stat(segment)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(segment, info.Size()-3))

	s = startIn(t, s.dir)
	require.Contains(t, s.stderr.String(), "is cut off")
	kv = s.client(t, token, 3)
	require.EqualValues(t, 19, kv.DBSize(background).Val(), "all but the torn one")
	require.NoError(t, kv.Set(background, "k19", "again", 0).Err())
	s.kill()
	s = startIn(t, s.dir)
	require.EqualValues(t, 20, s.client(t, token, 3).DBSize(background).Val())
}

// withSnapshot returns a stopped server's directory, in which the data of
// acme/notes is in a snapshot alone, and the tokens of acme/notes and another
// app.
func withSnapshot(t *testing.T) (dir, token, other string) {
	t.Helper()
	s := start(t, smallSegments...)
	token, other = s.app(t, "acme/notes"), s.app(t, "other/notes")
	big := strings.Repeat("x", 4000)
	fill(t, s.client(t, token, 3), 500, func(i int) []any { return []any{"SET", fmt.Sprintf("k%d", i), big} })
	// The other app's writes push the journal on, until the segments with the
	// first one's are snapshotted and removed.
	kv := s.client(t, other, 3)
	files := segments(t, s.dir)
	last := files[len(files)-1]
	for i := 0; segments(t, s.dir)[0] <= last; i++ {
		require.Less(t, i, 20_000, "the journal keeps its old segments")
		require.NoError(t, kv.Set(background, fmt.Sprintf("k%d", i%100), big, 0).Err())
	}
	s.terminate()
	return s.dir, token, other
}

func snapshotOf(dir, tenant, app string) string {
	return filepath.Join(dir, "spaces", tenant, app+".snap")
}

// segments lists the journal's files, oldest first.
func segments(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "journal", "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// A space is read at its first use, so the damage of one harms no other.
func TestDamagedSnapshot(t *testing.T) {
	t.Parallel()
	dir, token, other := withSnapshot(t)
	path := snapshotOf(dir, "acme", "notes")
	flip(t, path)
	damaged, err := os.ReadFile(path)
	require.NoError(t, err)

	s := startIn(t, dir, smallSegments...)
	overBoth(t, func(t *testing.T, protocol int) {
		kv := s.client(t, token, protocol)
		for _, args := range [][]any{{"GET", "k1"}, {"SET", "k1", "v"}, {"DBSIZE"}, {"FLUSHALL"}} {
			err := kv.Do(background, args...).Err()
			require.ErrorContains(t, err, "PLATFORM_ERROR", "%v", args)
			require.NotContains(t, err.Error(), dir, "clients learn no paths")
		}
		require.NotErrorIs(t, s.client(t, other, protocol).Get(background, "k1").Err(), redis.Nil)
		require.NoError(t, s.client(t, other, protocol).Set(background, "k", "v", 0).Err())
	})
	require.Contains(t, s.stderr.String(), path)
	require.Regexp(t, `damaged at byte \d+`, s.stderr.String())
	s.terminate()
	now, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, damaged, now, "the file is kept for whoever repairs it")
}

// The same when the journal goes on from the damaged snapshot: a start loads
// nothing, so it is the namespace alone that fails.
func TestDamagedSnapshotUnderTheJournal(t *testing.T) {
	t.Parallel()
	dir, token, other := withSnapshot(t)
	s := startIn(t, dir, smallSegments...)
	require.NoError(t, s.client(t, token, 3).Set(background, "k1", "newer", 0).Err())
	s.terminate()
	path := snapshotOf(dir, "acme", "notes")
	flip(t, path)
	s = startIn(t, dir, smallSegments...)
	require.ErrorContains(t, s.client(t, token, 3).Get(background, "k1").Err(), "PLATFORM_ERROR")
	require.NoError(t, s.client(t, other, 3).Set(background, "k", "v", 0).Err())
	require.Contains(t, s.stderr.String(), path)
	require.Regexp(t, `damaged at byte \d+`, s.stderr.String())
	s.terminate()
}
