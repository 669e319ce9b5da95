// Package units reads sizes and durations as people write them, in
// redis.conf and in the admin's commands.
package units

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// Errors of this package; callers say them in the words of their place.
var (
	ErrSyntax   = errors.New("not a number with a known unit")
	ErrTooLarge = errors.New("too large")
)

// Explain returns err in the caller's words: syntax for ErrSyntax, tooLarge for
// ErrTooLarge, nil for nil.
func Explain(err error, syntax string, tooLarge error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrTooLarge):
		return tooLarge
	}
	return errors.New(syntax)
}

// unit is a suffix and what it multiplies by.
type unit struct {
	suffix string
	factor int64
}

// sizes are redis.conf's, case-insensitive: k is a thousand, kb is 1024.
var sizes = []unit{
	{"", 1}, {"b", 1},
	{"k", 1e3}, {"m", 1e6}, {"g", 1e9},
	{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30},
}

// durations are in milliseconds. A bare number is seconds, as in Redis.
var durations = []unit{
	{"d", 86_400_000}, {"h", 3_600_000}, {"m", 60_000}, {"s", 1000}, {"", 1000}, {"ms", 1},
}

// Size returns the bytes of a size such as "64mb". Errors: ErrSyntax,
// ErrTooLarge.
func Size(s string) (int64, error) { return parse(s, sizes) }

// Duration reads a duration such as "300", "60s", "30d" or "1ms". Errors:
// ErrSyntax, ErrTooLarge.
func Duration(s string) (time.Duration, error) {
	ms, err := parse(s, durations)
	if err == nil && ms > math.MaxInt64/int64(time.Millisecond) {
		err = ErrTooLarge
	}
	if err != nil {
		return 0, err
	}
	return time.Duration(ms) * time.Millisecond, nil
}

func parse(s string, units []unit) (int64, error) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if digits == 0 {
		return 0, ErrSyntax
	}
	for _, u := range units {
		if !strings.EqualFold(s[digits:], u.suffix) {
			continue
		}
		n, err := strconv.ParseInt(s[:digits], 10, 64)
		if err != nil || n > math.MaxInt64/u.factor {
			return 0, ErrTooLarge
		}
		return n * u.factor, nil
	}
	return 0, ErrSyntax
}
