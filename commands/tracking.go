package commands

import (
	"bytes"
	"slices"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

// trackingRows are the subcommands of CLIENT for client-side caching. See
// https://redis.io/docs/latest/develop/reference/client-side-caching/.
func trackingRows() []*Command {
	const also = "noscript loading stale"
	return []*Command{
		{Name: "client|caching", Arity: 3, Flags: OwnConnection | Stateful, Also: also, ACL: "slow connection", Group: "connection", Since: "6.0.0",
			Syntax: "YES | NO", Doc: "Says whether the keys of the next command are tracked, in the modes OPTIN and OPTOUT.", Run: runClientCaching},
		{Name: "client|getredir", Arity: 2, Flags: OwnConnection, Also: also, ACL: "slow connection", Group: "connection", Since: "6.0.0",
			Doc: "Returns the connection that invalidations go to, 0 for this one, or -1 without tracking.", Run: runClientGetRedir},
		{Name: "client|tracking", Arity: -3, Flags: OwnConnection | Stateful | Namespaced | Slow, Also: also, ACL: "slow connection", Group: "connection", Since: "6.0.0",
			Syntax: "<ON | OFF> [REDIRECT client-id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
			Doc:    "Tells this connection, or another one, when keys change that it has read: client-side caching.", Run: runClientTracking},
		{Name: "client|trackinginfo", Arity: 2, Flags: OwnConnection, Also: also, ACL: "slow connection", Group: "connection", Since: "6.2.0",
			Doc: "Describes the tracking of this connection.", Run: runClientTrackingInfo},
	}
}

// tracking is the state of CLIENT TRACKING in a session.
type tracking struct {
	on, bcast, optIn, optOut, noLoop bool

	caching  bool // CLIENT CACHING was said of the next command
	redirect int64
	prefixes []string // sorted
}

// shownTracking is what others may see of it.
type shownTracking struct {
	on, bcast bool
	broken    bool // the connection redirected to has gone
	redirect  int64
}

// maxTrackedPrefixes bounds those of one connection. Redis has no bound.
const maxTrackedPrefixes = 512

var (
	errRedirectTwice   = kverr.New(kverr.Err, "A client can only redirect to a single other client")
	errRedirectUnknown = kverr.New(kverr.Err, "The client ID you want redirect to does not exist")
	errPrefixMode      = kverr.New(kverr.Err, "PREFIX option requires BCAST mode to be enabled")
	errSwitchBcast     = kverr.New(kverr.Err, "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.")
	errBcastOpt        = kverr.New(kverr.Err, "OPTIN and OPTOUT are not compatible with BCAST")
	errBothOpts        = kverr.New(kverr.Err, "You can't specify both OPTIN mode and OPTOUT mode")
	errSwitchOpt       = kverr.New(kverr.Err, "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.")
	errTrackedOutside  = kverr.New(kverr.NoPerm, "this token tracks only prefixes that start with its own")
	errPrefixesFull    = kverr.Newf(kverr.BadInput, "the connection would track more than %d prefixes", maxTrackedPrefixes).WithHint("shorter prefixes cover more keys")
)

func runClientTracking(c *Call) error {
	o, err := c.parseTracking()
	if err != nil {
		return err
	}
	s := c.Session
	switch word := c.arg(2); {
	case strings.EqualFold(word, "ON"):
		if err := s.track.check(&o); err != nil {
			return err
		}
		s.startTracking(&o)
	case strings.EqualFold(word, "OFF"):
		s.stopTracking()
	default:
		return errSyntax
	}
	if !c.inTransaction() {
		c.settle()
	}
	c.Out.Status("OK")
	return nil
}

func (c *Call) parseTracking() (o tracking, err error) {
	for i := 3; i < c.argc(); i++ {
		word, more := c.arg(i), i+1 < c.argc()
		switch {
		case strings.EqualFold(word, "REDIRECT") && more:
			i++
			if o.redirect != 0 {
				return o, errRedirectTwice
			}
			if o.redirect, err = c.intArg(i); err != nil {
				return o, err
			}
			if target := c.Engine.sessionByID(o.redirect); target == nil || !c.mayRedirect(target.snapshot()) {
				return o, errRedirectUnknown
			}
		case strings.EqualFold(word, "BCAST"):
			o.bcast = true
		case strings.EqualFold(word, "OPTIN"):
			o.optIn = true
		case strings.EqualFold(word, "OPTOUT"):
			o.optOut = true
		case strings.EqualFold(word, "NOLOOP"):
			o.noLoop = true
		case strings.EqualFold(word, "PREFIX") && more:
			i++
			if err := c.checkChannel(c.arg(i)); err != nil {
				return o, err
			}
			if !strings.HasPrefix(c.arg(i), c.Session.principal.Prefix()) {
				return o, errTrackedOutside
			}
			o.prefixes = append(o.prefixes, strings.Clone(c.arg(i)))
		default:
			return o, errSyntax
		}
	}
	return o, nil
}

// mayRedirect tells whether invalidations may go to another connection: one of
// the namespace that the session may see, and that may see the session's keys.
func (c *Call) mayRedirect(target shownState) bool {
	p := c.Session.principal
	return target.in(p.App.ID) && c.Session.maySee(target) && strings.HasPrefix(p.Prefix(), target.principal.Prefix())
}

// check tells whether tracking may go on as o, in Redis's order.
func (t *tracking) check(o *tracking) error {
	switch {
	case !o.bcast && len(o.prefixes) > 0:
		return errPrefixMode
	case t.on && t.bcast != o.bcast:
		return errSwitchBcast
	case o.bcast && (o.optIn || o.optOut):
		return errBcastOpt
	case o.optIn && o.optOut:
		return errBothOpts
	case o.optIn && t.optOut || o.optOut && t.optIn:
		return errSwitchOpt
	case len(t.prefixes)+len(o.prefixes) > maxTrackedPrefixes:
		return errPrefixesFull
	}
	for i, p := range o.prefixes {
		for _, old := range t.prefixes {
			if overlap(p, old) {
				return errOverlap(p, "an existing", old)
			}
		}
		for _, other := range o.prefixes[i+1:] {
			if overlap(p, other) {
				return errOverlap(p, "another provided", other)
			}
		}
	}
	return nil
}

func overlap(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

func errOverlap(prefix, which, other string) error {
	return kverr.Newf(kverr.Err, "Prefix '%s' overlaps with %s prefix '%s'. Prefixes for a single client must not overlap.",
		bytes.TrimRight(cString([]byte(prefix), len(prefix)), "\r\n"), which, cString([]byte(other), len(other)))
}

// startTracking turns tracking on, or changes it.
func (s *Session) startTracking(o *tracking) {
	s.attach()
	if o.bcast && len(o.prefixes) == 0 {
		o.prefixes = []string{s.principal.Prefix()} // all keys that it may see
	}
	o.on, o.caching = true, s.track.caching
	fresh := o.prefixes
	o.prefixes = append(slices.Clone(s.track.prefixes), fresh...)
	slices.Sort(o.prefixes)
	o.prefixes = slices.Compact(o.prefixes)
	s.track = *o
	s.hub.tracking.join(&tracker{session: s, bcast: o.bcast, noLoop: o.noLoop, redirect: o.redirect}, o.prefixes)
	s.show(func(v *shownState) { v.tracking = shownTracking{on: true, bcast: o.bcast, redirect: o.redirect} })
}

// stopTracking turns tracking off.
func (s *Session) stopTracking() {
	if !s.track.on {
		return
	}
	s.hub.tracking.leave(s.id, s.track.prefixes)
	s.track = tracking{}
	s.show(func(v *shownState) { v.tracking = shownTracking{} })
}

// endCaching follows a command: CLIENT CACHING is for one, or for a transaction.
func (s *Session) endCaching(cmd *Command) {
	if s.track.caching && s.multi == nil && (cmd == nil || !cmd.has(KeepsCaching)) {
		s.track.caching = false
	}
}

func runClientCaching(c *Call) error {
	t := &c.Session.track
	if !t.on {
		return kverr.New(kverr.Err, "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
	}
	switch word := c.arg(2); {
	case strings.EqualFold(word, "YES"):
		if !t.optIn {
			return kverr.New(kverr.Err, "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
		}
	case strings.EqualFold(word, "NO"):
		if !t.optOut {
			return kverr.New(kverr.Err, "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
		}
	default:
		return errSyntax
	}
	t.caching = true
	c.Out.Status("OK")
	return nil
}

func runClientGetRedir(c *Call) error {
	v := c.Session.snapshot()
	c.Out.Int(v.redirect())
	return nil
}

// redirect is what CLIENT GETREDIR and CLIENT LIST tell.
func (v *shownState) redirect() int64 {
	if !v.tracking.on {
		return -1
	}
	return v.tracking.redirect
}

func runClientTrackingInfo(c *Call) error {
	t, v := &c.Session.track, c.Session.snapshot()
	words := []string{"off"}
	if t.on {
		words[0] = "on"
	}
	for _, f := range []struct {
		set  bool
		word string
	}{
		{t.bcast, "bcast"}, {t.optIn, "optin"}, {t.optIn && t.caching, "caching-yes"}, {t.optOut, "optout"}, {t.optOut && t.caching, "caching-no"},
		{t.noLoop, "noloop"}, {v.tracking.broken, "broken_redirect"},
	} {
		if f.set {
			words = append(words, f.word)
		}
	}
	c.Out.Map(3)
	c.Out.BulkString("flags")
	c.Out.Set(len(words))
	for _, w := range words {
		c.Out.BulkString(w)
	}
	c.Out.BulkString("redirect")
	c.Out.Int(v.redirect())
	c.Out.BulkString("prefixes")
	c.Out.Array(len(t.prefixes))
	for _, p := range t.prefixes {
		c.Out.BulkString(p)
	}
	return nil
}

// in tells whether the session works in a namespace.
func (v shownState) in(id storage.ID) bool {
	return !v.ended && v.principal != nil && v.principal.App != nil && v.principal.App.ID == id
}
