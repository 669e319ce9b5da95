package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

// What the audit trail may show of a sign-in. Clients put secrets where names
// belong, so it shows only what the server knows itself.

// unknownUser stands for a name that is nobody's.
const unknownUser = "(unknown)"

// KnownUser returns user if it is a name that AUTH takes, else "(unknown)".
// Without a name it returns none.
func (d *Directory) KnownUser(user string) string {
	if user == "" || user == adminUser || user == defaultUser {
		return strings.Clone(user)
	}
	if id, err := ParseID(strings.Clone(user)); err == nil {
		if m, err := d.member(id); err == nil {
			return m.app.ID.String()
		}
	}
	return unknownUser
}

// KnownToken returns the id that an opaque token's secret begins with, if there
// is such a token, whether or not the secret is its.
func (d *Directory) KnownToken(secret string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if t := d.tokens[tokenID(secret)]; t != nil {
		return t.ID
	}
	return ""
}

// LooksSecret tells whether text is the admin's password, or has in it what
// looks like a token.
func (d *Directory) LooksSecret(text string) bool {
	if i := strings.Index(text, tokenPrefix); i >= 0 && tokenID(text[i:]) != "" {
		return true
	}
	if i := strings.Index(text, browserPrefix); i >= 0 && len(text)-i >= secretLen {
		return true
	}
	if i := strings.Index(text, "eyJ"); i >= 0 && strings.Count(text[i:], ".") >= 2 { // {" in base64
		return true
	}
	admin := d.admin.Load()
	given := digest(sha256.Sum256([]byte(text)))
	return admin != nil && subtle.ConstantTimeCompare(given[:], admin[:]) == 1
}
