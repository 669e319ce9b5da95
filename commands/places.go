package commands

import (
	"context"
	"runtime"
)

// places are how many connections of one namespace may do work that takes long at
// the same time; the others wait in the order of their coming. So a namespace
// has at most half of the processors for walks, scripts and large commands, and
// one that sends many of them makes its own wait, and not the loops that serve
// everybody.
type places chan struct{}

func newPlaces() places { return make(places, max(1, runtime.GOMAXPROCS(0)/2)) }

// longBatch commands that arrived at once are work of that kind too, where no loop
// takes turns.
const longBatch = 64

// needsPlace tells whether a command that is about to run outside of a loop is
// work of that kind. What only waits (WAITAOF, a sign-in) is not, nor what has to
// get through while others wait (SCRIPT KILL).
func (r *run) needsPlace(cmd *Command, argv [][]byte) bool {
	return cmd.has(Reads|Writes|Scripts|EndsMulti|Namespaced) && (r.session.putOff || r.takesLong(cmd, argv))
}

// beginWork waits for a place of the session's namespace, which it then has until
// the end of the batch. Errors: the context's.
func (s *Session) beginWork(ctx context.Context) error {
	p := s.scriptSpace()
	if p == nil || s.working != nil {
		return nil
	}
	select {
	case p.places <- struct{}{}:
		s.working = p.places
		return nil
	default:
	}
	select {
	case p.places <- struct{}{}:
		s.working = p.places
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endWork gives the place back, if the session has one.
func (s *Session) endWork() {
	if s.working != nil {
		<-s.working
		s.working = nil
	}
}
