package commands

import (
	"cmp"
	"slices"
	"strconv"
	"unsafe"
)

// visibleSessions are the sessions that viewer may see in listings, oldest
// first.
func (e *Engine) visibleSessions(viewer *Session) []*Session {
	var seen []*Session
	e.mu.Lock()
	for _, s := range e.sessions {
		if s == viewer || viewer.maySee(s.snapshot()) {
			seen = append(seen, s)
		}
	}
	e.mu.Unlock()
	slices.SortFunc(seen, func(a, b *Session) int { return cmp.Compare(a.id, b.id) })
	return seen
}

// appendClient adds the line of s to a CLIENT LIST: the fields of Redis 7.2 in
// its order, since clients parse them. There is no file descriptor to tell, and
// only of the asking connection it is known what its arguments take. At the end
// stands how the connection signed in.
func appendClient(b []byte, c *Call, s *Session) []byte {
	v := s.snapshot()
	now := c.clock()
	text := func(field, value string) {
		b = append(b, field...)
		b = append(b, value...)
	}
	number := func(field string, n int64) {
		b = append(b, field...)
		b = strconv.AppendInt(b, n, 10)
	}
	number("id=", s.id)
	text(" addr=", s.opts.Remote)
	text(" laddr=", s.opts.Local)
	number(" fd=", -1)
	text(" name=", v.name)
	number(" age=", int64(now.Sub(s.created).Seconds()))
	number(" idle=", max(0, now.UnixMilli()-s.last.Load())/1000)
	text(" flags=", v.flags())
	number(" db=", int64(v.db))
	number(" sub=", int64(v.subs[subChannel]))
	number(" psub=", int64(v.subs[subPattern]))
	number(" ssub=", int64(v.subs[subShard]))
	number(" multi=", int64(v.multi))
	var held Buffers
	if s.opts.Buffers != nil {
		held = s.opts.Buffers()
	}
	argv := int64(0)
	if s == c.Session {
		for _, a := range c.Argv {
			argv += int64(len(a))
		}
	}
	number(" qbuf=", held.Query)
	number(" qbuf-free=", held.QueryFree)
	number(" argv-mem=", argv)
	number(" multi-mem=", int64(v.multiBytes))
	number(" rbs=", held.Reply)
	number(" rbp=", held.ReplyPeak)
	number(" obl=", held.Unsent)
	number(" oll=", held.Messages)
	number(" omem=", held.MessageBytes)
	number(" tot-mem=", int64(unsafe.Sizeof(*s))+held.Query+held.QueryFree+argv+int64(v.multiBytes)+held.Reply+held.MessageBytes)
	events := "r"
	if held.Unsent > 0 {
		events = "rw"
	}
	text(" events=", events)
	text(" cmd=", lastCommand(c, s))
	text(" user=", v.principal.Name())
	number(" redir=", v.redirect())
	number(" resp=", int64(v.proto))
	text(" lib-name=", v.libName)
	text(" lib-ver=", v.libVersion)
	text(" auth=", v.principal.SignIn())
	return append(b, '\n')
}

// lastCommand names what s ran last. Of the asking session that is the
// command under way.
func lastCommand(c *Call, s *Session) string {
	if s == c.Session {
		return c.Cmd.Name
	}
	if cmd := s.lastCmd.Load(); cmd != nil {
		return cmd.Name
	}
	return "NULL" // Redis's word
}

// flags are the letters of CLIENT LIST, in Redis's order.
func (v *shownState) flags() string {
	var b []byte
	for _, f := range []struct {
		set    bool
		letter byte
	}{{v.monitor, 'O'}, {v.subscribed(), 'P'}, {v.multi >= 0, 'x'}, {v.waiting, 'b'}, {v.tracking.on, 't'}, {v.tracking.broken, 'R'}, {v.tracking.bcast, 'B'}, {v.noEvict, 'e'}, {v.noTouch, 'T'}} {
		if f.set {
			b = append(b, f.letter)
		}
	}
	if len(b) == 0 {
		return "N"
	}
	return string(b)
}
