package bunt

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// prefill keeps zeros ahead of the journal's writes under SyncAlways. An fsync
// of bytes that replace zeros need not write the file's size as well, which on
// most disks is a second write to another place.
//
// A goroutine writes the zeros, never the leader. It does not fsync them either:
// the leader's next fsync carries them. (An fsync of its own might be the one
// that is told of an error.) Where there are none, when the disk is full say,
// records are appended as without this.
//
// The zeros end with the segment: closing it cuts them off.
type prefill struct {
	// mu is held while zeros are written, while records are written behind them,
	// and while the file is cut off or replaced.
	mu     sync.Mutex
	filled atomic.Int64 // size of the file, zeros included
	used   atomic.Int64 // what of it is records
	most   int64        // zeros that there may be: fillAhead
	piece  int64        // written at a time: fillPiece
	soon   chan struct{}
	off    atomic.Bool // the disk is full: not before the next tick
}

const (
	// fillAhead is how many bytes of zeros there may be.
	fillAhead = 1 << 20
	// fillPiece is how many are written at a time: an fsync that comes upon them
	// takes that much longer.
	fillPiece = 128 << 10
)

var zeros [fillPiece]byte

// writeAt writes a batch behind the records, over zeros or behind them.
func (j *journal) writeAt(batch []byte, off int64) (int, error) {
	p := &j.ahead
	end := off + int64(len(batch))
	if end > p.filled.Load() {
		p.mu.Lock() // no zeros come upon it
		defer p.mu.Unlock()
	}
	n, err := j.file.WriteAt(batch, off)
	end = off + int64(n)
	p.used.Store(end)
	if end > p.filled.Load() {
		p.filled.Store(end)
	}
	if j.mode == SyncAlways && p.filled.Load()-end < p.most/2 {
		j.fillSoon()
	}
	return n, err
}

// truncate cuts the file off.
func (j *journal) truncate(size int64) error {
	j.ahead.mu.Lock()
	defer j.ahead.mu.Unlock()
	return j.truncateLocked(size)
}

func (j *journal) truncateLocked(size int64) error {
	err := j.file.Truncate(size)
	if err == nil {
		j.ahead.filled.Store(size)
		j.ahead.used.Store(size)
	}
	return err
}

// trim cuts the zeros off. Callers hold ahead.mu, and fsync the file. An end of
// zeros does no harm: see blankRest.
func (j *journal) trim() {
	if j.ahead.filled.Load() > j.size {
		_ = j.truncateLocked(j.size)
	}
}

// begin makes f the file that is written to. Callers hold ahead.mu.
func (j *journal) begin(f file, size int64) {
	j.file, j.size, j.good = f, size, size
	j.ahead.filled.Store(size)
	j.ahead.used.Store(size)
}

func (j *journal) fillSoon() {
	select {
	case j.ahead.soon <- struct{}{}:
	default: // it is asked for already
	}
}

// filler runs while the store is open.
func (j *journal) filler(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-j.ahead.soon:
		}
		for j.fill() {
			select {
			case <-stop:
				return
			default:
			}
		}
	}
}

// fill writes a piece, and tells whether there is more to do.
func (j *journal) fill() bool {
	p := &j.ahead
	p.mu.Lock()
	defer p.mu.Unlock()
	if j.mode != SyncAlways || p.off.Load() || j.failed.Load() {
		return false
	}
	from := p.filled.Load()
	n := min(p.piece, p.used.Load()+p.most-from, j.rotateAt.Load()-from)
	if n <= 0 {
		return false
	}
	done, err := j.file.WriteAt(zeros[:n], from)
	p.filled.Store(from + int64(done))
	if err != nil {
		// The leader will notice what matters of it.
		p.off.Store(true)
	}
	return err == nil
}

// blank tells whether bytes where a record should begin are none: the length
// of a record is never 0.
func blank(b []byte) bool {
	b = b[:min(len(b), 8)]
	return len(b) > 0 && len(bytes.Trim(b, "\x00")) == 0
}

// blankRest tells whether the rest of a file is zeros: those that were written
// ahead. It consumes the reader if so, and maybe otherwise.
//
// Records that damage has turned into zeros up to the end look the same. They
// are missed where they count: by the next segment's header, which names the
// record that it follows, or by the manifest or a record that calls them durable.
func blankRest(r *bufio.Reader) (bool, error) {
	b, err := r.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if !blank(b) {
		return false, nil
	}
	for {
		if _, err := r.Peek(1); errors.Is(err, io.EOF) {
			return true, nil
		} else if err != nil {
			return false, err
		}
		b, _ := r.Peek(r.Buffered())
		if len(bytes.Trim(b, "\x00")) > 0 {
			return false, nil
		}
		_, _ = r.Discard(len(b))
	}
}

// blankEnd is blankRest for bytes in memory.
func blankEnd(b []byte) bool { return blank(b) && len(bytes.Trim(b, "\x00")) == 0 }
