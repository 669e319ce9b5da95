package commands

import (
	"github.com/cubbykv/cubby/internal/lua"
)

// Bounds on the scripts that EVALSHA knows. Beyond them the ones unused for the
// longest time go, those that only EVAL brought first; beyond that of all
// namespaces, those of the namespace that holds the most. A client that gets
// NOSCRIPT then sends EVAL, as all of them do after a restart of Redis.
const (
	maxScripts    = 500      // of a namespace
	maxScriptCost = 16 << 20 // bytes of a namespace
	maxScriptsAll = 256 << 20
)

// script is one that EVALSHA knows.
type script struct {
	sha      string
	scope    string // key prefix of the token that brought it: others do not find it
	compiled *lua.Script
	cost     int   // bytes, about
	loaded   bool  // by SCRIPT LOAD
	declared bool  // its first line declares flags
	noWrites bool  // they say that it only reads
	both     bool  // it may use both databases
	used     int64 // when, in uses of the namespace's scripts
}

// scriptCost is about what a compiled script takes: measured, some 20 bytes for
// each of the text.
func scriptCost(text string) int { return 2048 + 24*len(text) }

const shaLength = 40

// scriptName is what a script is found by: whether somebody has loaded it, and
// what it does, is not for a token that opens other keys.
type scriptName struct{ scope, sha string }

func (s *script) name() scriptName { return scriptName{s.scope, s.sha} }

// find returns a script by its SHA1, of any case, or nil.
func (p *scriptSpace) find(scope, sha string) *script {
	if p == nil || len(sha) != shaLength {
		return nil
	}
	var lower [shaLength]byte
	for i := range lower {
		c := sha[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.scripts[scriptName{scope, string(lower[:])}]
	if s != nil {
		p.used++
		s.used = p.used
	}
	return s
}

// keep marks a script that SCRIPT LOAD brings again.
func (p *scriptSpace) keep(s *script) {
	p.mu.Lock()
	s.loaded = true
	p.mu.Unlock()
}

// add remembers a script, and forgets others to make room. It remembers none that
// only those who hold less could make room for.
func (ss *scriptSpaces) add(p *scriptSpace, s *script) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, already := p.scripts[s.name()]; already {
		return
	}
	for len(p.scripts) > 0 && (len(p.scripts) >= maxScripts || p.cost+s.cost > maxScriptCost) {
		ss.forget(p, p.leastUsed())
	}
	if !ss.makeRoom(p, s.cost) {
		return
	}
	p.used++
	s.used = p.used
	p.scripts[s.name()] = s
	p.cost += s.cost
	ss.cost += s.cost
}

// leastUsed picks the script to forget. Callers hold mu.
func (p *scriptSpace) leastUsed() *script {
	var worst *script
	for _, s := range p.scripts {
		if worst == nil || !s.loaded && worst.loaded || s.loaded == worst.loaded && s.used < worst.used {
			worst = s
		}
	}
	return worst
}

// forget drops a script. Callers hold both locks.
func (ss *scriptSpaces) forget(p *scriptSpace, s *script) {
	delete(p.scripts, s.name())
	p.cost -= s.cost
	ss.cost -= s.cost
	if p.members == 0 && len(p.scripts) == 0 {
		delete(ss.byID, p.id)
	}
}

// makeRoom has those who hold the most forget scripts until there is room for one
// of p's, and tells whether there is. So whoever holds no more than an equal
// share loses nothing through others. Callers hold the locks of ss and p.
func (ss *scriptSpaces) makeRoom(p *scriptSpace, cost int) bool {
	for ss.cost+cost > maxScriptsAll {
		most, holds := p, p.cost+cost
		for _, other := range ss.byID {
			if other != p && other.cost > holds {
				most, holds = other, other.cost
			}
		}
		if most == p {
			if len(p.scripts) == 0 {
				return false
			}
			ss.forget(p, p.leastUsed())
			continue
		}
		most.mu.Lock()
		ss.forget(most, most.leastUsed())
		most.mu.Unlock()
	}
	return true
}

// clear drops all scripts of a namespace. Callers hold both locks.
func (ss *scriptSpaces) clear(p *scriptSpace) {
	ss.cost -= p.cost
	p.cost = 0
	clear(p.scripts)
	if p.members == 0 {
		delete(ss.byID, p.id)
	}
}

// flush is clear for SCRIPT FLUSH. A token with a key prefix drops its own.
func (ss *scriptSpaces) flush(p *scriptSpace, scope string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if scope == "" {
		ss.clear(p)
		return
	}
	for _, s := range p.scripts {
		if s.scope == scope {
			ss.forget(p, s)
		}
	}
}
