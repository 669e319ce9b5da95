package server

import (
	"context"
	"fmt"
	"time"

	"github.com/tidwall/redcon"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// keptRequests bounds the batch memory that a connection keeps, in requests.
const keptRequests = 1024

var errPanic = kverr.New(kverr.PlatformError, "the server could not complete the command").
	WithHint("try again; the operator's log has the details")

// peer is the engine as one connection sees it.
type peer interface {
	waitTurn(ctx context.Context, batch []commands.Request)
	do(ctx context.Context, batch []commands.Request, out *resp.Writer) (int, storage.Seq)
	// tryDo is do that stops before a command which may have to wait.
	tryDo(ctx context.Context, batch []commands.Request, out *resp.Writer) (n int, seq storage.Seq, waits bool)
	wait(ctx context.Context, seq storage.Seq) error
	// settled tells whether wait would return nil at once.
	settled(seq storage.Seq) bool
	fail(n int, err error, out *resp.Writer)
	signedIn() bool
	hold() time.Duration // how long the replies of the last batch have to wait
	closing() bool
	subscribed() bool
	// owner is whose requests these are, something to compare; nil before sign-in.
	owner() any
	// extra is the work of the last batch that its size does not show.
	extra() int
	end()
}

// enginePeer is the peer in earnest.
type enginePeer struct {
	engine  *commands.Engine
	session *commands.Session
}

func (p enginePeer) do(ctx context.Context, batch []commands.Request, out *resp.Writer) (int, storage.Seq) {
	return p.engine.Do(ctx, p.session, batch, out)
}
func (p enginePeer) tryDo(ctx context.Context, batch []commands.Request, out *resp.Writer) (int, storage.Seq, bool) {
	return p.engine.TryDo(ctx, p.session, batch, out)
}
func (p enginePeer) waitTurn(ctx context.Context, batch []commands.Request) {
	p.engine.WaitTurn(ctx, p.session, batch)
}
func (p enginePeer) wait(ctx context.Context, seq storage.Seq) error { return p.engine.Wait(ctx, seq) }
func (p enginePeer) settled(seq storage.Seq) bool                    { return p.engine.Settled(seq) }
func (p enginePeer) fail(n int, err error, out *resp.Writer)         { p.engine.Fail(p.session, n, err, out) }
func (p enginePeer) signedIn() bool                                  { return p.session.SignedIn() }
func (p enginePeer) hold() time.Duration                             { return p.session.Hold() }
func (p enginePeer) closing() bool                                   { return p.session.Closing() }
func (p enginePeer) subscribed() bool                                { return p.session.Subscribed() }
func (p enginePeer) owner() any                                      { return p.session.Owner() }
func (p enginePeer) extra() int                                      { return p.session.Extra() }
func (p enginePeer) end()                                            { p.engine.EndSession(p.session) }

// handle is redcon's handler: cmd and all that has arrived behind it are one
// batch.
func handle(rc redcon.Conn, cmd redcon.Command) {
	c := rc.NetConn().(*conn)
	if !c.serve(cmd) {
		_ = rc.Close() // redcon then leaves its loop
	}
}

// serve answers a batch and tells whether the connection stays open.
func (c *conn) serve(cmd redcon.Command) bool {
	// redcon's own pipeline is empty: it gets one command at a time.
	c.batch = append(c.batch[:0], c.guard.restore(cmd))
	c.batch = c.guard.rest(c.batch, c.bounds())

	for todo := c.batch; len(todo) > 0; {
		n := c.answer(todo)
		if n == 0 {
			return false
		}
		todo = todo[n:]
	}
	c.batch = emptied(c.batch)
	return !c.peer.closing()
}

// answer lets the engine run commands from the front of batch and sends their
// replies. It returns how many; 0 when the connection is to be closed.
func (c *conn) answer(batch []commands.Request) int {
	if c.peer.closing() {
		c.polite = true
		return 0
	}
	limit := c.server.options().MaxReplyBytes
	c.out.SetLimit(limit)
	c.peer.waitTurn(c.ctx, batch) // messages are sent meanwhile
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	n := runBatch(c.ctx, c.peer, c.log, batch, &c.out)
	if c.out.Overflowed() {
		c.log.warn("closing a connection whose replies exceed client-output-buffer-limit", "limit", limit)
		return 0
	}
	c.meet()
	if d := c.peer.hold(); d > 0 {
		c.pause(d)
	}
	if n := c.out.Len(); n > 0 {
		c.gauge.wrote(n, time.Now())
		c.gauge.note(c.guard, &c.out, n)
		if c.write(c.out.Bytes()) != nil {
			return 0
		}
	}
	c.out.Reset() // of a large buffer nothing is kept
	if c.peer.closing() || c.leaving {
		c.polite = true
		return 0
	}
	return n
}

// emptied lets go of a batch that is done and keeps its memory for the next.
func emptied(batch []commands.Request) []commands.Request {
	if cap(batch) > keptRequests {
		return nil
	}
	clear(batch)
	return batch[:0]
}

// runBatch leaves in out the replies to commands from the front of batch, and
// returns how many were run.
func runBatch(ctx context.Context, p peer, log logger, batch []commands.Request, out *resp.Writer) (n int) {
	defer func() {
		if v := recover(); v != nil {
			n = answerPanic(log, v, batch, out)
		}
	}()
	n, seq := p.do(ctx, batch, out)
	vouch(ctx, p, n, seq, out)
	return n
}

// answerPanic answers a whole batch after a fault of ours. There is no telling
// which of its commands were run: none has an answer yet, so each gets this one.
func answerPanic(log logger, v any, batch []commands.Request, out *resp.Writer) int {
	log.panicked("answering", v)
	out.Reset()
	for range batch {
		out.Error(errPanic.Error())
	}
	return len(batch)
}

// vouch waits until the replies to n commands may be sent, or puts errors in
// their place.
func vouch(ctx context.Context, p peer, n int, seq storage.Seq, out *resp.Writer) {
	if err := p.wait(ctx, seq); err != nil {
		out.Reset()
		p.fail(n, fmt.Errorf("waiting for the store: %w", err), out)
	}
}
