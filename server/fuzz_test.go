package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/redcon"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// FuzzGuard sends arbitrary bytes in arbitrary pieces through the guard and
// redcon's reader together, and compares the commands that come out with a
// parser that sees everything at once.
func FuzzGuard(f *testing.F) {
	for _, seed := range guardSeeds {
		f.Add([]byte(seed), []byte{}, true, uint16(1<<10), uint16(64))
		f.Add([]byte(seed), []byte{1}, false, uint16(1<<10), uint16(64))
		f.Add([]byte(seed), []byte{3, 7, 200}, true, uint16(40), uint16(3))
	}
	f.Fuzz(func(t *testing.T, data, pieces []byte, signedIn bool, request, bulk uint16) {
		checkGuard(t, data, pieces, signedIn, int(request), int(bulk))
	})
}

var guardSeeds = []string{
	command("SET", "key", "value"),
	command("AUTH", "x") + command("ECHO", strings.Repeat("a", 17000)) + command("MGET", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"),
	strings.Repeat(command("SET", "key:1", strings.Repeat("v", 64)), 100),
	command("ECHO", strings.Repeat("long", 2000)) + "PING\r\n" + command("PING"),
	"PING\r\n\r\n\n  \n ECHO \"a b\" 'c'\nECHO \"\\x41\"x\r\n",
	"*0\r\n*-1\r\n*1\rX$4\rYPINGzz*1\r\n$4\r\nPING\r\n",
	"*1\r\n$9223372036854775807\r\nab\r\n",
	"*9223372036854775807\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\n\r\nPING\r\n", "PING\nhost: a\n",
	"*01\r\n", "*1\r\n:4\r\n", "*1\r\n\r\n", "*1\r\n$-1\r\n", "*2147483648\r\n", "*1\r\n$536870913\r\n",
	"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\n" + strings.Repeat("x", 100) + "\r\nPING\r\n",
	strings.Repeat("\n", 9000) + "PING\n",
	strings.Repeat("A", 65537), "*" + strings.Repeat("1", 65537), "*1\r\n$" + strings.Repeat("1", 65537),
}

func checkGuard(t *testing.T, data, pieces []byte, signedIn bool, request, bulk int) {
	o := Options{MaxRequestBytes: request, MaxBulkBytes: bulk}
	p := &recorder{signed: signedIn}
	s := newServer(o, func(commands.SessionOptions) peer { return p })
	wire := &scriptedConn{data: bytes.Clone(data), pieces: pieces}
	c := s.newConn(wire)
	rd := redcon.NewReader(c)
	limit := 4 * (s.options().MaxRequestBytes + redisMaxLine + busyBuffer)
	for {
		cmds, err := rd.ReadCommands()
		if err != nil {
			require.Equal(t, io.EOF, err)
			break
		}
		require.Len(t, cmds, 1)
		require.True(t, c.serve(cmds[0]))
		require.Equal(t, redconWindow, reflect.ValueOf(rd).Elem().FieldByName("buf").Len(), "redcon's buffer grew")
		require.LessOrEqual(t, cap(c.guard.buf), limit)
	}
	want, breach := reference(data, *s.options(), signedIn)
	require.Equal(t, want, p.got)
	require.Equal(t, breach, c.guard.fault)
	if breach != "" && breach != faultHTTP {
		require.Equal(t, "-ERR Protocol error: "+string(breach)+"\r\n", wire.written.String())
	} else {
		require.Empty(t, wire.written.String())
	}
	require.NoError(t, c.Close())
}

// reference is the protocol once more, without memory of what came before and
// without bounds on its buffer.
func reference(data []byte, o Options, signedIn bool) (got []string, breach fault) {
	for len(data) > 0 {
		var req string
		var n int
		if data[0] == '*' {
			req, n, breach = referenceArray(data, o, signedIn)
		} else {
			req, n, breach = referenceInline(data, signedIn)
		}
		if n == 0 || breach != "" {
			return got, breach
		}
		data = data[n:]
		if req != "" {
			got = append(got, req)
			signedIn = signedIn || strings.HasPrefix(req, `["AUTH"`)
		}
	}
	return got, ""
}

func referenceInline(data []byte, signedIn bool) (req string, n int, breach fault) {
	i := bytes.IndexByte(data, '\n')
	if i > redisMaxLine || i < 0 && len(data) > redisMaxLine {
		return "", 0, faultInlineLine
	}
	if i < 0 {
		return "", 0, ""
	}
	argv, ok := splitInline(bytes.TrimSuffix(data[:i], []byte{'\r'}))
	switch {
	case !ok:
		return "", 0, faultQuotes
	case len(argv) == 0:
		return "", i + 1, ""
	case strings.EqualFold(string(argv[0]), "POST"), strings.EqualFold(string(argv[0]), "Host:"):
		return "", 0, faultHTTP
	case !signedIn && len(argv) > 10:
		return "", 0, faultMultibulkBefore
	}
	for _, a := range argv {
		if !signedIn && len(a) > 16384 {
			return "", 0, faultBulkBefore
		}
	}
	return describe(argv, nil), i + 1, ""
}

// referenceLine reads a length line; n is 0 when it is not whole.
func referenceLine(data []byte, tooLong fault) (line []byte, n int, breach fault) {
	i := bytes.IndexByte(data, '\r')
	switch {
	case i > redisMaxLine || i < 0 && len(data) > redisMaxLine:
		return nil, 0, tooLong
	case i < 0 || i+1 == len(data):
		return nil, 0, ""
	}
	return data[:i], i + 2, ""
}

func referenceNumber(b []byte) (int, bool) {
	n, err := strconv.Atoi(string(b))
	return n, err == nil && strconv.Itoa(n) == string(b)
}

func referenceArray(data []byte, o Options, signedIn bool) (req string, n int, breach fault) {
	line, at, breach := referenceLine(data, faultMultibulkLine)
	if at == 0 {
		return "", 0, breach
	}
	count, ok := referenceNumber(line[1:])
	switch {
	case !ok || count > 1<<20:
		return "", 0, faultMultibulk
	case count > 10 && !signedIn:
		return "", 0, faultMultibulkBefore
	case count <= 0:
		return "", at, ""
	}
	kept, sent := at, at
	var argv [][]byte
	var refusal string
	tooLarge := false
	for range count {
		line, n, breach := referenceLine(data[at:], faultBulkLine)
		if n == 0 {
			return "", 0, breach
		}
		if len(line) == 0 || line[0] != '$' {
			return "", 0, faultNotBulk(data[at])
		}
		size, ok := referenceNumber(line[1:])
		switch {
		case !ok || size < 0 || size > 512<<20:
			return "", 0, faultBulk
		case size > 16384 && !signedIn:
			return "", 0, faultBulkBefore
		}
		at += n
		kept += n
		sent += n + size + 2
		if !tooLarge {
			switch {
			case size > o.MaxBulkBytes:
				if refusal == "" {
					refusal = fmt.Sprintf("SIZE_EXCEEDED the argument is %d bytes; at most %d are allowed (proto-max-bulk-len)", size, o.MaxBulkBytes)
				}
				argv = append(argv, nil)
			case kept+size+2 > o.MaxRequestBytes:
				tooLarge = true
			case len(data) < at+size+2:
				return "", 0, ""
			default:
				argv = append(argv, data[at:at+size])
				kept += size + 2
			}
		}
		if len(data) < at+size+2 {
			return "", 0, ""
		}
		at += size + 2
	}
	if tooLarge {
		if len(argv) == 0 {
			argv = [][]byte{nil}
		}
		argv = argv[:1]
		if refusal == "" {
			refusal = fmt.Sprintf("SIZE_EXCEEDED the request is %d bytes; at most %d are allowed (client-query-buffer-limit)", sent, o.MaxRequestBytes)
		}
	}
	if refusal != "" {
		return describe(argv, &refusal), at, ""
	}
	return describe(argv, nil), at, ""
}

func describe(argv [][]byte, refusal *string) string {
	s := fmt.Sprintf("%q", argv)
	if refusal != nil {
		s += " refused: " + *refusal
	}
	return s
}

// recorder is a peer that keeps what it is asked and answers nothing.
type recorder struct {
	signed  bool
	got     []string
	forgets bool // keep got empty
	largest int  // batch
}

func (p *recorder) tryDo(ctx context.Context, batch []commands.Request, out *resp.Writer) (int, storage.Seq, bool) {
	n, seq := p.do(ctx, batch, out)
	return n, seq, false
}

func (p *recorder) do(_ context.Context, batch []commands.Request, _ *resp.Writer) (int, storage.Seq) {
	p.largest = max(p.largest, len(batch))
	for _, r := range batch {
		if p.forgets {
			continue
		}
		var refusal *string
		if r.Refusal != nil {
			text := r.Refusal.Error()
			refusal = &text
		}
		req := describe(r.Argv, refusal)
		p.got = append(p.got, req)
		p.signed = p.signed || strings.HasPrefix(req, `["AUTH"`)
	}
	return len(batch), 0
}

func (p *recorder) wait(context.Context, storage.Seq) error      { return nil }
func (p *recorder) settled(storage.Seq) bool                     { return true }
func (p *recorder) fail(int, error, *resp.Writer)                {}
func (p *recorder) signedIn() bool                               { return p.signed }
func (p *recorder) hold() time.Duration                          { return 0 }
func (p *recorder) closing() bool                                { return false }
func (p *recorder) waitTurn(context.Context, []commands.Request) {}
func (p *recorder) subscribed() bool                             { return false }
func (p *recorder) owner() any                                   { return nil }
func (p *recorder) extra() int                                   { return 0 }
func (p *recorder) end()                                         {}

// scriptedConn gives data in pieces of the given sizes, then ends.
type scriptedConn struct {
	data    []byte
	pieces  []byte
	turn    int
	written bytes.Buffer
	calls   int // of Read
	largest int // buffer that Read was given
}

func (c *scriptedConn) Read(p []byte) (int, error) {
	c.calls++
	c.largest = max(c.largest, len(p))
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	if len(c.pieces) > 0 {
		p = p[:min(len(p), max(1, int(c.pieces[c.turn%len(c.pieces)])))]
		c.turn++
	}
	n := copy(p, c.data)
	c.data = c.data[n:]
	return n, nil
}

func (c *scriptedConn) Write(p []byte) (int, error)      { return c.written.Write(p) }
func (c *scriptedConn) Close() error                     { return nil }
func (c *scriptedConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *scriptedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *scriptedConn) SetDeadline(time.Time) error      { return nil }
func (c *scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptedConn) SetWriteDeadline(time.Time) error { return nil }
