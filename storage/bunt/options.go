package bunt

import (
	"log/slog"
	"time"

	"github.com/cubbykv/cubby/internal/wallclock"
	"github.com/cubbykv/cubby/storage"
)

// SyncMode says when the journal is fsynced, as appendfsync does in Redis.
type SyncMode int

const (
	// SyncEverySecond writes before Wait returns and fsyncs each second.
	SyncEverySecond SyncMode = iota
	// SyncAlways fsyncs before Wait returns.
	SyncAlways
	// SyncNo writes before Wait returns and leaves fsync to the system, except
	// at the end of a segment, in Drop and in Close.
	SyncNo
)

// String returns the mode's name in redis.conf.
func (m SyncMode) String() string {
	switch m {
	case SyncAlways:
		return "always"
	case SyncNo:
		return "no"
	default:
		return "everysec"
	}
}

// Options configures a Store. The zero value is a store in memory.
type Options struct {
	// Dir is the data directory; it is created when missing. Default "": memory
	// only, with no journal, no snapshots and no lock file.
	Dir string
	// Sync says when the journal is fsynced. Default SyncEverySecond.
	Sync SyncMode
	// SegmentBytes is the size in bytes at which a journal segment is closed. When
	// the journal is larger than four of them and than half of all snapshots, the
	// spaces in the oldest are snapshotted and it is deleted. Default 64 MiB.
	SegmentBytes int64
	// SnapshotRate bounds how many bytes per second are written to snapshots in the
	// background, unless writers or want of memory leave no choice. Default 64 MiB;
	// below 0 is no bound.
	SnapshotRate int64
	// IdleTimeout is how long nobody may have used a space of database 0 before it
	// leaves memory, until its next use. Default 0: never.
	IdleTimeout time.Duration
	// MaxMemory is how many bytes spaces may take, as memory.go counts them. Past
	// it the coldest spaces of database 0 leave memory; while those in use alone
	// are above it, MayGrow refuses. Default 0: no limit.
	MaxMemory int64
	// Clock returns the time in Unix milliseconds. It judges every expiry.
	// Default: the system's clock.
	Clock func() int64
	// Log gets what an operator should know. Default: slog.Default().
	Log *slog.Logger
	// IndexShards is how many ordered indexes the spaces share. Default 16.
	IndexShards int
	// OnExpired gets the keys that have expired in spaces for which WantEvents
	// was called, each once, within about a second of its end. It is called
	// outside all locks, by the sweeper or by an Update that came first, and
	// should not block. A key that ended while its space was not in memory goes
	// without notice. Default: nobody is told.
	OnExpired func(db int, id storage.ID, keys []string)

	// OnForgotten is called, outside all locks, when the journal's oldest end was
	// deleted: see History. It should not block. Default: nobody is told.
	OnForgotten func()

	// fs lets tests put faults under the store. Default: the system's files.
	fs fileSystem
	// txBytes is how many bytes of keys and values a transaction may write, unless
	// it is in one piece. All of it stays in memory until the end, and a record of
	// the journal must be less than 4 GiB. Default 1 GiB.
	txBytes int64
	// manual leaves the background work of a directory to the test.
	manual bool
}

const (
	defaultSegmentBytes = 64 << 20
	defaultSnapshotRate = 64 << 20
	defaultIndexShards  = 16
)

func (o Options) withDefaults() Options {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.SnapshotRate == 0 {
		o.SnapshotRate = defaultSnapshotRate
	}
	if o.Clock == nil {
		o.Clock = wallclock.Millis
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.txBytes <= 0 {
		o.txBytes = 1 << 30
	}
	if o.IndexShards <= 0 {
		o.IndexShards = defaultIndexShards
	}
	if o.fs == nil {
		o.fs = systemFS{}
	}
	return o
}
