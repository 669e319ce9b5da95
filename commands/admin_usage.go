package commands

import (
	"slices"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/storage"
)

// usageLimits are the limits that APP.USAGE shows beside what is used.
var usageLimits = []string{"max-keys", "max-bytes", "ephemeral-max-keys", "ephemeral-max-bytes", "commands-per-second"}

// runAppUsage tells what the apps use. It reads no namespace from the disk and
// waits for none: what it cannot know is nil, and APP.INFO finds out.
func runAppUsage(c *Call) error {
	list, err := c.matchingApps()
	if err != nil {
		return err
	}
	c.Out.Array(len(list))
	for _, l := range list {
		id := l.App.ID
		var in [storage.Databases]storage.Peek
		for db := range in {
			var err error
			if in[db], err = c.peek(db, id); err != nil {
				return err
			}
		}
		c.Out.Map(8 + len(usageLimits))
		c.Out.BulkString("name")
		c.Out.BulkString(id.String())
		c.Out.BulkString("in_memory")
		c.Out.Bool(in[storage.Durable].InMemory)
		c.Out.BulkString("connections")
		c.Out.Int(l.App.Connections())
		c.Out.BulkString("commands-last-second")
		c.Out.Int(l.App.CommandsLately(c.clock()))
		for db, prefix := range []string{"", "ephemeral-"} {
			for _, f := range []struct {
				name string
				n    int64
			}{{"keys", in[db].Keys}, {"bytes", in[db].Bytes}} {
				c.Out.BulkString(prefix + f.name)
				if in[db].Known {
					c.Out.Int(f.n)
				} else {
					c.Out.Null()
				}
			}
		}
		limits := l.App.Limits()
		for i := range auth.LimitTable {
			if x := &auth.LimitTable[i]; slices.Contains(usageLimits, x.Name) {
				writeLimit(c.Out, x, limits)
			}
		}
	}
	return nil
}

// peek looks at a namespace as far as the store can without loading it. A store
// that knows no difference is read.
func (c *Call) peek(db int, id storage.ID) (storage.Peek, error) {
	if p, ok := c.Engine.store.(storage.Peeker); ok {
		return p.Peek(db, id), nil
	}
	u, err := c.usageOf(db, id)
	return storage.Peek{Usage: u, Known: true, InMemory: true}, err
}
