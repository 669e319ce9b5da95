package commands

import (
	"bytes"
	"math"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

// expiryKind is the unit and origin of a TTL argument.
type expiryKind int

const (
	expiryNone expiryKind = iota
	expiryEX              // seconds from now
	expiryPX              // milliseconds from now
	expiryEXAT            // Unix seconds
	expiryPXAT            // Unix milliseconds
)

// setOptions are the options of SET, GETEX and MSETEX.
type setOptions struct {
	nx, xx, get, keepTTL bool
	ifEqual              bool
	equal                []byte // what the value has to be for ifEqual
	persist              bool
	expiry               expiryKind
	expiryArg            []byte
}

// conditional tells whether something has to hold before SET writes.
func (o *setOptions) conditional() bool { return o.nx || o.xx || o.ifEqual }

// holds judges the condition by what is there.
func (o *setOptions) holds(old storage.Entry, found bool) bool {
	switch {
	case o.nx:
		return !found
	case o.xx:
		return found
	case o.ifEqual:
		return found && bytes.Equal(old.Value, o.equal)
	}
	return true
}

// optionSet tells whose options are parsed.
type optionSet int

const (
	forSet optionSet = iota
	forGetEX
	forMSetEX
)

// parseSetOptions reads the options from argument from on. What excludes what
// follows parseExtendedStringArgumentsOrReply of Redis 7.0, and Valkey 8.1 for
// IFEQ.
func parseSetOptions(c *Call, from int, whose optionSet) (o setOptions, err error) {
	for i := from; i < c.argc(); i++ {
		word := c.arg(i)
		kind := expiryNone
		switch {
		case whose != forGetEX && strings.EqualFold(word, "NX") && !o.xx && !o.ifEqual:
			o.nx = true
			continue
		case whose != forGetEX && strings.EqualFold(word, "XX") && !o.nx && !o.ifEqual:
			o.xx = true
			continue
		case whose == forSet && strings.EqualFold(word, "IFEQ") && !o.conditional() && i+1 < c.argc():
			i++
			o.ifEqual, o.equal = true, c.Argv[i]
			continue
		case whose == forSet && strings.EqualFold(word, "GET"):
			o.get = true
			continue
		case whose != forGetEX && strings.EqualFold(word, "KEEPTTL") && o.expiry == expiryNone:
			o.keepTTL = true
			continue
		case whose == forGetEX && strings.EqualFold(word, "PERSIST") && o.expiry == expiryNone:
			o.persist = true
			continue
		case strings.EqualFold(word, "EX"):
			kind = expiryEX
		case strings.EqualFold(word, "PX"):
			kind = expiryPX
		case strings.EqualFold(word, "EXAT"):
			kind = expiryEXAT
		case strings.EqualFold(word, "PXAT"):
			kind = expiryPXAT
		}
		repeatable := o.expiry == expiryNone || o.expiry == kind
		if kind == expiryNone || !repeatable || o.keepTTL || o.persist || i+1 == c.argc() {
			return o, errSyntax
		}
		i++
		o.expiry, o.expiryArg = kind, c.Argv[i]
	}
	return o, nil
}

// expiresAt turns a TTL argument of SET and its kin into Unix milliseconds,
// within the namespace's bounds on TTLs.
func (c *Call) expiresAt(kind expiryKind, arg []byte) (int64, error) {
	n, ok := parseInt(arg)
	if !ok {
		return 0, errNotInteger
	}
	if n <= 0 {
		return 0, errExpireTime(c.Cmd)
	}
	if kind == expiryEX || kind == expiryEXAT {
		if n > math.MaxInt64/1000 {
			return 0, errExpireTime(c.Cmd)
		}
		n *= 1000
	}
	if kind == expiryEX || kind == expiryPX {
		if n > math.MaxInt64-c.Now {
			return 0, errExpireTime(c.Cmd)
		}
		n += c.Now
	}
	return n, checkTTL(c.Limits, c.db, c.Now, n)
}

// errExpireTime is Redis's answer to a TTL that is no time.
func errExpireTime(cmd *Command) error {
	return kverr.Newf(kverr.Err, "invalid expire time in '%s' command", cmd.Name)
}

// touch gives an entry another end without changing its value. A moment that
// has passed deletes it.
func (c *Call) touch(key string, e storage.Entry, expiresAt int64) error {
	return c.Tx.Set(key, storage.Entry{Value: e.Value, ExpiresAt: expiresAt})
}

// usesOfSet tells what SET does with its key.
func usesOfSet(argv [][]byte) string {
	for _, word := range argv[min(3, len(argv)):] {
		if len(word) == 3 && strings.EqualFold(string(word), "get") {
			return "RW access update"
		}
	}
	return "OW update"
}
