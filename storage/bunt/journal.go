package bunt

import (
	"context"
	"fmt"
	"hash/crc32"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// journal remembers the writes of database 0 of all spaces, in one sequence.
//
// Writers encode into a buffer in memory, under their space's lock. Whoever
// waits first becomes the leader: it writes all that is pending, and under
// SyncAlways fsyncs it, while the others wait for it and new records gather.
//
// A write or fsync that failed stops the journal, see failure.go. Later appends
// are counted but not kept.
type journal struct {
	fs           fileSystem
	dir          string
	mode         SyncMode
	segmentBytes int64
	observer     *observer
	salt         uint32
	log          *slog.Logger
	clock        func() int64
	version      *atomic.Uint64 // the store's version counter
	rotated      func()         // called after a segment was closed
	broken       func()         // called when the disk has refused something

	mu       sync.Mutex
	pending  []byte // sealed records that no leader has taken
	spare    []byte // the buffer that pending becomes next
	first    uint64 // sequence of the first record in pending
	last     uint64 // newest sequence given out
	busy     bool   // a leader is at work
	moved    chan struct{}
	err      error  // why nothing is written
	lost     []loss // oldest first
	closed   bool
	segments []segment // the last one is written to

	backlog  atomic.Int64  // len(pending)
	written  atomic.Uint64 // newest sequence that the system has
	durable  atomic.Uint64 // newest sequence that was fsynced
	crowded  atomic.Bool   // somebody has waited for a leader
	failed   atomic.Bool   // err is set
	final    atomic.Bool   // until a restart
	epoch    atomic.Uint64 // high bits of a ticket
	lastSync atomic.Int64  // Unix ms of the newest fsync

	// fileMu keeps an fsync in the background off a file that is being replaced.
	// What is below changes only in the leader's hands, and file under fileMu and
	// ahead.mu.
	fileMu   sync.Mutex
	file     file
	size     int64        // of the records and the header
	good     int64        // size before the last write
	rotateAt atomic.Int64 // size at which the next segment begins
	ahead    prefill
	litter   string // a segment that could not be created and may be there in part
}

const (
	// maxBacklog is how many bytes may be pending before an Update writes them
	// itself.
	maxBacklog = 4 << 20
	// syncEvery is the promise of SyncEverySecond, and how long records stay
	// pending when nobody waits for them.
	syncEvery = time.Second
)

// append gives a record its place. Callers hold the space's lock, so that a
// space's records stand in the order of its commits. head is the body's start
// (kind and name), ops the rest.
func (j *journal) append(head, ops []byte) uint64 {
	crc := crc32.Update(crc32.Update(j.salt, castagnoli, head), castagnoli, ops)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	if j.err != nil {
		return j.last
	}
	if len(j.pending) == 0 {
		j.first = j.last
	}
	j.pending = appendRecord(j.pending, j.last, j.durable.Load(), head, ops, crc)
	j.backlog.Store(int64(len(j.pending)))
	return j.last
}

// newest returns the newest sequence given out.
func (j *journal) newest() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// promised returns the newest sequence that may be answered.
func (j *journal) promised() uint64 {
	if j.mode == SyncAlways {
		return j.durable.Load()
	}
	return j.written.Load()
}

// failure returns why the journal refuses writes.
func (j *journal) failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// wait returns when everything up to a ticket, or up to the record with this
// number, may be answered. Errors: storage.ErrWriteFailed, storage.ErrClosed,
// the context's.
func (j *journal) wait(ctx context.Context, ticket uint64) error {
	seq, err := j.number(ticket)
	if err != nil {
		return err
	}
	for seq > j.promised() {
		lead, err := j.join(ctx, seq)
		if err != nil {
			return err
		}
		if lead {
			_ = j.lead(false)
		}
	}
	return j.checkLost(seq)
}

// settled tells whether wait would return nil at once.
func (j *journal) settled(ticket uint64) bool {
	seq, err := j.number(ticket)
	return err == nil && seq <= j.promised() && j.checkLost(seq) == nil
}

// join makes the caller the leader, or waits until the present one has moved
// the journal on. The caller looks again after both.
func (j *journal) join(ctx context.Context, seq uint64) (lead bool, err error) {
	j.mu.Lock()
	switch {
	case seq <= j.promised():
		j.mu.Unlock()
		return false, nil
	case j.err != nil || j.closed:
		defer j.mu.Unlock()
		return false, j.refusal()
	case !j.busy && seq <= j.last:
		j.busy = true
		j.mu.Unlock()
		return true, nil
	}
	return false, j.follow(ctx)
}

// refusal tells why nothing is written any more. Callers hold mu.
func (j *journal) refusal() error {
	if j.err != nil {
		return j.err
	}
	return storage.ErrClosed
}

// follow waits for the next move. Callers hold mu, which it gives back.
func (j *journal) follow(ctx context.Context) error {
	j.crowded.Store(true)
	if j.moved == nil {
		j.moved = make(chan struct{})
	}
	moved := j.moved
	j.mu.Unlock()
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wake lets followers look again. Callers hold mu.
func (j *journal) wake() {
	if j.moved != nil {
		close(j.moved)
		j.moved = nil
	}
}

// lead writes what is pending. The caller has set busy. With rotate, the
// records go into a new segment, whatever the size of the present one, and it is
// an error if that cannot be made.
func (j *journal) lead(rotate bool) error {
	if j.crowded.Swap(false) {
		runtime.Gosched() // who is about to append gets carried along: fewer, larger writes
	}
	j.mu.Lock()
	batch, first, last := j.pending, j.first, j.last
	j.pending, j.spare = j.spare[:0], nil
	j.backlog.Store(0)
	j.mu.Unlock()
	if len(batch) == 0 {
		first = last + 1
	}

	held, err := j.write(batch, first, rotate)

	j.mu.Lock()
	if err == nil {
		err = j.err // an fsync failed meanwhile: nothing more is promised
	}
	if err == nil {
		j.written.Store(last)
		j.segments[len(j.segments)-1].size = j.size
	}
	if cap(batch) <= 2*maxBacklog {
		j.spare = batch[:0]
	}
	if err == nil && j.mode != SyncAlways {
		j.release()
		j.mu.Unlock()
		return held
	}
	j.mu.Unlock()
	if err == nil {
		err = j.syncFile(last)
	}
	heals := err != nil && j.retract(err)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.poison(err, heals)
		held = j.err
	}
	j.release()
	return held
}

// release ends a leader's work. Callers hold mu.
func (j *journal) release() {
	j.busy = false
	j.wake()
}

// sync makes everything up to a ticket or number durable, in any mode.
func (j *journal) sync(ctx context.Context, ticket uint64) error {
	if err := j.wait(ctx, ticket); err != nil {
		return err
	}
	seq, err := j.number(ticket)
	if err != nil {
		return err
	}
	return j.syncFile(seq)
}

// relieve writes the backlog when it has grown too long.
func (j *journal) relieve() {
	if j.backlog.Load() > maxBacklog {
		_ = j.wait(context.Background(), j.newest()) // whoever waits for the record gets the error
	}
}

// rotate closes the present segment unless it is empty.
func (j *journal) rotate(ctx context.Context) error {
	for {
		j.mu.Lock()
		if j.err != nil || j.closed {
			defer j.mu.Unlock()
			return j.refusal()
		}
		if !j.busy {
			j.busy = true
			j.mu.Unlock()
			break
		}
		if err := j.follow(ctx); err != nil {
			return err
		}
	}
	return j.lead(true)
}

// run keeps the promise of SyncEverySecond, and writes what nobody waits for.
func (j *journal) run(stop <-chan struct{}) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		j.tick()
	}
}

// tick does what is due each second. Errors were logged where they happened.
func (j *journal) tick() {
	j.ahead.off.Store(false)
	err := j.wait(context.Background(), j.newest())
	if j.mode != SyncNo || err != nil {
		_ = j.syncFile(j.written.Load()) // also what was answered before the disk was full
	}
}

// close writes and fsyncs everything. Nobody appends any more.
func (j *journal) close() error {
	err := j.wait(context.Background(), j.newest())
	// What was answered before the disk was full has to be durable as well.
	if serr := j.syncFile(j.written.Load()); err == nil {
		err = serr
	}
	if err == nil {
		err = j.finish()
	}
	if err == nil {
		if merr := j.writeManifest(j.segments[0].first); merr != nil {
			j.log.Warn("journal: its end could not be recorded; damage to its last record would not be noticed", "error", merr)
		}
	}
	j.mu.Lock()
	j.closed = true
	j.wake()
	j.mu.Unlock()
	j.fileMu.Lock()
	defer j.fileMu.Unlock()
	if cerr := j.file.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("%w: %w", storage.ErrWriteFailed, cerr)
	}
	return err
}
