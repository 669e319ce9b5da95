package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// record is a map as the server sent it, in its order.
type record []field

type field struct {
	name  string
	value any // int64, string, bool, []any or nil
}

// toRecord reads a map of a RESP2 reply, which has neither times nor booleans:
// fields that end in "_at" are Unix milliseconds, and two others are 1 or 0.
func toRecord(reply any) (record, error) {
	list, ok := reply.([]any)
	if !ok || len(list)%2 != 0 {
		return nil, fmt.Errorf("the server sent no map but %v", reply)
	}
	r := make(record, 0, len(list)/2)
	for ; len(list) > 0; list = list[2:] {
		name, ok := list[0].(string)
		if !ok {
			return nil, fmt.Errorf("the server sent %v as a field's name", list[0])
		}
		value := list[1]
		if ms, ok := value.(int64); ok && strings.HasSuffix(name, "_at") {
			value = time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
		}
		if name == "readonly" || name == "in_memory" {
			value = value == int64(1)
		}
		r = append(r, field{name, value})
	}
	return r, nil
}

func toRecords(reply any) ([]record, error) {
	list, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("the server sent no list but %v", reply)
	}
	records := make([]record, 0, len(list))
	for _, item := range list {
		r, err := toRecord(item)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

func (r record) get(name string) any {
	for _, f := range r {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// number returns a field that is one.
func (r record) number(name string) (n int64, ok bool) {
	n, ok = r.get(name).(int64)
	return n, ok
}

// set changes a field, or adds it behind the others.
func (r *record) set(name string, value any) {
	for i := range *r {
		if (*r)[i].name == name {
			(*r)[i].value = value
			return
		}
	}
	*r = append(*r, field{name, value})
}

// text shows a field as it is.
func (r record) text(name string) string {
	switch v := r.get(name).(type) {
	case nil:
		return "-"
	case []any:
		words := make([]string, len(v))
		for i, w := range v {
			words[i] = fmt.Sprint(w)
		}
		return strings.Join(words, " ")
	default:
		return fmt.Sprint(v)
	}
}

// MarshalJSON keeps the server's order of the fields.
func (r record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, v := range []any{f.name, f.value} {
			if j > 0 {
				b.WriteByte(':')
			}
			text, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			b.Write(text)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (e environment) printJSON(v any) error {
	enc := json.NewEncoder(e.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
