package commands

import (
	"maps"
	"slices"
	"strings"

	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// This file tells connections that track (CLIENT TRACKING) that what they have
// read has changed.
//
// A key is registered while the transaction that reads it holds the database,
// and taken out by the one that changes it, so that no change falls between a
// read and its registration. The message goes out at once, also under
// appendfsync always: it says that a copy is old, and nothing of what is new.
// Were it to wait and the write to fail, the table would have forgotten a copy
// that is still in use.

// invalidateChannel is where a connection in RESP2 hears of it.
const invalidateChannel = "__redis__:invalidate"

// remember registers the keys that a command of the session reads. A script
// that reads anything has read, as in Redis, the keys that it was given.
func (r *run) remember(cmd *Command, argv [][]byte) {
	t := &r.session.track
	if !t.on || t.bcast || !cmd.has(Tracked) {
		return
	}
	if t.optIn && !t.caching || t.optOut && t.caching {
		return
	}
	if r.outer != nil {
		r = r.outer
		cmd, argv = r.call.Cmd, r.call.Argv
	}
	first, last, step := cmd.keyRange(argv)
	for i := first; i <= last; i += step {
		r.changed = r.session.hub.tracking.remember(r.session.id, borrow(argv[i]), r.changed)
	}
}

// noteChanges takes the keys that a stage has written out of the table.
func (r *run) noteChanges(s *stage) {
	t, told := &r.hub.tracking, r.told()
	if s.cleared && !r.flushTold { // FLUSHALL clears two
		r.flushTold = true
		told.changed = append(told.changed, forgotten{flush: true, all: t.takeAll(), at: behindReply})
	}
	for i := range s.writes {
		key := s.writes[i].key
		told.changed = append(told.changed, forgotten{key: key, readers: t.take(key), script: r.outer != nil, at: behindReply})
	}
}

// dropChanges puts back what noteChanges took since a mark.
func (r *run) dropChanges(from int) {
	for i := from; i < len(r.changed); i++ {
		r.hub.tracking.giveBack(&r.changed[i])
	}
	clear(r.changed[from:])
	r.changed = r.changed[:from]
}

func (r *run) forgetChanges() {
	clear(r.changed)
	r.changed = r.changed[:0]
}

// placeChanges gives changes that have no position yet the one behind the reply.
func (r *run) placeChanges() {
	for i := len(r.changed) - 1; i >= 0 && r.changed[i].at == behindReply; i-- {
		r.changed[i].at = r.out.Len()
	}
}

// deliverChanges tells everybody. The session's own messages take their place
// behind the replies to the commands that caused them, those for a prefix behind
// all replies of the batch.
func (r *run) deliverChanges() {
	if len(r.changed) == 0 {
		return
	}
	own := r.hub.invalidate(r.changed, r.session)
	for _, m := range own {
		if m.at == behindBatch {
			r.session.late = append(r.session.late, m.msg)
			continue
		}
		r.notices.own = append(r.notices.own, insertion{at: m.at, rank: afterReply, msg: m.msg})
	}
	r.forgetChanges()
}

type ownInvalidation struct {
	at  int
	msg []byte
}

// sayLate appends what stands behind the replies of a batch.
func (s *Session) sayLate(out *resp.Writer) {
	for _, msg := range s.late {
		out.RawPush(msg)
	}
	s.late = nil
}

// invalidate tells of changes that by made, nil for nobody, and returns what by
// itself has to hear.
func (h *hub) invalidate(changes []forgotten, by *Session) (own []ownInvalidation) {
	t := &h.tracking
	t.mu.Lock()
	defer t.mu.Unlock()
	tell := func(k *tracker, m *invalidation, at int) {
		if k.session == by && k.redirect == 0 {
			if by.proto == resp.V3 {
				own = append(own, ownInvalidation{at, m.bytes(resp.V3, by.proto)})
			}
			return
		}
		h.tellTracker(k, m)
	}
	var keys, scripted []string
	for i := range changes {
		c := &changes[i]
		if c.flush {
			for _, k := range t.trackers {
				tell(k, &invalidation{}, c.at)
			}
			continue
		}
		if !c.evicted {
			keys = append(keys, c.key)
			if c.script {
				scripted = append(scripted, c.key)
			}
		}
		m := &invalidation{keys: []string{c.key}}
		for _, id := range c.readers {
			k := t.trackers[id]
			if k == nil || k.bcast || k.noLoop && k.session == by && !c.evicted {
				continue
			}
			tell(k, m, c.at)
		}
	}
	byPrefix, byScript := t.broadcast(distinct(keys)), t.broadcast(distinct(scripted))
	for _, prefix := range slices.Sorted(maps.Keys(byPrefix)) {
		m := &invalidation{keys: byPrefix[prefix]}
		for _, k := range t.prefixes[prefix] {
			switch {
			case !k.noLoop || k.session != by:
				tell(k, m, behindBatch)
			case byScript[prefix] != nil: // to Redis a script is somebody else
				tell(k, &invalidation{keys: byScript[prefix]}, behindBatch)
			}
		}
	}
	return own
}

func distinct(keys []string) []string {
	slices.Sort(keys)
	return slices.Compact(keys)
}

// tellTracker pushes to a tracker, or to the connection in its place.
func (h *hub) tellTracker(k *tracker, m *invalidation) {
	if !k.session.principal.Valid(h.engine.clock().UnixMilli()) {
		k.session.cutOff()
		return
	}
	if k.redirect == 0 {
		k.session.push(func(v shownState) []byte {
			if v.proto != resp.V3 {
				return nil
			}
			return m.bytes(v.proto, v.proto)
		})
		return
	}
	source := k.session.snapshot()
	told := false
	if target := h.engine.sessionByID(k.redirect); target != nil {
		told = target.push(func(v shownState) []byte {
			switch {
			case !v.in(h.id), !strings.HasPrefix(k.session.principal.Prefix(), v.principal.Prefix()):
				return nil
			case v.proto == resp.V3 || v.subscribed():
				return m.bytes(v.proto, source.proto)
			}
			return []byte{} // it cannot be told, but it is there
		})
	}
	if told {
		return
	}
	k.session.show(func(v *shownState) { v.tracking.broken = true })
	if source.proto == resp.V3 {
		w := resp.NewWriter(resp.V3)
		w.Push(2)
		w.BulkString("tracking-redir-broken")
		w.Int(k.redirect)
		k.session.push(func(shownState) []byte { return w.Bytes() })
	}
}

// push sends what choose makes for the session's state, unless it is empty. It
// tells whether it was not nil.
func (s *Session) push(choose func(shownState) []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	msg := choose(s.shown)
	if len(msg) > 0 && s.opts.Push != nil {
		s.opts.Push(msg, storage.Seq(0))
	}
	return msg != nil
}

func (e *Engine) sessionByID(id int64) *Session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sessions[id]
}

// invalidation is a message about keys; none stands for all.
type invalidation struct {
	keys []string
	wire [2][2][]byte
}

// bytes encodes the message for a protocol. Redis writes the null that stands
// for all keys in the protocol of the connection that tracks.
func (m *invalidation) bytes(proto, source int) []byte {
	b := &m.wire[proto-resp.V2][source-resp.V2]
	if *b != nil {
		return *b
	}
	w := resp.NewWriter(proto)
	if proto == resp.V3 {
		w.Push(2)
		w.BulkString("invalidate")
	} else {
		w.Array(3)
		w.BulkString("message")
		w.BulkString(invalidateChannel)
	}
	if m.keys == nil {
		w.SetProto(source)
		w.Null()
	} else {
		w.Array(len(m.keys))
		for _, key := range m.keys {
			w.BulkString(key)
		}
	}
	*b = w.Bytes()
	return *b
}
