package server

import (
	"container/list"
	"net/netip"
	"time"
)

// strangerGrace is how long a connection has for its sign-in before it has to make
// way where others have no place. It takes a client two or three round trips,
// with TLS some milliseconds of work as well.
const strangerGrace = 2 * time.Second

// stranger is a connection that has not signed in. Anybody can open some, so they
// must not take the places of those who can sign in.
type stranger struct {
	conn  connection
	from  netip.Addr // see package hostaddr; the zero Addr is a unix socket
	since time.Time

	all, near *list.Element // in strangers; nil when it is none any more
}

// overdue tells whether a stranger's time for its sign-in is over. A nil one is
// none.
func (st *stranger) overdue(now time.Time, timeout time.Duration) bool {
	return st != nil && timeout > 0 && now.Sub(st.since) >= timeout
}

// strangers are all of them, those that came first in front.
type strangers struct {
	all list.List
	by  map[netip.Addr]*list.List // without unix sockets: who may write to one has been let in by its owner
}

func (x *strangers) add(c connection, from netip.Addr, now time.Time) *stranger {
	st := &stranger{conn: c, from: from, since: now}
	st.all = x.all.PushBack(st)
	if !st.from.IsValid() {
		return st
	}
	if x.by == nil {
		x.by = make(map[netip.Addr]*list.List)
	}
	near := x.by[st.from]
	if near == nil {
		near = list.New()
		x.by[st.from] = near
	}
	st.near = near.PushBack(st)
	return st
}

func (x *strangers) remove(st *stranger) {
	if st == nil || st.all == nil {
		return
	}
	x.all.Remove(st.all)
	st.all = nil
	if st.near == nil {
		return
	}
	near := x.by[st.from]
	near.Remove(st.near)
	if st.near = nil; near.Len() == 0 {
		delete(x.by, st.from)
	}
}

// makeRoom tells whether there is place for a stranger. Where there is none, one
// that has had its time makes way: so those who only wait keep nobody out, be it
// from their own address or from the server. A new one is a connection more.
// s.mu is held.
func (s *Server) makeRoom(from netip.Addr, now time.Time, isNew bool) bool {
	o := s.options()
	for {
		crowd := &s.strangers.all
		near := s.strangers.by[from]
		switch {
		case near != nil && o.MaxStrangersPerAddress > 0 && near.Len() >= o.MaxStrangersPerAddress:
			crowd = near
		case s.strangers.all.Len() >= o.MaxStrangers:
		case isNew && len(s.conns)-len(s.evicted) >= o.MaxClients:
		default:
			return true
		}
		first := crowd.Front()
		if first == nil {
			return false
		}
		st := first.Value.(*stranger) //nolint:forcetypeassert // nothing else is in it
		if now.Sub(st.since) < s.grace {
			return false
		}
		s.strangers.remove(st)
		s.evicted[st.conn] = struct{}{}
		s.stats.evicted.Add(1)
		st.conn.kill()
	}
}

// restate notes that a stranger has signed in, or, for a nil one, that a
// connection has signed out and is one again. It returns what the connection is
// now: nil when it is signed in, or when there is no place for it.
func (s *Server) restate(c connection, st *stranger, from netip.Addr) *stranger {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st != nil {
		s.strangers.remove(st)
		return nil
	}
	now := time.Now()
	if !s.makeRoom(from, now, false) {
		return nil
	}
	return s.strangers.add(c, from, now)
}
