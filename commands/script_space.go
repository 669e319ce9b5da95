package commands

import (
	"sync"
	"sync/atomic"

	"github.com/cubbykv/cubby/storage"
)

// scriptSpace is what the connections of one namespace share about scripts:
// the texts that EVALSHA knows, and the gate that keeps them from waiting for a
// script without an end. The places for work that takes long are here too.
type scriptSpace struct {
	id      storage.ID
	places  places
	members int // sessions that hold it; guarded by scriptSpaces.mu

	// gate is held by every transaction of the namespace: shared by ordinary
	// ones, alone by one with a script. A script that has run for long lets go of
	// it and sets busy; who comes then is told so instead of waiting for the lock
	// in the store.
	gate    sync.RWMutex
	busy    atomic.Bool
	running atomic.Pointer[scriptRun]

	mu      sync.Mutex // guards what follows
	scripts map[scriptName]*script
	cost    int
	used    int64 // a count of uses, which orders them
}

// scriptRun is a script under way, as SCRIPT KILL sees it.
type scriptRun struct {
	wrote  atomic.Bool
	killed atomic.Bool
}

// enter waits for the scripts of the namespace, or with scripts for all its
// transactions. Who is hasty does not wait. Errors: errBusyScript,
// storage.ErrWouldWait.
func (p *scriptSpace) enter(scripts, hasty bool) error {
	switch {
	case p == nil:
		return nil
	case hasty && (scripts || !p.gate.TryRLock()):
		return storage.ErrWouldWait
	case hasty:
		if p.busy.Load() {
			p.gate.RUnlock()
			return errBusyScript
		}
		return nil
	case scripts:
		p.gate.Lock()
		if p.busy.Load() {
			p.gate.Unlock()
			return errBusyScript
		}
		return nil
	}
	p.gate.RLock()
	if p.busy.Load() {
		p.gate.RUnlock()
		return errBusyScript
	}
	return nil
}

func (p *scriptSpace) leave(scripts bool) {
	switch {
	case p == nil:
	case !scripts:
		p.gate.RUnlock()
	case p.busy.Load(): // letGo has unlocked
		p.busy.Store(false)
	default:
		p.gate.Unlock()
	}
}

// letGo is for the script inside: it will take longer.
func (p *scriptSpace) letGo() {
	if !p.busy.Load() {
		p.busy.Store(true)
		p.gate.Unlock()
	}
}

// kill asks the script that runs to end. Errors: errNotBusy, errUnkillable.
func (p *scriptSpace) kill() error {
	run := p.running.Load()
	switch {
	case run == nil:
		return errNotBusy
	case run.wrote.Load():
		return errUnkillable
	}
	run.killed.Store(true)
	return nil
}

// scriptSpaces finds the scriptSpace of a namespace. It exists while a session
// holds it, and beyond that while it has scripts.
type scriptSpaces struct {
	mu   sync.Mutex // taken before that of a space
	byID map[storage.ID]*scriptSpace
	cost int // of the scripts of all
}

// scriptSpace returns that of the namespace in use, or nil without one.
func (s *Session) scriptSpace() *scriptSpace {
	if s.space == nil && s.principal != nil && s.principal.App != nil {
		s.space = s.engine.scripts.attach(s.principal.App.ID)
	}
	return s.space
}

func (s *Session) leaveScriptSpace() {
	s.endWork() // the place is one of this namespace
	if s.space != nil {
		s.engine.scripts.detach(s.space)
		s.space = nil
	}
}

func (ss *scriptSpaces) attach(id storage.ID) *scriptSpace {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	p := ss.byID[id]
	if p == nil {
		if ss.byID == nil {
			ss.byID = make(map[storage.ID]*scriptSpace)
		}
		p = &scriptSpace{id: id, places: newPlaces(), scripts: make(map[scriptName]*script)}
		ss.byID[id] = p
	}
	p.members++
	return p
}

func (ss *scriptSpaces) detach(p *scriptSpace) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	p.members--
	p.mu.Lock()
	empty := len(p.scripts) == 0
	p.mu.Unlock()
	if p.members == 0 && empty {
		delete(ss.byID, p.id)
	}
}
