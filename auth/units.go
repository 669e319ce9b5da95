package auth

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// unit is a suffix and what it multiplies by.
type unit struct {
	suffix string
	factor int64
}

// sizeUnits are redis.conf's: k is a thousand, kb is 1024.
var sizeUnits = []unit{
	{"", 1}, {"b", 1},
	{"k", 1e3}, {"m", 1e6}, {"g", 1e9},
	{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30},
}

// durationUnits are in milliseconds. A bare number is seconds.
var durationUnits = []unit{
	{"d", 86_400_000}, {"h", 3_600_000}, {"m", 60_000}, {"s", 1000}, {"", 1000}, {"ms", 1},
}

func parseCount(s string) (int64, error) {
	return parseUnits(s, []unit{{"", 1}}, "it is not a whole number")
}

func parseSize(s string) (int64, error) {
	return parseUnits(s, sizeUnits, "it is not a size such as 1024, 64kb or 1mb")
}

// ParseDuration reads a whole number with ms, s, m, h or d after it; a bare
// number is seconds.
func ParseDuration(s string) (time.Duration, error) {
	ms, err := parseUnits(s, durationUnits, "it is not a duration such as 90, 90s, 1500ms, 2h or 30d")
	if err != nil {
		return 0, err
	}
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return 0, errTooLarge
	}
	return time.Duration(ms) * time.Millisecond, nil
}

func parseUnits(s string, units []unit, complaint string) (int64, error) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	for _, u := range units {
		if digits == 0 || !strings.EqualFold(s[digits:], u.suffix) {
			continue
		}
		n, err := strconv.ParseInt(s[:digits], 10, 64)
		if err != nil || n > math.MaxInt64/u.factor {
			return 0, errTooLarge
		}
		return n * u.factor, nil
	}
	return 0, errors.New(complaint)
}

// formatDuration writes d so that ParseDuration reads it back: in whole days
// from two on, else in whole seconds, else in milliseconds.
func formatDuration(d time.Duration) string {
	ms := d.Milliseconds()
	switch {
	case ms == 0:
		return "0"
	case ms%1000 != 0:
		return strconv.FormatInt(ms, 10) + "ms"
	case ms >= 2*86_400_000 && ms%86_400_000 == 0:
		return strconv.FormatInt(ms/86_400_000, 10) + "d"
	default:
		return strconv.FormatInt(ms/1000, 10) + "s"
	}
}
