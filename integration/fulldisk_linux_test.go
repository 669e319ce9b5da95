package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// A full disk refuses writes and serves reads; what was refused is not there,
// what was acknowledged is, and writes work again when there is room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Skipf("a small disk needs the right to mount one: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	for _, fsync := range []string{"everysec", "always"} {
		t.Run(fsync, func(t *testing.T) {
			data := filepath.Join(dir, fsync)
			directives := []string{"--appendfsync", fsync, "--journal-segment-size", "1mb"}
			t.Cleanup(func() { // after the servers' end
				require.NoError(t, os.RemoveAll(data))
				require.NoError(t, resizeDisk(dir, "12m"))
			})
			s := startIn(t, data, directives...)
			token := s.app(t, "acme/notes")
			kv := s.client(t, token, 3)
			value := string(bytes.Repeat([]byte("v"), 60_000))
			kept := 0
			var refused error
			for refused == nil {
				if refused = kv.Set(background, fmt.Sprint(kept), value, 0).Err(); refused == nil {
					kept++
				}
				require.Less(t, kept, 1000, "the disk holds 12 MB")
			}
			var reply redis.Error
			require.ErrorAs(t, refused, &reply)
			require.Regexp(t, "^MISCONF ", refused.Error())
			require.NotContains(t, refused.Error(), dir, "clients learn nothing of the server's files")
			// For a moment, until what was refused is taken back, reads of that
			// namespace are refused as well.
			var keys int64
			require.Eventually(t, func() bool {
				var err error
				keys, err = kv.DBSize(background).Result()
				return err == nil
			}, 10*time.Second, time.Millisecond)
			require.Equal(t, int64(kept), keys)
			require.Equal(t, redis.Nil, kv.Get(background, fmt.Sprint(kept)).Err(), "what was refused is not visible")
			require.Equal(t, value, kv.Get(background, "0").Val(), "reads go on")

			require.NoError(t, resizeDisk(dir, "24m"))
			require.Eventually(t, func() bool { return kv.Set(background, "after", "1", 0).Err() == nil },
				30*time.Second, 50*time.Millisecond, "it heals by itself")
			s.kill()
			r := run(t, exec.Command(binary, "check", data))
			require.Zero(t, r.code, "%s%s", r.stdout, r.stderr)
			s = startIn(t, data, directives...)
			kv = s.client(t, token, 3)
			for i := range kept {
				require.Equal(t, value, kv.Get(background, fmt.Sprint(i)).Val(), "acknowledged before the disk was full")
			}
			require.Equal(t, "1", kv.Get(background, "after").Val())
			require.Equal(t, int64(kept+1), kv.DBSize(background).Val())
		})
	}
}

func resizeDisk(dir, size string) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size="+size)
}
