package commands

import (
	"bytes"
	"iter"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

var (
	errNotArray        = kverr.New(kverr.WrongType, "value is not a JSON array, it is kept")
	errNotArrayOfItems = kverr.New(kverr.WrongType, "value is not a JSON array of objects, it is not changed")
)

// runKVPopAll leaves the parsing of what it returns to the client, but a value
// that is no array is some other command's and must not be lost here.
func runKVPopAll(c *Call) error {
	e, found, err := c.lookup(c.arg(1))
	if err != nil {
		return err
	}
	if !found {
		c.Out.BulkString("[]")
		return nil
	}
	if !isJSON(e.Value) || bytes.TrimLeft(e.Value, " \t\r\n")[0] != '[' {
		return errNotArray
	}
	c.Out.Bulk(e.Value)
	_, err = c.del(c.arg(1))
	return err
}

// newItem is an item that KV.APPENDUNIQUE was given.
type newItem struct {
	text  []byte
	known bool // the stored array has its id
}

func runKVAppendUnique(c *Call) error {
	field, expiry, err := parseAppendOptions(c)
	if err != nil {
		return err
	}
	items, byID, err := readNewItems(c.Argv[2], field)
	if err != nil {
		return err
	}
	old, found, err := c.get(c.arg(1))
	if err != nil {
		return err
	}
	stored := []byte("[]")
	if found {
		var invalid *jsonError
		if stored, invalid = compactJSON(old.Value); invalid != nil || stored[0] != '[' {
			return errNotArrayOfItems
		}
	}
	for item, id := range jsonItems(stored, field) {
		if item[0] != '{' {
			return errNotArrayOfItems
		}
		if n, ok := byID[string(id)]; ok {
			items[n].known = true
		}
	}
	result := joinItems(stored, items)
	if err := c.put(c.arg(1), result, expiry.after(old)); err != nil {
		return err
	}
	c.notifySet(c.arg(1), expiry.at != 0)
	c.Out.Bulk(result)
	return nil
}

func parseAppendOptions(c *Call) (field string, expiry kvExpiry, err error) {
	field = "id"
	given := false
	for i := 3; i < c.argc(); i++ {
		if strings.EqualFold(c.arg(i), "ID") && !given && i+1 < c.argc() {
			i++
			given, field = true, c.arg(i)
			continue
		}
		used, err := expiry.parse(c, i)
		if err != nil {
			return "", expiry, err
		}
		i += used - 1
	}
	return field, expiry, nil
}

// readNewItems reads the array that a client sent. Of several items with one
// id it returns the first. byID finds them by the key of their id: only the
// new ids are kept in a map, since a stored array is usually the longer one.
func readNewItems(arg []byte, field string) (items []newItem, byID map[string]int, err error) {
	array, invalid := compactJSON(arg)
	if invalid != nil {
		return nil, nil, kverr.Newf(kverr.BadInput, "value is not valid JSON: %v", invalid)
	}
	if array[0] != '[' {
		return nil, nil, kverr.New(kverr.BadInput, "value is not a JSON array of objects")
	}
	byID = make(map[string]int)
	n := 0
	for item, id := range jsonItems(array, field) {
		n++
		if item[0] != '{' {
			return nil, nil, kverr.Newf(kverr.BadInput, "item %d is not an object", n)
		}
		if len(id) == 0 {
			return nil, nil, kverr.Newf(kverr.BadInput, "item %d has no %.64q", n, field)
		}
		if _, seen := byID[string(id)]; !seen {
			byID[string(id)] = len(items)
			items = append(items, newItem{text: item})
		}
	}
	return items, byID, nil
}

// jsonItems yields the items of a compact array with the key of their id,
// which is empty where there is none. The key is valid until the next item.
func jsonItems(array []byte, field string) iter.Seq2[[]byte, []byte] {
	return func(yield func(item, id []byte) bool) {
		var id []byte
		for at := 1; array[at] != ']'; {
			var end int
			if array[at] == '{' {
				id, end = appendItemID(id[:0], array, at, field)
			} else {
				id, end = id[:0], skipJSON(array, at)
			}
			if !yield(array[at:end], id) {
				return
			}
			if at = end; array[at] == ',' {
				at++
			}
		}
	}
}

// appendItemID appends the key of the id of the object that starts at i, and
// nothing if it has none or null. Of several members called field the last
// counts.
func appendItemID(dst, text []byte, i int, field string) (id []byte, end int) {
	idAt := 0
	at, more := firstMember(text, i)
	for end = at; more; at = end + 1 {
		var name []byte
		var value int
		name, value, end = readMember(text, at)
		if isJSONName(name, field) {
			idAt = value
		}
		more = text[end] == ','
	}
	if idAt != 0 && text[idAt] != 'n' {
		dst, _ = appendJSONKey(dst, text, idAt)
	}
	return dst, end + 1
}

// joinItems returns a stored array with the items that it does not know.
func joinItems(stored []byte, items []newItem) []byte {
	size := len(stored)
	for i := range items {
		if !items[i].known {
			size += 1 + len(items[i].text)
		}
	}
	if size == len(stored) {
		return stored
	}
	joined := append(make([]byte, 0, size), stored[:len(stored)-1]...)
	for i := range items {
		if items[i].known {
			continue
		}
		if len(joined) > 1 {
			joined = append(joined, ',')
		}
		joined = append(joined, items[i].text...)
	}
	return append(joined, ']')
}
