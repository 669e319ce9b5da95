package commands

import (
	"strings"
	"time"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
)

// killFilter says which connections CLIENT KILL closes: those that fit all of
// its conditions.
type killFilter struct {
	addr, laddr *string // nil is any
	kind        string  // empty is any
	user        string  // empty is any
	id          int64   // 0 is any
	minAge      time.Duration
	skipMe      bool
}

var (
	errNoSuchClient = kverr.New(kverr.Err, "No such client")
	errKillID       = kverr.New(kverr.Err, "client-id should be greater than 0")
	errMaxAge       = kverr.New(kverr.Err, "maxage is not an integer or out of range")
	errMaxAgeRange  = kverr.New(kverr.Err, "maxage should be greater than 0")
)

func runClientKill(c *Call) error {
	if c.argc() == 3 {
		// The old form may close the asking connection too.
		if c.kill(killFilter{addr: new(c.arg(2))}) == 0 {
			return errNoSuchClient
		}
		c.Out.Status("OK")
		return nil
	}
	f, err := c.parseKillFilter()
	if err != nil {
		return err
	}
	c.Out.Int(int64(c.kill(f)))
	return nil
}

func (c *Call) parseKillFilter() (killFilter, error) {
	f := killFilter{skipMe: true}
	for i := 2; i < c.argc(); i += 2 {
		if i+1 == c.argc() {
			return f, errSyntax
		}
		value := c.arg(i + 1)
		switch strings.ToLower(c.arg(i)) {
		case "id":
			id, ok := parseInt(c.Argv[i+1])
			if !ok || id < 1 {
				return f, errKillID
			}
			f.id = id
		case "type":
			kind, ok := clientType(value)
			if !ok {
				return f, kverr.Newf(kverr.Err, "Unknown client type '%s'", value)
			}
			f.kind = kind
		case "addr":
			f.addr = &value
		case "laddr":
			f.laddr = &value
		case "user":
			name, ok := c.userNamed(value)
			if !ok {
				return f, kverr.Newf(kverr.Err, "No such user '%s'", value)
			}
			f.user = name
		case "skipme":
			switch strings.ToLower(value) {
			case "yes":
				f.skipMe = true
			case "no":
				f.skipMe = false
			default:
				return f, errSyntax
			}
		case "maxage":
			seconds, ok := parseInt(c.Argv[i+1])
			if !ok || seconds > int64(maxAgeLimit/time.Second) {
				return f, errMaxAge
			}
			if seconds < 1 {
				return f, errMaxAgeRange
			}
			f.minAge = time.Duration(seconds) * time.Second
		default:
			return f, errSyntax
		}
	}
	return f, nil
}

// maxAgeLimit is as long as durations can be.
const maxAgeLimit = time.Duration(1<<63 - 1)

// userNamed finds the principal that a listing calls name: for an app its own,
// also under the name default, for the admin any.
func (c *Call) userNamed(name string) (string, bool) {
	p := c.Session.principal
	if !p.Admin {
		return p.Name(), name == p.Name() || name == "default"
	}
	if name == p.Name() {
		return name, true
	}
	id, err := auth.ParseID(strings.Clone(name))
	if err == nil {
		_, err = c.Engine.dir.App(c.Ctx, id)
	}
	return id.String(), err == nil
}

// kill closes the connections that the session may close and that fit, and
// returns how many. Its own ends after its reply.
func (c *Call) kill(f killFilter) int {
	killed := 0
	for _, s := range c.Engine.visibleSessions(c.Session) {
		v := s.snapshot()
		switch {
		case f.addr != nil && s.opts.Remote != *f.addr,
			f.laddr != nil && s.opts.Local != *f.laddr,
			f.kind != "" && v.kind() != f.kind,
			f.id != 0 && s.id != f.id,
			f.user != "" && v.principal.Name() != f.user,
			f.minAge != 0 && c.clock().Sub(s.created) < f.minAge,
			!c.Session.mayKill(s, v):
			continue
		}
		if s == c.Session {
			if f.skipMe {
				continue
			}
			s.closing = true
		} else if s.opts.Kill != nil {
			s.opts.Kill()
		}
		killed++
	}
	auditDetail(c, "killed", int64(killed))
	return killed
}

// mayKill tells whether the session, which sees other, may close it. A
// restricted token closes only what was opened with itself.
func (s *Session) mayKill(other *Session, v shownState) bool {
	if s == other || !s.restricted() {
		return true
	}
	return v.principal != nil && v.principal.Token.Same(s.principal.Token)
}

// clientType normalises Redis's names of kinds of clients.
func clientType(name string) (string, bool) {
	switch kind := strings.ToLower(name); kind {
	case "normal", "master", "replica", "pubsub":
		return kind, true
	case "slave":
		return "replica", true
	}
	return "", false
}

// kind is the type of a connection in CLIENT LIST TYPE and CLIENT KILL TYPE.
func (v *shownState) kind() string {
	if v.subscribed() {
		return "pubsub"
	}
	return "normal"
}
