package auth

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cubbykv/cubby/storage"
)

// JWTOptions say which JSON Web Tokens (RFC 7519) sign in.
type JWTOptions struct {
	Keys     *JWTKeys      // nil accepts no token
	Leeway   time.Duration // how far the clocks of those who sign may differ from ours
	Audience string        // required in aud; when it is empty, tokens must have no aud
	Issuer   string        // required in iss; empty accepts any
}

// jwtVerifier judges tokens. It does not change.
type jwtVerifier struct {
	options JWTOptions
	parser  *jwt.Parser
}

// SetJWT changes which JSON Web Tokens sign in. Sessions whose key is no longer
// among the keys end at their next command, whatever the end of their token; the
// others stay.
func (d *Directory) SetJWT(o JWTOptions) {
	d.settingJWT.Lock()
	defer d.settingJWT.Unlock()
	old := d.jwt.Load()
	var v *jwtVerifier
	if o.Keys != nil {
		o.Keys = o.Keys.clone()
		v = &jwtVerifier{options: o, parser: d.newJWTParser(o)}
	}
	var gone []*jwtKey
	if old != nil {
		for _, was := range old.options.Keys.keys {
			if v == nil || !v.options.Keys.adopt(was) {
				gone = append(gone, was)
			}
		}
	}
	d.jwt.Store(v)
	for _, key := range gone { // last: what is being verified with it ends as well
		key.withdrawn.Store(true)
	}
}

// clone returns the keys without what became of them.
func (k *JWTKeys) clone() *JWTKeys {
	c := &JWTKeys{keys: make([]*jwtKey, len(k.keys))}
	for i, key := range k.keys {
		c.keys[i] = &jwtKey{id: key.id, alg: key.alg, key: key.key}
	}
	return c
}

// adopt keeps a key that was in use and stands in the new set too.
func (k *JWTKeys) adopt(was *jwtKey) bool {
	for i, key := range k.keys {
		if key.same(was) {
			k.keys[i] = was
			return true
		}
	}
	return false
}

func (d *Directory) newJWTParser(o JWTOptions) *jwt.Parser {
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{algHMAC, algEd25519}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithStrictDecoding(),
		jwt.WithLeeway(o.Leeway),
		jwt.WithTimeFunc(d.clock),
	}
	if o.Audience != "" {
		options = append(options, jwt.WithAudience(o.Audience))
	}
	if o.Issuer != "" {
		options = append(options, jwt.WithIssuer(o.Issuer))
	}
	return jwt.NewParser(options...)
}

// maxJWT is the longest token, in bytes.
const maxJWT = 8192

// Reasons to refuse a token, for the log.
var (
	errNoJWTKeys   = errors.New("no keys for JWTs are configured")
	errJWTTooLong  = fmt.Errorf("it has more than %d bytes", maxJWT)
	errNoJWT       = errors.New("it is not base64url with two dots")
	errNoJWTKey    = errors.New("its kid names none of the keys, or it has none and there are several keys")
	errKeyAlg      = errors.New("its alg is not the one that its key is for")
	errKeyGone     = errors.New("its key was withdrawn meanwhile")
	errAudience    = errors.New("it has an aud, and no audience is configured")
	errBeforeApp   = errors.New("it was issued before its app was created")
	errOtherApp    = errors.New("it opens another namespace than the one that AUTH named")
	errSignInEnded = errors.New("it has ended, or its app was dropped")
)

// looksSigned tells a JWT from an opaque token, which has no dots.
func looksSigned(secret string) bool { return strings.Count(secret, ".") == 2 }

// verifyJWT returns the principal that a signed token proves. Errors are for the
// log alone; they hold nothing of the token but names.
func (d *Directory) verifyJWT(secret string) (*Principal, error) {
	v := d.jwt.Load()
	if v == nil {
		return nil, errNoJWTKeys
	}
	claims, key, err := v.verify(secret)
	if err != nil {
		return nil, err
	}
	id := storage.ID{Tenant: claims.tenant, App: claims.app}
	d.mu.RLock()
	m := d.apps[id]
	d.mu.RUnlock()
	if m == nil {
		return nil, fmt.Errorf("there is no app %.140q", id.String())
	}
	leeway := v.options.Leeway.Milliseconds()
	if claims.issuedAt != nil && claims.issuedAt.UnixMilli()+leeway < m.app.CreatedAt {
		return nil, errBeforeApp // by its name it may have belonged to somebody else
	}
	now := d.clock().UnixMilli()
	t := &Token{App: id, CreatedAt: now, JWTID: claims.id, hash: sha256.Sum256([]byte(secret)), key: key, Scope: Scope{
		ReadOnly: claims.readOnly, Prefix: claims.prefix, Origins: claims.origins,
		ExpiresAt: claims.expires.UnixMilli() + leeway,
	}}
	if err := t.check(m.app.Limits(), now); err != nil {
		return nil, err
	}
	return &Principal{App: m.app, Token: t}, nil
}

// verify returns the claims of a token that is signed and in force, and the key
// that it was signed with.
func (v *jwtVerifier) verify(token string) (*jwtClaims, *jwtKey, error) {
	if len(token) > maxJWT {
		return nil, nil, errJWTTooLong
	}
	for i := range len(token) { // package base64 skips line breaks
		if c := token[i]; !isAlphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return nil, nil, errNoJWT
		}
	}
	key, err := v.keyOf(token)
	if err != nil {
		v.verifyInVain(token)
		return nil, nil, err
	}
	claims := new(jwtClaims)
	_, err = v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		if t.Method.Alg() != key.alg {
			return nil, errKeyAlg // impossible: keyOf has compared them
		}
		return key.key, nil
	})
	switch {
	case err != nil:
		return nil, nil, err
	case v.options.Audience == "" && len(claims.audience) > 0:
		return nil, nil, errAudience // RFC 7519, 4.1.3: it is meant for somebody else
	case key.withdrawn.Load():
		return nil, nil, errKeyGone
	}
	return claims, key, nil
}

// The keys of verifyInVain, which anybody may know: it has no result.
var (
	vainSecret = make([]byte, minSecretLen)
	vainPublic = ed25519.NewKeyFromSeed(vainSecret).Public()
)

// verifyInVain does for a token without a key what is done with one: so the time
// that a refusal takes does not tell which names keys have, or what they are for.
func (v *jwtVerifier) verifyInVain(token string) {
	_, _ = v.parser.ParseWithClaims(token, new(jwtClaims), func(t *jwt.Token) (any, error) {
		if t.Method.Alg() == algHMAC {
			return vainSecret, nil
		}
		return vainPublic, nil
	})
}

// keyOf reads a token's header and returns the key that it names. Members that
// are unknown are refused: crit would have to be understood, and jwk, jku and
// the like bring keys of the sender's own.
func (v *jwtVerifier) keyOf(token string) (*jwtKey, error) {
	header, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.Strict().DecodeString(header)
	if err != nil {
		return nil, errNoJWT
	}
	members, err := parseObject(text)
	if err != nil {
		return nil, fmt.Errorf("the header %w", err)
	}
	var alg, id string
	hasID := false
	for name, raw := range members {
		value, err := stringOf(raw)
		switch {
		case name != "alg" && name != "kid" && name != "typ":
			return nil, fmt.Errorf("the header has the member %.40q, which is unknown", name)
		case err != nil:
			return nil, fmt.Errorf("the header's %s %w", name, err)
		case name == "alg":
			alg = value
		case name == "kid":
			id, hasID = value, true
		case name == "typ" && !strings.EqualFold(value, "JWT"):
			return nil, errors.New("the header's typ is not JWT")
		}
	}
	key := v.options.Keys.find(id, hasID)
	if key == nil {
		return nil, errNoJWTKey
	}
	if alg != key.alg {
		return nil, errKeyAlg
	}
	return key, nil
}
