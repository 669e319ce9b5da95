package config

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// Setting is a directive's value as CONFIG GET shows it.
type Setting struct{ Name, Value string }

// fixed is what CONFIG GET tells beside the directives: facts that Redis has
// directives for, and tools ask about. A file cannot have them.
var fixed = []Setting{
	{"databases", "2"},
	{"save", ""},
	{"appendonly", "yes"},
	{"maxmemory-policy", "noeviction"},
	{"cluster-enabled", "no"},
}

// Settings returns the directives and their values, less secrets; with public
// only those that apps may see.
func (c *Config) Settings(public bool) []Setting {
	var list []Setting
	for i := range table {
		d := &table[i]
		if d.value == nil || d.Secret || public && !d.Public {
			continue
		}
		list = append(list, Setting{d.Name, strings.Join(d.value.get(c), " ")})
	}
	return append(list, fixed...)
}

// IsSecret tells whether the directive of that name, in any case, must not be
// shown.
func IsSecret(name string) bool {
	d := lookup(strings.ToLower(name))
	return d != nil && d.Secret
}

// Errors of Change, in Redis's words.
var (
	ErrUnknown   = errors.New("no such directive")
	ErrImmutable = errors.New("can't set immutable config")
	ErrDuplicate = errors.New("duplicate parameter")
)

// Change returns a copy of c with directives changed, and the parts of the
// running server that this concerns, in order. Errors: *Error with one of the
// above as Cause or none; c stays as it is in any case.
func (c *Config) Change(changes []Setting) (*Config, []Part, error) {
	var rows []*directive
	for _, ch := range changes {
		name := strings.ToLower(ch.Name)
		d := lookup(name)
		isFixed := slices.ContainsFunc(fixed, func(f Setting) bool { return f.Name == name })
		switch {
		case isFixed || d != nil && d.value != nil && d.Live == "":
			return nil, nil, changeError(ch.Name, ErrImmutable)
		case (d == nil || d.value == nil) && lackingReason(name) != "":
			return nil, nil, &Error{Directive: ch.Name, Reason: unknown(name)}
		case d == nil || d.value == nil:
			return nil, nil, changeError(ch.Name, ErrUnknown)
		case slices.Contains(rows, d):
			return nil, nil, changeError(ch.Name, ErrDuplicate)
		}
		rows = append(rows, d)
	}
	changed := *c
	changed.origins = maps.Clone(c.origins)
	var parts []Part
	for i, d := range rows {
		words := []string{changes[i].Value}
		if d.Repeat {
			words = strings.Fields(changes[i].Value)
		}
		if err := d.value.set(&changed, words); err != nil {
			return nil, nil, &Error{Directive: changes[i].Name, Reason: err.Error() + "; allowed: " + d.allowedText()}
		}
		changed.origins[d.Name] = position{file: "CONFIG SET"}
		if !slices.Contains(parts, d.Live) {
			parts = append(parts, d.Live)
		}
	}
	if errs := crossCheck(&changed); len(errs) > 0 {
		return nil, nil, errs[0]
	}
	return &changed, parts, nil
}

func changeError(name string, cause error) error {
	return &Error{Directive: name, Reason: cause.Error(), Cause: cause}
}
