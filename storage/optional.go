package storage

import (
	"context"
	"io"
	"time"
)

// What a Store may be able to do beyond the contract. The engine asks with a
// type assertion, and says so to the client when a backend lacks it.

// Syncer makes writes durable on demand, whatever Wait promises.
type Syncer interface {
	// Sync returns when every write that an Update has returned from is durable.
	// Errors: ErrWriteFailed, ErrClosed, the context's.
	Sync(ctx context.Context) error
}

// Expirer tells of keys that have expired, to whoever it was opened with.
type Expirer interface {
	// WantEvents turns that on or off for one database of a namespace. While it
	// is on, each key is told once, within about a second of its end; those that
	// ended while nobody had the namespace in memory are not. It may wait for a
	// Drop under way, so it must not be called inside a transaction.
	WantEvents(db int, id ID, want bool)
}

// Bounded is a store whose memory has a limit. It cannot know which write is
// meant to make room, so it refuses none: whoever knows asks before.
type Bounded interface {
	// MayGrow returns ErrOutOfMemory while data must not grow, or nil. It is as
	// fast as a read of a variable.
	MayGrow() error
}

// Peeker tells what a namespace holds without reading it from the disk and
// without waiting for those who use it.
type Peeker interface {
	// Peek looks at one database of a namespace.
	Peek(db int, id ID) Peek
}

// Peek is what can be told of a database at once.
type Peek struct {
	Usage         // as it was when somebody looked last; while InMemory, nearly always now
	Known    bool // Usage tells something: nobody has looked since the start otherwise
	InMemory bool
}

// What an Observed store tells of, by the names that Redis's LATENCY has for it.
const (
	TookJournalWrite = "aof-write"        // records were written to the journal
	TookJournalSync  = "aof-fsync-always" // clients waited for an fsync of the journal
	TookExpiry       = "expire-cycle"     // expired keys were removed, under the namespace's lock
)

// Observed tells how long it held others up.
type Observed interface {
	// Observe has told called for each event from now on; nil ends that. It is
	// called with locks held, so it must be quick and leave the store alone.
	Observe(told func(event string, took time.Duration))
}

// Settler is a Store that knows what Wait would say.
type Settler interface {
	// Settled tells whether Wait would return nil at once. It never waits for a
	// disk.
	Settled(seq Seq) bool
}

// Compactor writes what has changed into the form that loads fastest.
type Compactor interface {
	// Compact returns when every change made before the call is in it. Errors:
	// ErrWriteFailed, ErrClosed, the system's, the context's.
	Compact(ctx context.Context) error
}

// Backuper writes all durable data as one file.
type Backuper interface {
	// Backup writes every database 0 as it is at one position of the history,
	// while reads and writes go on. progress, unless nil, hears of each step; its
	// total is an estimate. Errors: ErrDamaged, ErrNoBackup, ErrWriteFailed,
	// ErrClosed, the system's, the context's, the writer's.
	Backup(ctx context.Context, w io.Writer, progress func(done, total int64)) (BackupInfo, error)
}

// BackupInfo describes a backup.
type BackupInfo struct {
	CreatedAt int64 // Unix milliseconds; the time of Seq
	Seq       Seq   // the position in the history that it shows
	Files     int   // in it
	Bytes     int64 // of the files in it
}

// Forgetter keeps a history of its writes beside the data, and deletes it from
// the oldest end.
type Forgetter interface {
	// History returns the positions of the oldest write that the history still has
	// and of the newest write so far, which are no Seqs. Of what was dropped before
	// newest, nothing is left once oldest is greater. Without a history oldest is
	// math.MaxUint64.
	History() (oldest, newest uint64)
}
