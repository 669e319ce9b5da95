package client

import (
	"context"
	"iter"
	"time"
)

// Row is one entry of a listing.
type Row struct {
	Key       string
	Value     Value     // nil with KeysOnly
	UpdatedAt time.Time // in whole milliseconds
	ExpiresAt time.Time // zero is never
	Version   uint64    // changes with each write; see IfVersion
}

// Page is a part of a listing.
type Page struct {
	Rows   []Row
	Cursor string // of the next page; empty at the end
}

// ListOptions say what List shows. The zero value lists the first 100 entries.
type ListOptions struct {
	Prefix   string
	Limit    int // rows of a page; 0 is 100, above 1000 is 1000
	Cursor   string
	KeysOnly bool
}

// List returns entries in the order of their keys, one page of them. A page may
// be shorter than its limit and not the last.
func (kv *KV) List(ctx context.Context, o ListOptions) (Page, error) {
	args := []any{"KV.LIST", "PREFIX", kv.prefix + o.Prefix}
	if o.Limit != 0 {
		args = append(args, "LIMIT", o.Limit)
	}
	if o.Cursor != "" {
		args = append(args, "CURSOR", o.Cursor)
	}
	if o.KeysOnly {
		args = append(args, "NOVALUES")
	}
	reply, err := kv.caller.call(ctx, again, args...)
	if err != nil {
		return Page{}, err
	}
	parts, ok := reply.([]any)
	if !ok || len(parts) != 2 {
		return Page{}, errReply
	}
	cursor, ok := parts[0].(string)
	rows, isList := parts[1].([]any)
	if !ok || !isList {
		return Page{}, errReply
	}
	if cursor == "0" {
		cursor = ""
	}
	page := Page{Rows: make([]Row, 0, len(rows)), Cursor: cursor}
	for _, item := range rows {
		row, err := kv.row(item)
		if err != nil {
			return Page{}, err
		}
		page.Rows = append(page.Rows, row)
	}
	return page, nil
}

func (kv *KV) row(item any) (Row, error) {
	f, err := fields(item)
	if err != nil {
		return Row{}, err
	}
	key, ok := f["key"].(string)
	updated, isTime := f["updated_at"].(int64)
	version, isVersion := f["version"].(int64)
	if !ok || !isTime || !isVersion {
		return Row{}, errReply
	}
	r := Row{Key: kv.unprefixed(key), UpdatedAt: time.UnixMilli(updated), Version: uint64(version)}
	if ms, ok := f["expires_at"].(int64); ok {
		r.ExpiresAt = time.UnixMilli(ms)
	}
	if text, ok := f["value"].(string); ok {
		r.Value = Value(text)
	}
	return r, nil
}

// All iterates over all entries that o selects, page by page. After an error it
// ends. What is written meanwhile may or may not be seen.
func (kv *KV) All(ctx context.Context, o ListOptions) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for {
			page, err := kv.List(ctx, o)
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, row := range page.Rows {
				if !yield(row, nil) {
					return
				}
			}
			if o.Cursor = page.Cursor; o.Cursor == "" {
				return
			}
		}
	}
}
