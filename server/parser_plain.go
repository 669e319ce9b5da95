package server

// plainFrame steps over a frame that has arrived whole and has nothing unusual
// about it, as nearly all have. Whatever else it meets it leaves, with the
// parser as it was, to the part that can judge it.
func (p *parser) plainFrame(b bounds) bool {
	buf, most, longest := p.buf[:p.end], maxArgs, b.bulk
	if !b.signedIn {
		most, longest = maxArgsBefore, min(longest, maxBulkBefore)
	}
	n, at := plainLength(buf, p.pos+1)
	if n <= 0 || n > most {
		return false
	}
	marks := p.marks[:0]
	for range n {
		if at >= len(buf) || buf[at] != '$' {
			return false
		}
		size, from := plainLength(buf, at+1)
		to := from + size
		if size < 0 || size > longest || to+2 > len(buf) || to+2-p.start > b.request || buf[to] != '\r' || buf[to+1] != '\n' {
			return false
		}
		marks = append(marks, mark{uint32(from - p.start), uint32(to - p.start)})
		at = to + 2
	}
	p.marks = marks
	p.step(at)
	return true
}

// plainLength reads a length of up to seven digits and the end of its line, and
// returns where the next line begins; -1 when it looks otherwise.
func plainLength(buf []byte, at int) (n, next int) {
	first := at
	for ; at < len(buf) && at-first < 7; at++ {
		c := buf[at] - '0'
		if c > 9 {
			break
		}
		n = n*10 + int(c)
	}
	digits := at - first
	if digits == 0 || digits > 1 && buf[first] == '0' || at+1 >= len(buf) || buf[at] != '\r' || buf[at+1] != '\n' {
		return -1, 0
	}
	return n, at + 2
}
