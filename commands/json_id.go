package commands

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strconv"
)

// An id may be any JSON value but null. Two ids are the same when they are the
// same JSON value, however they are written: 1 and 1.0 and 10e-1, "a" and
// "\u0061", {"a":1,"b":2} and {"b":2,"a":1}. Each value has one key below, a
// byte string that all its spellings share and no other value has.

// appendJSONKey appends the key of the compact JSON value that starts at i and
// returns where the value ends.
func appendJSONKey(dst, text []byte, i int) (key []byte, end int) {
	switch text[i] {
	case '"':
		end = skipJSONString(text, i)
		return appendStringKey(dst, text[i+1:end-1]), end
	case '[':
		dst = append(dst, '[')
		for i++; text[i] != ']'; {
			if text[i] == ',' {
				i++
			}
			dst, i = appendJSONKey(dst, text, i)
		}
		return append(dst, ']'), i + 1
	case '{':
		return appendObjectKey(dst, text, i)
	}
	end = skipJSON(text, i)
	if c := text[i]; c == '-' || '0' <= c && c <= '9' {
		return appendNumberKey(dst, text[i:end]), end
	}
	return append(dst, text[i]), end // t, f or n
}

// appendStringKey appends the key of a string: its length first, so that
// nothing inside it can look like what follows.
func appendStringKey(dst, inside []byte) []byte {
	dst = append(dst, '"')
	if bytes.IndexByte(inside, '\\') < 0 {
		dst = strconv.AppendInt(dst, int64(len(inside)), 10)
		dst = append(dst, '"')
		return append(dst, inside...)
	}
	plain := unescapeJSON(make([]byte, 0, len(inside)), inside)
	dst = strconv.AppendInt(dst, int64(len(plain)), 10)
	dst = append(dst, '"')
	return append(dst, plain...)
}

// appendNumberKey appends the key of a number: its significant digits and a
// power of ten. Nothing is rounded, whatever the number of digits.
func appendNumberKey(dst, text []byte) []byte {
	dst = append(dst, '#')
	unsigned := bytes.TrimPrefix(text, []byte("-"))
	negative := len(unsigned) < len(text)
	mantissa, exponent := unsigned, []byte(nil)
	if e := bytes.IndexAny(unsigned, "eE"); e >= 0 {
		mantissa, exponent = unsigned[:e], unsigned[e+1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	whole, fraction = bytes.TrimLeft(whole, "0"), bytes.TrimRight(fraction, "0")
	power := -int64(len(fraction))
	if len(fraction) == 0 {
		all := len(whole)
		whole = bytes.TrimRight(whole, "0")
		power = int64(all - len(whole))
	}
	if len(whole) == 0 {
		fraction = bytes.TrimLeft(fraction, "0")
	}
	if len(whole)+len(fraction) == 0 { // zero has neither sign nor power
		return append(dst, '0', ';')
	}
	if len(exponent) > 0 {
		// Nobody's ids are that large: there, each spelling is its own value.
		const most = 1_000_000_000_000_000_000
		e, err := strconv.ParseInt(string(exponent), 10, 64)
		if err != nil || e > most || e < -most {
			return append(append(dst, text...), ';')
		}
		power += e
	}
	if negative {
		dst = append(dst, '-')
	}
	dst = append(dst, whole...)
	dst = append(dst, fraction...)
	dst = append(dst, 'e')
	return append(strconv.AppendInt(dst, power, 10), ';')
}

// memberKey is where the keys of a member's name and value stand.
type memberKey struct{ from, value, end int }

// appendObjectKey appends the key of an object: its members in the order of
// their names. Of several with one name the last counts, as in encoding/json
// and in JavaScript.
func appendObjectKey(dst, text []byte, i int) (key []byte, end int) {
	dst = append(dst, '{')
	start := len(dst)
	var members []memberKey
	order := func(a, b memberKey) int { return bytes.Compare(dst[a.from:a.value], dst[b.from:b.value]) }
	inOrder := true
	at, more := firstMember(text, i)
	for end = at; more; at = end + 1 {
		m := memberKey{from: len(dst)}
		colon := skipJSONString(text, at)
		dst = appendStringKey(dst, text[at+1:colon-1])
		m.value = len(dst)
		dst, end = appendJSONKey(dst, text, colon+1)
		m.end = len(dst)
		if n := len(members); n > 0 && order(members[n-1], m) >= 0 {
			inOrder = false
		}
		members = append(members, m)
		more = text[end] == ','
	}
	if !inOrder {
		slices.SortStableFunc(members, order)
		sorted := make([]byte, 0, len(dst)-start)
		for n, m := range members {
			if n+1 == len(members) || order(m, members[n+1]) != 0 {
				sorted = append(sorted, dst[m.from:m.end]...)
			}
		}
		dst = append(dst[:start], sorted...)
	}
	// A digest in place of a long key keeps the work linear: otherwise each
	// object around this one would move all of it.
	if len(dst)-start > sha256.Size {
		digest := sha256.Sum256(dst[start:])
		dst = append(append(dst[:start], '#'), digest[:]...)
	}
	return append(dst, '}'), end + 1
}
