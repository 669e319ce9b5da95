package commands

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/redistest"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// able is a store with everything of storage's optional interfaces, each done
// by a function of the test's.
type able struct {
	storage.Store
	sync    func(ctx context.Context) error
	compact func() error
	backup  func(ctx context.Context, w io.Writer, progress func(done, total int64)) error
}

func (a *able) Sync(ctx context.Context) error  { return a.sync(ctx) }
func (a *able) Compact(_ context.Context) error { return a.compact() }
func (a *able) Backup(ctx context.Context, w io.Writer, progress func(done, total int64)) (storage.BackupInfo, error) {
	return storage.BackupInfo{}, a.backup(ctx, w, progress)
}

func newAble(t *testing.T) (*able, *harness) {
	t.Helper()
	clock := storetest.NewClock()
	store := &able{Store: storetest.NewMemory(clock)}
	return store, newHarnessOn(t, store, clock)
}

func TestWaitAOF(t *testing.T) {
	store, h := newAble(t)
	c := h.open()
	synced := 0
	store.sync = func(context.Context) error { synced++; return nil }
	require.Equal(t, "*2\r\n:1\r\n:0\r\n", c.do("WAITAOF", "1", "0", "0"))
	require.Equal(t, "*2\r\n:1\r\n:0\r\n", c.do("WAITAOF", "1", "3", "100"))
	require.Equal(t, 2, synced)
	require.Equal(t, "*2\r\n:0\r\n:0\r\n", c.do("WAITAOF", "0", "0", "0"))

	entered := make(chan struct{}, 1)
	store.sync = func(ctx context.Context) error { entered <- struct{}{}; <-ctx.Done(); return ctx.Err() }
	require.Equal(t, "*2\r\n:0\r\n:0\r\n", c.do("WAITAOF", "1", "0", "1"))
	<-entered
	release := make(chan struct{})
	store.sync = func(context.Context) error { entered <- struct{}{}; <-release; return nil } // an fsync that hangs
	require.Equal(t, "*2\r\n:0\r\n:0\r\n", c.do("WAITAOF", "1", "0", "1"))
	<-entered
	replies := c.pipeline([]string{"MULTI"}, []string{"SET", "a", "1"}, []string{"WAITAOF", "1", "0", "0"}, []string{"EXEC"})
	require.Equal(t, "*2\r\n+OK\r\n*2\r\n:0\r\n:0\r\n", replies[3], "nobody waits inside a transaction")
	close(release)

	store.sync = func(context.Context) error { return storage.ErrWriteFailed }
	require.True(t, strings.HasPrefix(c.do("WAITAOF", "1", "0", "0"), "-MISCONF "))

	plain := newHarness(t).open()
	require.Equal(t, "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n", plain.do("WAITAOF", "1", "0", "0"))
	require.Equal(t, "*2\r\n:0\r\n:0\r\n", plain.do("WAITAOF", "0", "0", "0"))
}

func TestWaitArguments(t *testing.T) {
	c := newHarness(t).open()
	for _, x := range []struct{ args, want string }{
		{"WAIT 0 0", ":0"},
		{"WAIT 3 100", ":0"},
		{"WAIT x 0", "-ERR value is not an integer or out of range"},
		{"WAIT 0 x", "-ERR timeout is not an integer or out of range"},
		{"WAIT 0 -1", "-ERR timeout is negative"},
		{"WAIT 0 9223372036854775807", ":0"},
		{"WAIT 0", "-ERR wrong number of arguments for 'wait' command"},
		{"WAITAOF 2 0 0", "-ERR value is out of range, value must between 0 and 1"},
		{"WAITAOF -1 0 0", "-ERR value is out of range, value must between 0 and 1"},
		{"WAITAOF x 0 0", "-ERR value is not an integer or out of range"},
		{"WAITAOF 0 -1 0", "-ERR value is out of range, must be positive"},
		{"WAITAOF 0 x 0", "-ERR value is not an integer or out of range"},
		{"WAITAOF 0 0 -1", "-ERR timeout is negative"},
		{"WAITAOF 0 0 x", "-ERR timeout is not an integer or out of range"},
		{"LASTSAVE now", "-ERR wrong number of arguments for 'lastsave' command"},
	} {
		require.Equal(t, x.want+"\r\n", c.do(strings.Fields(x.args)...), x.args)
	}
	// The words are Redis's, where this Redis has the command.
	redis := redistest.Start(t).Dial(t)
	for _, args := range []string{"WAIT 0 0", "WAIT x 0", "WAIT 0 x", "WAIT 0 -1", "WAIT 0 9223372036854775807", "WAITAOF 2 0 0", "WAITAOF x 0 0", "WAITAOF 0 -1 0", "WAITAOF 0 0 -1"} {
		if want := redis.Do(strings.Fields(args)...); !strings.HasPrefix(want, "-ERR unknown command") {
			require.Equal(t, want, c.do(strings.Fields(args)...), args)
		}
	}
}

func TestBackgroundSave(t *testing.T) {
	store, h := newAble(t)
	admin, app := h.admin(), h.open()
	started := h.engine.started.Unix()
	require.Equal(t, ":"+strconv.FormatInt(started, 10)+"\r\n", app.do("LASTSAVE"))
	require.Equal(t, "-NOPERM only the admin may run the 'bgsave' command\r\n", app.do("BGSAVE"))
	require.Equal(t, "-ERR syntax error\r\n", admin.do("BGSAVE", "NOW"))

	step := make(chan error)
	store.compact = func() error { return <-step }
	require.Equal(t, "+Background saving started\r\n", admin.do("BGSAVE"))
	require.Equal(t, "-ERR Background save already in progress\r\n", admin.do("BGSAVE", "SCHEDULE"))
	_, fields := infoOf(t, app.do("INFO", "persistence"))
	require.Equal(t, "1", fields["rdb_bgsave_in_progress"])
	h.clock.Advance(90 * time.Second)
	step <- nil
	idle := func() bool { _, busy, _ := h.engine.lastSave(); return !busy }
	require.Eventually(t, idle, 10*time.Second, time.Millisecond)
	require.Equal(t, ":"+strconv.FormatInt(started+90, 10)+"\r\n", app.do("LASTSAVE"))

	h.clock.Advance(time.Second)
	require.Equal(t, "+Background saving started\r\n", admin.do("BGSAVE", "schedule"))
	step <- errors.New("disk full")
	require.Eventually(t, idle, 10*time.Second, time.Millisecond)
	require.Equal(t, ":"+strconv.FormatInt(started+90, 10)+"\r\n", app.do("LASTSAVE"))
	_, fields = infoOf(t, app.do("INFO", "persistence"))
	require.Equal(t, "err", fields["rdb_last_bgsave_status"])
	require.Contains(t, h.log.String(), "disk full")

	plain := newHarness(t).admin()
	require.Contains(t, plain.do("BGSAVE"), "-ERR the storage backend saves by itself")
}

func TestBackupIsHandedOverInChunks(t *testing.T) {
	store, h := newAble(t)
	admin := h.admin()
	content := bytes.Repeat([]byte("0123456789abcdef"), backupChunk/16*2+1)
	store.backup = func(_ context.Context, w io.Writer, progress func(done, total int64)) error {
		_, err := w.Write(content)
		progress(1, 2)
		return err
	}
	require.Equal(t, "-NOPERM only the admin may run the 'backup|start' command\r\n", h.open().do("BACKUP", "START"))
	id := bodyOf(t, admin.do("BACKUP", "START"))
	require.Contains(t, admin.do("BACKUP", "START"), "-ERR a backup is under way")
	require.Contains(t, admin.do("BACKUP", "NEXT", "other"), "-ERR there is no backup with this id")
	var got []byte
	for {
		reply := admin.do("BACKUP", "NEXT", id)
		if reply == "$-1\r\n" {
			break
		}
		got = append(got, bodyOf(t, reply)...)
		require.Contains(t, admin.do("BACKUP", "STATUS"), "in_progress\r\n:1\r\n")
	}
	require.True(t, bytes.Equal(content, got))
	require.Equal(t, "*6\r\n$11\r\nin_progress\r\n:0\r\n$10\r\nbytes_done\r\n:0\r\n$11\r\nbytes_total\r\n:0\r\n", admin.do("BACKUP", "STATUS"))
	require.Contains(t, admin.do("BACKUP", "NEXT", id), "-ERR there is no backup with this id")
}

func TestBackupThatEnds(t *testing.T) {
	store, h := newAble(t)
	admin := h.admin()
	ended := make(chan error, 1)
	store.backup = func(ctx context.Context, w io.Writer, _ func(done, total int64)) error {
		_, err := w.Write([]byte("x"))
		<-ctx.Done()
		ended <- err
		return ctx.Err()
	}
	require.Equal(t, ":0\r\n", admin.do("BACKUP", "ABORT"))
	id := bodyOf(t, admin.do("BACKUP", "START"))
	require.Equal(t, ":1\r\n", admin.do("BACKUP", "ABORT"))
	require.ErrorIs(t, <-ended, errBackupAborted)
	require.Contains(t, admin.do("BACKUP", "NEXT", id), "-ERR there is no backup with this id")

	for _, x := range []struct {
		err  error
		want string
	}{
		{storage.ErrNoBackup, "-ERR this server keeps its data in memory only"},
		{&storage.DamageError{File: "f.snap", Offset: 7, Reason: "rot"}, "-ERR the backup was given up: f.snap: damaged at byte 7: rot (hint: stop the server and run 'cubby check')"},
		{errors.New("secret"), "-PLATFORM_ERROR "},
	} {
		store.backup = func(context.Context, io.Writer, func(done, total int64)) error { return x.err }
		id := bodyOf(t, admin.do("BACKUP", "START"))
		require.Contains(t, admin.do("BACKUP", "NEXT", id), x.want)
		require.Equal(t, ":0\r\n", admin.do("BACKUP", "ABORT"), "it is over")
	}
	require.Contains(t, newHarness(t).admin().do("BACKUP", "START"), "-ERR the storage backend has no backups")
}
