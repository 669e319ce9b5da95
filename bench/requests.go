package main

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"sync/atomic"
)

// appendCommand encodes one request.
func appendCommand(buf []byte, name string, args ...[]byte) []byte {
	buf = appendHead(buf, '*', 1+len(args))
	buf = appendHead(buf, '$', len(name))
	buf = append(append(buf, name...), "\r\n"...)
	for _, a := range args {
		buf = appendHead(buf, '$', len(a))
		buf = append(append(buf, a...), "\r\n"...)
	}
	return buf
}

func appendHead(buf []byte, mark byte, n int) []byte {
	buf = append(buf, mark)
	buf = strconv.AppendInt(buf, int64(n), 10)
	return append(buf, "\r\n"...)
}

// workload appends requests and knows how long each reply is, so that the
// generator spends its time on sending and not on parsing.
type workload struct {
	append func(buf []byte, l *lane) []byte
	// replyLen is the length of each reply and its first byte; nil where lengths
	// vary, and the replies are walked through.
	replyLen func(valueSize int) (n int, first byte)
	// begin, if any, puts requests before each batch and returns how many.
	begin func(buf []byte, l *lane) ([]byte, int)
	// exchange, if any, does all of it for another protocol than RESP.
	exchange func(l *lane, pipeline int) error
}

func okLen(int) (int, byte) { return len("+OK\r\n"), '+' }

func bulkLen(size int) (int, byte) {
	return len("$\r\n\r\n") + len(strconv.Itoa(size)) + size, '$'
}

// mgetKeys is how many keys an MGET asks for.
const mgetKeys = 10

func mgetLen(size int) (int, byte) {
	one, _ := bulkLen(size)
	return len("*\r\n") + len(strconv.Itoa(mgetKeys)) + mgetKeys*one, '*'
}

// inserted numbers keys that nobody used before, on any server.
var inserted atomic.Int64

// countersPerNamespace is small enough that INCR soon meets existing keys only.
const countersPerNamespace = 100

var argEX, argHour = []byte("EX"), []byte("3600")

var (
	workGet = &workload{replyLen: bulkLen, append: func(buf []byte, l *lane) []byte {
		return appendCommand(buf, "GET", l.anyKey())
	}}
	workSet = &workload{replyLen: okLen, append: func(buf []byte, l *lane) []byte {
		return appendCommand(buf, "SET", l.anyKey(), l.value)
	}}
	workSetEX = &workload{replyLen: okLen, append: func(buf []byte, l *lane) []byte {
		return appendCommand(buf, "SET", l.anyKey(), l.value, argEX, argHour)
	}}
	workIncr = &workload{append: func(buf []byte, l *lane) []byte {
		return appendCommand(buf, "INCR", l.key("cnt:", l.rng.IntN(countersPerNamespace), 0))
	}}
	workInsert = &workload{replyLen: okLen, append: func(buf []byte, l *lane) []byte {
		return appendCommand(buf, "SET", l.newKey(), l.value)
	}}
	workMGet = &workload{replyLen: mgetLen, append: func(buf []byte, l *lane) []byte {
		buf = appendHead(buf, '*', 1+mgetKeys)
		buf = append(buf, "$4\r\nMGET\r\n"...)
		for range mgetKeys {
			k := l.anyKey()
			buf = appendHead(buf, '$', len(k))
			buf = append(append(buf, k...), "\r\n"...)
		}
		return buf
	}}
	// workHop is GET where each batch is another namespace's: Cubby's clients
	// sign in anew, Redis's take another prefix.
	workHop = &workload{append: workGet.append, begin: func(buf []byte, l *lane) ([]byte, int) {
		return l.hop(buf)
	}}
)

// skipReplies reads n whole replies and keeps nothing of them. An error reply at
// any depth is an error, and so is a null: all keys that are asked for exist.
func skipReplies(r *bufio.Reader, n int) error {
	for range n {
		for open, outermost := 1, true; open > 0; open, outermost = open-1, false {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return err
			}
			count := 0
			if line[0] == '$' || line[0] == '*' {
				if count, err = strconv.Atoi(string(bytes.TrimSpace(line[1:]))); err != nil {
					return err
				}
			}
			switch {
			case line[0] == '-', outermost && count < 0:
				return fmt.Errorf("server answered %q", bytes.TrimSpace(line))
			case line[0] == '$' && count >= 0:
				if _, err := r.Discard(count + 2); err != nil {
					return err
				}
			case line[0] == '*':
				open += max(count, 0)
			}
		}
	}
	return nil
}

// checkReplies verifies that a buffer of equally long replies holds what was
// expected: an error reply would shift everything behind it.
func checkReplies(in []byte, size int, first byte) error {
	for i := 0; i < len(in); i += size {
		if in[i] != first {
			rest := in[i:min(len(in), i+120)]
			if end := bytes.IndexByte(rest, '\n'); end > 0 {
				rest = rest[:end]
			}
			return fmt.Errorf("server answered %q", bytes.TrimSpace(rest))
		}
	}
	return nil
}
