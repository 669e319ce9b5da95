package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/cubbykv/cubby/commands"
	"github.com/cubbykv/cubby/internal/kverr"
)

// Bounds on what one request may hold beside its bytes.
const (
	maxArgs     = 1 << 20 // arguments of all commands together
	maxCommands = 10_000  // commands of a pipeline
)

// parseCommand reads ["SET", "key", 1].
func (g *Gateway) parseCommand(body []byte) (commands.Request, error) {
	if err := checkText(body); err != nil {
		return commands.Request{}, err
	}
	return g.request(bytes.Trim(body, blanks), 0)
}

// parseCommands reads [["SET", "key", 1], ["GET", "key"]].
func (g *Gateway) parseCommands(body []byte) ([]commands.Request, error) {
	if err := checkText(body); err != nil {
		return nil, err
	}
	list := items{bytes.Trim(body, blanks)}
	n, ok := list.count()
	if !ok {
		return nil, badInput("the body is not an array of commands", `send [["SET", "key", "value"], ["GET", "key"]]`)
	}
	if n == 0 || n > maxCommands {
		return nil, badInput(fmt.Sprintf("the body has %d commands; 1 to %d are allowed", n, maxCommands), "")
	}
	batch := make([]commands.Request, n)
	list.begin()
	args := 0
	for i := range batch {
		var err error
		if batch[i], err = g.request(list.next(), i+1); err != nil {
			return nil, err
		}
		if args += len(batch[i].Argv); args > maxArgs {
			return nil, badInput(fmt.Sprintf("the commands have more than %d arguments", maxArgs), "send several requests")
		}
	}
	return batch, nil
}

func badInput(message, hint string) *failure {
	return refusal(http.StatusBadRequest, kverr.BadInput, message, hint)
}

// checkText refuses what is no JSON, and what package json would put right in
// silence. Behind it the other functions trust the text.
func checkText(body []byte) error {
	if !utf8.Valid(body) {
		return badInput("the body is not UTF-8", "POST /COMMAND/ARG... takes the last argument as any bytes")
	}
	if !json.Valid(body) {
		return badInput("the body is not JSON", `send ["SET", "key", "value"], or a list of such to /pipeline and /multi-exec`)
	}
	return nil
}

// request reads one command; number says which of several it is, 0 is the only one.
func (g *Gateway) request(raw []byte, number int) (commands.Request, error) {
	list := items{raw}
	n, ok := list.count()
	if !ok {
		return commands.Request{}, badInput(whereIn(number)+" is not an array of arguments", `send ["SET", "key", "value"]`)
	}
	if n == 0 {
		return commands.Request{}, badInput(whereIn(number)+" is empty", `send ["SET", "key", "value"]`)
	}
	if n > maxArgs {
		return commands.Request{}, badInput(fmt.Sprintf("%s has more than %d arguments", whereIn(number), maxArgs), "send several requests")
	}
	argv := make([][]byte, n)
	list.begin()
	for i := range argv {
		arg, ok := argument(list.next())
		if !ok {
			return commands.Request{}, badInput(fmt.Sprintf("argument %d of %s is neither a string nor a number, true or false", i, whereIn(number)), "send JSON values as a string")
		}
		argv[i] = arg
	}
	return g.bounded(argv), nil
}

func whereIn(number int) string {
	if number == 0 {
		return "the body"
	}
	return fmt.Sprintf("command %d", number)
}

// bounded notes a reason to refuse a command with an argument that is too long.
func (g *Gateway) bounded(argv [][]byte) commands.Request {
	r := commands.Request{Argv: argv}
	for _, a := range argv {
		if limit := g.options().MaxBulkBytes; len(a) > limit {
			r.Refusal = kverr.Newf(kverr.SizeExceeded, "an argument has %d bytes; at most %d are allowed", len(a), limit)
		}
	}
	return r
}

// argument returns a string's text, and of a number and a truth value what was
// sent: digits stay as they are. It may be a part of raw.
func argument(raw []byte) ([]byte, bool) {
	switch raw[0] {
	case '"':
		if bytes.IndexByte(raw, '\\') < 0 {
			return raw[1 : len(raw)-1 : len(raw)-1], true
		}
		var s string
		// Half of a surrogate pair would be replaced in silence.
		if json.Unmarshal(raw, &s) != nil || strings.ContainsRune(s, utf8.RuneError) && hasLoneSurrogate(raw) {
			return nil, false
		}
		return []byte(s), true
	case '{', '[', 'n':
		return nil, false
	}
	return raw, true
}

// hasLoneSurrogate tells whether the escapes of a valid JSON string have one
// half of a surrogate pair.
func hasLoneSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++ // what is escaped
		if raw[i] != 'u' {
			continue
		}
		half := strings.ToLower(string(raw[i+1 : i+5]))
		i += 4
		if half < "d800" || half > "dfff" {
			continue
		}
		rest := raw[i+1:]
		if half >= "dc00" || len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' {
			return true
		}
		if low := strings.ToLower(string(rest[2:6])); low < "dc00" || low > "dfff" {
			return true
		}
		i += 6
	}
	return false
}

// parsePath reads /set/key/value?EX=100 and a body that follows the path: the
// path, then the body, then the query make the arguments.
func (g *Gateway) parsePath(u *url.URL, body []byte) (commands.Request, error) {
	var argv [][]byte
	for part := range strings.SplitSeq(strings.TrimPrefix(u.EscapedPath(), "/"), "/") {
		arg, err := url.PathUnescape(part)
		if err != nil {
			return commands.Request{}, badInput("the path has a percent sign that begins no escape", "write a percent sign as %25")
		}
		argv = append(argv, []byte(arg))
	}
	if len(body) > 0 {
		argv = append(argv, body)
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name == "" {
			continue
		}
		for i, part := range []string{name, value} {
			arg, err := url.QueryUnescape(part)
			if err != nil {
				return commands.Request{}, badInput("the query has a percent sign that begins no escape", "write a percent sign as %25")
			}
			if i == 0 && arg == tokenParameter {
				break // a secret must not become a value
			}
			if arg != "" {
				argv = append(argv, []byte(arg))
			}
		}
	}
	return g.bounded(argv), nil
}
