package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Value is the JSON text of a value as it is stored.
type Value []byte

// Decode reads the value as json.Unmarshal does.
func (v Value) Decode(to any) error { return decode(string(v), to) }

// MarshalJSON returns the text itself.
func (v Value) MarshalJSON() ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	return v, nil
}

// encode writes JSON without the escapes that only HTML needs: they would count
// for the size of the value.
func encode(value any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return "", badInput("the value cannot be written as JSON: %v", err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

func decode(reply, to any) error {
	text, ok := reply.(string)
	if !ok {
		return errReply
	}
	if to == nil {
		return nil
	}
	err := json.Unmarshal([]byte(text), to)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return errReply
	}
	if err != nil {
		return &Error{Code: "wrong_type", Message: fmt.Sprintf("the value does not fit %T", to), cause: err}
	}
	return nil
}

func truth(reply any, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, ok := reply.(int64)
	if !ok {
		return false, errReply
	}
	return n == 1, nil
}

// fields reads pairs, or the map that they are in RESP3.
func fields(reply any) (map[string]any, error) {
	switch pairs := reply.(type) {
	case []any:
		if len(pairs)%2 != 0 {
			return nil, errReply
		}
		m := make(map[string]any, len(pairs)/2)
		for i := 0; i < len(pairs); i += 2 {
			name, ok := pairs[i].(string)
			if !ok {
				return nil, errReply
			}
			m[name] = pairs[i+1]
		}
		return m, nil
	case map[any]any:
		m := make(map[string]any, len(pairs))
		for k, v := range pairs {
			name, ok := k.(string)
			if !ok {
				return nil, errReply
			}
			m[name] = v
		}
		return m, nil
	}
	return nil, errReply
}
