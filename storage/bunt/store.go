package bunt

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cubbykv/cubby/storage"
)

const (
	journalDir = "journal"
	spacesDir  = "spaces"
)

// Store is a storage.Store in this process, with or without a directory.
type Store struct {
	opts    Options
	dir     string // "" is memory only
	fs      fileSystem
	log     *slog.Logger
	clock   func() int64
	lock    *os.File
	journal *journal // nil in memory
	shards  []shard
	seed    maphash.Seed
	sweeper *sweeper

	observer observer

	version atomic.Uint64 // newest version given out
	numbers atomic.Uint32 // newest space number given out
	closed  atomic.Bool

	mu       sync.RWMutex
	spaces   [storage.Databases]map[storage.ID]*space
	dropping map[storage.ID]chan struct{} // closed when the drop is done

	// files serialises renames and removals of snapshots.
	files sync.Mutex
	// drops is held for reading by a drop until its snapshot is removed: no
	// segment is deleted meanwhile, since one may hold the drop's record.
	drops sync.RWMutex
	// holds counts the backups under way, which need every segment. Guarded by
	// drops.
	holds int
	// undead holds dropped namespaces whose snapshot could not be removed, with
	// the sequence of the drop. Guarded by files.
	undead map[storage.ID]uint64
	// unsettled holds tenants whose directory may have changed right before the
	// last process died, without an fsync. Guarded by compacting after the start.
	unsettled map[string]struct{}
	// compacting lets one snapshot be made at a time, and no segment be deleted
	// meanwhile.
	compacting sync.Mutex
	// dirty knows which spaces need a snapshot.
	dirty dirtyList
	// snapshotBytes is how large all snapshots are together, more or less.
	snapshotBytes atomic.Int64
	// replayed is the newest record that the start found.
	replayed uint64

	residents residents
	memory    atomic.Int64 // bytes that spaces take, as counted
	maxMemory atomic.Int64 // Options.MaxMemory, or what SetMemory said
	idleAfter atomic.Int64 // Options.IdleTimeout in milliseconds, or what SetMemory said
	expired   atomic.Int64 // keys that have ended and were removed
	crowded   atomic.Bool  // spaces in use are over MaxMemory
	crowd     chan struct{}

	compact chan struct{}
	broke   chan struct{} // asks for a rollback

	stop chan struct{}
	work sync.WaitGroup
}

var (
	_ storage.Store   = (*Store)(nil)
	_ storage.Settler = (*Store)(nil)
)

// Open returns a store on Options.Dir, or in memory without one. Errors:
// storage.ErrLocked, storage.ErrDamaged, and those of the system, which name
// the path.
func Open(opts Options) (*Store, error) {
	opts = opts.withDefaults()
	s := &Store{
		opts: opts, dir: opts.Dir, fs: opts.fs, log: opts.Log, clock: opts.Clock,
		shards:    make([]shard, opts.IndexShards),
		seed:      maphash.MakeSeed(),
		dropping:  make(map[storage.ID]chan struct{}),
		undead:    make(map[storage.ID]uint64),
		unsettled: make(map[string]struct{}),
		compact:   make(chan struct{}, 1),
		broke:     make(chan struct{}, 1),
		crowd:     make(chan struct{}, 1),
		stop:      make(chan struct{}),
	}
	s.maxMemory.Store(opts.MaxMemory)
	s.idleAfter.Store(opts.IdleTimeout.Milliseconds())
	for db := range s.spaces {
		s.spaces[db] = make(map[storage.ID]*space)
	}
	s.sweeper = newSweeper(&s.observer)
	for i := range s.shards {
		s.shards[i].onDue = s.sweeper.purge
	}
	if s.dir != "" {
		if err := s.openDir(); err != nil {
			s.release()
			return nil, unusable(s.dir, err)
		}
	}
	if s.dir != "" && !opts.manual {
		s.spawn(func() { s.journal.run(s.stop) })
		s.spawn(func() { s.journal.filler(s.stop) })
		s.spawn(s.compactor)
		s.spawn(s.mender)
	}
	if !opts.manual {
		s.spawn(s.unloader)
	}
	s.spawn(func() { s.sweeper.run(s.stop) })
	return s, nil
}

func (s *Store) spawn(fn func()) { s.work.Go(fn) }

func (s *Store) openDir() error {
	for _, dir := range []string{s.dir, filepath.Join(s.dir, journalDir), filepath.Join(s.dir, spacesDir)} {
		if err := makeDir(s.fs, dir); err != nil {
			return err
		}
		if dir == s.dir {
			var err error
			if s.lock, err = lockDir(dir); err != nil {
				return err
			}
		}
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return err
	}
	if err := s.removeUnfinished(); err != nil {
		return err
	}
	if err := s.openJournal(); err != nil {
		return err
	}
	// Database 1 leaves no trace of the versions that it used up. A version per
	// microsecond keeps new ones above them, and below 2^53 for JSON's sake.
	s.raiseVersion(uint64(max(0, s.clock())) << 10)
	if segments, _ := s.journal.closedSegments(); len(segments) > 0 {
		s.compactSoon()
	}
	return nil
}

// Namespace returns a database of a namespace, and reads its snapshot at first
// use. Errors: storage.ErrClosed, storage.ErrDamaged, the context's.
func (s *Store) Namespace(ctx context.Context, db int, id storage.ID) (storage.Namespace, error) {
	if db < 0 || db >= storage.Databases {
		return nil, fmt.Errorf("storage: there is no database %d", db)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if s.closed.Load() {
			return nil, storage.ErrClosed
		}
		s.mu.RLock()
		sp, drop := s.spaces[db][id], s.dropping[id]
		s.mu.RUnlock()
		if drop != nil {
			select {
			case <-drop:
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if sp == nil {
			sp = s.spaceFor(db, id)
			if sp == nil { // a drop began
				continue
			}
		}
		if err := sp.load(true); err != nil {
			return nil, err
		}
		return sp, nil
	}
}

// spaceFor returns a space, made but not loaded if it is new, or nil while the
// namespace is being dropped.
func (s *Store) spaceFor(db int, id storage.ID) *space {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp := s.spaces[db][id]; sp != nil {
		return sp
	}
	if s.dropping[id] != nil {
		return nil
	}
	id = storage.ID{Tenant: strings.Clone(id.Tenant), App: strings.Clone(id.App)}
	shard := maphash.String(s.seed, id.Tenant+"/"+id.App) % uint64(len(s.shards))
	sp := &space{store: s, db: db, name: id, shard: &s.shards[shard]}
	sp.head = appendName([]byte{byte(kindBatch)}, id)
	sp.renumber()
	sp.id = sp.number
	s.spaces[db][id] = sp
	return sp
}

// Wait returns when everything up to seq is written, under SyncAlways durable.
// Errors: storage.ErrWriteFailed, storage.ErrClosed, the context's.
func (s *Store) Wait(ctx context.Context, seq storage.Seq) error {
	if s.closed.Load() {
		return storage.ErrClosed
	}
	if seq == 0 || s.journal == nil {
		return nil
	}
	return s.journal.wait(ctx, uint64(seq))
}

// Settled is storage.Settler.
func (s *Store) Settled(seq storage.Seq) bool {
	switch {
	case s.closed.Load():
		return false
	case seq == 0 || s.journal == nil:
		return true
	}
	return s.journal.settled(uint64(seq))
}

// Sync makes every write that Update has returned from durable, whatever the
// SyncMode. Errors: storage.ErrWriteFailed, storage.ErrClosed, the context's.
func (s *Store) Sync(ctx context.Context) error {
	if s.closed.Load() {
		return storage.ErrClosed
	}
	if s.journal == nil {
		return nil
	}
	return s.journal.sync(ctx, s.journal.newest())
}

// Close stops the background work, makes all writes durable and lets go of the
// directory. A second Close does nothing. Errors: storage.ErrWriteFailed.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	for _, sp := range s.allSpaces() {
		sp.mu.Lock()   // whoever was inside has left; nobody else comes in
		sp.mu.Unlock() //nolint:staticcheck // the empty section is the point
	}
	close(s.stop)
	s.work.Wait()
	// A drop has passed its check and may still be writing.
	s.drops.Lock()
	defer s.drops.Unlock()
	var err error
	if s.journal != nil {
		err = s.journal.close()
	}
	s.release()
	return err
}

// release gives back what Open took.
func (s *Store) release() {
	for i := range s.shards {
		s.shards[i].close()
	}
	if s.lock != nil {
		_ = s.lock.Close() // ends the flock
	}
}

// allSpaces returns the spaces that there are now.
func (s *Store) allSpaces() []*space {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*space, 0, len(s.spaces[0])+len(s.spaces[1]))
	for _, spaces := range s.spaces {
		for _, sp := range spaces {
			all = append(all, sp)
		}
	}
	return all
}

// raiseVersion makes sure that no version up to v is given out again.
func (s *Store) raiseVersion(v uint64) {
	for {
		old := s.version.Load()
		if old >= v || s.version.CompareAndSwap(old, v) {
			return
		}
	}
}
