package auth

import (
	"bytes"
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"sync/atomic"

	"github.com/golang-jwt/jwt/v5"
)

// JWTKeys are the keys that may sign JSON Web Tokens.
type JWTKeys struct{ keys []*jwtKey }

// jwtKey is one key. It is for one algorithm: whoever signs does not get to
// choose how the key is used.
type jwtKey struct {
	id  string // kid; may be empty when it is the only key
	alg string
	key any // []byte for HS256, ed25519.PublicKey for EdDSA
	// withdrawn ends everything that was signed in with the key.
	withdrawn atomic.Bool
}

// The algorithms that are accepted, as tokens name them.
var (
	algHMAC    = jwt.SigningMethodHS256.Alg()
	algEd25519 = jwt.SigningMethodEdDSA.Alg()
)

const (
	// minSecretLen is the shortest secret of HS256, in bytes (RFC 7518, 3.2).
	minSecretLen = 32
	maxSecretLen = 4096
	// minSecretVariety is how many different bytes a secret has at least; 32
	// random ones have about 30.
	minSecretVariety = 8
	maxKeyIDLen      = 128
	// maxJWTKeys bounds the time that reading them takes: milliseconds for each.
	maxJWTKeys = 100
)

// ParseJWTKeys reads a JSON Web Key Set (RFC 7517): keys of the type oct for
// HS256, and of the type OKP with the curve Ed25519 (RFC 8037) for EdDSA. What
// it does not know about a key it ignores, as the standard wants; a key that it
// cannot use is an error. Errors: *InputError, which never holds a secret.
func ParseJWTKeys(text []byte) (*JWTKeys, error) {
	set, err := parseObject(text)
	if err != nil {
		return nil, inputErrorf("the key set %v", err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(set["keys"], &list); err != nil || len(list) == 0 {
		return nil, inputErrorf(`the key set has no keys; write {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": "..."}]}`)
	}
	if len(list) > maxJWTKeys {
		return nil, inputErrorf("the key set has %d keys; at most %d are allowed", len(list), maxJWTKeys)
	}
	k := &JWTKeys{keys: make([]*jwtKey, len(list))}
	for i, raw := range list {
		key, err := parseJWTKey(raw)
		if err != nil {
			return nil, inputErrorf("key %d of the set %v", i+1, err)
		}
		k.keys[i] = key
	}
	return k, k.check()
}

// HasSecrets tells whether somebody who reads the keys can sign tokens.
func (k *JWTKeys) HasSecrets() bool {
	return slices.ContainsFunc(k.keys, func(key *jwtKey) bool { return key.alg == algHMAC })
}

// check judges keys by their neighbours.
func (k *JWTKeys) check() error {
	ids := make(map[string]bool)
	for i, key := range k.keys {
		if key.id == "" && len(k.keys) > 1 {
			return inputErrorf("key %d of the set has no kid; with several keys each needs one, and tokens name it", i+1)
		}
		if ids[key.id] {
			return inputErrorf("two keys of the set have the kid %q", key.id)
		}
		ids[key.id] = true
		secret, ok := key.key.([]byte)
		if !ok {
			continue
		}
		for _, other := range k.keys {
			if public, ok := other.key.(ed25519.PublicKey); ok && bytes.Contains(secret, public) {
				return inputErrorf("key %d of the set has a secret that is the public key of another, which everybody may know", i+1)
			}
		}
	}
	return nil
}

// find returns the key that a token's header asks for, or nil. A token without
// kid (hasID false) can only mean the only key.
func (k *JWTKeys) find(id string, hasID bool) *jwtKey {
	if !hasID {
		if len(k.keys) == 1 {
			return k.keys[0]
		}
		return nil
	}
	i := slices.IndexFunc(k.keys, func(key *jwtKey) bool { return key.id == id })
	if i < 0 || id == "" {
		return nil
	}
	return k.keys[i]
}

// same tells whether two keys are one.
func (k *jwtKey) same(other *jwtKey) bool {
	return k.id == other.id && k.alg == other.alg && subtle.ConstantTimeCompare(k.bytes(), other.bytes()) == 1
}

func (k *jwtKey) bytes() []byte {
	if public, ok := k.key.(ed25519.PublicKey); ok {
		return public
	}
	secret, _ := k.key.([]byte)
	return secret
}

// parseJWTKey reads one key. Its errors go on after "key N".
func parseJWTKey(raw json.RawMessage) (*jwtKey, error) {
	m, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	var kty, crv, alg, use, id string
	for _, f := range []struct {
		name string
		to   *string
	}{{"kty", &kty}, {"crv", &crv}, {"alg", &alg}, {"use", &use}, {"kid", &id}} {
		if text, given := m[f.name]; given {
			if *f.to, err = stringOf(text); err != nil {
				return nil, inputErrorf("is wrong: %s %v", f.name, err)
			}
		}
	}
	if len(id) > maxKeyIDLen {
		return nil, inputErrorf("has a kid of %d bytes; at most %d are allowed", len(id), maxKeyIDLen)
	}
	if use != "" && use != "sig" {
		return nil, inputErrorf("is not for signatures: its use is %.40q", use)
	}
	if ops, given := m["key_ops"]; given {
		if list, err := stringsOf(ops); err != nil || !slices.Contains(list, "verify") {
			return nil, inputErrorf("may not verify signatures: its key_ops lack verify")
		}
	}
	k := &jwtKey{id: id}
	switch {
	case kty == "oct":
		k.alg = algHMAC
		k.key, err = parseSecret(m)
	case kty == "OKP" && crv == "Ed25519":
		k.alg = algEd25519
		k.key, err = parsePublicKey(m)
	default:
		return nil, inputErrorf("has the kty %.40q and the crv %.40q; supported are oct, and OKP with Ed25519", kty, crv)
	}
	if err == nil && alg != "" && alg != k.alg {
		err = inputErrorf("has the alg %.40q; a key of its type is for %s", alg, k.alg)
	}
	return k, err
}

// decodeMember reads a member in base64url without padding, as JOSE has it.
func decodeMember(m map[string]json.RawMessage, name string) ([]byte, error) {
	text, err := stringOf(m[name])
	if err != nil {
		return nil, inputErrorf("has no %s", name)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, inputErrorf("has a %s that is not base64url without padding", name)
	}
	return b, nil
}

func parseSecret(m map[string]json.RawMessage) ([]byte, error) {
	secret, err := decodeMember(m, "k")
	if err != nil {
		return nil, err
	}
	if len(secret) < minSecretLen || len(secret) > maxSecretLen {
		return nil, inputErrorf("has a secret of %d bytes; %d to %d are allowed (head -c 32 /dev/urandom | basenc --base64url | tr -d = makes one)",
			len(secret), minSecretLen, maxSecretLen)
	}
	var seen [256]bool
	variety := 0
	for _, c := range secret {
		if !seen[c] {
			seen[c] = true
			variety++
		}
	}
	if variety < minSecretVariety {
		return nil, inputErrorf("has a secret that is easy to guess: it has only %d different bytes; take random ones", variety)
	}
	return secret, nil
}

func parsePublicKey(m map[string]json.RawMessage) (ed25519.PublicKey, error) {
	if _, private := m["d"]; private {
		return nil, inputErrorf("is a private key: it has the member d; the server needs the public one, and nobody else the private one")
	}
	public, err := decodeMember(m, "x")
	if err != nil {
		return nil, err
	}
	if len(public) != ed25519.PublicKeySize {
		return nil, inputErrorf("has an x of %d bytes; a public key of Ed25519 has %d", len(public), ed25519.PublicKeySize)
	}
	if forgeable(public) {
		return nil, inputErrorf("is not a real public key: anybody could sign for it")
	}
	return public, nil
}

// forgeable finds the few points of the curve with a small order, under which a
// signature made of nothing holds for one message in eight, or for each.
func forgeable(public ed25519.PublicKey) bool {
	var signature [ed25519.SignatureSize]byte
	signature[0] = 1 // the neutral point, and zero
	var message [4]byte
	for i := range uint32(200) {
		binary.BigEndian.PutUint32(message[:], i)
		if ed25519.Verify(public, message[:], signature[:]) {
			return true
		}
	}
	return false
}
