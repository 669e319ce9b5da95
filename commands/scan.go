package commands

import (
	"strconv"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

func scanRows() []*Command {
	return []*Command{
		{Name: "keys", Arity: 2, Flags: Reads | WholeNamespace | Narrowed | Bulky | Slow, ACL: "keyspace read slow dangerous", Group: "keys", Since: "1.0.0",
			Syntax: "pattern", Doc: "Lists the keys that match a glob, in order. A pattern that begins with a literal walks only that range.", Tips: "request_policy:all_shards nondeterministic_output_order", Run: runKeys},
		{Name: "scan", Arity: -2, Flags: Reads | WholeNamespace | Narrowed | Bulky | Slow, ACL: "keyspace read slow", Group: "keys", Since: "2.8.0",
			Syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
			Doc:    "Lists keys page by page. The cursor works on any connection of the namespace and after a restart.", Tips: "nondeterministic_output request_policy:special", Run: runScan},
	}
}

func runKeys(c *Call) error {
	pattern := compileGlob(c.arg(1))
	prefix := literalPrefix(c.arg(1))
	var found []string
	err := c.ascend(prefix, prefix, func(key string) bool {
		if pattern.match(key) {
			found = append(found, key)
		}
		return true
	})
	if err != nil {
		return err
	}
	c.Out.Array(len(found))
	for _, key := range found {
		c.Out.BulkString(key)
	}
	return nil
}

// ascend walks the keys that begin with prefix, from a key on. It gives up when
// the connection is cut off, so that a long walk does not outlive its reader.
func (c *Call) ascend(from, prefix string, yield func(key string) bool) error {
	const lookUp = 1024 // keys between two looks at the connection
	n := 0
	var cut error
	err := c.Tx.Ascend(from, func(key string, _ storage.Entry) bool {
		if !strings.HasPrefix(key, prefix) {
			return false
		}
		if n++; n%lookUp == 0 {
			if cut = c.Ctx.Err(); cut != nil {
				return false
			}
		}
		return yield(key)
	})
	if err == nil {
		err = cut
	}
	return err
}

// scanOptions are the options of SCAN.
type scanOptions struct {
	pattern string
	match   bool
	count   int64
	strings bool // the keys' type passes the TYPE filter
}

func parseScanOptions(c *Call, from int) (o scanOptions, err error) {
	o = scanOptions{count: 10, strings: true}
	for i := from; i < c.argc(); i += 2 {
		if i+1 == c.argc() {
			return o, errSyntax
		}
		switch word := c.arg(i); {
		case strings.EqualFold(word, "COUNT"):
			if o.count, err = c.intArg(i + 1); err != nil {
				return o, err
			}
			if o.count < 1 {
				return o, errSyntax
			}
		case strings.EqualFold(word, "MATCH"):
			o.pattern, o.match = c.arg(i+1), true
		case strings.EqualFold(word, "TYPE"):
			o.strings = strings.EqualFold(c.arg(i+1), "string")
		default:
			return o, errSyntax
		}
	}
	return o, nil
}

// runScan walks the keys in order. COUNT is how many keys a call looks at.
func runScan(c *Call) error {
	cursor, err := parseCursor(c.arg(1))
	if err != nil {
		return err
	}
	o, err := parseScanOptions(c, 2)
	if err != nil {
		return err
	}
	prefix := ""
	var pattern *glob
	if o.match {
		prefix, pattern = literalPrefix(o.pattern), compileGlob(o.pattern)
	}
	from, err := c.scanFrom(cursor, prefix)
	if err != nil {
		return err
	}
	var (
		found  []string
		looked int64
		next   uint64
	)
	err = c.ascend(from, prefix, func(key string) bool {
		if looked == o.count {
			next = c.Engine.cursors.remember(c.cursorOwner(), strings.Clone(key)) // the table outlives the transaction
			return false
		}
		looked++
		if o.strings && (pattern == nil || pattern.match(key)) {
			found = append(found, key)
		}
		return true
	})
	if err != nil {
		return err
	}
	c.Out.Array(2)
	c.Out.BulkString(strconv.FormatUint(next, 10))
	c.Out.Array(len(found))
	for _, key := range found {
		c.Out.BulkString(key)
	}
	return nil
}

// scanFrom returns the key at which the scan goes on. A cursor that nobody
// remembers, as after a restart, is found again by walking the range; one
// whose key is gone too starts the range over, which repeats keys but misses
// none.
func (c *Call) scanFrom(cursor uint64, prefix string) (string, error) {
	if cursor == 0 {
		return prefix, nil
	}
	if key, ok := c.Engine.cursors.recall(c.cursorOwner(), cursor); ok {
		return max(key, prefix), nil
	}
	from := prefix
	err := c.ascend(prefix, prefix, func(key string) bool {
		if fingerprint(key) == cursor {
			from = key
			return false
		}
		return true
	})
	return from, err
}

var errCursor = kverr.New(kverr.Err, "invalid cursor")

// parseCursor accepts what C's strtoul does, as Redis: an empty text is 0, a
// sign is allowed, a zero byte ends it.
func parseCursor(s string) (uint64, error) {
	s, _, _ = strings.Cut(s, "\x00")
	digits := strings.TrimPrefix(s, "-")
	negative := digits != s
	if !negative {
		digits = strings.TrimPrefix(s, "+")
	}
	if digits == "" {
		if s == "" {
			return 0, nil
		}
		return 0, errCursor
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || strings.ContainsAny(digits, "+-_") {
		return 0, errCursor
	}
	if negative {
		n = -n
	}
	return n, nil
}
