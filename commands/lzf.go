package commands

// unpackLZF undoes LZF, the compression of strings in RDB files. It reports
// false unless from holds exactly size bytes.
//
// A token below 32 counts the literal bytes behind it, less one. Any other is
// a copy of what stands a distance back: three bits of length and five of the
// distance, a further byte of length when those three are all set, and the
// low byte of the distance.
func unpackLZF(from []byte, size int) ([]byte, bool) {
	to := make([]byte, 0, size)
	for len(from) > 0 {
		token := int(from[0])
		from = from[1:]
		if token < 1<<5 {
			n := token + 1
			if n > len(from) || n > size-len(to) {
				return nil, false
			}
			to = append(to, from[:n]...)
			from = from[n:]
			continue
		}
		n := token >> 5
		if n == 7 && len(from) > 0 {
			n += int(from[0])
			from = from[1:]
		}
		n += 2
		if len(from) == 0 {
			return nil, false
		}
		start := len(to) - (token&0x1F)<<8 - int(from[0]) - 1
		from = from[1:]
		if start < 0 || n > size-len(to) {
			return nil, false
		}
		for i := range n { // byte by byte: the copy may reach into itself
			to = append(to, to[start+i])
		}
	}
	return to, len(to) == size
}
