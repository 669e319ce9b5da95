package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value is one kind of directive: how its words are read, checked and shown.
type value interface {
	kind() Kind
	allowed() string // the range, for people
	set(c *Config, words []string) error
	get(c *Config) []string
}

var errOneWord = errors.New("takes exactly one value (put quotes around one with blanks)")

// single returns the only word.
func single(words []string) (string, error) {
	if len(words) != 1 {
		return "", errOneWord
	}
	return words[0], nil
}

// wrong says that word is not what the kind takes.
func wrong(word string, err error) error { return fmt.Errorf("%q %w", word, err) }

type yesNo struct{ field func(*Config) *bool }

func (yesNo) kind() Kind      { return KindYesNo }
func (yesNo) allowed() string { return "yes or no" }

func (v yesNo) set(c *Config, words []string) error {
	w, err := single(words)
	if err != nil {
		return err
	}
	switch strings.ToLower(w) {
	case "yes":
		*v.field(c) = true
	case "no":
		*v.field(c) = false
	default:
		return wrong(w, errors.New("is neither yes nor no"))
	}
	return nil
}

func (v yesNo) get(c *Config) []string {
	if *v.field(c) {
		return []string{"yes"}
	}
	return []string{"no"}
}

// number is a whole number or a size in bytes, from lo to hi.
type number[T int | int64] struct {
	field  func(*Config) *T
	lo, hi int64
	size   bool
}

func (v number[T]) kind() Kind {
	if v.size {
		return KindSize
	}
	return KindNumber
}

func (v number[T]) allowed() string { return span(v.lo, v.hi, v.format) }

func (v number[T]) format(n int64) string {
	if v.size {
		return formatSize(n)
	}
	return strconv.FormatInt(n, 10)
}

func (v number[T]) set(c *Config, words []string) error {
	w, err := single(words)
	if err != nil {
		return err
	}
	parse := parseInt
	if v.size {
		parse = parseSize
	}
	n, err := parse(w)
	if err != nil {
		return wrong(w, err)
	}
	if err := within(n, v.lo, v.hi); err != nil {
		return wrong(w, err)
	}
	*v.field(c) = T(n)
	return nil
}

func (v number[T]) get(c *Config) []string {
	return []string{strconv.FormatInt(int64(*v.field(c)), 10)}
}

// duration goes from lo to hi in whole steps.
type duration struct {
	field        func(*Config) *time.Duration
	step, lo, hi time.Duration
}

func (duration) kind() Kind        { return KindDuration }
func (v duration) allowed() string { return span(v.lo, v.hi, formatDuration) }

func (v duration) set(c *Config, words []string) error {
	w, err := single(words)
	if err != nil {
		return err
	}
	d, err := parseDuration(w)
	if err != nil {
		return wrong(w, err)
	}
	if d%v.step != 0 {
		return wrong(w, errors.New("is not a whole number of seconds"))
	}
	if err := within(d, v.lo, v.hi); err != nil {
		return wrong(w, err)
	}
	*v.field(c) = d
	return nil
}

func (v duration) get(c *Config) []string { return []string{formatSeconds(*v.field(c))} }

// within complains about an n outside of lo to hi.
func within[T int64 | time.Duration](n, lo, hi T) error {
	switch {
	case n < lo:
		return errors.New("is too small")
	case n > hi:
		return errTooLarge
	}
	return nil
}

// span shows a range; one up to the largest number has no upper end.
func span[T int64 | time.Duration](lo, hi T, format func(T) string) string {
	if int64(hi) == math.MaxInt64 {
		return format(lo) + " and more"
	}
	return format(lo) + " to " + format(hi)
}

// choice is one of several words, case-insensitive.
type choice[T ~string] struct {
	field func(*Config) *T
	of    []T
}

func (choice[T]) kind() Kind        { return KindChoice }
func (v choice[T]) allowed() string { return oneOf(v.of) }

func (v choice[T]) set(c *Config, words []string) error {
	w, err := single(words)
	if err != nil {
		return err
	}
	i := slices.Index(v.of, T(strings.ToLower(w)))
	if i < 0 {
		return wrong(w, errors.New("is none of the choices"))
	}
	*v.field(c) = v.of[i]
	return nil
}

func (v choice[T]) get(c *Config) []string { return []string{string(*v.field(c))} }

// oneOf lists words as "a, b or c".
func oneOf[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// charset is the choice of key-charset, which Limits keeps as a bool.
type charset struct{ field func(*Config) *bool }

func (charset) kind() Kind      { return KindChoice }
func (charset) allowed() string { return "printable or any" }

func (v charset) set(c *Config, words []string) error {
	var s string
	choices := choice[string]{func(*Config) *string { return &s }, []string{"printable", "any"}}
	if err := choices.set(c, words); err != nil {
		return err
	}
	*v.field(c) = s == "any"
	return nil
}

func (v charset) get(c *Config) []string {
	if *v.field(c) {
		return []string{"any"}
	}
	return []string{"printable"}
}

// text is any one word of min to max bytes. Errors never repeat it, since it
// may be a password.
type text struct {
	field func(*Config) *string
	min   int // 0 or 1
	max   int
	path  bool
}

func (v text) kind() Kind {
	if v.path {
		return KindPath
	}
	return KindText
}

func (v text) allowed() string {
	if v.path {
		return fmt.Sprintf("a path of at most %d bytes, relative to the working directory", v.max)
	}
	return fmt.Sprintf("at most %d bytes", v.max)
}

func (v text) set(c *Config, words []string) error {
	w, err := single(words)
	if err != nil {
		return err
	}
	switch {
	case len(w) < v.min:
		return errors.New("the value is empty")
	case len(w) > v.max:
		return fmt.Errorf("the value has %d bytes", len(w))
	case v.path && strings.Contains(w, "\x00"):
		return errors.New("the value has a zero byte")
	}
	*v.field(c) = w
	return nil
}

func (v text) get(c *Config) []string { return []string{*v.field(c)} }

// eventFlags are the letters of notify-keyspace-events.
type eventFlags struct{ field func(*Config) *string }

func (eventFlags) kind() Kind      { return KindText }
func (eventFlags) allowed() string { return "any of the letters " + eventLetters }

const eventLetters = "Ag$lshzxeKEtmdn"

func (v eventFlags) set(c *Config, words []string) error {
	w, err := single(words)
	if err != nil {
		return err
	}
	for _, letter := range w {
		if !strings.ContainsRune(eventLetters, letter) {
			return wrong(w, fmt.Errorf("has the letter %q, which is no class of events", letter))
		}
	}
	*v.field(c) = w
	return nil
}

func (v eventFlags) get(c *Config) []string { return []string{*v.field(c)} }

// permissions are written in octal, as chmod takes them.
type permissions struct{ field func(*Config) *fs.FileMode }

func (permissions) kind() Kind      { return KindOctal }
func (permissions) allowed() string { return "0 to 777" }

func (v permissions) set(c *Config, words []string) error {
	w, err := single(words)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(w, 8, 9)
	if err != nil {
		return wrong(w, errors.New("is not an octal number of up to three digits"))
	}
	*v.field(c) = fs.FileMode(n)
	return nil
}

func (v permissions) get(c *Config) []string {
	return []string{strconv.FormatUint(uint64(*v.field(c)), 8)}
}
