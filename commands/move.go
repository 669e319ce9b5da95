package commands

import (
	"github.com/cubbykv/cubby/storage"
)

func moveRows() []*Command {
	return []*Command{
		{Name: "move", Arity: 3, Flags: Writes | Grows | CrossDB, Keys: oneKey, ACL: "keyspace write fast", Group: "keys", Since: "1.0.0",
			Syntax: "key <0 | 1>", Doc: "Moves a key with its TTL to the other database, if the name is free there.", Run: runMove},
	}
}

func runMove(c *Call) error {
	target, err := parseDB(c.Argv[2])
	if err != nil {
		return err
	}
	if target == c.db {
		return errSameObject
	}
	key := c.arg(1)
	e, found, err := c.get(key)
	if err != nil {
		return err
	}
	tx := c.txOf(target)
	_, taken, err := getFrom(tx, key)
	if err != nil {
		return err
	}
	if !found || taken {
		c.Out.Int(0)
		return nil
	}
	if e.ExpiresAt != 0 {
		// The other database may have other bounds.
		if err := checkTTL(c.Limits, target, c.Now, e.ExpiresAt); err != nil {
			return err
		}
	}
	if _, err := c.remove(key); err != nil {
		return err
	}
	if err := tx.Set(key, storage.Entry{Value: e.Value, ExpiresAt: e.ExpiresAt}); err != nil {
		return err
	}
	c.notifyIn(target, eventNew, "new", key)
	c.notify(eventGeneric, "move_from", key)
	c.notifyIn(target, eventGeneric, "move_to", key)
	c.Out.Int(1)
	return nil
}
