// Package auth knows who may do what: apps with their limits, tokens with
// their scopes, and the principal that a sign-in yields. It keeps apps and
// tokens in the store's own reserved namespace and knows no commands.
package auth

import (
	"slices"
	"time"
)

// Principal is who a session is after it signed in.
type Principal struct {
	Admin bool
	App   *App   // the namespace; nil for an admin that looks into none
	Token *Token // nil for the admin, for a certificate, and for an anonymous session of --dev
	Until int64  // when a sign-in without a token ends (Unix milliseconds); 0 is never
}

// Valid tells whether the principal may still act at now (Unix milliseconds):
// its token is neither revoked nor past its end, nor is what was shown instead of
// one; the key that signed it is still accepted; its app still exists.
func (p *Principal) Valid(now int64) bool {
	if p.App != nil && p.App.Dropped() {
		return false
	}
	if p.Until != 0 && now >= p.Until {
		return false
	}
	return p.Token == nil || !p.Token.ended(now)
}

// CountCommands notes n commands, run at now, in the principal's namespace if
// it has one.
func (p *Principal) CountCommands(now time.Time, n int) {
	if n > 0 && p != nil && p.App != nil {
		p.App.CountCommands(now, n)
	}
}

// Prefix returns what the keys that the principal may touch begin with; empty is
// all keys.
func (p *Principal) Prefix() string {
	if p == nil || p.Token == nil {
		return ""
	}
	return p.Token.Prefix
}

// EndsAt is when the principal may act no longer (Unix milliseconds), as far as
// that is known today; 0 is never.
func (p *Principal) EndsAt() int64 {
	switch {
	case p == nil:
		return 0
	case p.Token != nil:
		return p.Token.ExpiresAt
	default:
		return p.Until
	}
}

// Admits tells whether the principal may act on behalf of a web origin. What is
// not a browser has none, and may always; a token may be used from the origins
// that it names, and whoever has no token from none.
func (p *Principal) Admits(origin string) bool {
	return origin == "" || p != nil && p.Token != nil && slices.Contains(p.Token.Origins, origin)
}

// Name is how the principal is called in listings: its namespace, or "admin".
func (p *Principal) Name() string {
	switch {
	case p == nil:
		return ""
	case p.Admin:
		return "admin"
	default:
		return p.App.ID.String()
	}
}

// SignIn tells how the principal signed in, in one word without secrets:
// "admin", "token:<id>", "browser:<id of the token that bought it>", "jwt:<jti>", "jwt" for one without jti, "certificate",
// "anonymous", or "none" before a sign-in.
func (p *Principal) SignIn() string {
	switch {
	case p == nil:
		return "none"
	case p.Admin:
		return "admin"
	case p.Token == nil && p.Until != 0:
		return "certificate"
	case p.Token == nil:
		return "anonymous"
	case p.Token.parent != nil:
		return "browser:" + p.Token.parent.ID
	case !p.Token.Signed():
		return "token:" + p.Token.ID
	case p.Token.JWTID == "":
		return "jwt"
	default:
		return "jwt:" + p.Token.JWTID
	}
}
