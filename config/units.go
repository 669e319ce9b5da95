package config

import (
	"errors"
	"fmt"
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

// sizeUnits are Redis's, case-insensitive.
var sizeUnits = []unit{
	{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10},
	{"g", 1e9}, {"m", 1e6}, {"k", 1e3}, {"b", 1}, {"", 1},
}

// shownSizes are those that formatSize chooses from: people think in them.
var shownSizes = sizeUnits[:3]

// durationUnits are in milliseconds, the largest first. A bare number is
// seconds, as in Redis.
var durationUnits = []unit{
	{"d", 86_400_000}, {"h", 3_600_000}, {"m", 60_000}, {"s", 1000}, {"", 1000}, {"ms", 1},
}

var errTooLarge = errors.New("is too large")

// parseInt is stricter than strconv, as Redis is: no sign but minus, no
// leading zeros.
func parseInt(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, errTooLarge
	}
	if err != nil || strconv.FormatInt(n, 10) != s {
		return 0, errors.New("is not a whole number")
	}
	return n, nil
}

// parseSize returns the bytes of a size such as "64mb".
func parseSize(s string) (int64, error) {
	return parseUnits(s, sizeUnits, "is not a size")
}

// parseDuration reads a duration such as "300", "60s" or "1ms".
func parseDuration(s string) (time.Duration, error) {
	ms, err := parseUnits(s, durationUnits, "is not a duration")
	if err != nil {
		return 0, err
	}
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return 0, errTooLarge
	}
	return time.Duration(ms) * time.Millisecond, nil
}

func parseUnits(s string, units []unit, complaint string) (int64, error) {
	digits := 0
	for digits < len(s) && '0' <= s[digits] && s[digits] <= '9' {
		digits++
	}
	if digits == 0 {
		return 0, errors.New(complaint)
	}
	for _, u := range units {
		if !strings.EqualFold(s[digits:], u.suffix) {
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

// formatSize writes a size in the largest unit that loses nothing.
func formatSize(n int64) string {
	for _, u := range shownSizes {
		if n != 0 && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

// formatDuration writes a duration in the largest unit that loses nothing.
func formatDuration(d time.Duration) string {
	ms := d.Milliseconds()
	if ms == 0 {
		return "0"
	}
	for _, u := range durationUnits {
		if ms%u.factor == 0 {
			return strconv.FormatInt(ms/u.factor, 10) + u.suffix
		}
	}
	return strconv.FormatInt(ms, 10) + "ms"
}

// formatSeconds writes a duration as CONFIG GET shows it.
func formatSeconds(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10)
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}
