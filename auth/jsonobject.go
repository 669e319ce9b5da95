package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// parseObject returns the members of a JSON object (RFC 8259). It refuses what
// others may read differently: a name that comes twice, text that is not UTF-8.
// Package json alone takes the last of two, and names in any case.
func parseObject(text []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, errors.New("is not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("is no JSON object")
	}
	members := make(map[string]json.RawMessage)
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errors.New("is not JSON") // impossible: it is valid
		}
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("has %.40q twice", name)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errors.New("is not JSON")
		}
		members[name] = value
	}
	return members, nil
}

// The readers below take one type each. null is none of them.

var errNoString = errors.New("is not a string")

func stringOf(raw json.RawMessage) (string, error) {
	var s *string
	if err := json.Unmarshal(raw, &s); err != nil || s == nil {
		return "", errNoString
	}
	if strings.ContainsRune(*s, utf8.RuneError) { // what half of a surrogate pair becomes
		return "", errors.New("is not a string of Unicode characters")
	}
	return *s, nil
}

func stringsOf(raw json.RawMessage) ([]string, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return nil, errors.New("is not an array of strings")
	}
	texts := make([]string, len(list))
	for i, item := range list {
		var err error
		if texts[i], err = stringOf(item); err != nil {
			return nil, errors.New("is not an array of strings")
		}
	}
	return texts, nil
}

func boolOf(raw json.RawMessage) (bool, error) {
	var b *bool
	if err := json.Unmarshal(raw, &b); err != nil || b == nil {
		return false, errors.New("is neither true nor false")
	}
	return *b, nil
}
