package commands

import (
	"strconv"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

// The KV commands are the surface of the SDKs: values are JSON, and a refusal
// has a code that an app can act on.
func kvRows() []*Command {
	const group, since = "kv", "cubby 0.1.0"
	one := KeySpec{First: 1, Last: 1, Step: 1}
	return []*Command{
		{Name: "kv.get", Arity: 2, Flags: Reads, Keys: one, ACL: "read string fast", Group: group, Since: since,
			Syntax: "key", Doc: "Returns the JSON value of a key, or nil.", Run: runKVGet},
		{Name: "kv.set", Arity: -3, Flags: Reads | Writes | Grows, Keys: one, ACL: "write string slow", Group: group, Since: since,
			Syntax: "key json [TTL seconds | PX milliseconds | KEEPTTL] [NX | XX | IFVERSION version]",
			Doc:    "Sets a JSON value; nil when the condition fails. Without TTL or KEEPTTL an old TTL is cleared. IFVERSION 0 is a key that does not exist.", Run: runKVSet},
		{Name: "kv.mget", Arity: -2, Flags: Reads | Bulky, Keys: KeySpec{First: 1, Last: -1, Step: 1}, ACL: "read string fast", Group: group, Since: since,
			Syntax: "key [key ...]", Doc: "Returns the JSON values of several keys in order, nil for one that does not exist.", Run: runKVMGet},
		{Name: "kv.mset", Arity: -3, Flags: Writes | Grows, Keys: KeySpec{First: 1, Last: -1, Step: 2, Find: findMSetKeys}.used("OW update"), ACL: "write string slow", Group: group, Since: since,
			Syntax: "[TTL seconds] key json [key json ...]",
			Doc:    "Sets several JSON values, all or none. A key that is itself called TTL cannot come first.", Run: runKVMSet},
		{Name: "kv.del", Arity: 2, Flags: Writes, Keys: one.used("RM delete"), ACL: "keyspace write fast", Group: group, Since: since,
			Syntax: "key", Doc: "Deletes a key: 1, or 0 if there was none.", Run: runKVDel},
		{Name: "kv.list", Arity: -1, Flags: Reads | WholeNamespace | Narrowed | Bulky, ACL: "keyspace read slow", Group: group, Since: since,
			Syntax: "[PREFIX prefix] [LIMIT count] [CURSOR cursor] [NOVALUES]",
			Doc:    "Lists entries in the order of their keys, page by page, until the cursor is 0. A page may be shorter than LIMIT. Values come as they are stored, JSON or not.", Much: listsMany, Run: runKVList},
		{Name: "kv.meta", Arity: 2, Flags: Reads, Keys: one, ACL: "keyspace read fast", Group: group, Since: since,
			Syntax: "key", Doc: "Describes a key without its value, or nil.", Run: runKVMeta},
		{Name: "kv.appendunique", Arity: -3, Flags: Reads | Writes | Grows, Keys: one, ACL: "write string slow", Group: group, Since: since,
			Syntax: "key json-array [ID field] [TTL seconds | PX milliseconds | KEEPTTL]",
			Doc:    "Appends the objects whose id the stored array does not have yet, and returns the array. It writes, and clears an old TTL like KV.SET, even when nothing is new.", Run: runKVAppendUnique},
		{Name: "kv.popall", Arity: 2, Flags: Reads | Writes, Keys: one.used("RW access delete"), ACL: "write string slow", Group: group, Since: since,
			Syntax: "key", Doc: "Returns a JSON array and deletes it; [] when there is none.", Run: runKVPopAll},
		{Name: "kv.purge", Arity: -1, Flags: Writes | WholeNamespace | Slow, ACL: "keyspace write slow", Group: group, Since: since,
			Syntax: "[LIMIT count]", Doc: "Frees the memory of expired entries now, oldest first, and returns how many; at most 10,000 in one call.", Run: runKVPurge},
		{Name: "kv.usage", Arity: 1, Flags: Reads | CrossDB | WholeNamespace | Narrowed, ACL: "keyspace read fast", Group: group, Since: since,
			Doc: "Tells what the namespace uses, and every limit in force. " + usageDoc, Run: runKVUsage},
	}
}

var errNotJSON = kverr.New(kverr.WrongType, "value is not JSON, read it with GET")

func runKVGet(c *Call) error {
	e, found, err := c.lookup(c.arg(1))
	switch {
	case err != nil:
		return err
	case !found:
		c.Out.Null()
	case !isJSON(e.Value):
		return errNotJSON
	default:
		c.Out.Bulk(e.Value)
	}
	return nil
}

func runKVMGet(c *Call) error {
	c.Out.Array(c.argc() - 1)
	for i := 1; i < c.argc(); i++ {
		e, found, err := c.lookup(c.arg(i))
		switch {
		case err != nil:
			return err
		case !found:
			c.Out.Null()
		case !isJSON(e.Value):
			return kverr.Newf(kverr.WrongType, "value of key %d is not JSON, read it with GET", i)
		default:
			c.Out.Bulk(e.Value)
		}
	}
	return nil
}

// kvOptions are the options of the KV commands that write a value.
type kvOptions struct {
	expiry    kvExpiry
	nx, xx    bool
	ifVersion bool
	version   uint64 // of ifVersion
}

func parseKVSetOptions(c *Call, from int) (o kvOptions, err error) {
	for i := from; i < c.argc(); i++ {
		word := c.arg(i)
		conditional := o.nx || o.xx || o.ifVersion
		switch {
		case strings.EqualFold(word, "NX") && !conditional:
			o.nx = true
		case strings.EqualFold(word, "XX") && !conditional:
			o.xx = true
		case strings.EqualFold(word, "IFVERSION") && !conditional && i+1 < c.argc():
			i++
			o.ifVersion = true
			if o.version, err = parseVersion(c.arg(i)); err != nil {
				return o, err
			}
		default:
			used, err := o.expiry.parse(c, i)
			if err != nil {
				return o, err
			}
			i += used - 1
		}
	}
	return o, nil
}

// parseVersion reads the version that KV.META and KV.LIST show.
func parseVersion(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || len(s) > 1 && s[0] == '0' {
		return 0, errNotInteger
	}
	return n, nil
}

// holds tells whether the condition allows to replace old.
func (o *kvOptions) holds(c *Call, old storage.Entry, found bool) bool {
	switch {
	case o.nx:
		return !found
	case o.xx:
		return found
	case o.ifVersion:
		return c.Engine.versions.shown(old.Version) == o.version // a missing key has version 0
	}
	return true
}

func runKVSet(c *Call) error {
	o, err := parseKVSetOptions(c, 3)
	if err != nil {
		return err
	}
	value, invalid := compactJSON(c.Argv[2])
	if invalid != nil {
		return kverr.Newf(kverr.BadInput, "value is not valid JSON: %v", invalid)
	}
	var old storage.Entry
	if o.nx || o.xx || o.ifVersion || o.expiry.keep {
		var found bool
		if old, found, err = c.get(c.arg(1)); err != nil {
			return err
		}
		if !o.holds(c, old, found) {
			c.Out.Null()
			return nil
		}
	}
	if err := c.put(c.arg(1), value, o.expiry.after(old)); err != nil {
		return err
	}
	c.notifySet(c.arg(1), o.expiry.at != 0)
	c.Out.Status("OK")
	return nil
}

// findMSetKeys finds the keys of KV.MSET, whose option comes before them.
func findMSetKeys(argv [][]byte) (first, last, step int) {
	if strings.EqualFold(borrow(argv[1]), "TTL") {
		return 3, -1, 2
	}
	return 1, -1, 2
}

func runKVMSet(c *Call) error {
	first, _, _ := findMSetKeys(c.Argv)
	if pairs := c.argc() - first; pairs < 2 || pairs%2 != 0 {
		return errArity(c.Cmd)
	}
	var expiresAt int64
	if first > 1 {
		var err error
		if expiresAt, err = c.endOf(2, 1000); err != nil {
			return err
		}
	}
	// An error in a later pair drops the earlier ones: they are only staged.
	for i := first; i < c.argc(); i += 2 {
		value, invalid := compactJSON(c.Argv[i+1])
		if invalid != nil {
			return kverr.Newf(kverr.BadInput, "value %d is not valid JSON: %v", (i-first)/2+1, invalid)
		}
		if err := c.put(c.arg(i), value, expiresAt); err != nil {
			return err
		}
		c.notifySet(c.arg(i), expiresAt != 0)
	}
	c.Out.Status("OK")
	return nil
}

func runKVDel(c *Call) error {
	found, err := c.del(c.arg(1))
	if err != nil {
		return err
	}
	c.Out.Bool(found)
	return nil
}
