package commands

import (
	"math"
	"math/big"
	"strconv"

	"github.com/cubbykv/cubby/internal/kverr"
)

func counterRows() []*Command {
	row := func(name, since, syntax, doc string, arity int, run func(*Call) error) *Command {
		return &Command{Name: name, Arity: arity, Flags: Writes | Grows, Keys: oneKey, ACL: "write string fast",
			Group: "counters", Since: since, Syntax: syntax, Doc: doc, Run: run}
	}
	return []*Command{
		row("incr", "1.0.0", "key", "Adds one to the integer in a key; a missing key counts as 0.", 2,
			func(c *Call) error { return c.increment(1) }),
		row("decr", "1.0.0", "key", "Subtracts one from the integer in a key.", 2,
			func(c *Call) error { return c.increment(-1) }),
		row("incrby", "1.0.0", "key increment", "Adds to the integer in a key.", 3, runIncrBy),
		row("decrby", "1.0.0", "key decrement", "Subtracts from the integer in a key.", 3, runDecrBy),
		row("incrbyfloat", "2.6.0", "key increment", "Adds to the floating point number in a key.", 3, runIncrByFloat),
	}
}

var errOverflow = kverr.New(kverr.Err, "increment or decrement would overflow")

func (c *Call) increment(by int64) error {
	key := c.arg(1)
	e, found, err := c.get(key)
	if err != nil {
		return err
	}
	var n int64
	if found {
		var ok bool
		if n, ok = parseInt(e.Value); !ok {
			return errNotInteger
		}
	}
	if by > 0 && n > math.MaxInt64-by || by < 0 && n < math.MinInt64-by {
		return errOverflow
	}
	n += by
	if err := c.put(key, strconv.AppendInt(c.scratch[:0], n, 10), e.ExpiresAt); err != nil {
		return err
	}
	c.notify(eventString, "incrby", key)
	c.Out.Int(n)
	return nil
}

func runIncrBy(c *Call) error {
	by, err := c.intArg(2)
	if err != nil {
		return err
	}
	return c.increment(by)
}

func runDecrBy(c *Call) error {
	by, err := c.intArg(2)
	if err != nil {
		return err
	}
	if by == math.MinInt64 {
		return kverr.New(kverr.Err, "decrement would overflow")
	}
	return c.increment(-by)
}

func runIncrByFloat(c *Call) error {
	key := c.arg(1)
	e, found, err := c.get(key)
	if err != nil {
		return err
	}
	value := new(big.Float).SetPrec(longDoubleBits)
	if found {
		var ok bool
		if value, ok = parseLongDouble(e.Value); !ok {
			return errNotFloat
		}
	}
	by, ok := parseLongDouble(c.Argv[2])
	if !ok {
		return errNotFloat
	}
	if value.IsInf() || by.IsInf() {
		return errNaNOrInf
	}
	sum := new(big.Float).SetPrec(longDoubleBits).Add(value, by)
	if sum.MantExp(nil) > maxLongDoubleExp {
		return errNaNOrInf
	}
	text := formatLongDouble(sum)
	if err := c.put(key, []byte(text), e.ExpiresAt); err != nil {
		return err
	}
	c.notify(eventString, "incrbyfloat", key)
	c.Out.BulkString(text)
	return nil
}

var errNaNOrInf = kverr.New(kverr.Err, "increment would produce NaN or Infinity")
