package commands

import (
	"strconv"
	"strings"

	"github.com/cubbykv/cubby/auth"
)

func runKVMeta(c *Call) error {
	e, found, err := c.lookup(c.arg(1))
	if err != nil {
		return err
	}
	if !found {
		c.Out.Null()
		return nil
	}
	c.Out.Map(5)
	c.Out.BulkString("key")
	c.Out.Bulk(c.Argv[1])
	c.writeTimes(e)
	c.Out.BulkString("size")
	c.Out.Int(int64(len(e.Value)))
	return nil
}

// Bounds of KV.PURGE. It keeps the namespace to itself for about a
// microsecond per entry, so the highest LIMIT is some ten milliseconds.
const (
	purgeDefault = 1000
	purgeMax     = 10_000
)

func runKVPurge(c *Call) error {
	limit := purgeDefault
	switch {
	case c.argc() == 3 && strings.EqualFold(c.arg(1), "LIMIT"):
		var err error
		if limit, err = parseLimit(c.Argv[2], purgeMax); err != nil {
			return err
		}
	case c.argc() != 1:
		return errSyntax
	}
	n, err := c.Tx.Purge(limit)
	if err != nil {
		return err
	}
	c.Out.Int(int64(n))
	return nil
}

// noLimit is how package auth writes a limit that is not set.
const noLimit = "0"

func runKVUsage(c *Call) error {
	id, u := c.Session.principal.App.ID, c.Tx.Usage()
	c.Out.Map(5 + len(auth.LimitTable))
	c.Out.BulkString("tenant")
	c.Out.BulkString(id.Tenant)
	c.Out.BulkString("app")
	c.Out.BulkString(id.App)
	c.Out.BulkString("database")
	c.Out.Int(int64(c.db))
	c.Out.BulkString("keys")
	c.Out.Int(u.Keys)
	c.Out.BulkString("bytes")
	c.Out.Int(u.Bytes)
	for i := range auth.LimitTable {
		limit := &auth.LimitTable[i]
		c.Out.BulkString(limit.Name)
		switch text := limit.Format(c.Limits); {
		case text == noLimit:
			c.Out.Null()
		case limit.Numeric:
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return err
			}
			c.Out.Int(n)
		default:
			c.Out.BulkString(text)
		}
	}
	return nil
}
