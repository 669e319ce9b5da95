package commands

import (
	"bytes"
	"maps"
	"slices"

	"github.com/cubbykv/cubby/storage"
)

// stage collects the writes of one command on top of a transaction, so that
// an error, a limit or a panic drops that command's writes alone while its
// neighbours in the same transaction stay. It is itself a storage.Tx.
type stage struct {
	base    storage.Tx
	cleared bool // base counts as empty
	writes  []staged
	// byKey finds writes by key once there are more than a few.
	byKey map[string]int
	// outlives is set for a script, whose writes are kept when its commands have
	// long gone: values are copied, and their sum is kept up to date since each
	// command asks for it.
	outlives bool
	delta    storage.Usage
}

type staged struct {
	key     string
	entry   storage.Entry
	deleted bool
}

// fewWrites is how many writes are searched faster than looked up.
const fewWrites = 8

func (s *stage) reset(base storage.Tx) {
	s.base = base
	s.cleared, s.outlives, s.delta = false, false, storage.Usage{}
	clear(s.writes)
	s.writes = s.writes[:0]
	s.byKey = nil
}

func (s *stage) find(key string) *staged {
	if s.byKey != nil {
		if i, ok := s.byKey[key]; ok {
			return &s.writes[i]
		}
		return nil
	}
	for i := range s.writes {
		if s.writes[i].key == key {
			return &s.writes[i]
		}
	}
	return nil
}

func (s *stage) write(w staged) {
	if old := s.find(w.key); old != nil {
		*old = w
		return
	}
	s.writes = append(s.writes, w)
	switch {
	case s.byKey != nil:
		s.byKey[w.key] = len(s.writes) - 1
	case len(s.writes) > fewWrites:
		s.byKey = make(map[string]int, 2*len(s.writes))
		for i := range s.writes {
			s.byKey[s.writes[i].key] = i
		}
	}
}

// commit hands the writes to the transaction below.
func (s *stage) commit() error {
	if s.cleared {
		if err := s.base.Clear(); err != nil {
			return err
		}
	}
	for i := range s.writes {
		w := &s.writes[i]
		var err error
		if w.deleted {
			if err = s.base.Delete(w.key); err == storage.ErrNotFound { //nolint:errorlint // stores return the sentinel itself
				err = nil
			}
		} else {
			err = s.base.Set(w.key, w.entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Now implements storage.Tx.
func (s *stage) Now() int64 { return s.base.Now() }

// Get implements storage.Tx.
func (s *stage) Get(key string) (storage.Entry, error) {
	if len(s.writes) != 0 {
		if w := s.find(key); w != nil {
			if w.deleted {
				return storage.Entry{}, storage.ErrNotFound
			}
			return w.entry, nil
		}
	}
	if s.cleared {
		return storage.Entry{}, storage.ErrNotFound
	}
	return s.base.Get(key)
}

// Set implements storage.Tx.
func (s *stage) Set(key string, e storage.Entry) error {
	now := s.base.Now()
	e.UpdatedAt = now
	if s.outlives {
		e.Value = bytes.Clone(e.Value)
		s.count(key, -1)
		defer s.count(key, 1)
	}
	s.write(staged{key: key, entry: e, deleted: e.Expired(now)})
	return nil
}

// Delete implements storage.Tx.
func (s *stage) Delete(key string) error {
	if _, err := s.Get(key); err != nil {
		return err
	}
	if s.outlives {
		s.count(key, -1)
	}
	s.write(staged{key: key, deleted: true})
	return nil
}

// Clear implements storage.Tx.
func (s *stage) Clear() error {
	base, outlives := s.base, s.outlives
	s.reset(base)
	s.cleared, s.outlives = true, outlives
	return nil
}

// count adds what is under key now to delta, sign times.
func (s *stage) count(key string, sign int64) {
	if e, err := s.Get(key); err == nil {
		s.delta.Keys += sign
		s.delta.Bytes += sign * int64(len(key)+len(e.Value))
	}
}

// Ascend implements storage.Tx.
func (s *stage) Ascend(from string, yield func(string, storage.Entry) bool) error {
	if len(s.writes) == 0 && !s.cleared {
		return s.base.Ascend(from, yield)
	}
	mine := make(map[string]staged, len(s.writes))
	for _, w := range s.writes {
		mine[w.key] = w
	}
	keys := slices.Sorted(maps.Keys(mine))
	next, _ := slices.BinarySearch(keys, from)
	stopped := false
	// give yields the staged keys below bound, or all of them.
	give := func(bound string, all bool) bool {
		for ; next < len(keys) && (all || keys[next] < bound); next++ {
			if w := mine[keys[next]]; !w.deleted && !yield(w.key, w.entry) {
				return false
			}
		}
		return true
	}
	if !s.cleared {
		err := s.base.Ascend(from, func(key string, e storage.Entry) bool {
			if !give(key, false) {
				stopped = true
				return false
			}
			if _, ok := mine[key]; ok {
				return true
			}
			stopped = !yield(key, e)
			return !stopped
		})
		if err != nil || stopped {
			return err
		}
	}
	give("", true)
	return nil
}

// Random implements storage.Tx.
func (s *stage) Random() (string, error) {
	if len(s.writes) == 0 && !s.cleared {
		return s.base.Random()
	}
	for i := range s.writes {
		if w := &s.writes[i]; !w.deleted {
			return w.key, nil
		}
	}
	found := ""
	err := s.Ascend("", func(key string, _ storage.Entry) bool { found = key; return false })
	if err == nil && found == "" {
		err = storage.ErrNotFound
	}
	return found, err
}

// Usage implements storage.Tx.
func (s *stage) Usage() storage.Usage {
	var u storage.Usage
	if !s.cleared {
		u = s.base.Usage()
	}
	if s.outlives {
		return storage.Usage{Keys: u.Keys + s.delta.Keys, Bytes: u.Bytes + s.delta.Bytes}
	}
	for i := range s.writes {
		w := &s.writes[i]
		if !s.cleared {
			if old, err := s.base.Get(w.key); err == nil {
				u.Keys--
				u.Bytes -= int64(len(w.key) + len(old.Value))
			}
		}
		if !w.deleted {
			u.Keys++
			u.Bytes += int64(len(w.key) + len(w.entry.Value))
		}
	}
	return u
}

// Purge implements storage.Tx. Nobody can see its effect, so it need not be
// staged.
func (s *stage) Purge(limit int) (int, error) { return s.base.Purge(limit) }

// adds is an upper bound of the keys that commit adds, known without looking
// at the transaction below.
func (s *stage) adds() int64 {
	n := int64(0)
	for i := range s.writes {
		if !s.writes[i].deleted {
			n++
		}
	}
	return n
}
