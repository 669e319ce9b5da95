package auth

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// Limits are what the platform allows one namespace. Arrays hold one value
// for database 0 and one for database 1.
type Limits struct {
	KeyBytes          int                              // longest key, in bytes
	KeyAnyByte        bool                             // lifts the key alphabet 0x21-0x7E
	ValueBytes        int                              // longest value as stored, in bytes
	MaxKeys           [storage.Databases]int64         // live keys
	MaxBytes          [storage.Databases]int64         // bytes of live keys and values; 0 is no limit
	TTLMin            [storage.Databases]time.Duration // shortest TTL that may be given
	TTLMax            [storage.Databases]time.Duration // longest; 0 is no limit
	CommandsPerSecond int                              // 0 is no limit
	CommandsBurst     int                              // how many of them may come at once; 0 is a second's worth
	MaxConnections    int                              // signed in at the same time; 0 is no limit
}

// DefaultLimits are the limits of a namespace for which nobody set others.
func DefaultLimits() Limits {
	const year = 365 * 24 * time.Hour
	return Limits{
		KeyBytes:   256,
		ValueBytes: 64 << 10,
		MaxKeys:    [2]int64{10_000, 10_000},
		TTLMin:     [2]time.Duration{time.Minute, time.Millisecond},
		TTLMax:     [2]time.Duration{year, year},
	}
}

// Bounds of what may be set; the configuration has the same.
const (
	maxKeyBytes    = 64 << 10
	maxValueBytes  = 512 << 20
	maxKeys        = 1_000_000_000_000
	maxRate        = 1_000_000_000
	maxConnections = 1_000_000
	maxDuration    = 100 * 365 * 24 * time.Hour
)

// Limit is one limit by its name: the same in the configuration, in APP.SET
// and in replies.
type Limit struct {
	Name    string
	Field   string // its name in replies, which give durations as numbers: ttl-min-ms
	Allowed string // right values, for people

	field value
}

// value reads and shows one field of Limits.
type value interface {
	parse(l *Limits, text string) error
	format(l *Limits) string
	// report is for programs: a number, or a word where there is none.
	report(l *Limits) (n int64, word string)
}

// LimitTable lists every limit in the order in which people see them. Nothing
// else knows which name stands for which field.
var LimitTable = append([]Limit{
	{"key-bytes", "key-bytes", "1 to 65536 bytes",
		number[int]{func(l *Limits) *int { return &l.KeyBytes }, 1, maxKeyBytes, parseSize}},
	{"key-charset", "key-charset", "printable or any", charset{}},
	{"value-bytes", "value-bytes", "1 to 536870912 bytes (512mb)",
		number[int]{func(l *Limits) *int { return &l.ValueBytes }, 1, maxValueBytes, parseSize}},
	{"commands-per-second", "commands-per-second", "0 to 1000000000, 0 is no limit",
		number[int]{func(l *Limits) *int { return &l.CommandsPerSecond }, 0, maxRate, parseCount}},
	{"commands-burst", "commands-burst", "0 to 1000000000, 0 is a second's worth",
		burst{number[int]{func(l *Limits) *int { return &l.CommandsBurst }, 0, maxRate, parseCount}}},
	{"max-connections", "max-connections", "0 to 1000000, 0 is no limit",
		number[int]{func(l *Limits) *int { return &l.MaxConnections }, 0, maxConnections, parseCount}},
}, append(databaseLimits(storage.Durable, ""), databaseLimits(storage.Ephemeral, "ephemeral-")...)...)

func databaseLimits(db int, prefix string) []Limit {
	return []Limit{
		{prefix + "max-keys", prefix + "max-keys", "1 to 1000000000000",
			number[int64]{func(l *Limits) *int64 { return &l.MaxKeys[db] }, 1, maxKeys, parseCount}},
		{prefix + "max-bytes", prefix + "max-bytes", "0 and more bytes, 0 is no limit",
			number[int64]{func(l *Limits) *int64 { return &l.MaxBytes[db] }, 0, 1<<63 - 1, parseSize}},
		{prefix + "ttl-min", prefix + "ttl-min-ms", "1ms to 36500d",
			duration{func(l *Limits) *time.Duration { return &l.TTLMin[db] }, time.Millisecond}},
		{prefix + "ttl-max", prefix + "ttl-max-ms", "1ms to 36500d, 0 is no limit",
			duration{func(l *Limits) *time.Duration { return &l.TTLMax[db] }, 0}},
	}
}

// Format shows the limit's value in l as Parse takes it: a whole number, a
// word, or a duration with its unit.
func (x *Limit) Format(l *Limits) string { return x.field.format(l) }

// Report shows the limit in l as it is in force: as a number, which is 0 where
// there is no limit (counts, bytes, or milliseconds), or as a word.
func (x *Limit) Report(l *Limits) (n int64, word string) { return x.field.report(l) }

// Parse sets the limit in l. Errors: *InputError, which names what is allowed.
func (x *Limit) Parse(l *Limits, text string) error {
	if err := x.field.parse(l, text); err != nil {
		return inputErrorf("%q is no value for the limit %s: %v; allowed: %s", text, x.Name, err, x.Allowed)
	}
	return nil
}

// findLimit returns the limit of that name in any case, or nil.
func findLimit(name string) *Limit {
	for i := range LimitTable {
		if strings.EqualFold(LimitTable[i].Name, name) {
			return &LimitTable[i]
		}
	}
	return nil
}

func limitNames() string {
	names := make([]string, len(LimitTable))
	for i := range LimitTable {
		names[i] = LimitTable[i].Name
	}
	return strings.Join(names, ", ")
}

// check finds limits that are right alone and wrong together.
func (l *Limits) check() error {
	for db, prefix := range []string{"", "ephemeral-"} {
		if hi := l.TTLMax[db]; hi != 0 && l.TTLMin[db] > hi {
			return inputErrorf("%sttl-min %s is more than %sttl-max %s, so no TTL would be allowed",
				prefix, FormatDuration(l.TTLMin[db]), prefix, FormatDuration(hi))
		}
	}
	return nil
}

var (
	errTooSmall = errors.New("it is too small")
	errTooLarge = errors.New("it is too large")
)

// number is a count or a size from lo to hi.
type number[T int | int64] struct {
	field  func(*Limits) *T
	lo, hi int64
	read   func(string) (int64, error)
}

func (v number[T]) parse(l *Limits, text string) error {
	n, err := v.read(text)
	switch {
	case err != nil:
		return err
	case n < v.lo:
		return errTooSmall
	case n > v.hi:
		return errTooLarge
	}
	*v.field(l) = T(n)
	return nil
}

func (v number[T]) format(l *Limits) string { return strconv.FormatInt(int64(*v.field(l)), 10) }

func (v number[T]) report(l *Limits) (int64, string) { return int64(*v.field(l)), "" }

// burst is a number that follows from the rate where it is not set.
type burst struct{ number[int] }

func (burst) report(l *Limits) (int64, string) { return int64(l.burst()), "" }

// burst is how many commands may come at once; 0 without a rate.
func (l *Limits) burst() int {
	if l.CommandsPerSecond == 0 || l.CommandsBurst == 0 {
		return l.CommandsPerSecond
	}
	return l.CommandsBurst
}

// duration goes from lo to maxDuration in whole milliseconds.
type duration struct {
	field func(*Limits) *time.Duration
	lo    time.Duration
}

func (v duration) parse(l *Limits, text string) error {
	d, err := ParseDuration(text)
	switch {
	case err != nil:
		return err
	case d < v.lo:
		return errTooSmall
	case d > maxDuration:
		return errTooLarge
	}
	*v.field(l) = d
	return nil
}

func (v duration) format(l *Limits) string { return FormatDuration(*v.field(l)) }

func (v duration) report(l *Limits) (int64, string) { return v.field(l).Milliseconds(), "" }

// charset is the alphabet of keys.
type charset struct{}

func (charset) parse(l *Limits, text string) error {
	switch strings.ToLower(text) {
	case "printable":
		l.KeyAnyByte = false
	case "any":
		l.KeyAnyByte = true
	default:
		return errors.New("it is neither")
	}
	return nil
}

func (charset) format(l *Limits) string {
	if l.KeyAnyByte {
		return "any"
	}
	return "printable"
}

func (v charset) report(l *Limits) (int64, string) { return 0, v.format(l) }
