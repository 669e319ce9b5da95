package bunt

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cubbykv/cubby/storage"
)

// What the journal does when the disk refuses something.
//
// From the moment of the failure nothing more is promised: records up to
// promised() stay, all later ones are lost, whether a leader had them or they
// were pending, and whoever waits for one gets storage.ErrWriteFailed. Spaces
// that have a lost record are brought back to what was promised (rollback.go).
//
// Then the journal heals if the disk was full: the torn write was cut off, so
// the file is as it was. It goes on in a new segment, whose header says that the
// lost numbers are missing on purpose. Any other failure is final until a
// restart: after a failed fsync the system may have dropped pages, a second
// fsync does not write them and reports success, so what the disk holds is only
// known by reading it afresh.

// loss is a range of numbers whose records never came to be.
type loss struct{ after, upTo uint64 }

// syncError is an fsync of records that failed.
type syncError struct{ err error }

func (e *syncError) Error() string { return "fsync: " + e.err.Error() }
func (e *syncError) Unwrap() error { return e.err }

// canHeal tells whether an error goes away when somebody makes space.
func canHeal(err error) bool {
	var failedSync *syncError
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	return full && !errors.As(err, &failedSync)
}

// poison stops all writing. Callers hold mu.
func (j *journal) poison(err error, heals bool) {
	if j.err != nil && (heals || j.final.Load()) {
		return
	}
	j.err = fmt.Errorf("%w: %w", storage.ErrWriteFailed, err)
	j.pending = nil
	j.backlog.Store(0)
	if j.mode == SyncAlways {
		j.written.Store(j.durable.Load()) // the rest was taken back
	}
	j.failed.Store(true)
	if heals {
		j.log.Error("journal: the disk is full; writes are refused until there is space again", "error", err)
	} else {
		j.final.Store(true)
		j.log.Error("journal: THE DISK FAILED; writes are refused until a restart, and the newest may not survive a power cut", "error", err,
			"written", j.written.Load(), "durable", j.durable.Load())
	}
	j.wake()
	j.broken()
}

// A ticket is a storage.Seq: the number of a record in its low bits, and above
// them the epoch. Each recovery from a full disk begins a new epoch, and a new
// epoch is a LOWER number. That is because clients of the store keep the
// greatest of several tickets: one from before the failure, which may be lost,
// must not hide behind a newer one. 0 as epoch marks a bare number.
const (
	numberBits = 48
	numberMask = 1<<numberBits - 1
	oneEpoch   = 1 << numberBits
	firstEpoch = math.MaxUint64 &^ numberMask &^ oneEpoch // below storage.NeverSeq
)

// ticket makes a number a ticket. Callers hold the lock of the space whose
// newest record it is: that space was rolled back before the epoch changed.
func (j *journal) ticket(seq uint64) storage.Seq {
	if seq == 0 {
		return 0
	}
	return storage.Seq(j.epoch.Load() | seq)
}

// number returns which record to wait for. Errors: storage.ErrWriteFailed.
func (j *journal) number(ticket uint64) (uint64, error) {
	seq, epoch := ticket&numberMask, ticket&^uint64(numberMask)
	switch now := j.epoch.Load(); {
	case ticket == uint64(storage.NeverSeq):
		return ticket, nil
	case epoch == 0 || epoch == now:
		return seq, nil
	case epoch != now+oneEpoch:
		// Tickets of the epochs between may hide behind it, and be lost.
		return 0, errLost
	}
	// A newer ticket may hide behind this one: wait for whatever there is.
	if err := j.checkLost(seq); err != nil {
		return 0, err
	}
	return j.newest(), nil
}

var errLost = fmt.Errorf("%w: a write that was waited for has been taken back", storage.ErrWriteFailed)

// checkLost tells whether a record with this number never came to be. Errors:
// storage.ErrWriteFailed.
func (j *journal) checkLost(seq uint64) error {
	if j.epoch.Load() == firstEpoch {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.lost) - 1; i >= 0 && seq <= j.lost[i].upTo; i-- {
		if seq > j.lost[i].after {
			return errLost
		}
	}
	return nil
}

// probeBytes must fit on the disk before writes are taken again, so that the
// next one is not refused at once.
const probeBytes = 256 << 10

// heal lets a journal whose disk was full go on. Up to the number upTo, no space
// has a lost record any more. It returns nil when there was nothing to do, or
// why the journal still refuses writes.
func (j *journal) heal(upTo uint64) error {
	j.mu.Lock()
	if j.err == nil || j.final.Load() || j.busy || j.closed || j.last != upTo || j.epoch.Load() == oneEpoch {
		defer j.mu.Unlock()
		return j.err
	}
	j.busy = true
	after := j.promised()
	follows := max(after, j.segments[len(j.segments)-1].first-1)
	j.mu.Unlock()

	// One number is nobody's: the newest record is then never a lost one.
	next := segmentInfo{first: upTo + 2, follows: follows, version: j.version.Load(), salt: j.salt}
	err := j.reopen(next)
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.release()
	if err != nil {
		if !canHeal(err) {
			j.poison(err, false)
		}
		return err
	}
	if j.last != upTo { // a commit was late: its space has to be rolled back first
		return j.err
	}
	j.lost = append(j.lost, loss{after, upTo})
	j.last = upTo + 1
	j.written.Store(j.last)
	j.durable.Store(j.last)
	j.epoch.Store(j.epoch.Load() - oneEpoch)
	j.err = nil
	j.failed.Store(false)
	j.log.Info("journal: the disk has space again; writes go on")
	return nil
}

// reopen tries whether there is space, and begins a segment if so.
func (j *journal) reopen(next segmentInfo) error {
	if j.litter != "" {
		if err := j.fs.Remove(j.litter); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := j.fs.SyncDir(j.dir); err != nil {
			return err
		}
		j.litter = ""
	}
	probe := filepath.Join(filepath.Dir(j.dir), "PROBE"+tempSuffix)
	err := writeWhole(j.fs, probe, make([]byte, probeBytes))
	if rerr := j.fs.Remove(probe); err == nil {
		err = rerr
	}
	if err == nil {
		err = j.truncate(j.good)
	}
	if err == nil {
		err = j.nextSegment(next)
	}
	return err
}
