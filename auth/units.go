package auth

import (
	"errors"
	"strconv"
	"time"

	"github.com/cubbykv/cubby/internal/units"
)

func parseCount(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errTooLarge
	case err != nil || n < 0 || s[0] == '+' || s[0] == '-':
		return 0, errors.New("it is not a whole number")
	}
	return n, nil
}

func parseSize(s string) (int64, error) {
	n, err := units.Size(s)
	return n, units.Explain(err, "it is not a size such as 1024, 64kb or 1mb", errTooLarge)
}

// ParseDuration reads a whole number with ms, s, m, h or d after it; a bare
// number is seconds.
func ParseDuration(s string) (time.Duration, error) {
	d, err := units.Duration(s)
	return d, units.Explain(err, "it is not a duration such as 90, 90s, 1500ms, 2h or 30d", errTooLarge)
}

// FormatDuration writes d so that ParseDuration reads it back: in whole days
// from two on, else in whole seconds, else in milliseconds.
func FormatDuration(d time.Duration) string {
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
