package commands

import (
	"time"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/internal/resp"
)

// verdict is what admission decided.
type verdict int

const (
	refuse  verdict = iota // answer the error
	enqueue                // keep for EXEC
	execute                // run now
	done                   // nothing left to decide
)

// admit is the only way to a handler: every refusal that does not depend on
// stored data happens here, in this order, whatever the door. (Limits on
// values, TTLs and growth depend on what a command writes: see limits.go.)
func (e *Engine) admit(s *Session, r Request, now time.Time) (*Command, verdict, error) {
	argv := r.Argv
	// It exists.
	cmd := e.table.lookup(argv[0])
	if cmd == nil {
		return nil, refuse, errUnknownCommand(argv)
	}
	if cmd.subs != nil && len(argv) > 1 {
		sub := lookupFold(cmd.subs, argv[1])
		if sub == nil {
			return nil, refuse, errUnknownSubcommand(argv[0], argv[1])
		}
		cmd = sub
	}
	// Its arguments are complete, and the door could keep them.
	if !cmd.arityFits(len(argv)) {
		return cmd, refuse, errArity(cmd)
	}
	// It has a connection that it can be about. Otherwise it does not exist here,
	// and an EXEC ends no transaction.
	if s.opts.Stateless && cmd.has(OwnConnection) && !r.Own {
		return nil, refuse, errStateless(cmd)
	}
	// Its sender has signed in, and the sign-in still holds.
	p := s.principal
	if !cmd.has(NoAuth) {
		if p == nil {
			return cmd, refuse, s.notSignedIn(errNoAuth)
		}
		if !p.Valid(now.UnixMilli()) {
			return cmd, refuse, errEnded(p)
		}
		if s.foreign {
			return cmd, refuse, errForeignOrigin
		}
	}
	if r.Refusal != nil {
		return cmd, refuse, r.Refusal
	}
	// It and its keys are allowed, and the namespace may send one more command.
	if err := checkAllowed(cmd, argv, p); err != nil {
		return cmd, refuse, err
	}
	if s.prepaid > 0 {
		s.prepaid--
	} else if p != nil && p.App != nil && !cmd.has(NoAuth) && !r.Own {
		if err := checkRate(p.App, now); err != nil {
			return cmd, refuse, err
		}
	}
	if s.trail != nil && s.trailRefuses(cmd) {
		return cmd, refuse, errTrailBroken
	}
	// Its sender is not waiting for messages in RESP2, where a reply could not be
	// told from one.
	if s.subs.total > 0 && s.proto == resp.V2 && !cmd.has(PubSub) {
		return cmd, refuse, errSubscribed(cmd)
	}
	// It may run inside a transaction, if there is one.
	if s.multi != nil && !cmd.has(AlwaysNow) {
		if cmd.has(NoMulti) {
			return cmd, refuse, errNotInMulti
		}
		return cmd, enqueue, nil
	}
	return cmd, execute, nil
}

// admitCall is admit for a command that a script calls: its sender has been
// admitted, and the script counts as one command.
func (e *Engine) admitCall(s *Session, argv [][]byte, readOnly bool) (*Command, error) {
	cmd := e.table.resolve(argv)
	switch {
	case cmd == nil:
		return nil, errScriptUnknown
	case !cmd.arityFits(len(argv)):
		return nil, errScriptArity
	case cmd.has(NoScript | Admin | Scripts):
		return nil, errScriptForbids
	case readOnly && (cmd.mayWrite() || cmd.has(Tells)):
		return nil, errScriptReadOnly
	}
	return cmd, checkAllowed(cmd, argv, s.principal)
}

// checkAllowed judges a command and its keys by what its sender may do.
func checkAllowed(cmd *Command, argv [][]byte, p *auth.Principal) error {
	if p == nil {
		return nil
	}
	if err := checkScope(cmd, p); err != nil {
		return err
	}
	if p.App == nil {
		return nil
	}
	if err := checkKeys(cmd, argv, p); err != nil {
		return err
	}
	return checkChannels(cmd, argv, p)
}

// checkScope judges a command by what its sender may do at all.
func checkScope(cmd *Command, p *auth.Principal) error {
	if cmd.has(Admin) && !p.Admin {
		return kverr.Newf(kverr.NoPerm, "only the admin may run the '%s' command", cmd.Name)
	}
	if p.App == nil {
		if cmd.usesStore() || cmd.has(Namespaced) {
			return errNoNamespace
		}
		return nil
	}
	if p.Token == nil {
		return nil
	}
	scope := &p.Token.Scope
	if scope.ReadOnly && cmd.has(Writes|Tells) {
		return kverr.Newf(kverr.NoPerm, "this token is read-only and may not run the '%s' command", cmd.Name)
	}
	if scope.Prefix != "" && cmd.has(WholeNamespace) && !cmd.has(Narrowed) {
		return kverr.Newf(kverr.NoPerm, "this token opens only keys that start with its prefix and may not run the '%s' command", cmd.Name)
	}
	return nil
}

// checkKeys judges the keys that the command names.
func checkKeys(cmd *Command, argv [][]byte, p *auth.Principal) error {
	if !cmd.namesKeys() {
		return nil
	}
	limits := p.App.Limits()
	first, last, step := cmd.keyRange(argv)
	for i := first; i <= last; i += step {
		if err := checkKey(limits, argv[i]); err != nil {
			return err
		}
		if p.Token != nil && !p.Token.Allows(borrow(argv[i])) {
			return kverr.New(kverr.NoPerm, "this token opens only keys that start with its prefix")
		}
	}
	return nil
}

// checkChannels judges the channels that the command names.
func checkChannels(cmd *Command, argv [][]byte, p *auth.Principal) error {
	if cmd.Channels.First == 0 || p.Prefix() == "" {
		return nil
	}
	first, last, step := cmd.Channels.find(argv)
	for i := first; i <= last; i += step {
		if !mayName(p.Prefix(), borrow(argv[i]), cmd.has(PubSub)) {
			return kverr.New(kverr.NoPerm, "this token opens only channels that start with its prefix")
		}
	}
	return nil
}

// refused answers a command that admission turned away.
func (e *Engine) refused(s *Session, cmd *Command, argv [][]byte, err error, out *resp.Writer) {
	if cmd != nil {
		cmd.hits.rejected.Add(1)
	}
	if cmd != nil && cmd.has(EndsMulti) {
		s.endTransaction()
		err = errExecRefused(err)
	}
	if s.multi != nil {
		s.multi.spoiled = true
	}
	s.endCaching(cmd)
	text := e.wireText(err)
	e.totals.errors.add(text)
	out.Error(text)
	if s.trail != nil {
		s.aud.lines = s.auditRefusal(s.aud.lines, cmd, argv, wireError(err).Code, "")
		s.aud.n++
	}
}
