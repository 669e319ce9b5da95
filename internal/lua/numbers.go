package lua

import (
	"errors"
	"math"
	"strconv"
	"strings"

	vm "github.com/yuin/gopher-lua"
)

// digits is how many significant digits Lua 5.1 writes of a number.
const digits = 14

// formatNumber writes f as Lua does, with C's %.14g.
func formatNumber(f float64) string {
	var buf [32]byte
	return string(appendNumber(buf[:0], f, digits))
}

// appendNumber writes f with C's %.*g.
func appendNumber(dst []byte, f float64, precision int) []byte {
	switch {
	case math.IsNaN(f):
		if math.Signbit(f) {
			dst = append(dst, '-')
		}
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case f == math.Trunc(f) && math.Abs(f) < 1e14 && precision >= digits && (f != 0 || !math.Signbit(f)):
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return strconv.AppendFloat(dst, f, 'g', precision, 64)
}

// parseNumber reads a number as Lua 5.1 does with C's strtod: decimal or
// hexadecimal, blanks around it allowed.
func parseNumber(s string) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	if s == "" || strings.ContainsRune(s, '_') {
		return 0, false
	}
	unsigned := strings.TrimLeft(s, "+-")
	if len(s)-len(unsigned) > 1 {
		return 0, false
	}
	if len(unsigned) > 1 && unsigned[0] == '0' && unsigned[1]|0x20 == 'x' && !strings.ContainsAny(unsigned, "pP") {
		s += "p0"
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return f, true
}

// toNumber converts a number, or a string that reads as one.
func toNumber(v vm.LValue) (float64, bool) {
	switch v := v.(type) {
	case vm.LNumber:
		return float64(v), true
	case vm.LString:
		return parseNumber(string(v))
	}
	return 0, false
}

// toText converts a string, or a number to what Lua writes for it.
func toText(v vm.LValue) (string, bool) {
	switch v := v.(type) {
	case vm.LString:
		return string(v), true
	case vm.LNumber:
		return formatNumber(float64(v)), true
	}
	return "", false
}

// truncate converts to an integer as the C cast does that Redis uses: what has
// no integer becomes the smallest.
func truncate(f float64) int64 {
	if f >= -9223372036854775808 && f < 9223372036854775808 {
		return int64(f)
	}
	return math.MinInt64
}
