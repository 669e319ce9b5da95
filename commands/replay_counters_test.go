package commands

import (
	"fmt"
	"testing"

	"github.com/cubbykv/cubby/internal/resp"
)

var counterScripts = []string{
	`incr and decr
	INCR n
	INCR n
	DECR n
	DECR m
	INCRBY n 10
	DECRBY n 20
	DECRBY n -20
	INCRBY n -0
	INCR
	INCR a b
	INCRBY n
	DECRBY n 1 2
	GET n
	EXPIRE n 100
	INCR n
	TTL n`,
	`counters at the edges
	SET n 9223372036854775807
	INCR n
	INCRBY n 1
	INCRBY n -1
	INCRBY n 9223372036854775807
	DECRBY n -9223372036854775808
	DECRBY n -9223372036854775807
	SET n -9223372036854775808
	DECR n
	DECRBY n 9223372036854775807
	INCRBY n -9223372036854775808
	DECRBY n -9223372036854775808
	INCRBY n 9223372036854775807
	GET n
	DEL n
	INCRBY n -9223372036854775808
	INCRBY n 9223372036854775808
	INCRBY n -9223372036854775809
	INCRBY none x
	EXISTS none`,
	`incrbyfloat
	INCRBYFLOAT f
	INCRBYFLOAT f 1 2
	INCRBYFLOAT f 1
	INCRBYFLOAT f 0.1
	INCRBYFLOAT f 0.2
	SET f 10.50
	INCRBYFLOAT f 0.1
	INCRBYFLOAT f -5
	SET f 5.0e3
	INCRBYFLOAT f 2.0e2
	GET f
	SET f 3.0
	INCRBYFLOAT f 0
	INCRBYFLOAT f -3
	INCRBYFLOAT f -0.0
	SET f -0.0
	INCRBYFLOAT f 0
	SET f -0
	INCRBYFLOAT f -0
	SET f abc
	INCRBYFLOAT f 1
	SET f ""
	INCRBYFLOAT f 1
	SET f 1
	INCRBYFLOAT f ""
	INCRBYFLOAT f abc
	EXPIRE f 100
	INCRBYFLOAT f 1
	TTL f
	INCRBYFLOAT none x
	EXISTS none
	SET f "0"*5119
	INCRBYFLOAT f 1
	SET f "0"*5120
	INCRBYFLOAT f 1
	SET f 1
	INCRBYFLOAT f "0"*5119
	INCRBYFLOAT f "0"*5120
	SET i 12
	INCRBYFLOAT i 1
	INCR i
	INCRBYFLOAT i 0.5
	INCR i`,
}

func TestReplayCounters(t *testing.T) { replay(t, counterScripts) }

// TestReplayIntegers hands Redis's notion of an integer everything that other
// parsers accept, as a value and as an argument.
func TestReplayIntegers(t *testing.T) {
	w := newTwins(t)
	c := w.dial(t, resp.V2)
	for _, s := range integerTexts {
		c.do(true, "SET", "n", s)
		c.do(true, "INCR", "n")
		c.do(true, "SET", "n", s)
		c.do(true, "DECRBY", "n", "7")
		c.do(true, "SET", "n", "1")
		c.do(true, "INCRBY", "n", s)
		c.do(true, "DECRBY", "n", s)
		c.do(true, "GETRANGE", "n", s, "-1")
		c.do(true, "EXPIRE", "none", s)
		c.do(true, "PEXPIREAT", "none", s)
		c.do(true, "SELECT", s)
		c.do(true, "SELECT", "0")
		c.do(true, "COPY", "n", "m", "DB", s)
		c.do(true, "FLUSHALL") // pages of an empty database are alike
		c.do(true, "SCAN", "0", "COUNT", s)
		c.do(true, "SCAN", s)
	}
}

// integerTexts look like integers to somebody.
var integerTexts = []string{
	"", "0", "1", "-1", "-0", "+0", "+1", "00", "01", "-01", "-", "+", "--1", "+-1", "1-", " 1", "1 ", "\t1", "1\n", "1\x00", "\x001",
	"0x10", "0b1", "0o7", "1_000", "1,000", "1.0", "1.", ".1", "1e3", "١", "1a", "a1",
	"127", "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296",
	"9223372036854775806", "9223372036854775807", "9223372036854775808", "-9223372036854775807", "-9223372036854775808", "-9223372036854775809",
	"9223372036854775", "9223372036854776", "-9223372036854775", "-9223372036854776",
	"18446744073709551614", "18446744073709551615", "18446744073709551616", "-18446744073709551615",
	"99999999999999999999", "100000000000000000000", "-99999999999999999999", "00000000000000000001", "0000000000000000000000001",
	"18446744073709551617", "36893488147419103233", "inf", "nan",
}

// TestReplayFloats adds each number to a few, and a few to each.
func TestReplayFloats(t *testing.T) {
	w := newTwins(t)
	c := w.dial(t, resp.V2)
	add := func(value, by string) {
		c.do(true, "SET", "f", value)
		if !c.do(true, "INCRBYFLOAT", "f", by) {
			t.Logf("f was %q", value)
		}
	}
	for _, text := range floatTexts {
		for _, other := range []string{"0", "-0.0", "1", "-1", "0.1", "3.0e3", "123456789012345678", "-99999999999999999999.99", "5e-18", "1e300", "-1.18973149535723176502e4932", "inf"} {
			add(text, other)
			add(other, text)
		}
		add(text, text)
		c.do(true, "DEL", "f")
		c.do(true, "INCRBYFLOAT", "f", text)
	}
}

// floatTexts are numbers to somebody, at the edges of what long doubles and
// their printing do.
var floatTexts = append([]string{
	"", "0", "-0", "0.0", "-0.0", "1", "-1", "+1", "++1", "+-1", "1.", ".5", "-.5", ".", "-", "e5", ".e5", "1e", "1e+", "1e3", "3.0e3", "1E3", "1e+3", "1e-3", "1e0003",
	" 1", "1 ", "1\n", "\t1", "1\x00", "1\x002", "1_0", "1,5", "0x", "0x1", "0X1F", "0x1p4", "0x1.8p1", "0x.8", "0x1p", "0x1.8p-3", "-0x10", "0x1p+2", "0x1.p1", "0x.p1", "0xg", "0b1", "0o7", "0b", "007", "1p3", "1p", "0e99999", "0e-99999", "0x0p-99999", "00x1", "1e3e3", "1e3.0", "1f", "1d", "1.5.5",
	"inf", "-inf", "+inf", "Inf", "INF", "infinity", "-Infinity", "infini", "nan", "NaN", "-nan", "nan(1)",
	"0.1", "0.2", "0.3", "-0.3", "3.14159265358979323846", "2.718281828459045235360287471352662498",
	"0.00000000000000001", "0.000000000000000001", "0.000000000000000005", "0.000000000000000015", "0.00000000000000004999", "-0.000000000000000001",
	"123456789012345678", "1234567890123456789012", "12345678901234567.89", "99999999999999999999.99", "9007199254740993", "18446744073709551617",
	"1e17", "1e18", "1e19", "1e-17", "1e-18", "1e-30", "5e-18", "4.9e-18", "1.5e-17", "1e300", "-1e300", "1e-300",
	"1e4931", "1.18973149535723176502e4932", "1.19e4932", "1e4933", "-1e4933", "1e-4932", "1e-4950", "3.6e-4951", "1e-5000", "-1e-5000", "1e99999999999999999999", "1e-99999999999999999999", "1e-999999999", "0e-999999999", "0x1p-2147483647", "0x0p-2147483647", "0.0000e5", "0x0.0p9",
	"0x1p16383", "0x1p16384", "0x1p-16445", "0x1p-16446",
	"0.1000000000000000055511151231257827021181583404541015625", "1.00000000000000000005", "0.99999999999999999999", "0.9999999999999999",
}, fmt.Sprintf("%0300d", 7), fmt.Sprintf("1.%0300d", 7))
