package commands

import (
	"errors"
	"math"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

func dumpRows() []*Command {
	return []*Command{
		{Name: "dump", Arity: 2, Flags: Reads, Keys: oneKey, ACL: "keyspace read slow", Group: "keys", Since: "2.6.0",
			Syntax: "key", Doc: "Returns a value as Redis 7.0 serializes it, for RESTORE; never compressed.", Tips: "nondeterministic_output", Run: runDump},
		{Name: "restore", Arity: -4, Flags: Writes | Grows, Keys: oneKey.used("OW update"), ACL: "keyspace write slow dangerous", Group: "keys", Since: "2.6.0",
			Syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
			Doc:    "Creates a key from what DUMP returned here or in Redis up to 7.0; only strings. IDLETIME and FREQ are checked and mean nothing.", Run: runRestore},
	}
}

var (
	errBusyKey     = kverr.New(kverr.BusyKey, "Target key name already exists.")
	errRestoreTTL  = kverr.New(kverr.Err, "Invalid TTL value, must be >= 0")
	errRestoreIdle = kverr.New(kverr.Err, "Invalid IDLETIME value, must be >= 0")
	errRestoreFreq = kverr.New(kverr.Err, "Invalid FREQ value, must be >= 0 and <= 255")
	errDumpFooter  = kverr.New(kverr.Err, "DUMP payload version or checksum are wrong")
	errDumpData    = kverr.New(kverr.Err, "Bad data format")
	errDumpType    = kverr.New(kverr.Err, "Bad data format: the payload holds no string, and values here are strings")
)

func runDump(c *Call) error {
	e, found, err := c.lookup(c.arg(1))
	if err != nil {
		return err
	}
	if !found {
		c.Out.Null()
		return nil
	}
	c.Out.Bulk(appendDump(make([]byte, 0, len(e.Value)+24), e.Value))
	return nil
}

type restoreOptions struct{ replace, absolute bool }

func parseRestoreOptions(c *Call) (o restoreOptions, err error) {
	idle, freq := int64(-1), int64(-1)
	for i := 4; i < c.argc(); i++ {
		word, more := c.arg(i), i+1 < c.argc()
		switch {
		case strings.EqualFold(word, "REPLACE"):
			o.replace = true
		case strings.EqualFold(word, "ABSTTL"):
			o.absolute = true
		case strings.EqualFold(word, "IDLETIME") && more && freq < 0:
			i++
			if idle, err = c.intArg(i); err != nil {
				return o, err
			}
			if idle < 0 {
				return o, errRestoreIdle
			}
		case strings.EqualFold(word, "FREQ") && more && idle < 0:
			i++
			if freq, err = c.intArg(i); err != nil {
				return o, err
			}
			if freq < 0 || freq > 255 {
				return o, errRestoreFreq
			}
		default:
			return o, errSyntax
		}
	}
	return o, nil
}

func runRestore(c *Call) error {
	o, err := parseRestoreOptions(c)
	if err != nil {
		return err
	}
	key := c.arg(1)
	if _, taken, err := c.get(key); err != nil || taken && !o.replace {
		return firstError(err, errBusyKey)
	}
	ttl, err := c.intArg(2)
	if err != nil {
		return err
	}
	if ttl < 0 {
		return errRestoreTTL
	}
	value, err := readDump(c.Argv[3], c.Limits.ValueBytes)
	if err != nil {
		return restoreError(err, c.Limits.ValueBytes)
	}
	if ttl != 0 && !o.absolute {
		ttl = min(ttl, math.MaxInt64-c.Now) + c.Now // Redis lets the sum overflow into the past, and loses the value
	}
	if err := checkTTL(c.Limits, c.db, c.Now, ttl); err != nil {
		return err
	}
	if storage.Entry.Expired(storage.Entry{ExpiresAt: ttl}, c.Now) {
		if _, err := c.del(key); err != nil {
			return err
		}
	} else {
		if _, err := c.remove(key); err != nil { // Redis replaces the key, and not its value
			return err
		}
		if err := c.put(key, value, ttl); err != nil {
			return err
		}
		c.notify(eventGeneric, "restore", key)
	}
	c.Out.Status("OK")
	return nil
}

// restoreError is what a client sees of a payload that cannot be read.
func restoreError(err error, limit int) error {
	switch {
	case errors.Is(err, errRDBFooter):
		return errDumpFooter
	case errors.Is(err, errRDBData):
		return errDumpData
	case errors.Is(err, errRDBType):
		return errDumpType
	case errors.Is(err, errRDBSize):
		return kverr.Newf(kverr.SizeExceeded, "the value is larger than the %d bytes allowed", limit)
	}
	return err
}
