package auth

import "maps"

// Overrides are the limits that were set for one app, by name, in the form
// that Limit.Format gives. Only these are stored, so that a default changed in
// the configuration holds for all others.
type Overrides map[string]string

// resetWord in a limit's place gives it its default back.
const resetWord = "default"

// ParseOverrides reads "limit value" pairs. The value "default" takes an
// earlier setting back. Errors: *InputError.
func ParseOverrides(words []string) (Overrides, error) {
	if len(words)%2 != 0 {
		return nil, inputErrorf("the limit %q has no value; limits come as pairs of name and value", words[len(words)-1])
	}
	o := make(Overrides, len(words)/2)
	var scratch Limits
	for ; len(words) > 0; words = words[2:] {
		x := findLimit(words[0])
		if x == nil {
			return nil, inputErrorf("%q is not a limit; the limits are %s", words[0], limitNames())
		}
		if words[1] == resetWord {
			o[x.Name] = resetWord
			continue
		}
		if err := x.Parse(&scratch, words[1]); err != nil {
			return nil, err
		}
		o[x.Name] = x.Format(&scratch)
	}
	return o, nil
}

// OverridesFor returns what to set so that limits hold where base are the
// defaults.
func OverridesFor(limits, base Limits) Overrides {
	o := make(Overrides)
	for i := range LimitTable {
		x := &LimitTable[i]
		if text := x.Format(&limits); text != x.Format(&base) {
			o[x.Name] = text
		}
	}
	return o
}

// with returns o changed by change.
func (o Overrides) with(change Overrides) Overrides {
	sum := make(Overrides, len(o)+len(change))
	maps.Copy(sum, o)
	for name, text := range change {
		if text == resetWord {
			delete(sum, name)
			continue
		}
		sum[name] = text
	}
	return sum
}

// ValueBytes returns the longest value that the overrides allow, or 0 when they
// leave it as it is.
func (o Overrides) ValueBytes() int {
	var limits Limits
	if x := findLimit("value-bytes"); o[x.Name] != "" && o[x.Name] != resetWord {
		_ = x.Parse(&limits, o[x.Name]) // it was formatted by us
	}
	return limits.ValueBytes
}

// on returns base with o laid over it. Errors: *InputError for a name that is
// not a limit or a text that is not its value.
func (o Overrides) on(base Limits) (Limits, error) {
	left := len(o)
	for i := range LimitTable {
		x := &LimitTable[i]
		text, ok := o[x.Name]
		if !ok {
			continue
		}
		left--
		if err := x.Parse(&base, text); err != nil {
			return base, err
		}
	}
	if left == 0 {
		return base, nil
	}
	for name := range o {
		if findLimit(name) == nil {
			return base, inputErrorf("%q is not a limit of this version", name)
		}
	}
	return base, nil
}
