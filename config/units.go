package config

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cubbykv/cubby/internal/units"
)

// shownUnit is one that a value is written in, the largest first.
type shownUnit struct {
	suffix string
	factor int64
}

var (
	shownSizes     = []shownUnit{{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}}
	shownDurations = []shownUnit{{"d", 86_400_000}, {"h", 3_600_000}, {"m", 60_000}, {"s", 1000}}
)

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
	n, err := units.Size(s)
	return n, units.Explain(err, "is not a size", errTooLarge)
}

// parseDuration reads a duration such as "300", "60s" or "1ms".
func parseDuration(s string) (time.Duration, error) {
	d, err := units.Duration(s)
	return d, units.Explain(err, "is not a duration", errTooLarge)
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
	for _, u := range shownDurations {
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
