package commands

import (
	"math"
	"math/big"
	"strings"
)

// parseInt reads a decimal integer as strictly as Redis: no plus sign, no
// leading zeros, no blanks.
func parseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	digits := b
	if b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || digits[0] == '0' && len(b) > 1 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := uint64(c - '0')
		if n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if b[0] == '-' {
		if n > 1<<63 {
			return 0, false
		}
		return -int64(n), true // 1<<63 negates to itself
	}
	if n > math.MaxInt64 {
		return 0, false
	}
	return int64(n), true
}

// intArg reads argument i, or returns Redis's error for what is no integer.
func (c *Call) intArg(i int) (int64, error) {
	n, ok := parseInt(c.Argv[i])
	if !ok {
		return 0, errNotInteger
	}
	return n, nil
}

// longDoubleBits is the mantissa of the x87 long double in which Redis
// computes INCRBYFLOAT.
const longDoubleBits = 64

// maxLongDoubleExp is the binary exponent beyond which a long double is
// infinite.
const maxLongDoubleExp = 16384

// longDoubleUnderflow is the largest number that a long double rounds to zero,
// which is out of range for Redis.
var longDoubleUnderflow = new(big.Float).SetMantExp(big.NewFloat(1), -16446)

// parseLongDouble reads a number as strtold does, as strictly as Redis: no
// blanks, the whole text, not NaN, within range. Infinity is a number here.
func parseLongDouble(b []byte) (*big.Float, bool) {
	if len(b) == 0 || len(b) >= 5*1024 {
		return nil, false
	}
	s := strings.ToLower(string(b))
	unsigned := strings.TrimLeft(s, "+-")
	if len(s)-len(unsigned) > 1 || strings.ContainsAny(s, "_") {
		return nil, false
	}
	switch {
	case unsigned == "inf" || unsigned == "infinity":
		return new(big.Float).SetInf(s[0] == '-'), true
	case unsigned == "":
		return nil, false
	case strings.HasPrefix(unsigned, "0x"):
		// A C hexadecimal float may leave out its exponent.
		if !strings.Contains(unsigned, "p") {
			s += "p0"
		}
	case unsigned[0] != '.' && (unsigned[0] < '0' || unsigned[0] > '9'):
		return nil, false
	case strings.Contains(unsigned, "p"):
		return nil, false // Go takes a binary exponent after decimal digits, C does not
	}
	f, _, err := big.ParseFloat(s, base(unsigned), longDoubleBits, big.ToNearestEven)
	if err != nil || f.IsInf() || f.MantExp(nil) > maxLongDoubleExp ||
		!writesZero(unsigned) && new(big.Float).Abs(f).Cmp(longDoubleUnderflow) <= 0 {
		return nil, false
	}
	return f, true
}

// writesZero tells whether the digits before any exponent are all zeros.
func writesZero(unsigned string) bool {
	digits, hex := strings.CutPrefix(unsigned, "0x")
	if hex {
		digits, _, _ = strings.Cut(digits, "p")
	} else {
		digits, _, _ = strings.Cut(digits, "e")
	}
	return strings.Trim(digits, "0.") == ""
}

func base(unsigned string) int {
	if strings.HasPrefix(unsigned, "0x") {
		return 0
	}
	return 10
}

// formatLongDouble writes f as INCRBYFLOAT replies it: up to 17 decimals, no
// trailing zeros, no exponent.
func formatLongDouble(f *big.Float) string {
	s := f.Text('f', 17)
	s = strings.TrimRight(s, "0")
	s = strings.TrimSuffix(s, ".")
	if s == "-0" {
		return "0"
	}
	return s
}
