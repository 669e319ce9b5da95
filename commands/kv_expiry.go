package commands

import (
	"math"
	"strconv"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

// kvExpiry says when an entry that a KV command writes ends. The zero value is
// never.
type kvExpiry struct {
	at   int64 // Unix milliseconds, 0 for never
	keep bool  // as the entry that is replaced
}

// given tells whether an option said so.
func (x *kvExpiry) given() bool { return x.at != 0 || x.keep }

// parse reads TTL s, PX ms or KEEPTTL at argument i and returns how many arguments it
// takes. A second expiry, and any other word, is a syntax error.
func (x *kvExpiry) parse(c *Call, i int) (used int, err error) {
	switch {
	case x.given():
	case strings.EqualFold(c.arg(i), "KEEPTTL"):
		x.keep = true
		return 1, nil
	case strings.EqualFold(c.arg(i), "TTL") && i+1 < c.argc():
		x.at, err = c.endOf(i+1, 1000)
		return 2, err
	case strings.EqualFold(c.arg(i), "PX") && i+1 < c.argc():
		x.at, err = c.endOf(i+1, 1)
		return 2, err
	}
	return 0, errSyntax
}

// after is the end of the entry that replaces old.
func (x *kvExpiry) after(old storage.Entry) int64 {
	if x.keep {
		return old.ExpiresAt
	}
	return x.at
}

// endOf turns the TTL in argument i, counted in units of so many milliseconds,
// into a moment. SET answers Redis's own error to a TTL that is no time; here
// it is out of bounds like any other.
func (c *Call) endOf(i int, unit int64) (int64, error) {
	n, err := c.intArg(i)
	if err != nil {
		return 0, err
	}
	if n <= 0 || n > (math.MaxInt64-c.Now)/unit {
		return 0, c.errTTL(n, unit)
	}
	at := c.Now + n*unit
	return at, checkTTL(c.Limits, c.db, c.Now, at)
}

// errTTL refuses a TTL that is no moment in the future which 64 bits can tell.
func (c *Call) errTTL(n, unit int64) error {
	given := strconv.FormatInt(n, 10) + " ms"
	if unit == 1000 {
		given = strconv.FormatInt(n, 10) + " s"
	}
	lo, hi := c.Limits.TTLMin[c.db].Milliseconds(), c.Limits.TTLMax[c.db].Milliseconds()
	if hi == 0 {
		hi = math.MaxInt64 - c.Now
	}
	return kverr.Newf(kverr.BadInput, "the TTL of %s is out of bounds; allowed are %s to %s",
		given, formatMillis(lo), formatMillis(hi))
}
