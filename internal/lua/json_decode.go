package lua

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	vm "github.com/yuin/gopher-lua"
)

// jsonToken is what the scanner found, by the names that cjson's errors use.
type jsonToken string

const (
	jsonObject    jsonToken = "T_OBJ_BEGIN"
	jsonObjectEnd jsonToken = "T_OBJ_END"
	jsonArray     jsonToken = "T_ARR_BEGIN"
	jsonArrayEnd  jsonToken = "T_ARR_END"
	jsonString    jsonToken = "T_STRING"
	jsonNumber    jsonToken = "T_NUMBER"
	jsonBoolean   jsonToken = "T_BOOLEAN"
	jsonNull      jsonToken = "T_NULL"
	jsonColon     jsonToken = "T_COLON"
	jsonComma     jsonToken = "T_COMMA"
	jsonEnd       jsonToken = "T_END"
)

// jsonDecoder reads JSON as Redis's cjson does, which takes some that is none:
// hexadecimal numbers, infinities, leading zeros.
type jsonDecoder struct {
	m     *Machine
	l     *vm.LState
	data  string
	at    int
	depth int

	token jsonToken // or an error's text
	bad   bool      // token is an error
	index int       // where the token stands
	value vm.LValue
}

func (m *Machine) jsonDecode(l *vm.LState) int {
	if l.GetTop() != 1 {
		m.refuse(l, 1, "expected 1 argument")
	}
	d := jsonDecoder{m: m, l: l, data: m.text(l, 1)}
	if len(d.data) >= 2 && (d.data[0] == 0 || d.data[1] == 0) {
		raiseAt(l, "JSON parser does not support UTF-16 or UTF-32")
	}
	defer m.built()
	d.next()
	v := d.parse()
	if d.next(); d.token != jsonEnd {
		d.fail("the end")
	}
	l.Push(v)
	return 1
}

func (d *jsonDecoder) fail(expected string) {
	raiseAt(d.l, "Expected %s but found %s at character %d", expected, string(d.token), d.index+1)
}

// Bytes that decoded values take.
const (
	decodedTable = 900 // its maps come with room for some keys
	decodedItem  = 24
	decodedField = 160
)

func (d *jsonDecoder) parse() vm.LValue {
	d.m.work(d.l, 1)
	if !d.bad {
		switch d.token {
		case jsonString, jsonNumber, jsonBoolean, jsonNull:
			return d.value
		case jsonObject:
			return d.object()
		case jsonArray:
			return d.array()
		}
	}
	d.fail("value")
	return nil
}

func (d *jsonDecoder) descend() {
	if d.depth++; d.depth > d.m.json.decodeDepth {
		raiseAt(d.l, "Found too many nested data structures (%d) at character %d", d.depth, d.at)
	}
}

func (d *jsonDecoder) is(t jsonToken) bool { return !d.bad && d.token == t }

func (d *jsonDecoder) object() vm.LValue {
	d.descend()
	d.m.build(d.l, decodedTable)
	t := d.l.CreateTable(0, 4)
	d.next()
	for !d.is(jsonObjectEnd) {
		if !d.is(jsonString) {
			d.fail("object key string")
		}
		key, _ := d.value.(vm.LString)
		if d.next(); !d.is(jsonColon) {
			d.fail("colon")
		}
		d.next()
		v := d.parse()
		d.m.build(d.l, decodedField)
		t.RawSetString(string(key), v)
		if d.next(); d.is(jsonObjectEnd) {
			break
		}
		if !d.is(jsonComma) {
			d.fail("comma or object end")
		}
		if d.next(); d.is(jsonObjectEnd) {
			d.fail("object key string")
		}
	}
	d.depth--
	return t
}

func (d *jsonDecoder) array() vm.LValue {
	d.descend()
	d.m.build(d.l, tableSize)
	t := d.l.CreateTable(0, 0)
	if d.next(); !d.is(jsonArrayEnd) {
		for n := 1; ; n++ {
			v := d.parse()
			if n == 1 {
				d.m.build(d.l, 32*valueSize) // the first element makes room for more
			}
			d.m.build(d.l, decodedItem)
			t.RawSet(vm.LNumber(n), v)
			if d.next(); d.is(jsonArrayEnd) {
				break
			}
			if !d.is(jsonComma) {
				d.fail("comma or array end")
			}
			d.next()
		}
	}
	d.depth--
	return t
}

// next reads a token.
func (d *jsonDecoder) next() {
	for d.at < len(d.data) && strings.IndexByte(" \t\n\r", d.data[d.at]) >= 0 {
		d.at++
	}
	d.index, d.bad = d.at, false
	if d.at == len(d.data) {
		d.token = jsonEnd
		return
	}
	rest := d.data[d.at:]
	one := func(t jsonToken) {
		d.token = t
		d.at++
	}
	word := func(w string, t jsonToken, v vm.LValue) {
		d.token, d.value = t, v
		d.at += len(w)
	}
	switch c := rest[0]; {
	case c == '{':
		one(jsonObject)
	case c == '}':
		one(jsonObjectEnd)
	case c == '[':
		one(jsonArray)
	case c == ']':
		one(jsonArrayEnd)
	case c == ':':
		one(jsonColon)
	case c == ',':
		one(jsonComma)
	case c == 0:
		d.token = jsonEnd
	case c == '"':
		d.text()
	case c == '-' || isDigit(c):
		if !d.m.json.decodeInvalidNumbers && invalidNumber(rest) {
			d.error("invalid number")
			return
		}
		d.number()
	case strings.HasPrefix(rest, "true"):
		word("true", jsonBoolean, vm.LTrue)
	case strings.HasPrefix(rest, "false"):
		word("false", jsonBoolean, vm.LFalse)
	case strings.HasPrefix(rest, "null"):
		word("null", jsonNull, d.m.null)
	case d.m.json.decodeInvalidNumbers && invalidNumber(rest):
		d.number()
	default:
		d.error("invalid token")
	}
}

func (d *jsonDecoder) error(text string) { d.token, d.bad, d.index = jsonToken(text), true, d.at }

// invalidNumber tells whether s starts with a number that JSON does not know.
func invalidNumber(s string) bool {
	if strings.HasPrefix(s, "+") {
		return true
	}
	s = strings.TrimPrefix(s, "-")
	if len(s) > 1 && s[0] == '0' {
		return s[1]|0x20 == 'x' || isDigit(s[1])
	}
	lower := strings.ToLower(s[:min(3, len(s))])
	return lower == "inf" || lower == "nan"
}

func (d *jsonDecoder) number() {
	f, n := leadingNumber(d.data[d.at:])
	if n == 0 {
		d.error("invalid number")
		return
	}
	d.token, d.value = jsonNumber, vm.LNumber(f)
	d.at += n
}

// leadingNumber reads the longest number that s starts with, like C's strtod,
// and returns how many bytes that were.
func leadingNumber(s string) (f float64, n int) {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	sign := 1.0
	if i > 0 && s[0] == '-' {
		sign = -1
	}
	lower := strings.ToLower(s[i:min(len(s), i+8)])
	switch {
	case strings.HasPrefix(lower, "infinity"):
		return math.Inf(int(sign)), i + 8
	case strings.HasPrefix(lower, "inf"):
		return math.Inf(int(sign)), i + 3
	case strings.HasPrefix(lower, "nan"):
		return math.NaN(), i + 3
	}
	start, hex := i, strings.HasPrefix(lower, "0x")
	digit, exponent := isDigit, byte('e')
	if hex {
		start, exponent = i+2, 'p'
		digit = func(c byte) bool { return inClass(c, 'x') }
	}
	j, seen, dot := start, 0, false
	for ; j < len(s); j++ {
		if s[j] == '.' && !dot {
			dot = true
		} else if digit(s[j]) {
			seen++
		} else {
			break
		}
	}
	if seen == 0 {
		if hex {
			return 0, i + 1 // the zero before the x
		}
		return 0, 0
	}
	end := j
	if j < len(s) && s[j]|0x20 == exponent {
		k := j + 1
		if k < len(s) && (s[k] == '+' || s[k] == '-') {
			k++
		}
		if k < len(s) && isDigit(s[k]) {
			for end = k; end < len(s) && isDigit(s[end]); {
				end++
			}
		}
	}
	f, _ = parseNumber(s[:end])
	return f, end
}

// text reads a string; d.at is at its first quote.
func (d *jsonDecoder) text() {
	end := d.at + 1
	for end < len(d.data) && d.data[end] != '"' && d.data[end] != '\\' && d.data[end] != 0 {
		end++
	}
	d.m.work(d.l, (end-d.at)/64)
	if end < len(d.data) && d.data[end] == '"' { // nothing to decode
		d.token, d.value = jsonString, vm.LString(d.data[d.at+1:end])
		d.at = end + 1
		return
	}
	buf := []byte(d.data[d.at+1 : end])
	d.at = end
	for {
		d.m.work(d.l, 1)
		if d.at == len(d.data) || d.data[d.at] == 0 {
			d.error("unexpected end of string")
			return
		}
		c := d.data[d.at]
		if c == '"' {
			d.at++
			break
		}
		if c != '\\' {
			buf = append(buf, c)
			d.at++
			continue
		}
		var ok bool
		if buf, ok = d.escape(buf); !ok {
			return
		}
	}
	d.m.build(d.l, len(buf))
	d.token, d.value = jsonString, vm.LString(borrow(buf))
}

// escape reads what follows a backslash at d.at.
func (d *jsonDecoder) escape(buf []byte) ([]byte, bool) {
	var c byte
	if d.at+1 < len(d.data) {
		c = d.data[d.at+1]
	}
	const escapes, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := strings.IndexByte(escapes, c); i >= 0 {
		d.at += 2
		return append(buf, meanings[i]), true
	}
	if c != 'u' {
		d.error("invalid escape code")
		return buf, false
	}
	r, n := d.unicode(d.at)
	if n == 0 {
		d.error("invalid unicode escape code")
		return buf, false
	}
	d.at += n
	return utf8.AppendRune(buf, r), true
}

// unicode reads \uXXXX, or two of them that are a surrogate pair, and returns
// how many bytes that were; 0 when it is neither.
func (d *jsonDecoder) unicode(at int) (rune, int) {
	unit := func(at int) (uint64, bool) {
		if at+6 > len(d.data) || d.data[at] != '\\' || d.data[at+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(d.data[at+2:at+6], 16, 16)
		return n, err == nil
	}
	high, ok := unit(at)
	if !ok || high&0xFC00 == 0xDC00 {
		return 0, 0
	}
	if high&0xFC00 != 0xD800 {
		return rune(high), 6
	}
	low, ok := unit(at + 6)
	if !ok || low&0xFC00 != 0xDC00 {
		return 0, 0
	}
	return rune((high&0x3FF)<<10|low&0x3FF) + 0x10000, 12
}
