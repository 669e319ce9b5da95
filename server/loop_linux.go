package server

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// tickEvery is how often a loop looks for connections that are idle or do not
// take their replies.
const tickEvery = time.Second

const (
	// shortWait is how long, in ms, a loop that was busy waits for more before
	// it is parked.
	shortWait = 1
	// yieldEvery is how long a busy loop keeps its processor from others: it
	// never parks, and the scheduler would only stop it after 10 ms.
	yieldEvery = 100 * time.Microsecond
	// yieldSeldom is for loops that leave a processor to the others anyway. Each
	// yield wakes up a thread there, to find that there is nothing to do.
	yieldSeldom = 10 * yieldEvery
)

// loop serves many connections from one goroutine: it runs what has arrived on
// all of them, waits once for the store, and sends all the replies. So a busy
// server makes no goroutine switches, and one write to the journal (one fsync
// under appendfsync always) carries everybody.
//
// Nothing on it may wait for one client or one namespace: what would wait is
// run elsewhere and comes back as a task.
type loop struct {
	server *Server
	fd     int // of the epoll instance
	parker parker
	waker  int // an eventfd among the events
	events [256]unix.EpollEvent

	conns    map[int]*loopConn // by file descriptor
	busy     []*loopConn       // can go on although nothing arrives
	spare    []*loopConn       // the buffer that busy becomes next
	telling  []*loopConn       // have only messages to send, and wait for their turn
	answered []*loopConn       // have replies to send

	shares       map[any]*share // of who has connections here
	backlog      []*share       // have connections that wait for their share
	spareBacklog []*share       // the buffer that backlog becomes next
	turns        uint64

	ticker  *time.Timer
	procs   int // how many goroutines can run at once
	yields  time.Duration
	now     time.Time // of this turn
	yielded time.Time
	away    int   // connections whose batch a goroutine runs
	waits   waits // with Options.SlowWaits
	read    int64 // bytes of this turn
	written int64
	ended   bool

	load   atomic.Int64 // connections, those on their way included
	mu     sync.Mutex   // guards what follows
	tasks  []func()
	asleep bool // somebody has to write to waker
}

// startLoops returns n running loops. Errors: those of the system calls.
func startLoops(s *Server, n int) ([]*loop, error) {
	var loops []*loop
	for range n {
		l, err := newLoop(s)
		if err != nil {
			for _, l := range loops {
				l.stop()
			}
			return nil, fmt.Errorf("server: event loop: %w", err)
		}
		l.procs, l.yields = runtime.GOMAXPROCS(0), yieldEvery
		if n < l.procs {
			l.yields = yieldSeldom
		}
		if s.options().SlowWaits {
			l.startWaiting()
		}
		loops = append(loops, l)
		go l.run()
	}
	return loops, nil
}

func newLoop(s *Server) (*loop, error) {
	l := &loop{server: s, conns: map[int]*loopConn{}, shares: map[any]*share{}}
	var err error
	if l.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if l.parker, err = newParker(l.fd); err != nil {
		_ = unix.Close(l.fd)
		return nil, err
	}
	if l.waker, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		l.parker.close()
		_ = unix.Close(l.fd)
		return nil, err
	}
	if err = l.watch(l.waker, unix.EPOLLIN); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *loop) close() {
	l.parker.close()
	_ = unix.Close(l.fd)
	_ = unix.Close(l.waker)
}

// watch reports changes of a descriptor from now on, until it is closed.
func (l *loop) watch(fd int, events uint32) error {
	return unix.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events | unix.EPOLLET, Fd: int32(fd)})
}

// post lets the loop run a task in its own goroutine. It never blocks.
func (l *loop) post(task func()) {
	l.mu.Lock()
	l.tasks = append(l.tasks, task)
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		one := [8]byte{1}
		_, _ = unix.Write(l.waker, one[:])
	}
}

// stop ends the loop; its connections are gone by then.
func (l *loop) stop() { l.post(func() { l.ended = true }) }

func (l *loop) run() {
	defer l.close()
	defer l.stopWaiting()
	tick := time.AfterFunc(tickEvery, func() { l.post(l.tick) })
	defer tick.Stop()
	l.ticker = tick
	for !l.ended {
		l.turn(l.poll())
		if l.away > 0 || l.now.Sub(l.yielded) >= l.yields {
			l.yielded = l.now
			runtime.Gosched()
		}
	}
}

// turn serves everybody who can be served, with n events.
func (l *loop) turn(n int) {
	defer l.recoverTurn()
	l.now = time.Now()
	l.turns++
	for i := range n {
		l.happened(&l.events[i])
	}
	for _, task := range l.takeTasks() {
		l.perform(task)
	}
	busy := l.busy
	l.busy = l.spare[:0]
	for _, c := range busy {
		l.serve(c)
	}
	clear(busy)
	l.spare = busy
	if len(l.backlog) > 0 {
		l.settle() // who sends little need not wait for who sends much
		l.catchUp()
	}
	l.tell()
	l.settle()
}

// tellsPerTurn is how many connections are sent messages in one turn besides
// those that are served anyway: one command may have a message for each of
// thousands, and what others send comes in between.
const tellsPerTurn = 32

// tell lets some connections send messages, the one that waited longest first.
func (l *loop) tell() {
	n := min(len(l.telling), tellsPerTurn)
	for i, c := range l.telling[:n] {
		l.telling[i], c.telling = nil, false
		if !c.queued {
			l.serve(c)
		}
	}
	if l.telling = l.telling[n:]; len(l.telling) == 0 {
		l.telling = nil
	}
}

// poll returns how many events there are; it waits for some when there is
// nothing else to do.
func (l *loop) poll() (n int) {
	if len(l.busy)+len(l.telling)+len(l.backlog) > 0 {
		return l.ready()
	}
	l.mu.Lock()
	l.asleep = len(l.tasks) == 0
	asleep := l.asleep
	l.mu.Unlock()
	if !asleep {
		return l.ready() // there may be a task each time
	}
	// A busy loop waits in the system call, which is cheaper than to be parked
	// and woken up. That keeps a processor from other goroutines, so one that
	// has sent some off, or has nothing to do for a while, is parked.
	if l.away == 0 && (len(l.waits.under) == 0 || l.procs > 1) {
		n = epollWait(l.fd, l.events[:], shortWait)
	}
	if n == 0 {
		n = l.parker.park(l.ready)
	}
	l.mu.Lock()
	l.asleep = false
	l.mu.Unlock()
	return n
}

// ready returns how many events there are at this moment.
func (l *loop) ready() int { return epollWait(l.fd, l.events[:], 0) }

func (l *loop) takeTasks() []func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	tasks := l.tasks
	l.tasks = nil
	return tasks
}

// happened takes an event to its connection.
func (l *loop) happened(ev *unix.EpollEvent) {
	if int(ev.Fd) == l.waker {
		var count [8]byte
		_, _ = unix.Read(l.waker, count[:])
		return
	}
	c := l.conns[int(ev.Fd)]
	if c == nil {
		return // closed earlier in this turn
	}
	if ev.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.ending = true
	}
	if ev.Events&^unix.EPOLLOUT != 0 {
		c.readable = true
	}
	if ev.Events&^unix.EPOLLIN != 0 && c.sending {
		c.taking = true
	}
	c.enqueue()
}

// settle sends the replies of this turn. Those that depend on nothing in the
// store do not wait for it.
func (l *loop) settle() {
	slow := l.waits.asked != nil
	depend := l.answered[:0]
	for _, c := range l.answered {
		if c.seq == 0 || slow && c.peer.settled(c.seq) {
			c.flush()
		} else {
			depend = append(depend, c)
		}
	}
	switch {
	case len(depend) == 0:
	case slow && l.waits.apart(len(depend), len(l.conns)):
		l.hold(depend)
	default:
		last := newest(depend)
		began := time.Now()
		err := l.wait(slowWait{last.peer, last.seq})
		if slow {
			l.yielded = time.Now() // others could have the processor meanwhile
			l.waits.took(l.yielded.Sub(began))
		}
		for _, c := range depend {
			if err != nil {
				c.vouch()
			}
			c.flush()
		}
	}
	clear(l.answered)
	l.answered = l.answered[:0]
	if l.read+l.written > 0 {
		l.server.stats.read.Add(l.read)
		l.server.stats.written.Add(l.written)
		l.read, l.written = 0, 0
	}
}

// tick looks after connections that have nothing to do.
func (l *loop) tick() {
	l.ticker.Reset(tickEvery)
	for _, c := range l.conns {
		c.tick()
	}
}
