package bunt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// contents is one namespace, rebuilt from its snapshot and the journal without
// the rest of the store.
type contents struct {
	items   map[string]held
	version uint64 // highest in it
	seq     uint64 // its newest record, or that of its snapshot
	damaged bool   // the snapshot is not wholly readable
}

// held is an entry. Without values only its size is kept.
type held struct {
	value                string
	size                 int64 // of key and value
	updatedAt, expiresAt int64
	version              uint64
}

// contents rebuilds a namespace. What is damaged is added to the survey, and
// left out; the rest is what was written: blocks of a snapshot and records
// have checksums of their own, and records are absolute, so each stays true
// without its neighbours.
func (s *survey) contents(sp *surveyed, values bool) (*contents, error) {
	c := &contents{items: make(map[string]held)}
	if sp.snapshot != "" {
		if err := c.readSnapshot(s, sp, values); err != nil {
			return nil, err
		}
		if c.seq > s.last {
			s.journalDamage(sp.id.String(), sp.snapshot, 0, "it includes journal record %d, but the journal ends at %d: journal files are missing", c.seq, s.last)
		}
	}
	err := sp.records.read(systemFS{}, c.seq, func(rec record) {
		s.advance(int64(recordHeader + len(rec.ops)))
		c.seq = rec.seq
		if rec.kind == kindDrop {
			clear(c.items)
		}
		for ops := rec.ops; len(ops) > 0; {
			o, rest, err := readOp(ops)
			if err != nil {
				return // never: decodeRecord has read it
			}
			c.apply(o, values)
			ops = rest
		}
	})
	if err != nil {
		return nil, fmt.Errorf("the journal changed while it was read: %w", err)
	}
	return c, nil
}

func (c *contents) apply(o op, values bool) {
	switch o.code {
	case opClear:
		clear(c.items)
	case opDelete:
		delete(c.items, string(o.key))
	case opSet:
		c.version = max(c.version, o.version)
		h := held{size: int64(len(o.key) + len(o.value)), updatedAt: o.updatedAt, expiresAt: o.expiresAt, version: o.version}
		if values {
			h.value = string(o.value)
		}
		c.items[string(o.key)] = h
	}
}

// readSnapshot takes what is intact. A damaged header leaves nothing: it alone
// says whose the entries are.
func (c *contents) readSnapshot(s *survey, sp *surveyed, values bool) error {
	f, err := os.Open(sp.snapshot)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		defer s.advance(info.Size())
	}
	name := sp.id.String()
	r := &snapshotReader{path: sp.snapshot, r: bufio.NewReaderSize(f, blockBytes)}
	if c.seq, err = r.header(sp.id); err != nil {
		c.seq, c.damaged = 0, true
		return s.found(name, err)
	}
	version, err := r.entries(func(o op) {
		o.code = opSet
		c.apply(o, values)
	}, func(err error) {
		c.damaged = true
		_ = s.found(name, err) // it is damage: entries said so
	})
	c.version = max(c.version, version)
	return err
}

// count returns what is alive at now, and how many have expired.
func (c *contents) count(now int64) (u storage.Usage, expired int64) {
	for _, h := range c.items {
		if h.expiresAt != 0 && now >= h.expiresAt {
			expired++
			continue
		}
		u.Keys++
		u.Bytes += h.size
	}
	return u, expired
}

// write makes the file of a namespace that includes everything up to seq, and
// makes it durable.
func (c *contents) write(path string, id storage.ID, seq uint64) (err error) {
	f, err := os.OpenFile(path, tempFlags, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := &snapshotWriter{w: bufio.NewWriterSize(f, blockBytes)}
	if err := w.begin(id, seq); err != nil {
		return err
	}
	for _, key := range slices.SortedFunc(maps.Keys(c.items), strings.Compare) {
		w.block = c.items[key].append(w.block, key)
		w.count++
		if err := w.flush(blockBytes); err != nil {
			return err
		}
	}
	if err := w.end(c.version); err != nil {
		return err
	}
	return errors.Join(w.w.Flush(), f.Sync())
}

// append encodes an entry as appendEntry does an item's.
func (h held) append(b []byte, key string) []byte {
	b = appendBytes(appendBytes(b, key), h.value)
	b = binary.AppendVarint(b, h.updatedAt)
	b = binary.AppendVarint(b, h.expiresAt)
	return binary.AppendUvarint(b, h.version)
}
