package commands

// matchGlob is Redis's glob: * ? [a-z] [^x] and \ to take a character as it
// is. It follows stringmatchlen of Redis 7, oddities included (an unclosed
// class ends with the pattern, a reversed range counts both ways), but never
// takes exponential time: only the last * is ever retried.
func matchGlob(pattern, s string) bool {
	p, i := 0, 0
	starP, starI := -1, 0
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			starP, starI = p, i
			p++
			continue
		}
		if p < len(pattern) {
			if ok, width := matchOne(pattern[p:], s[i]); ok {
				p += width
				i++
				continue
			}
		}
		if starP < 0 {
			return false
		}
		starI++
		p, i = starP+1, starI
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches c against the first element of pattern, which is not a
// star, and returns how long that element is.
func matchOne(pattern string, c byte) (ok bool, width int) {
	switch pattern[0] {
	case '?':
		return true, 1
	case '[':
		return matchClass(pattern, c)
	case '\\':
		if len(pattern) >= 2 {
			return pattern[1] == c, 2
		}
	}
	return pattern[0] == c, 1
}

func matchClass(pattern string, c byte) (ok bool, width int) {
	i := 1
	negated := i < len(pattern) && pattern[i] == '^'
	if negated {
		i++
	}
	for {
		rest := len(pattern) - i
		switch {
		case rest == 0:
			return ok != negated, i
		case rest >= 2 && pattern[i] == '\\':
			i++
			ok = ok || pattern[i] == c
		case pattern[i] == ']':
			return ok != negated, i + 1
		case rest >= 3 && pattern[i+1] == '-':
			lo, hi := pattern[i], pattern[i+2]
			if lo > hi {
				lo, hi = hi, lo
			}
			ok = ok || lo <= c && c <= hi
			i += 2
		default:
			ok = ok || pattern[i] == c
		}
		i++
	}
}

// literalPrefix returns what every match of pattern begins with.
func literalPrefix(pattern string) string {
	var prefix []byte
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*', '?', '[':
			return string(prefix)
		case '\\':
			if i+1 < len(pattern) {
				i++
			}
			prefix = append(prefix, pattern[i])
		default:
			prefix = append(prefix, c)
		}
	}
	return string(prefix)
}
