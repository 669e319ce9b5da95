package commands

import (
	"encoding/base64"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

// Bounds of a page of KV.LIST.
const (
	listDefault = 100
	listMax     = 1000
	// listBytes ends a page early, so that a page of large values stays a
	// message that a client can hold.
	listBytes = 8 << 20
)

// listOptions are the options of KV.LIST.
type listOptions struct {
	prefix   string
	limit    int
	after    string // the last key of the page before
	noValues bool
}

// parseListOptions takes each option once, in any order.
func parseListOptions(c *Call) (o listOptions, err error) {
	var prefix, limit, cursor bool
	o.limit = listDefault
	for i := 1; i < c.argc(); i++ {
		word, more := c.arg(i), i+1 < c.argc()
		switch {
		case strings.EqualFold(word, "NOVALUES") && !o.noValues:
			o.noValues = true
			continue
		case strings.EqualFold(word, "PREFIX") && !prefix && more:
			prefix, o.prefix = true, c.arg(i+1)
		case strings.EqualFold(word, "LIMIT") && !limit && more:
			limit = true
			o.limit, err = parseLimit(c.Argv[i+1], listMax)
		case strings.EqualFold(word, "CURSOR") && !cursor && more:
			cursor = true
			o.after, err = parseListCursor(c.arg(i + 1))
		default:
			err = errSyntax
		}
		if err != nil {
			return o, err
		}
		i++
	}
	return o, nil
}

// parseLimit reads the LIMIT of a KV command. Above highest is highest.
func parseLimit(arg []byte, highest int) (int, error) {
	n, ok := parseInt(arg)
	if !ok {
		return 0, kverr.New(kverr.BadInput, "LIMIT is not an integer or out of range")
	}
	if n < 1 {
		return 0, kverr.Newf(kverr.BadInput, "LIMIT is %d; at least 1 is allowed", n)
	}
	return int(min(n, int64(highest))), nil
}

// A cursor of KV.LIST is the last key of its page behind a byte for the
// format, in base64url. It needs no memory of ours, so it works anywhere.
const listCursorV1 = 1

// listEnd is the cursor of the last page, and of a first one.
const listEnd = "0"

var errListCursor = kverr.New(kverr.BadInput, "CURSOR is not one that KV.LIST returned").
	WithHint("pass the first element of the previous reply as it is, or 0 to start")

func formatListCursor(last string) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{listCursorV1}, last...))
}

// parseListCursor returns the key that a cursor stands for, empty for the
// start. The comparison refuses other spellings, which the decoder allows.
func parseListCursor(cursor string) (string, error) {
	if cursor == listEnd {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 2 || raw[0] != listCursorV1 {
		return "", errListCursor
	}
	after := borrow(raw[1:])
	if formatListCursor(after) != cursor {
		return "", errListCursor
	}
	return after, nil
}

func runKVList(c *Call) error {
	o, err := parseListOptions(c)
	if err != nil {
		return err
	}
	mark := c.Out.Mark()
	rows, last, more, err := c.listPage(&o)
	if err != nil {
		c.Out.Rewind(mark)
		return err
	}
	next := listEnd
	if more {
		next = formatListCursor(last)
	}
	c.Out.InsertHead(mark, func() {
		c.Out.Array(2)
		c.Out.BulkString(next)
		c.Out.Array(rows)
	})
	return nil
}

// listPage writes the rows of a page and counts them. It returns the page's last
// key, which is borrowed, and whether anything follows it.
func (c *Call) listPage(o *listOptions) (rows int, last string, more bool, err error) {
	from := o.prefix
	if o.after != "" {
		from = max(from, o.after+"\x00") // the least key behind it
	}
	size := 0
	err = c.Tx.Ascend(from, func(key string, e storage.Entry) bool {
		if !strings.HasPrefix(key, o.prefix) {
			return false
		}
		if rows == o.limit || size >= listBytes {
			more = true
			return false
		}
		if !o.noValues {
			size += len(e.Value)
		}
		c.writeRow(key, e, !o.noValues)
		rows++
		last = key
		return true
	})
	return rows, last, more, err
}

// writeRow writes a row of a page. The names are written as one text with what
// surrounds them: a page has hundreds.
func (c *Call) writeRow(key string, e storage.Entry, value bool) {
	fields := 4
	if value {
		fields = 5
	}
	c.Out.Map(fields)
	c.Out.RawText("$3\r\nkey\r\n")
	c.Out.BulkString(key)
	if value {
		c.Out.RawText("$5\r\nvalue\r\n")
		c.Out.Bulk(e.Value)
	}
	c.writeTimes(e)
}

// writeTimes writes the three last fields of a row.
func (c *Call) writeTimes(e storage.Entry) {
	c.Out.RawText("$10\r\nexpires_at\r\n")
	if e.ExpiresAt == 0 {
		c.Out.Null()
	} else {
		c.Out.Int(e.ExpiresAt)
	}
	c.Out.RawText("$10\r\nupdated_at\r\n")
	c.Out.Int(e.UpdatedAt)
	c.Out.RawText("$7\r\nversion\r\n")
	c.Out.Int(int64(c.Engine.versions.shown(e.Version)))
}

// listsMany tells whether a KV.LIST may return more rows than a loop should wait
// for. Wrong arguments are refused later, and quickly.
func listsMany(argv [][]byte) bool {
	for i := 1; i+1 < len(argv); i++ {
		if len(argv[i]) == len("LIMIT") && strings.EqualFold(borrow(argv[i]), "LIMIT") {
			if n, ok := parseInt(argv[i+1]); ok && n > hastyRows {
				return true
			}
		}
	}
	return false
}
