package server

import "github.com/cubbykv/cubby/commands"

// Work on a loop is counted in units: one for a command (more for one with many
// arguments), one for each unitBytes that are read or sent. A unit is a quarter of a
// microsecond, about.
const (
	unitBytes     = 256
	unitArguments = 4

	// turnUnits is what one namespace may use in a turn of a loop. What others have
	// sent meanwhile comes before the rest.
	turnUnits = 1024
	// most that is carried over to the next turn: one command may cost much more
	mostOwed = 16 * turnUnits
)

// share is what the connections of one namespace on a loop have together: a
// namespace gets no more of the loop with fifty connections than with one.
type share struct {
	owner  any
	conns  int
	turn   uint64      // that spent belongs to
	spent  int         // units
	parked []*loopConn // wait for the next turn, the first that came first
	head   int         // of parked
	listed bool        // in loop.backlog
}

// join gives the connection the share of whoever it is signed in as.
func (l *loop) join(c *loopConn) {
	owner := c.peer.owner()
	if c.share != nil && c.share.owner == owner {
		return
	}
	l.part(c)
	s := l.shares[owner]
	if s == nil {
		s = &share{owner: owner}
		l.shares[owner] = s
	}
	s.conns++
	c.share = s
}

// part takes the connection out of its share.
func (l *loop) part(c *loopConn) {
	s := c.share
	if s == nil {
		return
	}
	c.share = nil
	if s.conns--; s.conns == 0 {
		delete(l.shares, s.owner)
	}
}

// charge counts units that a connection used.
func (l *loop) charge(s *share, units int) {
	if s.turn != l.turns {
		l.renew(s)
	}
	s.spent += units
}

// renew begins a turn of the share: what it used too much before is still owed.
func (l *loop) renew(s *share) {
	past := l.turns - s.turn
	s.turn = l.turns
	if past > mostOwed/turnUnits {
		s.spent = 0
		return
	}
	s.spent = max(min(s.spent, mostOwed)-int(past)*turnUnits, 0)
}

// exhausted tells whether the share has used up its part of this turn.
func (l *loop) exhausted(s *share) bool {
	if s.turn != l.turns {
		l.renew(s)
	}
	return s.spent >= turnUnits
}

// serve lets a connection go on, unless its namespace has had its part of the
// turn, or others of it wait already.
func (l *loop) serve(c *loopConn) {
	if s := c.share; s != nil && !c.closed && (s.listed || l.exhausted(s)) {
		l.park(s, c)
		return
	}
	c.queued = false
	c.step()
}

// park lets a connection wait for the next turn of its share.
func (l *loop) park(s *share, c *loopConn) {
	c.queued = true
	s.parked = append(s.parked, c)
	if !s.listed {
		s.listed = true
		l.backlog = append(l.backlog, s)
	}
}

// catchUp serves those who were parked, as far as their shares go.
func (l *loop) catchUp() {
	list := l.backlog
	l.backlog = l.spareBacklog[:0]
	for _, s := range list {
		for s.head < len(s.parked) && !l.exhausted(s) {
			c := s.parked[s.head]
			s.parked[s.head] = nil
			s.head++
			c.queued = false
			c.step()
		}
		if s.head == len(s.parked) {
			s.parked, s.head, s.listed = s.parked[:0], 0, false
			continue
		}
		if s.head > len(s.parked)/2 {
			n := copy(s.parked, s.parked[s.head:])
			clear(s.parked[n:])
			s.parked, s.head = s.parked[:n], 0
		}
		l.backlog = append(l.backlog, s)
	}
	clear(list)
	l.spareBacklog = list
}

// costOf is what running commands costs, less their bytes.
func costOf(batch []commands.Request) int {
	units := len(batch)
	for i := range batch {
		units += len(batch[i].Argv) / unitArguments
	}
	return units
}
