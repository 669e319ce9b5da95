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

// pipeline runs commands one after the other; each has its own result or error.
func (g *Gateway) pipeline(ctx context.Context, s *commands.Session, body []byte, in64 bool) ([]byte, *failure) {
	batch, err := g.parseCommands(body)
	if err != nil {
		return nil, asFailure(err)
	}
	out, f := g.run(ctx, s, batch)
	if f != nil {
		return nil, f
	}
	in := replies{in: out.Bytes(), base64: in64}
	return appendResults(&in, len(batch))
}

// transaction runs commands as one step. When one cannot be queued, none is
// performed.
func (g *Gateway) transaction(ctx context.Context, s *commands.Session, body []byte, in64 bool) ([]byte, *failure) {
	batch, err := g.parseCommands(body)
	if err != nil {
		return nil, asFailure(err)
	}
	all := make([]commands.Request, 0, len(batch)+2)
	all = append(append(append(all, own("MULTI")), batch...), own("EXEC"))
	out, f := g.run(ctx, s, all)
	if f != nil {
		return nil, f
	}
	in := replies{in: out.Bytes(), base64: in64}
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
	return appendResults(&in, n)
}

// appendResults writes an array with the result or the error of each of n replies.
func appendResults(in *replies, n int) ([]byte, *failure) {
	dst := []byte{'['}
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

// session sells a token for a browser: it is the command TOKEN.SESSION in the
// clothes of this door.
func (g *Gateway) session(r *http.Request, s *commands.Session, body []byte) ([]byte, *failure) {
	if r.URL.Path != pathSession {
		return nil, refusal(http.StatusNotFound, kverr.BadInput, "there is nothing under this path", "POST "+pathSession+" sells tokens for browsers")
	}
	argv, f := sessionArgs(body)
	if f != nil {
		return nil, f
	}
	out, f := g.run(r.Context(), s, []commands.Request{{Argv: argv}})
	if f != nil {
		return nil, f
	}
	in := replies{in: out.Bytes()}
	if text, refused, err := in.isError(); refused || err != nil {
		return nil, failed(text)
	}
	return objectOf(&in)
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
