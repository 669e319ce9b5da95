package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"time"
)

// writer is the half of a Trail that touches files. One goroutine uses it.
type writer struct {
	trail *Trail
	fs    fileSystem

	file   file  // nil after a failure to open one
	size   int64 // of its whole lines
	torn   bool  // bytes that could not be taken back stand behind them
	dirty  bool  // written to since the last sync
	sum    hash.Hash
	prev   string    // hash of the newest seal
	since  int64     // lines since then, seals not counted
	bytes  int       // of those lines
	sealed time.Time // when that was

	batch   []byte // taken from the queue
	rest    []byte // of batch, not written yet
	lines   uint64 // in batch, the trail's own not counted
	told    uint64 // lost lines that the trail tells of
	telling uint64 // the same once batch is written
	clock   Clock
	text    []byte
}

// idle is how long the writer may sleep when there is nothing to do.
const idle = time.Hour

// keptBytes is how much room is kept in any case.
const keptBytes = 1 << 20

// work writes what there is and returns after how long it wants to be called
// again at the latest.
func (w *writer) work() time.Duration {
	t := w.trail
	t.mu.Lock()
	if len(w.rest) == 0 {
		if cap(w.batch) > keptBytes && len(w.batch) < cap(w.batch)/4 {
			w.batch = nil // of a rush that is over
		}
		w.batch, t.queue = t.queue, w.batch[:0]
		w.lines, t.lines = t.lines, 0
		w.telling = t.dropped
		t.inFlight = len(w.batch)
		if lost := w.telling - w.told; lost > 0 {
			w.batch = append(w.batch, w.own(Dropped, AppendDetail(nil, "lines", int64(lost)))...)
		}
		w.rest = w.batch
	}
	settings, reopen, flushes := t.settings, t.reopen, t.flushes
	t.flushes = nil
	t.mu.Unlock()

	err := w.put(settings, reopen, len(flushes) > 0)

	t.mu.Lock()
	defer t.mu.Unlock()
	if (err == nil) != (t.failure == nil) {
		if err != nil {
			t.log.Error("audit: the trail cannot be written", "file", t.path, "error", err, "refuses", settings.Block)
		} else {
			t.log.Info("audit: the trail is written again", "file", t.path, "lost", t.dropped)
		}
	}
	t.failure = err
	if err == nil {
		t.reopen = t.reopen && !reopen
	}
	if len(w.rest) == 0 {
		t.inFlight = 0
		t.written += w.lines
		w.lines, w.told = 0, w.telling
	}
	if err == nil {
		t.stalled = false
		t.progress++
	}
	t.size, t.head = w.size, w.prev
	t.judge()
	for _, f := range flushes {
		f <- err // which has room for it
	}
	switch {
	case err != nil:
		return retryEvery
	case len(t.queue) > 0 || t.dropped > w.told || len(t.flushes) > 0:
		return 0
	case w.since > 0 || w.dirty:
		return max(0, sealEvery-t.clock().Sub(w.sealed))
	}
	return idle
}

// put writes rest, and seals and syncs what is due.
func (w *writer) put(s Settings, reopen, all bool) error {
	if w.file == nil || reopen {
		if err := w.reopen(s); err != nil {
			return err
		}
	}
	if w.torn {
		if err := w.turnOver(s); err != nil {
			return err
		}
	}
	for len(w.rest) > 0 {
		piece := wholeLines(w.rest, sealBytes)
		if s.FileBytes > 0 && w.size > 0 && w.size+int64(len(piece)) > s.FileBytes {
			if err := w.turnOver(s); err != nil {
				return err
			}
		}
		if err := w.write(piece); err != nil {
			return err
		}
		w.since += int64(bytes.Count(piece, newline))
		w.bytes += len(piece)
		w.rest = w.rest[len(piece):]
		if w.bytes >= sealBytes {
			if err := w.seal(); err != nil {
				return err
			}
		}
	}
	if all || w.trail.clock().Sub(w.sealed) >= sealEvery {
		if err := w.seal(); err != nil {
			return err
		}
		return w.sync(s)
	}
	return nil
}

var newline = []byte{'\n'}

// wholeLines returns the lines at the front of b that fit into most bytes, at
// least one.
func wholeLines(b []byte, most int) []byte {
	if len(b) <= most {
		return b
	}
	if end := bytes.LastIndexByte(b[:most], '\n'); end >= 0 {
		return b[:end+1]
	}
	return b[:bytes.IndexByte(b, '\n')+1]
}

// write appends whole lines or nothing.
func (w *writer) write(b []byte) error {
	n, err := w.file.Write(b)
	w.dirty = w.dirty || n > 0
	if err != nil {
		if n > 0 {
			w.torn = w.file.Truncate(w.size) != nil
		}
		return err
	}
	w.size += int64(n)
	w.sum.Write(b)
	return nil
}

// seal writes a line about those since the last seal, if there are any.
func (w *writer) seal() error {
	w.sealed = w.trail.clock()
	if w.since == 0 {
		return nil
	}
	head := hexSum(w.sum)
	line := w.own(Sealed, AppendDetail(AppendDetail(nil, "lines", w.since), "hash", head))
	before := w.sum
	w.sum = seeded(head)
	if err := w.write(line); err != nil {
		w.sum = before
		return err
	}
	w.prev, w.since, w.bytes = head, 0, 0
	return nil
}

// seeded begins the hash that the next seal will show.
func seeded(prev string) hash.Hash {
	h := sha256.New()
	h.Write([]byte(prev))
	return h
}

func (w *writer) sync(s Settings) error {
	if s.NoSync || !w.dirty {
		w.dirty = false
		return nil
	}
	err := w.file.Sync()
	w.dirty = err != nil
	return err
}

// end writes what is left and closes the file. The goroutine is gone.
func (w *writer) end() error {
	for {
		w.work()
		t := w.trail
		t.mu.Lock()
		err, left, s := t.failure, len(t.queue), t.settings
		t.mu.Unlock()
		if err == nil && left > 0 {
			continue
		}
		if w.file == nil {
			return err
		}
		if err == nil {
			err = w.seal()
		}
		if err == nil {
			err = w.sync(s)
		}
		t.mu.Lock()
		t.head = w.prev
		t.mu.Unlock()
		return errors.Join(err, w.file.Close())
	}
}

// own encodes a line of the trail's own.
func (w *writer) own(event Event, detail []byte) []byte {
	l := Line{Time: w.trail.clock(), Event: event, DB: -1, Micros: -1, Detail: detail}
	w.text = l.Append(w.text[:0], &w.clock)
	return w.text
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
