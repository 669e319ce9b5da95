package commands

import (
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

func objectRows() []*Command {
	second := KeySpec{First: 2, Last: 2, Step: 1, Use: "RO"}
	object := func(name, doc string, run func(*Call, storage.Entry) error) *Command {
		return &Command{Name: "object|" + name, Arity: 3, Flags: Reads, Keys: second, ACL: "keyspace read slow", Group: "keys", Since: "2.2.3",
			Syntax: "key", Doc: doc, Tips: "nondeterministic_output", Run: func(c *Call) error { return c.inspect(run) }}
	}
	freq := object("freq", "Always an error, as in Redis without an LFU policy: how often a key is used is not counted.", objectFreq)
	freq.Since = "4.0.0"
	return []*Command{
		{Name: "object", Arity: -2, ACL: "slow", Group: "keys", Since: "2.2.3", Doc: "A container for what is known about a key's value."},
		object("encoding", "Returns how Redis would keep the value after SET: int, embstr or raw. Narrower than in Redis, which remembers APPEND and SETRANGE.", objectEncoding),
		freq,
		{Name: "object|help", Arity: 2, Also: "loading stale", ACL: "keyspace slow", Group: "keys", Since: "6.2.0",
			Doc: "Lists the subcommands of OBJECT.", Run: runObjectHelp},
		object("idletime", "Returns the seconds since the key was last written. Narrower than in Redis, where reads count too.", objectIdleTime),
		object("refcount", "Returns 1, or for the integers from 0 to 9999 what Redis tells of values that it shares.", objectRefCount),

		{Name: "memory", Arity: -2, ACL: "slow", Group: "keys", Since: "4.0.0", Doc: "A container for what is known about memory."},
		{Name: "memory|help", Arity: 2, Also: "loading stale", ACL: "slow", Group: "keys", Since: "4.0.0",
			Doc: "Lists the subcommands of MEMORY.", Run: runMemoryHelp},
		{Name: "memory|usage", Arity: -3, Flags: Reads, Keys: second, ACL: "read slow", Group: "keys", Since: "4.0.0", Syntax: "key [SAMPLES count]",
			Doc: "Returns about how many bytes of memory a key takes with its value and its places in the index.", Run: runMemoryUsage},
	}
}

// inspect answers null for a missing key.
func (c *Call) inspect(answer func(*Call, storage.Entry) error) error {
	e, found, err := c.get(c.arg(2))
	if err != nil {
		return err
	}
	if !found {
		c.Out.Null()
		return nil
	}
	return answer(c, e)
}

// embstrBytes is the longest string that Redis keeps in one piece with its
// header.
const embstrBytes = 44

func objectEncoding(c *Call, e storage.Entry) error {
	switch _, isInt := parseInt(e.Value); {
	case isInt:
		c.Out.BulkString("int")
	case len(e.Value) <= embstrBytes:
		c.Out.BulkString("embstr")
	default:
		c.Out.BulkString("raw")
	}
	return nil
}

// What OBJECT REFCOUNT says of the small integers, which Redis has once each.
const (
	sharedIntegers = 10000
	sharedRefCount = 1<<31 - 1
)

func objectRefCount(c *Call, e storage.Entry) error {
	if n, isInt := parseInt(e.Value); isInt && 0 <= n && n < sharedIntegers {
		c.Out.Int(sharedRefCount)
	} else {
		c.Out.Int(1)
	}
	return nil
}

func objectIdleTime(c *Call, e storage.Entry) error {
	c.Out.Int(max(c.Now-e.UpdatedAt, 0) / 1000)
	return nil
}

var errNoFreq = kverr.New(kverr.Err, "An LFU maxmemory policy is not selected, access frequency not tracked. "+
	"Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")

func objectFreq(*Call, storage.Entry) error { return errNoFreq }

func runObjectHelp(c *Call) error {
	writeHelp(c,
		"ENCODING <key>",
		"    Return the kind of internal representation used in order to store the value",
		"    associated with a <key>.",
		"FREQ <key>",
		"    Return the access frequency index of the <key>. The returned integer is",
		"    proportional to the logarithm of the recent access frequency of the key.",
		"IDLETIME <key>",
		"    Return the idle time of the <key>, that is the approximated number of",
		"    seconds elapsed since the last access to the key.",
		"REFCOUNT <key>",
		"    Return the number of references of the value associated with the specified",
		"    <key>.",
	)
	return nil
}

// entryOverhead is what an entry takes in memory beside the bytes of its key and
// of its value: header, place in the table, place in the order.
// TestMemoryUsageIsHonest measures it.
const entryOverhead = 54

func runMemoryUsage(c *Call) error {
	for i := 3; i < c.argc(); i++ {
		if !strings.EqualFold(c.arg(i), "SAMPLES") || i+1 == c.argc() {
			return errSyntax
		}
		i++
		n, err := c.intArg(i)
		if err != nil {
			return err
		}
		if n < 0 {
			return errSyntax
		}
	}
	return c.inspect(func(c *Call, e storage.Entry) error {
		c.Out.Int(int64(len(c.Argv[2]) + len(e.Value) + entryOverhead))
		return nil
	})
}

func runMemoryHelp(c *Call) error {
	writeHelp(c,
		"USAGE <key> [SAMPLES <count>]",
		"    Return memory in bytes used by <key> and its value. Nested values are",
		"    sampled up to <count> times (default: 5, 0 means sample all).",
	)
	return nil
}
