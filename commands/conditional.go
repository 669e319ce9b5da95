package commands

import (
	"bytes"
	"math"

	"github.com/cubbykv/cubby/internal/kverr"
)

// Commands newer than Redis 7.0 that write only if something holds. SET IFEQ
// is in strings.go.
func conditionalRows() []*Command {
	return []*Command{
		{Name: "delifeq", Arity: 3, Flags: Writes, Keys: oneKey.used("RW access delete"), ACL: "write string fast", Group: "strings", Since: "Valkey 9.0.0",
			Syntax: "key value", Doc: "Deletes a key if its value is the given one, as a lock's owner does to release it.", Run: runDelIfEq},
		{Name: "msetex", Arity: -4, Flags: Writes | Grows, Keys: KeySpec{Find: msetexKeys}.used("OW update"), ACL: "write string slow", Group: "strings", Since: "8.4.0",
			Syntax: "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
			Doc:    "Sets several keys with one TTL, all or none of them; NX wants none of them to exist, XX all.",
			Tips:   "request_policy:multi_shard response_policy:all_succeeded", Run: runMSetEX},
	}
}

var (
	errNumKeys  = kverr.New(kverr.Err, "invalid numkeys value")
	errKeyPairs = kverr.New(kverr.Err, "wrong number of key-value pairs")
)

func runDelIfEq(c *Call) error {
	key := c.arg(1)
	e, found, err := c.get(key)
	if err != nil {
		return err
	}
	equal := found && bytes.Equal(e.Value, c.Argv[2])
	if equal {
		if _, err := c.del(key); err != nil {
			return err
		}
	}
	c.Out.Bool(equal)
	return nil
}

// msetexPairs returns where the options of MSETEX begin, behind its pairs.
func msetexPairs(argv [][]byte) (end int, err error) {
	n, ok := parseInt(argv[1])
	if !ok || n < 1 || n > math.MaxInt32 {
		return 0, errNumKeys
	}
	if 2*n > int64(len(argv)-2) {
		return 0, errKeyPairs
	}
	return 2 + 2*int(n), nil
}

// msetexKeys names no keys when the handler will refuse their number.
func msetexKeys(argv [][]byte) (first, last, step int) {
	end, err := msetexPairs(argv)
	if err != nil {
		return 0, 0, 0
	}
	return 2, end - 2, 2
}

func runMSetEX(c *Call) error {
	end, err := msetexPairs(c.Argv)
	if err != nil {
		return err
	}
	o, err := parseSetOptions(c, end, forMSetEX)
	if err != nil {
		return err
	}
	var expiresAt int64
	if o.expiry != expiryNone {
		if expiresAt, err = c.expiresAt(o.expiry, o.expiryArg); err != nil {
			return err
		}
	}
	if o.nx || o.xx {
		for i := 2; i < end; i += 2 {
			_, found, err := c.get(c.arg(i))
			if err != nil {
				return err
			}
			if found == o.nx {
				c.Out.Int(0)
				return nil
			}
		}
	}
	for i := 2; i < end; i += 2 {
		key, at := c.arg(i), expiresAt
		if o.keepTTL {
			old, _, err := c.get(key)
			if err != nil {
				return err
			}
			at = old.ExpiresAt
		}
		if err := c.put(key, c.Argv[i+1], at); err != nil {
			return err
		}
		c.notifySet(key, o.expiry != expiryNone)
	}
	c.Out.Int(1)
	return nil
}
