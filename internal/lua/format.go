package lua

import (
	"fmt"
	"math"
	"strings"

	vm "github.com/yuin/gopher-lua"
)

// stringFormat is C's printf with Lua's rules: flags, a width and a precision
// of at most two digits.
func (m *Machine) stringFormat(l *vm.LState) int {
	format := m.text(l, 1)
	var out strings.Builder
	defer m.built()
	write := func(s string) {
		m.build(l, 2*len(s))
		out.WriteString(s)
	}
	arg := 1
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' {
			next := strings.IndexByte(format[i:], '%')
			if next < 0 {
				next = len(format) - i
			}
			write(format[i : i+next])
			i += next - 1
			continue
		}
		if i++; i < len(format) && format[i] == '%' {
			write("%")
			continue
		}
		start := i
		for i < len(format) && strings.IndexByte("-+ #0", format[i]) >= 0 {
			i++
		}
		if i-start >= len("-+ #0")+1 {
			raiseAt(l, "invalid format (repeated flags)")
		}
		i = skipDigits(format, i)
		if i < len(format) && format[i] == '.' {
			i = skipDigits(format, i+1)
		}
		if i < len(format) && isDigit(format[i]) {
			raiseAt(l, "invalid format (width or precision too long)")
		}
		spec := format[start:i]
		var verb byte
		if i < len(format) {
			verb = format[i]
		}
		arg++
		if arg > l.GetTop() && strings.IndexByte("cdiouxXeEfgGqs", verb) >= 0 {
			m.refuse(l, arg, "no value")
		}
		switch verb {
		case 'c':
			write(pad(string([]byte{byte(m.integer(l, arg))}), spec))
		case 'd', 'i':
			write(formatInteger(spec, m.number(l, arg)))
		case 'o', 'u', 'x', 'X':
			n := uint64(truncate(m.number(l, arg)))
			if f := m.number(l, arg); f >= 9223372036854775808 && f < 18446744073709551616 {
				n = uint64(f)
			}
			write(formatUnsigned(spec, verb, n))
		case 'e', 'E', 'f', 'g', 'G':
			write(formatFloat(spec, verb, m.number(l, arg)))
		case 'q':
			write(quoted(m.text(l, arg)))
		case 's':
			s := m.text(l, arg)
			if strings.IndexByte(spec, '.') < 0 && len(s) >= 100 {
				write(s) // as in Lua, no padding for long strings
				break
			}
			write(padText(s, spec))
		default:
			shown := spec
			if verb != 0 {
				shown += string([]byte{verb})
			}
			raiseAt(l, "invalid option '%%%s' to 'format'", shown)
		}
	}
	l.Push(vm.LString(out.String()))
	return 1
}

// skipDigits passes over two digits at most.
func skipDigits(s string, i int) int {
	for n := 0; n < 2 && i < len(s) && isDigit(s[i]); n++ {
		i++
	}
	return i
}

// split reads a specification: flags, width, precision (-1 when there is none).
func split(spec string) (flags string, width, precision int) {
	i := 0
	for i < len(spec) && strings.IndexByte("-+ #0", spec[i]) >= 0 {
		i++
	}
	flags = spec[:i]
	for ; i < len(spec) && isDigit(spec[i]); i++ {
		width = 10*width + int(spec[i]-'0')
	}
	precision = -1
	if i < len(spec) && spec[i] == '.' {
		precision = 0
		for i++; i < len(spec) && isDigit(spec[i]); i++ {
			precision = 10*precision + int(spec[i]-'0')
		}
	}
	return flags, width, precision
}

func pad(s, spec string) string {
	flags, width, _ := split(spec)
	if len(s) >= width {
		return s
	}
	blanks := strings.Repeat(" ", width-len(s))
	if strings.Contains(flags, "-") {
		return s + blanks
	}
	return blanks + s
}

// padText is %s; C ends the string at a zero byte.
func padText(s, spec string) string {
	s, _, _ = strings.Cut(s, "\x00")
	if _, _, precision := split(spec); precision >= 0 && precision < len(s) {
		s = s[:precision]
	}
	return pad(s, spec)
}

// assemble puts a sign, a prefix and digits together as printf does.
func assemble(spec, sign, digits string, zeros bool) string {
	flags, width, _ := split(spec)
	if zeros && strings.Contains(flags, "0") && !strings.Contains(flags, "-") {
		if missing := width - len(sign) - len(digits); missing > 0 {
			digits = strings.Repeat("0", missing) + digits
		}
	}
	return pad(sign+digits, spec)
}

func signOf(flags string, negative bool) string {
	switch {
	case negative:
		return "-"
	case strings.Contains(flags, "+"):
		return "+"
	case strings.Contains(flags, " "):
		return " "
	}
	return ""
}

func formatInteger(spec string, f float64) string {
	flags, _, precision := split(spec)
	n := truncate(f)
	digits := strings.TrimPrefix(fmt.Sprint(n), "-")
	digits = leastDigits(digits, precision)
	return assemble(spec, signOf(flags, n < 0), digits, precision < 0)
}

func leastDigits(digits string, precision int) string {
	if precision == 0 && digits == "0" {
		return ""
	}
	if missing := precision - len(digits); missing > 0 {
		return strings.Repeat("0", missing) + digits
	}
	return digits
}

func formatUnsigned(spec string, verb byte, n uint64) string {
	flags, _, precision := split(spec)
	alternate := strings.Contains(flags, "#") && n != 0
	var digits, prefix string
	switch verb {
	case 'o':
		digits = fmt.Sprintf("%o", n)
		if alternate {
			digits = "0" + digits
		}
	case 'x':
		digits = fmt.Sprintf("%x", n)
		prefix = "0x"
	case 'X':
		digits = fmt.Sprintf("%X", n)
		prefix = "0X"
	default:
		digits = fmt.Sprint(n)
	}
	if !alternate || verb == 'o' {
		prefix = ""
	}
	return assemble(spec, prefix, leastDigits(digits, precision), precision < 0)
}

func formatFloat(spec string, verb byte, f float64) string {
	flags, _, precision := split(spec)
	sign := signOf(flags, math.Signbit(f))
	if math.IsInf(f, 0) || math.IsNaN(f) {
		word := "inf"
		if math.IsNaN(f) {
			word = "nan"
		}
		if verb == 'E' || verb == 'G' {
			word = strings.ToUpper(word)
		}
		return assemble(spec, sign, word, false)
	}
	if precision < 0 {
		precision = 6
	}
	if precision == 0 && verb|0x20 == 'g' {
		precision = 1
	}
	goFormat := "%."
	if strings.Contains(flags, "#") {
		goFormat = "%#."
	}
	digits := fmt.Sprintf(goFormat+fmt.Sprint(precision)+string(rune(verb)), math.Abs(f))
	return assemble(spec, sign, digits, true)
}

// quoted is %q: a string that Lua reads back.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\r':
			b.WriteString(`\r`)
		case 0:
			b.WriteString(`\000`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
