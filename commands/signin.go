package commands

import (
	"context"
	"net/netip"
	"time"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/hostaddr"
	"github.com/cubbykv/cubby/internal/kverr"
)

// signIn makes the session a principal's. On failure it stays what it was.
func (c *Call) signIn(user, secret string) error {
	s := c.Session
	p, err := c.Engine.dir.Authenticate(c.Ctx, user, secret)
	if err == nil {
		err = s.takePlace(p)
	}
	c.Engine.signInEnded(s, p, err)
	c.auditSignIn(user, secret, err)
	if err != nil {
		return err
	}
	s.become(p)
	c.takePushed()
	return nil
}

// arrival is who a session is before it has sent anything, and again after RESET.
func (e *Engine) arrival(s *Session) *auth.Principal {
	s.refusal = nil
	cert := s.opts.Certificate
	if cert == nil {
		if err := s.takePlace(e.anonymous); err != nil {
			s.refusal = err
			return nil
		}
		return e.anonymous
	}
	p, err := e.dir.Recognize(context.Background(), cert.Name, cert.EndsAt)
	if err == nil {
		err = s.takePlace(p)
		s.refusal = err
	}
	e.signInEnded(s, p, err)
	switch {
	case err == nil:
		return p
	case p == nil:
		e.log.Info("the name in a client's certificate is no app's, so it signs in to nothing", "name", cert.Name, "client", s.opts.Remote, "error", err)
	}
	return e.anonymous
}

// takePlace counts the session among the connections of the namespace that p
// opens, when there is place. It keeps the place that it has when p opens the same.
func (s *Session) takePlace(p *auth.Principal) error {
	app := placeOf(p)
	if app == nil || app == s.place {
		return nil
	}
	if !app.TakeConnection() {
		// Redis's own words come first, for clients that know them.
		return kverr.Newf(kverr.Err, "max number of clients reached: %s may have %d connections", app.ID, app.Limits().MaxConnections)
	}
	s.leavePlace()
	s.place = app
	return nil
}

// standIn makes the session a connection of the namespace that p opens, whatever
// its limit.
func (s *Session) standIn(p *auth.Principal) {
	if app := placeOf(p); app != s.place {
		s.leavePlace()
		if s.place = app; app != nil {
			app.AddConnections(1)
		}
	}
}

func (s *Session) leavePlace() {
	if s.place != nil {
		s.place.AddConnections(-1)
		s.place = nil
	}
}

// placeOf is the namespace that counts a principal's connections. The admin has
// to get in when a namespace is full.
func placeOf(p *auth.Principal) *auth.App {
	if p == nil || p.Admin {
		return nil
	}
	return p.App
}

// notSignedIn is what a session without a principal is told.
func (s *Session) notSignedIn(otherwise error) error {
	if s.refusal != nil {
		return s.refusal
	}
	return otherwise
}

// Hold is how long the door has to wait, after the last Do, before it sends the
// replies and goes on with the connection's next command. It is more than 0 only
// after a sign-in.
func (s *Session) Hold() time.Duration { return s.hold }

// address tells whose failures are counted together.
func (s *Session) address() netip.Addr { return hostaddr.Of(s.opts.Remote) }

// signInEnded is told how each sign-in has ended, by whatever it was tried: p is
// whom it proved (nil for nobody), and err why it failed (nil when it did not). It
// decides how long the answer waits.
func (e *Engine) signInEnded(s *Session, p *auth.Principal, err error) {
	switch {
	case err == nil:
		s.failures = 0
		if p.Admin {
			// Whoever guesses must not be able to take silence for a no and go on
			// at once, so for this one secret the right answer waits as well.
			s.hold = max(s.hold, e.slowdown.guess(s.address(), e.clock()))
		}
	case p != nil: // the credential was right, and its namespace is full
	default:
		s.failures++
		s.hold = max(s.hold, e.slowdown.fail(s.address(), e.clock()))
		if s.failures >= maxFailures {
			s.closing = true
		}
	}
}
