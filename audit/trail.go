package audit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Settings are what may change of a Trail while it is open.
type Settings struct {
	FileBytes  int64 // a file that would grow beyond is turned over; 0 is never
	Files      int   // how many files that were turned over are kept; 0 keeps all
	QueueBytes int   // of lines that wait to be written
	// Block makes those who would overfill the queue wait (Pressure) instead of
	// dropping their lines.
	Block bool
	// NoSync leaves it to the system when lines reach the disk. Otherwise that is
	// asked for once a second, and when a file ends.
	NoSync bool
}

// Options configure a Trail.
type Options struct {
	Path string // required; files that were turned over are Path.000001 and so on
	Settings
	Version string           // of the server, for the first line
	Clock   func() time.Time // default time.Now
	Log     *slog.Logger     // hears of failures; default discards

	fs     fileSystem // default the system's
	manual bool       // no goroutine: a test calls work
}

// Pressure says what the trail asks of those who act. It is none unless the
// trail blocks.
type Pressure int32

// The pressures, in the order of severity.
const (
	Calm   Pressure = iota
	Full            // commands that change data are to wait (Room)
	Packed          // all but the admin's commands are to wait
	Broken          // nobody is to wait; commands that change data are to be refused
)

// stallAfter is how long the writer may get nothing done while the queue is
// full. Then the disk counts as broken.
const stallAfter = 5 * time.Second

// Bounds on how often the writer acts.
const (
	writeEvery = 5 * time.Millisecond // at most; what a crash of the process may lose
	sealEvery  = time.Second
	retryEvery = time.Second
	sealBytes  = 1 << 20 // sealed sooner when there is this much
)

// Stats is how a trail does.
type Stats struct {
	Path      string
	Written   uint64 // lines, the trail's own not counted
	Dropped   uint64 // lines that are lost
	Queued    int    // bytes that wait
	FileBytes int64  // of the present file
	Head      string // hash of the newest seal
	Err       error  // of the last write; nil when it went well
	Pressure  Pressure
}

// ErrClosed is returned after Close.
var ErrClosed = errors.New("audit: the trail is closed")

// Trail writes lines to files. Its methods are safe for concurrent use.
type Trail struct {
	path    string
	clock   func() time.Time
	log     *slog.Logger
	version string

	pressure atomic.Int32

	mu       sync.Mutex // guards what follows
	settings Settings
	queue    []byte // whole lines
	lines    uint64 // in it
	inFlight int    // bytes that the writer has taken and not written
	written  uint64
	dropped  uint64
	progress uint64 // of the writer
	room     chan struct{}
	failure  error // of the writer's last try
	stalled  bool
	watching bool // a check for a stall is due
	closed   bool
	reopen   bool
	flushes  []chan error
	size     int64
	head     string

	wake chan struct{}
	stop chan struct{}
	done chan struct{}
	w    *writer // of the goroutine that writes
}

// Open opens or creates the file and goes on with its chain. Errors: the
// system's, or one that says that another process writes the file.
func Open(o Options) (*Trail, error) {
	t := &Trail{
		path: o.Path, clock: o.Clock, log: o.Log, version: o.Version, settings: o.Settings,
		room: make(chan struct{}), wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if t.clock == nil {
		t.clock = time.Now
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	fs := o.fs
	if fs == nil {
		fs = systemFS{}
	}
	t.w = &writer{trail: t, fs: fs}
	if err := t.w.open(o.Settings); err != nil {
		return nil, err
	}
	t.size, t.head = t.w.size, t.w.prev
	if o.manual {
		close(t.done)
	} else {
		go t.run()
	}
	return t, nil
}

// Append hands over n whole lines and does not keep them. It waits for no disk.
// It tells whether the trail is open; lines that found no room are counted.
func (t *Trail) Append(lines []byte, n int) bool {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return false
	}
	queued := len(t.queue) + t.inFlight
	full := queued > 0 && queued+len(lines) > t.settings.QueueBytes
	if t.settings.Block {
		full = queued >= 2*t.settings.QueueBytes // from here on everybody waits who may: Packed
	}
	if full {
		t.dropped += uint64(n)
	} else {
		t.queue = append(t.queue, lines...)
		t.lines += uint64(n)
	}
	t.judge()
	failing := t.failure != nil
	t.mu.Unlock()
	if !failing { // then the writer tries again by itself
		t.nudge()
	}
	return true
}

// nudge makes the writer look.
func (t *Trail) nudge() {
	select {
	case t.wake <- struct{}{}:
	default: // it is going to
	}
}

// judge sets the pressure; mu is held.
func (t *Trail) judge() {
	p, queued := Calm, len(t.queue)+t.inFlight
	if t.settings.Block {
		switch {
		case t.failure != nil || t.stalled:
			p = Broken
		case queued >= 2*t.settings.QueueBytes:
			p = Packed
		case queued >= t.settings.QueueBytes:
			p = Full
		}
	}
	if was := Pressure(t.pressure.Load()); p != was {
		t.pressure.Store(int32(p))
		if p < was || p == Broken {
			close(t.room)
			t.room = make(chan struct{})
		}
	}
	if (p == Full || p == Packed) && !t.watching {
		t.watching = true
		since := t.progress
		time.AfterFunc(stallAfter, func() { t.checkStall(since) })
	}
}

// checkStall finds out whether the writer got nothing done since then.
func (t *Trail) checkStall(since uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watching = false
	if p := Pressure(t.pressure.Load()); p != Full && p != Packed {
		return
	}
	if t.stalled = t.progress == since; t.stalled {
		t.log.Error("audit: the disk does not take what is written to the trail", "file", t.path)
	}
	t.judge()
}

// Pressure returns what the trail asks for now. It is as fast as a read of a
// variable.
func (t *Trail) Pressure() Pressure { return Pressure(t.pressure.Load()) }

// Room returns a channel that is closed when the pressure gets less, or turns
// to Broken.
func (t *Trail) Room() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.room
}

// Configure changes settings.
func (t *Trail) Configure(s Settings) {
	t.mu.Lock()
	t.settings = s
	t.judge()
	t.mu.Unlock()
	t.nudge()
}

// Reopen makes the writer close its file and open Path, for tools that have
// moved it.
func (t *Trail) Reopen() {
	t.mu.Lock()
	t.reopen = true
	t.mu.Unlock()
	t.nudge()
}

// Flush returns when all lines handed over so far are written and sealed, and
// on the disk unless NoSync. Errors: the system's, ErrClosed, the context's.
func (t *Trail) Flush(ctx context.Context) error {
	done := make(chan error, 1)
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	t.flushes = append(t.flushes, done)
	t.mu.Unlock()
	t.nudge()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes and seals what is left, tries once, and closes the file. Errors:
// the system's, and then lines are lost.
func (t *Trail) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	t.closed = true
	t.settings.Block = false
	t.judge()
	t.mu.Unlock()
	close(t.stop)
	<-t.done
	return t.w.end()
}

// Stats returns how the trail does.
func (t *Trail) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Stats{
		Path: t.path, Written: t.written, Dropped: t.dropped, Queued: len(t.queue) + t.inFlight,
		FileBytes: t.size, Head: t.head, Err: t.failure, Pressure: Pressure(t.pressure.Load()),
	}
}

// run is the goroutine that writes.
func (t *Trail) run() {
	defer close(t.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		pause := t.w.work()
		timer.Reset(pause)
		// At most one write in writeEvery: what comes meanwhile shares the next.
		select {
		case <-t.stop:
			return
		case <-time.After(writeEvery):
		}
		select {
		case <-t.stop:
			return
		case <-t.wake:
		case <-timer.C:
		}
	}
}
