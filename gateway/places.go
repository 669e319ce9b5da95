package gateway

import (
	"context"
	"runtime"
	"sync"

	"github.com/cubbykv/cubby/commands"
)

// longFrom is the size from which reading a body or writing an answer takes long
// enough to count, in bytes: about a millisecond.
const longFrom = 128 << 10

// places bound how many requests of one namespace turn large bodies and answers
// from and into JSON at the same time: half of the processors, as the engine
// bounds long commands. The others of that namespace wait.
type places struct {
	mu sync.Mutex
	of map[any]*place // by Session.Owner
}

type place struct {
	slots chan struct{}
	users int // who have it or wait for it
}

// work does what handles size bytes for a session. Errors: the context's.
func (p *places) work(ctx context.Context, s *commands.Session, size int, do func()) error {
	if size < longFrom {
		do()
		return nil
	}
	owner := s.Owner()
	mine := p.join(owner)
	defer p.leave(owner, mine)
	select {
	case mine.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-mine.slots }()
	do()
	return nil
}

func (p *places) join(owner any) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	mine := p.of[owner]
	if mine == nil {
		if p.of == nil {
			p.of = make(map[any]*place)
		}
		mine = &place{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
		p.of[owner] = mine
	}
	mine.users++
	return mine
}

func (p *places) leave(owner any, mine *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(p.of, owner)
	}
}
