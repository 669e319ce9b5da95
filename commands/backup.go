package commands

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

// A backup is handed to the client that asked for it, a chunk per command, so
// that the file is written with that client's rights, on its disk and under a
// name of its choice: an admin's password must not be the right to write files
// on the server. The pace is the client's; while it takes its time the server
// keeps journal files that it would delete, and nothing else.

func backupRows() []*Command {
	const acl = "slow admin dangerous"
	return []*Command{
		{Name: "backup", Arity: -2, ACL: acl, Group: "admin", Since: "cubby 0.2.0", Syntax: "subcommand [argument ...]",
			Doc: "Takes a backup of all durable data through this connection; the command 'cubby backup' does it."},
		{Name: "backup|start", Arity: 2, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.2.0",
			Doc: "Begins a backup and returns its id. One can be under way; it ends when nobody has asked for its next chunk for a minute.", Run: runBackupStart},
		{Name: "backup|next", Arity: 3, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.2.0", Syntax: "id",
			Doc: "Returns the next chunk of a backup's bytes, nil when it is complete.", Run: runBackupNext},
		{Name: "backup|status", Arity: 2, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.2.0",
			Doc: "Tells whether a backup is under way, and how much of about how much it has read.", Run: runBackupStatus},
		{Name: "backup|abort", Arity: 2, Flags: Admin | NoMulti, ACL: acl, Group: "admin", Since: "cubby 0.2.0",
			Doc: "Ends the backup under way; returns 1, or 0 when there is none.", Run: runBackupAbort},
	}
}

const (
	backupChunk = 1 << 20
	// backupIdle is how long a backup waits for somebody to take its next chunk.
	backupIdle = time.Minute
)

var (
	errBackupBusy        = kverr.New(kverr.Err, "a backup is under way").WithHint("BACKUP STATUS tells how far it is, BACKUP ABORT ends it")
	errBackupGone        = kverr.New(kverr.Err, "there is no backup with this id").WithHint("it ends when nobody has asked for its next chunk for a minute; begin again with BACKUP START")
	errBackupUnsupported = kverr.New(kverr.Err, "the storage backend has no backups of its own; use the tools that come with it")
	errBackupNoDisk      = kverr.New(kverr.Err, "this server keeps its data in memory only: there is nothing to back up")
	errBackupAborted     = errors.New("the backup was ended")
)

// backups holds the backup under way, if there is one.
type backups struct {
	mu  sync.Mutex
	job *backupJob
}

// backupJob is a backup under way.
type backupJob struct {
	id     string
	pipe   *io.PipeReader
	cancel context.CancelFunc
	idle   *time.Timer
	chunk  sync.Mutex // one NEXT at a time

	mu          sync.Mutex
	done, total int64
}

func runBackupStart(c *Call) error {
	e := c.Engine
	store, ok := e.store.(storage.Backuper)
	if !ok {
		return errBackupUnsupported
	}
	e.backups.mu.Lock()
	defer e.backups.mu.Unlock()
	if e.backups.job != nil {
		return errBackupBusy
	}
	ctx, cancel := context.WithCancel(context.Background()) // it outlives this command
	r, w := io.Pipe()
	job := &backupJob{id: rand.Text(), pipe: r, cancel: cancel}
	job.idle = time.AfterFunc(backupIdle, func() {
		if e.endBackup(job) {
			e.log.Warn("a backup was ended: nobody asked for its next chunk")
		}
	})
	e.backups.job = job
	go func() {
		info, err := store.Backup(ctx, w, job.step)
		if err == nil {
			e.log.Info("a backup was read to its end", "files", info.Files, "bytes", info.Bytes)
		}
		_ = w.CloseWithError(err) // nil is the end of the file
	}()
	e.log.Info("a backup begins")
	c.Out.BulkString(job.id)
	return nil
}

func (j *backupJob) step(done, total int64) {
	j.mu.Lock()
	j.done, j.total = done, total
	j.mu.Unlock()
}

// endBackup forgets a job and tells whether it was still there.
func (e *Engine) endBackup(job *backupJob) bool {
	e.backups.mu.Lock()
	there := e.backups.job == job
	if there {
		e.backups.job = nil
	}
	e.backups.mu.Unlock()
	job.idle.Stop()
	job.cancel()
	_ = job.pipe.CloseWithError(errBackupAborted) // lets go of a writer that waits
	return there
}

func runBackupNext(c *Call) error {
	e := c.Engine
	e.backups.mu.Lock()
	job := e.backups.job
	e.backups.mu.Unlock()
	if job == nil || job.id != c.arg(2) {
		return errBackupGone
	}
	job.chunk.Lock()
	defer job.chunk.Unlock()
	stop := context.AfterFunc(c.Ctx, func() { e.endBackup(job) })
	defer stop()
	job.idle.Stop()
	chunk := make([]byte, backupChunk)
	n, err := io.ReadFull(job.pipe, chunk)
	job.idle.Reset(backupIdle)
	switch {
	case err == nil, errors.Is(err, io.ErrUnexpectedEOF):
		c.Out.Bulk(chunk[:n]) // the one behind the last is empty
		return nil
	case errors.Is(err, io.EOF):
		e.endBackup(job)
		c.Out.Null()
		return nil
	}
	e.endBackup(job)
	switch {
	case errors.Is(err, storage.ErrNoBackup):
		return errBackupNoDisk
	case errors.Is(err, errBackupAborted), errors.Is(err, io.ErrClosedPipe):
		return errBackupGone
	case errors.Is(err, storage.ErrDamaged):
		// The admin is the operator: this is what the error is for.
		return kverr.Newf(kverr.Err, "the backup was given up: %s", strings.ReplaceAll(err.Error(), "\n", " ")).
			WithHint("stop the server and run 'cubby check'").WithCause(err)
	}
	return err
}

func runBackupStatus(c *Call) error {
	e := c.Engine
	e.backups.mu.Lock()
	job := e.backups.job
	e.backups.mu.Unlock()
	var done, total, busy int64
	if job != nil {
		busy = 1
		job.mu.Lock()
		done, total = job.done, job.total
		job.mu.Unlock()
	}
	c.Out.Map(3)
	c.Out.BulkString("in_progress")
	c.Out.Int(busy)
	c.Out.BulkString("bytes_done")
	c.Out.Int(done)
	c.Out.BulkString("bytes_total")
	c.Out.Int(total)
	return nil
}

func runBackupAbort(c *Call) error {
	e := c.Engine
	e.backups.mu.Lock()
	job := e.backups.job
	e.backups.mu.Unlock()
	if job == nil || !e.endBackup(job) {
		c.Out.Int(0)
		return nil
	}
	c.Out.Int(1)
	return nil
}
