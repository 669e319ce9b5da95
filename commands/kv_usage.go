package commands

import (
	"strings"

	"github.com/cubbykv/cubby/storage"
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

func runKVUsage(c *Call) error {
	app := c.Session.principal.App
	c.Out.Map(3 + usageFields)
	c.Out.BulkString("tenant")
	c.Out.BulkString(app.ID.Tenant)
	c.Out.BulkString("app")
	c.Out.BulkString(app.ID.App)
	c.Out.BulkString("database")
	c.Out.Int(int64(c.db))
	var usage [storage.Databases]storage.Usage
	for db := range usage {
		usage[db] = c.txOf(db).Usage()
	}
	writeUsage(c.Out, app, usage, c.run.now, c.Session.principal.Prefix() != "")
	return nil
}
