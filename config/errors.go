package config

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// position is where a directive was given.
type position struct {
	file string // as it was named; empty is the command line
	line int    // from 1; 0 on the command line
}

func (p position) String() string {
	if p.line == 0 {
		return cmp.Or(p.file, "command line")
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// Error is one thing that is wrong with a configuration. Load joins all of
// them with errors.Join, in the order of the lines.
type Error struct {
	File      string // file, or empty for the command line
	Line      int    // line in File, from 1; 0 on the command line
	Directive string // as it was written, in lower case
	Reason    string // what is wrong and what is allowed instead
	Cause     error  // one of Change's errors, or nil
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Error returns one line without secrets.
func (e *Error) Error() string {
	name := e.Directive
	if q := strconv.Quote(name); q[1:len(q)-1] != name {
		name = q // bytes that a terminal would act on
	}
	return fmt.Sprintf("%s: %s: %s", position{e.File, e.Line}, name, e.Reason)
}

// unknown says what to do about a name that is not in the table.
func unknown(name string) string {
	if why := lackingReason(name); why != "" {
		return "Redis has this directive, Cubby does not: " + why
	}
	if near := nearest(name); near != "" {
		return "no such directive; did you mean " + near + "?"
	}
	return "no such directive; docs/configuration.md lists all there are"
}

// nearest returns the directive that name was most likely meant to be, or
// nothing when none resembles it.
func nearest(name string) string {
	if len(name) > 64 {
		return "" // not a slip of the fingers, and distance is quadratic
	}
	name = strings.ReplaceAll(name, "_", "-")
	best, bestDistance := "", max(1, len(name)/3)+1
	for _, d := range table {
		if n := distance(name, d.Name); n < bestDistance {
			best, bestDistance = d.Name, n
		}
	}
	return best
}

// distance is the number of single-byte edits and swaps of neighbours between
// a and b.
func distance(a, b string) int {
	var before []int // the row before the last one, for swaps
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
