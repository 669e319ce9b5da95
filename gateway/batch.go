package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/kverr"
)

// asked is what one request asks for.
type asked struct {
	g       *Gateway
	ctx     context.Context
	session *commands.Session
	base64  bool // of the answer
}

// one runs a single command, which parse makes of the request.
func (a *asked) one(body []byte, parse func() (commands.Request, error)) (answer []byte, f *failure) {
	batch := make([]commands.Request, 1)
	var err error
	if f := a.work(len(body), func() { batch[0], err = parse() }); f != nil {
		return nil, f
	}
	if err != nil {
		return nil, asFailure(err)
	}
	in, size, f := a.run(batch)
	if f != nil {
		return nil, f
	}
	if text, refused, err := in.isError(); refused || err != nil {
		return nil, failed(text)
	}
	if gone := a.work(size, func() { answer, f = asResult(make([]byte, 0, size+answerRoom), in) }); gone != nil {
		return nil, gone
	}
	return answer, f
}

// several reads the commands of a pipeline or a transaction.
func (a *asked) several(body []byte) (batch []commands.Request, f *failure) {
	var err error
	if f := a.work(len(body), func() { batch, err = a.g.parseCommands(body) }); f != nil {
		return nil, f
	}
	if err != nil {
		return nil, asFailure(err)
	}
	return batch, nil
}

// pipeline runs commands one after the other; each has its own result or error.
func (a *asked) pipeline(body []byte) ([]byte, *failure) {
	batch, f := a.several(body)
	if f != nil {
		return nil, f
	}
	in, size, f := a.run(batch)
	if f != nil {
		return nil, f
	}
	return a.results(in, len(batch), size)
}

// transaction runs commands as one step. When one cannot be queued, none is
// performed.
func (a *asked) transaction(body []byte) ([]byte, *failure) {
	batch, f := a.several(body)
	if f != nil {
		return nil, f
	}
	all := make([]commands.Request, 0, len(batch)+2)
	all = append(append(append(all, own("MULTI")), batch...), own("EXEC"))
	in, size, f := a.run(all)
	if f != nil {
		return nil, f
	}
	if text, refused, err := in.isError(); refused || err != nil { // MULTI
		return nil, failed(text)
	}
	if _, _, err := in.next(); err != nil {
		return nil, errPanic
	}
	reason := ""
	for i := range batch {
		text, refused, err := in.isError()
		if refused && reason == "" {
			reason = fmt.Sprintf("command %d: %s", i+1, text)
		}
		if err == nil && !refused {
			_, _, err = in.next() // QUEUED
		}
		if err != nil {
			return nil, errPanic
		}
	}
	if text, refused, err := in.isError(); refused || err != nil { // EXEC
		f := failed(text)
		if reason != "" {
			f.err = f.err.WithHint(reason)
		}
		return nil, f
	}
	n, err := in.count()
	if err != nil || n != len(batch) {
		return nil, errPanic
	}
	return a.results(in, n, size)
}

// run performs a batch, and returns the replies and their bytes.
func (a *asked) run(batch []commands.Request) (*replies, int, *failure) {
	out, f := a.g.run(a.ctx, a.session, batch)
	if f != nil {
		return nil, 0, f
	}
	return &replies{in: out.Bytes(), base64: a.base64, limit: 2 * a.g.options().MaxReplyBytes}, out.Len(), nil
}

func (a *asked) results(in *replies, n, size int) (answer []byte, f *failure) {
	if gone := a.work(size, func() { answer, f = appendResults(in, n) }); gone != nil {
		return nil, gone
	}
	return answer, f
}

// work does what handles so many bytes, in a place of the namespace.
func (a *asked) work(size int, do func()) *failure {
	if a.g.places.work(a.ctx, a.session, size, do) != nil {
		return errGone
	}
	return nil
}

// answerRoom is what JSON has around a reply, in bytes.
const answerRoom = 16

// appendResults writes an array with the result or the error of each of n replies.
func appendResults(in *replies, n int) ([]byte, *failure) {
	dst := append(make([]byte, 0, len(in.in)+n*answerRoom), '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		text, refused, err := in.isError()
		if err != nil {
			return nil, errPanic
		}
		if refused {
			body, err := json.Marshal(bodyOf(kverr.Parse(text)))
			if err != nil {
				return nil, errPanic
			}
			dst = append(dst, body...)
			continue
		}
		var f *failure
		if dst, f = asResult(dst, in); f != nil {
			return nil, f
		}
	}
	return append(dst, ']'), nil
}

// sessionBody is what POST /v1/session takes.
type sessionBody struct {
	TTLSeconds *int64   `json:"ttl_seconds"`
	ReadOnly   bool     `json:"read_only"`
	Prefix     string   `json:"prefix"`
	Origins    []string `json:"origins"`
}

// browserToken sells a token for a browser: it is the command TOKEN.SESSION in
// the clothes of this door.
func (a *asked) browserToken(r *http.Request, body []byte) ([]byte, *failure) {
	if r.URL.EscapedPath() != pathSession {
		return nil, refusal(http.StatusNotFound, kverr.BadInput, "there is nothing under this path", "POST "+pathSession+" sells tokens for browsers")
	}
	argv, f := sessionArgs(body)
	if f != nil {
		return nil, f
	}
	a.base64 = false
	in, _, f := a.run([]commands.Request{{Argv: argv}})
	if f != nil {
		return nil, f
	}
	if text, refused, err := in.isError(); refused || err != nil {
		return nil, failed(text)
	}
	return objectOf(in)
}

func sessionArgs(body []byte) ([][]byte, *failure) {
	var b sessionBody
	if len(body) > 0 {
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&b); err != nil || d.More() {
			return nil, badInput("the body is not an object with the members ttl_seconds, read_only, prefix and origins, of which all are optional",
				`send {"ttl_seconds": 600, "origins": ["https://app.example.com"]}`)
		}
	}
	words := []string{"TOKEN.SESSION"}
	if b.TTLSeconds != nil {
		words = append(words, "EXPIRES", strconv.FormatInt(*b.TTLSeconds, 10)+"s")
	}
	if b.ReadOnly {
		words = append(words, "READONLY")
	}
	if b.Prefix != "" {
		words = append(words, "PREFIX", b.Prefix)
	}
	for _, o := range b.Origins {
		words = append(words, "ORIGIN", o)
	}
	return own(words...).Argv, nil
}

// objectOf makes a JSON object of a reply of pairs. Times become ISO 8601.
func objectOf(in *replies) ([]byte, *failure) {
	n, err := in.count()
	if err != nil || n%2 != 0 {
		return nil, errPanic
	}
	dst := []byte{'{'}
	for i := range n / 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		name, err := in.text()
		if err != nil {
			return nil, errPanic
		}
		dst = append(appendQuoted(dst, name), ':')
		if string(name) == "expires_at" {
			digits, err := in.text()
			if err != nil {
				return nil, errPanic
			}
			ms, err := strconv.ParseInt(string(digits), 10, 64)
			if err != nil {
				return nil, errPanic
			}
			dst = time.UnixMilli(ms).UTC().AppendFormat(append(dst, '"'), "2006-01-02T15:04:05.000Z07:00")
			dst = append(dst, '"')
			continue
		}
		if dst, err = in.appendNext(dst); err != nil {
			return nil, errPanic
		}
	}
	return append(dst, '}'), nil
}
