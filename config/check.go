package config

import "fmt"

// crossCheck finds directives that are right alone and wrong together.
func crossCheck(c *Config) []error {
	var errs []error
	add := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	size := func(less string, n int64, more string, m int64) {
		if n > m {
			add(c.conflict(less, formatSize(n), more, formatSize(m)))
		}
	}
	size("value-bytes", int64(c.Limits.ValueBytes), "proto-max-bulk-len", c.ProtoMaxBulkLen)
	size("proto-max-bulk-len", c.ProtoMaxBulkLen, "client-query-buffer-limit", c.ClientQueryBufferLimit)
	for db, prefix := range []string{"", "ephemeral-"} {
		lo, hi := c.Limits.TTLMin[db], c.Limits.TTLMax[db]
		if hi != 0 && lo > hi {
			add(c.conflict(prefix+"ttl-min", formatDuration(lo), prefix+"ttl-max", formatDuration(hi)))
		}
	}
	return errs
}

// conflict says that name's value exceeds other's. It blames the one of the two
// that was given, and says where the other one's value comes from.
func (c *Config) conflict(name, value, other, otherValue string) error {
	at, given := c.origins[name]
	otherAt, otherGiven := c.origins[other]
	from := func(at position, given bool) string {
		if given {
			return at.String()
		}
		return "default"
	}
	if !given {
		return &Error{File: otherAt.file, Line: otherAt.line, Directive: other, Reason: fmt.Sprintf(
			"%s is less than %s, which is %s (%s); change one of them",
			otherValue, name, value, from(at, given))}
	}
	return &Error{File: at.file, Line: at.line, Directive: name, Reason: fmt.Sprintf(
		"%s is more than %s, which is %s (%s); change one of them",
		value, other, otherValue, from(otherAt, otherGiven))}
}
