package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// jwtClaims are what a token says. Names are those of RFC 7519 and ours; any
// other is refused: a misspelt prefix must not open a whole namespace.
type jwtClaims struct {
	tenant, app string
	readOnly    bool
	prefix      string
	origins     []string

	id, issuer, subject          string
	audience                     []string
	expires, notBefore, issuedAt *jwt.NumericDate
}

var _ jwt.ClaimsValidator = (*jwtClaims)(nil)

// UnmarshalJSON reads the claims. Errors name the claim, never its value.
func (c *jwtClaims) UnmarshalJSON(text []byte) error {
	*c = jwtClaims{}
	members, err := parseObject(text)
	if err != nil {
		return fmt.Errorf("the payload %w", err)
	}
	for name, raw := range members {
		if err := c.read(name, raw); err != nil {
			return fmt.Errorf("the claim %.40q %w", name, err)
		}
	}
	return nil
}

var errEmptyClaim = errors.New("is empty; leave it out")

func (c *jwtClaims) read(name string, raw json.RawMessage) (err error) {
	switch name {
	case "tenant":
		c.tenant, err = stringOf(raw)
	case "app":
		c.app, err = stringOf(raw)
	case "ro":
		c.readOnly, err = boolOf(raw)
	case "prefix":
		c.prefix, err = stringOf(raw)
		if err == nil && c.prefix == "" {
			err = errEmptyClaim // whoever builds it from a variable did not mean all keys
		}
	case "origins":
		c.origins, err = stringsOf(raw)
	case "jti":
		if c.id, err = stringOf(raw); err == nil {
			err = checkJWTID(c.id)
		}
	case "iss":
		c.issuer, err = stringOf(raw)
	case "sub":
		c.subject, err = stringOf(raw)
	case "aud":
		c.audience, err = audienceOf(raw)
	case "exp":
		c.expires, err = dateOf(raw)
	case "nbf":
		c.notBefore, err = dateOf(raw)
	case "iat":
		c.issuedAt, err = dateOf(raw)
	default:
		err = errors.New("is unknown")
	}
	return err
}

// maxJWTID is the longest jti, in bytes. Each line of CLIENT LIST repeats it.
const maxJWTID = 128

func checkJWTID(id string) error {
	if id == "" || len(id) > maxJWTID {
		return fmt.Errorf("has %d bytes; 1 to %d are allowed", len(id), maxJWTID)
	}
	for i := range len(id) {
		if id[i] < '!' || id[i] > '~' {
			return errors.New("has other characters than printable ASCII without blanks")
		}
	}
	return nil
}

// audienceOf reads one audience or several. One that is there and empty is
// wrong: it is meant for nobody.
func audienceOf(raw json.RawMessage) ([]string, error) {
	if one, err := stringOf(raw); err == nil && one != "" {
		return []string{one}, nil
	}
	list, err := stringsOf(raw)
	if err != nil || len(list) == 0 {
		return nil, errors.New("is neither a string nor an array of strings, or empty")
	}
	return list, nil
}

// maxDate is the end of the year 9999 in seconds. What lies beyond it was
// counted in milliseconds.
const maxDate = 253402300799

// dateOf reads seconds since 1970, perhaps with a fraction.
func dateOf(raw json.RawMessage) (*jwt.NumericDate, error) {
	var seconds *float64
	if err := json.Unmarshal(raw, &seconds); err != nil || seconds == nil {
		return nil, errors.New("is not a number of seconds since 1970")
	}
	if !(*seconds >= 0 && *seconds <= maxDate) {
		return nil, errors.New("is no time in seconds since 1970 (is it in milliseconds?)")
	}
	return &jwt.NumericDate{Time: time.UnixMilli(int64(math.Floor(*seconds * 1000)))}, nil
}

// Validate finds what is missing. The parser asks after it has judged the
// signature and the times.
func (c *jwtClaims) Validate() error {
	switch {
	case c.tenant == "":
		return errors.New("the claim tenant is missing or empty")
	case c.app == "":
		return errors.New("the claim app is missing or empty")
	}
	return nil
}

// GetExpirationTime returns exp, or nil.
func (c *jwtClaims) GetExpirationTime() (*jwt.NumericDate, error) { return c.expires, nil }

// GetIssuedAt returns iat, or nil.
func (c *jwtClaims) GetIssuedAt() (*jwt.NumericDate, error) { return c.issuedAt, nil }

// GetNotBefore returns nbf, or nil.
func (c *jwtClaims) GetNotBefore() (*jwt.NumericDate, error) { return c.notBefore, nil }

// GetIssuer returns iss, or nothing.
func (c *jwtClaims) GetIssuer() (string, error) { return c.issuer, nil }

// GetSubject returns sub, or nothing.
func (c *jwtClaims) GetSubject() (string, error) { return c.subject, nil }

// GetAudience returns aud, or nil.
func (c *jwtClaims) GetAudience() (jwt.ClaimStrings, error) { return c.audience, nil }
