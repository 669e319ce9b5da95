package gateway

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/cubbykv/cubby/internal/hostaddr"
)

const (
	// strangerGrace is how long a connection has for its first request with a
	// right token before it has to make way where others have no place; as over
	// RESP.
	strangerGrace = 2 * time.Second
	// maxFailures wrong tokens in a row close a connection; as over RESP.
	maxFailures = 10
)

// connection is one that is open.
type connection struct {
	nc       net.Conn
	from     netip.Addr // see package hostaddr
	since    time.Time
	known    bool // it has brought a right token
	failures int  // of tokens, one after the other

	all, near *list.Element // in strangers; nil for those who are known
	idle      *list.Element // in idle; nil for those at work
}

// connections are all of them. Anybody can open some, so those that have brought
// no right token must not take the places of others, and those that wait for
// their client's next request make way for who has one.
type connections struct {
	options func() *Options
	now     func() time.Time

	mu        sync.Mutex
	open      map[net.Conn]*connection
	strangers list.List // of *connection, those that came first in front
	by        map[netip.Addr]*list.List
	idle      list.List // known ones without a request, those that have waited longest in front
}

func newConnections(o func() *Options) *connections {
	return &connections{options: o, now: time.Now, open: make(map[net.Conn]*connection), by: make(map[netip.Addr]*list.List)}
}

type connectionKey struct{}

// begin is the ConnContext of the server.
func (*connections) begin(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, nc)
}

// changed is the ConnState of the server. A connection without a place is
// closed: to answer it would take what it is refused for.
func (x *connections) changed(nc net.Conn, state http.ConnState) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.open[nc]
	switch state {
	case http.StateNew:
		if from := hostaddr.Of(nc.RemoteAddr().String()); x.makeRoom(from) {
			x.add(&connection{nc: nc, from: from, since: x.now()})
		} else {
			cut(nc)
		}
	case http.StateActive:
		if c != nil && c.idle != nil {
			x.idle.Remove(c.idle)
			c.idle = nil
		}
	case http.StateIdle:
		if c != nil && c.known && c.idle == nil {
			c.idle = x.idle.PushBack(c)
		}
	case http.StateClosed, http.StateHijacked:
		if c != nil {
			x.remove(c)
		}
	}
}

func (x *connections) add(c *connection) {
	x.open[c.nc] = c
	c.all = x.strangers.PushBack(c)
	near := x.by[c.from]
	if near == nil {
		near = new(list.List)
		x.by[c.from] = near
	}
	c.near = near.PushBack(c)
}

func (x *connections) remove(c *connection) {
	delete(x.open, c.nc)
	x.noStranger(c)
	if c.idle != nil {
		x.idle.Remove(c.idle)
		c.idle = nil
	}
}

func (x *connections) noStranger(c *connection) {
	if c.all == nil {
		return
	}
	x.strangers.Remove(c.all)
	near := x.by[c.from]
	if near.Remove(c.near); near.Len() == 0 {
		delete(x.by, c.from)
	}
	c.all, c.near = nil, nil
}

// makeRoom tells whether there is place for a connection from an address. Where
// there is none, one that waits makes way: a stranger that has had its time, and
// for the whole also one whose client has no request.
func (x *connections) makeRoom(from netip.Addr) bool {
	o := x.options()
	for {
		near := x.by[from]
		crowd := &x.strangers
		switch {
		case near != nil && o.MaxStrangersPerAddress > 0 && near.Len() >= o.MaxStrangersPerAddress:
			crowd = near
		case x.strangers.Len() >= o.MaxStrangers:
		case len(x.open) < o.MaxConnections:
			return true
		case x.idle.Len() > 0:
			x.evict(x.idle.Front())
			continue
		}
		first := crowd.Front()
		if first == nil || x.now().Sub(first.Value.(*connection).since) < strangerGrace { //nolint:forcetypeassert // nothing else is in it
			return false
		}
		x.evict(first)
	}
}

func (x *connections) evict(e *list.Element) {
	c := e.Value.(*connection) //nolint:forcetypeassert // nothing else is in the lists
	x.remove(c)
	cut(c.nc)
}

// cut closes a connection without a word: a *tls.Conn would wait for its client
// to take one.
func cut(nc net.Conn) {
	if secure, ok := nc.(*tls.Conn); ok {
		nc = secure.NetConn()
	}
	_ = nc.Close()
}

// signedIn notes that a request has brought a right token.
func (x *connections) signedIn(r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if c := x.of(r); c != nil {
		c.failures = 0
		c.known = true
		x.noStranger(c)
	}
}

// failed notes that a request has brought a wrong token or none, and tells
// whether the connection has had its chances.
func (x *connections) failed(r *http.Request) (enough bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.of(r)
	if c == nil {
		return false
	}
	c.failures++
	return c.failures >= maxFailures
}

// of returns the connection of a request; nil is none of ours, or one that had to
// make way.
func (x *connections) of(r *http.Request) *connection {
	nc, _ := r.Context().Value(connectionKey{}).(net.Conn)
	return x.open[nc]
}
