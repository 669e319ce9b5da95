package commands

import (
	"bytes"
	"math"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

func expireRows() []*Command {
	set := func(name, since, syntax, doc string, kind expiryKind) *Command {
		return &Command{Name: name, Arity: -3, Flags: Writes, Keys: oneKey.used("RW update"), ACL: "keyspace write fast", Group: "expiry", Since: since,
			Syntax: "key " + syntax + " [NX | XX | GT | LT]", Doc: doc, Run: func(c *Call) error { return c.expire(kind) }}
	}
	get := func(name, since, doc string, run func(c *Call, expiresAt int64)) *Command {
		return &Command{Name: name, Arity: 2, Flags: Reads, Keys: oneKey, ACL: "keyspace read fast", Group: "expiry", Since: since,
			Syntax: "key", Doc: doc + " -1 is a key without TTL, -2 a missing key.",
			Run: func(c *Call) error { return c.showExpiry(run) }}
	}
	return []*Command{
		set("expire", "1.0.0", "seconds", "Gives a key a TTL in seconds; 0 or less deletes it.", expiryEX),
		set("pexpire", "2.6.0", "milliseconds", "Gives a key a TTL in milliseconds.", expiryPX),
		set("expireat", "1.2.0", "unix-time-seconds", "Sets the moment at which a key ends; the past deletes it.", expiryEXAT),
		set("pexpireat", "2.6.0", "unix-time-milliseconds", "Sets the moment at which a key ends, in milliseconds.", expiryPXAT),
		get("ttl", "1.0.0", "Returns the seconds that a key has left.",
			func(c *Call, at int64) { c.Out.Int((max(at-c.Now, 0) + 500) / 1000) }),
		get("pttl", "2.6.0", "Returns the milliseconds that a key has left.",
			func(c *Call, at int64) { c.Out.Int(max(at-c.Now, 0)) }),
		get("expiretime", "7.0.0", "Returns when a key ends, in Unix seconds.",
			func(c *Call, at int64) { c.Out.Int(at/1000 + (at%1000+500)/1000) }), // + 500 first would overflow
		get("pexpiretime", "7.0.0", "Returns when a key ends, in Unix milliseconds.",
			func(c *Call, at int64) { c.Out.Int(at) }),
		{Name: "persist", Arity: 2, Flags: Writes, Keys: oneKey.used("RW update"), ACL: "keyspace write fast", Group: "expiry", Since: "2.2.0",
			Syntax: "key", Doc: "Takes the TTL off a key.", Run: runPersist},
	}
}

// expire is EXPIRE and its kin; it follows expireGenericCommand of Redis 7.0.
func (c *Call) expire(kind expiryKind) error {
	cond, err := parseExpireConditions(c)
	if err != nil {
		return err
	}
	when, err := c.intArg(2)
	if err != nil {
		return err
	}
	if kind == expiryEX || kind == expiryEXAT {
		if when > math.MaxInt64/1000 || when < math.MinInt64/1000 {
			return errExpireTime(c.Cmd)
		}
		when *= 1000
	}
	if kind == expiryEX || kind == expiryPX {
		if when > math.MaxInt64-c.Now {
			return errExpireTime(c.Cmd)
		}
		when += c.Now
	}
	key := c.arg(1)
	e, found, err := c.get(key)
	if err != nil {
		return err
	}
	if !found || !cond.hold(e.ExpiresAt, when) {
		c.Out.Int(0)
		return nil
	}
	if when <= c.Now {
		if _, err := c.del(key); err != nil {
			return err
		}
		c.Out.Int(1)
		return nil
	}
	if err := checkTTL(c.Limits, c.db, c.Now, when); err != nil {
		return err
	}
	if err := c.touch(key, e, when); err != nil {
		return err
	}
	c.Out.Int(1)
	c.notify(eventGeneric, "expire", key)
	return nil
}

// expireConditions are the options of EXPIRE.
type expireConditions struct{ nx, xx, gt, lt bool }

func parseExpireConditions(c *Call) (o expireConditions, err error) {
	for i := 3; i < c.argc(); i++ {
		switch word := c.arg(i); {
		case strings.EqualFold(word, "NX"):
			o.nx = true
		case strings.EqualFold(word, "XX"):
			o.xx = true
		case strings.EqualFold(word, "GT"):
			o.gt = true
		case strings.EqualFold(word, "LT"):
			o.lt = true
		default:
			// Redis drops line breaks at the end of such a text.
			text := bytes.TrimRight(cString(c.Argv[i], len(c.Argv[i])), "\r\n")
			return o, kverr.Newf(kverr.Err, "Unsupported option %s", text)
		}
	}
	if o.nx && (o.xx || o.gt || o.lt) {
		return o, kverr.New(kverr.Err, "NX and XX, GT or LT options at the same time are not compatible")
	}
	if o.gt && o.lt {
		return o, kverr.New(kverr.Err, "GT and LT options at the same time are not compatible")
	}
	return o, nil
}

// hold judges a change of the expiry; a key without one ends later than any.
func (o expireConditions) hold(current, when int64) bool {
	switch {
	case o.nx && current != 0,
		o.xx && current == 0,
		o.gt && (current == 0 || when <= current),
		o.lt && current != 0 && when >= current:
		return false
	}
	return true
}

func (c *Call) showExpiry(show func(*Call, int64)) error {
	e, found, err := c.lookup(c.arg(1))
	switch {
	case err != nil:
		return err
	case !found:
		c.Out.Int(-2)
	case e.ExpiresAt == 0:
		c.Out.Int(-1)
	default:
		show(c, e.ExpiresAt)
	}
	return nil
}

func runPersist(c *Call) error {
	key := c.arg(1)
	e, found, err := c.get(key)
	if err != nil {
		return err
	}
	if !found || e.ExpiresAt == 0 {
		c.Out.Int(0)
		return nil
	}
	if err := c.touch(key, e, 0); err != nil {
		return err
	}
	c.notify(eventGeneric, "persist", key)
	c.Out.Int(1)
	return nil
}
