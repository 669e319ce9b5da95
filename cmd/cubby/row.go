package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/cubbykv/cubby/storage"
)

// row is an entry on its way out of a namespace or into one.
type row struct {
	key, value []byte
	expiresAt  int64 // Unix ms; 0 is never
	db         int
}

// line is a row in a file of JSON lines. What is not UTF-8 goes as base64:
// JSON has no other way to keep bytes.
type line struct {
	Key         *string `json:"key,omitempty"`
	KeyBase64   []byte  `json:"key_base64,omitempty"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 []byte  `json:"value_base64,omitempty"`
	ExpiresAt   *int64  `json:"expires_at"` // Unix ms
	DB          int     `json:"db"`
}

func writeRow(enc *json.Encoder, r row) error {
	l := line{DB: r.db}
	l.Key, l.KeyBase64 = textOrBytes(r.key)
	l.Value, l.ValueBase64 = textOrBytes(r.value)
	if r.expiresAt != 0 {
		l.ExpiresAt = &r.expiresAt
	}
	return enc.Encode(l)
}

func textOrBytes(b []byte) (*string, []byte) {
	if !utf8.Valid(b) {
		return nil, b
	}
	s := string(b)
	return &s, nil
}

// parseRow reads a line. Fields that it does not know are passed over.
func parseRow(text []byte) (row, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		var bad base64.CorruptInputError
		if errors.As(err, &bad) {
			return row{}, errors.New("a base64 field is malformed")
		}
		return row{}, fmt.Errorf("it is no JSON object with key and value: %w", err)
	}
	r := row{key: l.KeyBase64, value: l.ValueBase64, db: l.DB}
	switch {
	case l.Key != nil && l.KeyBase64 != nil || l.Value != nil && l.ValueBase64 != nil:
		return row{}, errors.New("it has a field both as text and as base64")
	case l.Key == nil && l.KeyBase64 == nil:
		return row{}, errors.New("it has no key")
	case l.Value == nil && l.ValueBase64 == nil:
		return row{}, errors.New("it has no value; values are strings, JSON values as their text")
	case l.DB < 0 || l.DB >= storage.Databases:
		return row{}, fmt.Errorf("there is no database %d", l.DB)
	case l.ExpiresAt != nil && *l.ExpiresAt <= 0:
		return row{}, fmt.Errorf("expires_at is %d; it has to be Unix milliseconds, or null", *l.ExpiresAt)
	}
	if l.Key != nil {
		r.key = []byte(*l.Key)
	}
	if l.Value != nil {
		r.value = []byte(*l.Value)
	}
	if l.ExpiresAt != nil {
		r.expiresAt = *l.ExpiresAt
	}
	return r, nil
}

// fileRows reads JSON lines and calls yield for each.
func fileRows(in io.Reader, yield func(row) error) error {
	dec := newLineReader(in)
	for n := 1; ; n++ {
		text, err := dec.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(text) == 0 {
			continue
		}
		r, err := parseRow(text)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := yield(r); err != nil {
			return err
		}
	}
}
