package commands

import (
	"github.com/cubbykv/cubby/internal/kverr"
)

func stringRows() []*Command {
	return []*Command{
		{Name: "get", Arity: 2, Flags: Reads, Keys: oneKey, ACL: "read string fast", Group: "strings", Since: "1.0.0",
			Syntax: "key", Doc: "Returns the value of a key.", Run: runGet},
		{Name: "set", Arity: -3, Flags: Writes | Grows, Keys: setKey, ACL: "write string slow", Group: "strings", Since: "1.0.0",
			Syntax: "key value [NX | XX | IFEQ comparison-value] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
			Doc:    "Sets a key to a value, with an optional condition and TTL. IFEQ, from Valkey 8.1, wants the key to hold the given value.", Run: runSet},
		{Name: "setnx", Arity: 3, Flags: Writes | Grows, Keys: oneKey.used("OW insert"), ACL: "write string fast", Group: "strings", Since: "1.0.0",
			Syntax: "key value", Doc: "Sets a key only if it does not exist.", Run: runSetNX},
		{Name: "setex", Arity: 4, Flags: Writes | Grows, Keys: oneKey.used("OW update"), ACL: "write string slow", Group: "strings", Since: "2.0.0",
			Syntax: "key seconds value", Doc: "Sets a key with a TTL in seconds.", Run: runSetEX},
		{Name: "psetex", Arity: 4, Flags: Writes | Grows, Keys: oneKey.used("OW update"), ACL: "write string slow", Group: "strings", Since: "2.6.0",
			Syntax: "key milliseconds value", Doc: "Sets a key with a TTL in milliseconds.", Run: runPSetEX},
		{Name: "getset", Arity: 3, Flags: Writes | Grows, Keys: oneKey, ACL: "write string fast", Group: "strings", Since: "1.0.0",
			Syntax: "key value", Doc: "Sets a key and returns its former value.", Run: runGetSet},
		{Name: "getdel", Arity: 2, Flags: Writes, Keys: oneKey.used("RW access delete"), ACL: "write string fast", Group: "strings", Since: "6.2.0",
			Syntax: "key", Doc: "Returns the value of a key and deletes it.", Run: runGetDel},
		{Name: "getex", Arity: -2, Flags: Writes, Keys: getexKey, ACL: "write string fast", Group: "strings", Since: "6.2.0",
			Syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
			Doc:    "Returns the value of a key and changes its TTL.", Run: runGetEX},
		{Name: "mget", Arity: -2, Flags: Reads | Bulky, Keys: allKeys, ACL: "read string fast", Group: "strings", Since: "1.0.0",
			Syntax: "key [key ...]", Doc: "Returns the values of several keys.", Tips: "request_policy:multi_shard", Run: runMGet},
		{Name: "mset", Arity: -3, Flags: Writes | Grows, Keys: keyValuePairs.used("OW update"), ACL: "write string slow", Group: "strings", Since: "1.0.1",
			Syntax: "key value [key value ...]", Doc: "Sets several keys, all or none of them.", Tips: "request_policy:multi_shard response_policy:all_succeeded", Run: runMSet},
		{Name: "msetnx", Arity: -3, Flags: Writes | Grows, Keys: keyValuePairs.used("OW insert"), ACL: "write string slow", Group: "strings", Since: "1.0.1",
			Syntax: "key value [key value ...]", Doc: "Sets several keys if none of them exists.", Tips: "request_policy:multi_shard response_policy:agg_min", Run: runMSetNX},
		{Name: "append", Arity: 3, Flags: Writes | Grows, Keys: oneKey.used("RW insert"), ACL: "write string fast", Group: "strings", Since: "2.0.0",
			Syntax: "key value", Doc: "Appends to the value of a key, which is created when missing.", Run: runAppend},
		{Name: "strlen", Arity: 2, Flags: Reads, Keys: oneKey.used("RO"), ACL: "read string fast", Group: "strings", Since: "2.2.0",
			Syntax: "key", Doc: "Returns the length of a value in bytes.", Run: runStrLen},
		{Name: "getrange", Arity: 4, Flags: Reads, Keys: oneKey, ACL: "read string slow", Group: "strings", Since: "2.4.0",
			Syntax: "key start end", Doc: "Returns a part of a value; negative positions count from its end.", Run: runGetRange},
		{Name: "substr", Arity: 4, Flags: Reads, Keys: oneKey, ACL: "read string slow", Group: "strings", Since: "1.0.0",
			Syntax: "key start end", Doc: "The former name of GETRANGE.", Run: runGetRange},
		{Name: "setrange", Arity: 4, Flags: Writes | Grows, Keys: oneKey.used("RW update"), ACL: "write string slow", Group: "strings", Since: "2.2.0",
			Syntax: "key offset value", Doc: "Overwrites a part of a value, padding with zero bytes.", Run: runSetRange},
	}
}

// Key positions that many commands share.
var (
	oneKey        = KeySpec{First: 1, Last: 1, Step: 1}
	allKeys       = KeySpec{First: 1, Last: -1, Step: 1}
	keyValuePairs = KeySpec{First: 1, Last: -1, Step: 2}
	getexKey      = KeySpec{First: 1, Last: 1, Step: 1, UseNote: "RW and UPDATE because it changes the TTL"}
	setKey        = KeySpec{First: 1, Last: 1, Step: 1, Use: "RW access update variable_flags", Uses: usesOfSet,
		UseNote: "RW and ACCESS due to the optional `GET` argument"}
)

func runGet(c *Call) error {
	e, found, err := c.lookup(c.arg(1))
	if err != nil {
		return err
	}
	if !found {
		c.Out.Null()
		return nil
	}
	c.Out.Bulk(e.Value)
	return nil
}

func runSet(c *Call) error {
	o, err := parseSetOptions(c, 3, forSet)
	if err != nil {
		return err
	}
	return c.set(1, 2, o)
}

func runSetNX(c *Call) error {
	key := c.arg(1)
	_, found, err := c.get(key)
	if err != nil {
		return err
	}
	if !found {
		if err := c.put(key, c.Argv[2], 0); err != nil {
			return err
		}
		c.notifySet(key, false)
	}
	c.Out.Bool(!found)
	return nil
}

func runSetEX(c *Call) error  { return c.set(1, 3, setOptions{expiry: expiryEX, expiryArg: c.Argv[2]}) }
func runPSetEX(c *Call) error { return c.set(1, 3, setOptions{expiry: expiryPX, expiryArg: c.Argv[2]}) }

// set is the heart of SET, SETEX and PSETEX.
func (c *Call) set(keyAt, valueAt int, o setOptions) error {
	key, value := c.arg(keyAt), c.Argv[valueAt]
	var expiresAt int64
	if o.expiry != expiryNone {
		var err error
		if expiresAt, err = c.expiresAt(o.expiry, o.expiryArg); err != nil {
			return err
		}
	}
	if !o.conditional() && !o.get && !o.keepTTL { // the common case needs no look at what is there
		if err := c.put(key, value, expiresAt); err != nil {
			return err
		}
		c.notifySet(key, expiresAt != 0)
		c.Out.Status("OK")
		return nil
	}
	look := c.get
	if o.get {
		look = c.lookup
	}
	old, found, err := look(key)
	if err != nil {
		return err
	}
	holds := o.holds(old, found)
	switch {
	case o.get && found:
		c.Out.Bulk(old.Value)
	case o.get || !holds:
		c.Out.Null()
	}
	if !holds {
		return nil
	}
	if o.keepTTL {
		expiresAt = old.ExpiresAt
	}
	if err := c.put(key, value, expiresAt); err != nil {
		return err
	}
	c.notifySet(key, o.expiry != expiryNone)
	if !o.get {
		c.Out.Status("OK")
	}
	return nil
}

func runGetSet(c *Call) error {
	if err := runGet(c); err != nil {
		return err
	}
	if err := c.put(c.arg(1), c.Argv[2], 0); err != nil {
		return err
	}
	c.notifySet(c.arg(1), false)
	return nil
}

func runGetDel(c *Call) error {
	if err := runGet(c); err != nil {
		return err
	}
	_, err := c.del(c.arg(1))
	return err
}

func runGetEX(c *Call) error {
	o, err := parseSetOptions(c, 2, forGetEX)
	if err != nil {
		return err
	}
	key := c.arg(1)
	e, found, err := c.lookup(key)
	if err != nil {
		return err
	}
	if !found {
		c.Out.Null()
		return nil
	}
	var expiresAt int64
	if o.expiry != expiryNone {
		if expiresAt, err = c.expiresAt(o.expiry, o.expiryArg); err != nil {
			return err
		}
	}
	c.Out.Bulk(e.Value)
	switch {
	case o.expiry == expiryNone && (!o.persist || e.ExpiresAt == 0):
		return nil
	case expiresAt != 0 && expiresAt <= c.Now:
		_, err := c.del(key)
		return err
	}
	if err := c.touch(key, e, expiresAt); err != nil { // a change for WATCH even when the moment stays
		return err
	}
	if o.persist {
		c.notify(eventGeneric, "persist", key)
	} else {
		c.notify(eventGeneric, "expire", key)
	}
	return nil
}

func runMGet(c *Call) error {
	c.Out.Array(c.argc() - 1)
	for i := 1; i < c.argc(); i++ {
		e, found, err := c.lookup(c.arg(i))
		if err != nil {
			return err
		}
		if found {
			c.Out.Bulk(e.Value)
		} else {
			c.Out.Null()
		}
	}
	return nil
}

func runMSet(c *Call) error {
	if c.argc()%2 == 0 {
		return errArity(c.Cmd)
	}
	for i := 1; i < c.argc(); i += 2 {
		if err := c.put(c.arg(i), c.Argv[i+1], 0); err != nil {
			return err
		}
		c.notifySet(c.arg(i), false)
	}
	c.Out.Status("OK")
	return nil
}

func runMSetNX(c *Call) error {
	if c.argc()%2 == 0 {
		return errArity(c.Cmd)
	}
	for i := 1; i < c.argc(); i += 2 {
		_, found, err := c.get(c.arg(i))
		if err != nil {
			return err
		}
		if found {
			c.Out.Int(0)
			return nil
		}
	}
	for i := 1; i < c.argc(); i += 2 {
		if err := c.put(c.arg(i), c.Argv[i+1], 0); err != nil {
			return err
		}
		c.notifySet(c.arg(i), false)
	}
	c.Out.Int(1)
	return nil
}

func runAppend(c *Call) error {
	key := c.arg(1)
	e, _, err := c.get(key)
	if err != nil {
		return err
	}
	value := make([]byte, 0, len(e.Value)+len(c.Argv[2]))
	value = append(append(value, e.Value...), c.Argv[2]...)
	if err := c.put(key, value, e.ExpiresAt); err != nil {
		return err
	}
	c.notify(eventString, "append", key)
	c.Out.Int(int64(len(value)))
	return nil
}

func runStrLen(c *Call) error {
	e, _, err := c.lookup(c.arg(1))
	if err != nil {
		return err
	}
	c.Out.Int(int64(len(e.Value)))
	return nil
}

func runGetRange(c *Call) error {
	start, err := c.intArg(2)
	if err != nil {
		return err
	}
	end, err := c.intArg(3)
	if err != nil {
		return err
	}
	e, _, err := c.lookup(c.arg(1))
	if err != nil {
		return err
	}
	size := int64(len(e.Value))
	if start < 0 && end < 0 && start > end {
		c.Out.BulkString("")
		return nil
	}
	if start < 0 {
		start = max(start+size, 0)
	}
	if end < 0 {
		end = max(end+size, 0)
	}
	end = min(end, size-1)
	if start > end || size == 0 {
		c.Out.BulkString("")
		return nil
	}
	c.Out.Bulk(e.Value[start : end+1])
	return nil
}

func runSetRange(c *Call) error {
	offset, err := c.intArg(2)
	if err != nil {
		return err
	}
	if offset < 0 {
		return errOffset
	}
	key, part := c.arg(1), c.Argv[3]
	e, _, err := c.get(key)
	if err != nil {
		return err
	}
	if len(part) == 0 {
		c.Out.Int(int64(len(e.Value)))
		return nil
	}
	if offset > int64(c.Limits.ValueBytes) { // judged before anything of that size is built
		return kverr.Newf(kverr.SizeExceeded, "offset %d and %d bytes would make a larger value than the %d bytes allowed",
			offset, len(part), c.Limits.ValueBytes)
	}
	value := make([]byte, max(len(e.Value), int(offset)+len(part)))
	copy(value, e.Value)
	copy(value[offset:], part)
	if err := c.put(key, value, e.ExpiresAt); err != nil {
		return err
	}
	c.notify(eventString, "setrange", key)
	c.Out.Int(int64(len(value)))
	return nil
}
