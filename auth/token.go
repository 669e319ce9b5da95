package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/cubbykv/cubby/storage"
)

// Token is a secret's public half: what it opens and what it may do there. An
// opaque token is kept and has an ID; one that was made of a JSON Web Token
// belongs to one sign-in.
type Token struct {
	ID        string // 16 letters and digits, never a secret; empty for a JSON Web Token
	JWTID     string // jti of a JSON Web Token; may be empty
	App       storage.ID
	Name      string // the admin's word for it; may be empty
	CreatedAt int64  // Unix milliseconds
	RotatedAt int64  // when it got its newest secret; 0 is never
	Scope

	hash    digest
	revoked atomic.Bool
	until   atomic.Int64 // when this secret of the token, which has a newer one, ends (Unix milliseconds); 0 is the newest
	former  []*Token     // by older secrets; some may have ended. Never changes
	key     *jwtKey      // that signed it; nil for an opaque token
	parent  *Token       // that bought it; nil for all but browser tokens
}

// Signed tells whether the token was a JSON Web Token.
func (t *Token) Signed() bool { return t != nil && t.key != nil }

// ComesFrom tells whether the token has that ID, or was bought with the one that
// has it.
func (t *Token) ComesFrom(id string) bool {
	return t != nil && (t.ID == id || t.parent.ComesFrom(id))
}

// Same tells whether both are one token, whichever of its secrets was used; of
// those that are made at a sign-in, whether both came from one.
func (t *Token) Same(other *Token) bool {
	switch {
	case t == other:
		return true
	case t == nil || other == nil || t.ofOneSignIn() != other.ofOneSignIn():
		return false
	case t.ofOneSignIn():
		return t.hash == other.hash
	}
	return t.ID != "" && t.ID == other.ID
}

// ofOneSignIn tells whether the token is made anew at each sign-in.
func (t *Token) ofOneSignIn() bool { return t != nil && (t.key != nil || t.parent != nil) }

// ended tells whether the token no longer opens anything at now (Unix
// milliseconds).
func (t *Token) ended(now int64) bool {
	if until := t.until.Load(); until != 0 && now >= until {
		return true
	}
	return t.parent != nil && t.parent.ended(now) || t.revoked.Load() || t.ExpiresAt != 0 && now >= t.ExpiresAt || t.key != nil && t.key.withdrawn.Load()
}

// Scope is what a token may do in its namespace. The zero value may do
// everything, for ever.
type Scope struct {
	ReadOnly  bool
	Prefix    string   // only keys that start with it; empty is all
	ExpiresAt int64    // Unix milliseconds; 0 is never
	Origins   []string // web origins it may be used from; empty is none
}

// Allows tells whether the scope covers key.
func (s *Scope) Allows(key string) bool {
	return s.Prefix == "" || strings.HasPrefix(key, s.Prefix)
}

// check judges a scope that the admin asks for. Errors: *InputError.
func (s *Scope) check(l *Limits, now int64) error {
	if len(s.Prefix) > l.KeyBytes {
		return inputErrorf("the prefix is %d bytes long; keys of this app have at most %d", len(s.Prefix), l.KeyBytes)
	}
	if s.ExpiresAt != 0 && s.ExpiresAt <= now {
		return inputErrorf("the token's end has passed already")
	}
	return checkOrigins(s.Origins)
}

// maxTokenName is the longest name of a token, in bytes.
const maxTokenName = 128

func checkTokenName(s string) error {
	if len(s) > maxTokenName {
		return inputErrorf("the token's name is %d bytes long; at most %d are allowed", len(s), maxTokenName)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return inputErrorf("the token's name %q has control characters or is not UTF-8", s)
	}
	return nil
}

// Token secrets read cub_<id>_<secret>. The parts are letters and digits, so
// that a double click selects all of it, and the prefix lets scanners for
// leaked secrets find it.
const (
	tokenPrefix = "cub_"
	tokenIDLen  = 16
	secretLen   = 43 // digits of 256 bits in base 62
)

// digest is the SHA-256 of a secret. A slow hash would add nothing: the
// secrets have 256 random bits, there is nothing to guess from.
type digest [sha256.Size]byte

// noDigest is compared where there is no token, so that the time an answer
// takes does not tell whether the id exists. No known text has it.
var noDigest digest

// mintToken returns a new id, the secret that is handed out once, and what is
// kept of it.
func mintToken() (id, secret string, hash digest) {
	id = strings.ToLower(rand.Text()[:tokenIDLen])
	secret, hash = mintSecret(id)
	return id, secret, hash
}

// mintSecret returns a new secret of the token id, and what is kept of it.
func mintSecret(id string) (secret string, hash digest) {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // never fails: crypto/rand ends the process instead
	digits := new(big.Int).SetBytes(bits[:]).Text(62)
	secret = tokenPrefix + id + "_" + strings.Repeat("0", secretLen-len(digits)) + digits
	return secret, sha256.Sum256([]byte(secret))
}

// tokenID returns the id part of a token's secret. What it returns for
// anything else is nobody's id.
func tokenID(secret string) string {
	rest, ok := strings.CutPrefix(secret, tokenPrefix)
	if !ok || len(rest) <= tokenIDLen || rest[tokenIDLen] != '_' {
		return ""
	}
	return rest[:tokenIDLen]
}
