package bunt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/buntdb"

	"github.com/cubbykv/cubby/storage"
)

// shard is an ordered index that several spaces share: an in-memory buntdb.
//
// A row stands for a page of keys that follow each other (pages.go): it is the
// number of its space (4 bytes, big endian), then where the page begins; its
// value is the page's number in the space. Rows have no expiry of their own:
// buntdb would list every due one under its lock each second, hide rows that the
// store's clock calls alive, and make each SET EX an index write. Instead each space that has a due time owns one alarm row, number 0
// followed by the space's id, with buntdb's native expiry.
//
// buntdb's own file is not used: it has no checksums, loses half a transaction
// at a torn end and is not locked against a second process.
type shard struct {
	opening sync.Once // a store in memory for a test needs one of its shards
	db      *buntdb.DB
	onDue   func([]*space)

	mu    sync.Mutex
	armed map[uint32]*space // by id, those that have an alarm row
}

const prefixLen = 4

// spacePrefix is what all rows of a space start with.
func spacePrefix(number uint32) string {
	var b [prefixLen]byte
	binary.BigEndian.PutUint32(b[:], number)
	return string(b[:])
}

// alarmRow names the alarm of a space. Space numbers start at 1.
func alarmRow(id uint32) string { return spacePrefix(0) + spacePrefix(id) }

// change adds or removes a row.
type change struct {
	row    string
	value  string
	remove bool
}

// alarm asks for a call after a while. The zero value asks for nothing.
type alarm struct {
	space *space
	after time.Duration
	off   bool // remove the alarm instead
}

// maxAlarm bounds how long an alarm sleeps, so that a system clock that jumps
// ahead delays a purge by no more.
const maxAlarm = time.Hour

func (s *shard) index() (*buntdb.DB, error) {
	var err error
	s.opening.Do(func() {
		s.db, err = buntdb.Open(":memory:")
		if err != nil {
			return
		}
		var cfg buntdb.Config
		if err = s.db.ReadConfig(&cfg); err == nil {
			cfg.OnExpired = s.fired
			err = s.db.SetConfig(cfg)
		}
	})
	if err != nil {
		return nil, err
	}
	if s.db == nil {
		return nil, storage.ErrClosed
	}
	return s.db, nil
}

func (s *shard) close() {
	s.opening.Do(func() {})
	if s.db != nil {
		_ = s.db.Close() // in memory: only "already closed" can be reported
	}
}

// apply makes changes in order, and sets or removes an alarm, in one step.
func (s *shard) apply(changes []change, a alarm) error {
	if len(changes) == 0 && a.space == nil {
		return nil
	}
	db, err := s.index()
	if err != nil {
		return err
	}
	if a.space != nil {
		s.mu.Lock()
		if a.off {
			delete(s.armed, a.space.id)
		} else {
			if s.armed == nil {
				s.armed = make(map[uint32]*space)
			}
			s.armed[a.space.id] = a.space
		}
		s.mu.Unlock()
	}
	return indexUpdate(db, func(tx *buntdb.Tx) error {
		for _, c := range changes {
			if c.remove {
				if err := deleteRow(tx, c.row); err != nil {
					return err
				}
			} else if _, _, err := tx.Set(c.row, c.value, nil); err != nil {
				return err
			}
		}
		switch {
		case a.space == nil:
			return nil
		case a.off:
			return deleteRow(tx, alarmRow(a.space.id))
		default:
			_, _, err := tx.Set(alarmRow(a.space.id), "", &buntdb.SetOptions{Expires: true, TTL: a.after})
			return err
		}
	})
}

// indexUpdate turns a panic into an error: buntdb commits what a panicking
// transaction did so far.
func indexUpdate(db *buntdb.DB, fn func(*buntdb.Tx) error) error {
	return db.Update(func(tx *buntdb.Tx) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("index update: %v", p)
			}
		}()
		return fn(tx)
	})
}

// deleteRow removes a row that may be missing. buntdb calls an expired row
// missing too, and removes it.
func deleteRow(tx *buntdb.Tx, row string) error {
	if _, err := tx.Delete(row); err != nil && !errors.Is(err, buntdb.ErrNotFound) {
		return err
	}
	return nil
}

// scan appends to dst up to limit rows that start with prefix and are not less
// than from, in order.
func (s *shard) scan(dst []string, prefix, from string, limit int) ([]string, error) {
	db, err := s.index()
	if err != nil {
		return dst, err
	}
	err = db.View(func(tx *buntdb.Tx) error {
		return tx.AscendGreaterOrEqual("", from, func(row, _ string) bool {
			if limit == 0 || !strings.HasPrefix(row, prefix) {
				return false
			}
			dst = append(dst, row)
			limit--
			return true
		})
	})
	return dst, err
}

// pageRow is a row of a page.
type pageRow struct {
	row  string
	page uint32
}

// floor returns the last row that starts with prefix and is not greater than
// row; without one, its page is 0.
func (s *shard) floor(prefix, row string) (found pageRow, err error) {
	db, err := s.index()
	if err != nil {
		return found, err
	}
	err = db.View(func(tx *buntdb.Tx) error {
		return tx.DescendLessOrEqual("", row, func(row, page string) bool {
			if strings.HasPrefix(row, prefix) {
				found = pageRow{row, pageNumber(page)}
			}
			return false
		})
	})
	return found, err
}

// after appends to dst up to limit rows that start with prefix and are greater
// than row, in order.
func (s *shard) after(dst []pageRow, prefix, row string, limit int) ([]pageRow, error) {
	db, err := s.index()
	if err != nil {
		return dst, err
	}
	err = db.View(func(tx *buntdb.Tx) error {
		return tx.AscendGreaterOrEqual("", row+"\x00", func(row, page string) bool {
			if limit == 0 || !strings.HasPrefix(row, prefix) {
				return false
			}
			dst = append(dst, pageRow{row, pageNumber(page)})
			limit--
			return true
		})
	})
	return dst, err
}

// deletePrefix removes up to limit rows of a space number that is no longer in
// use, and tells whether there may be more.
func (s *shard) deletePrefix(prefix string, limit int) (more bool, err error) {
	rows, err := s.scan(nil, prefix, prefix, limit)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	changes := make([]change, len(rows))
	for i, row := range rows {
		changes[i] = change{row: row, remove: true}
	}
	return len(rows) == limit, s.apply(changes, alarm{})
}

// fired gets the alarm rows that are due. buntdb calls again each second until
// the row is gone or has a later time.
func (s *shard) fired(rows []string) {
	spaces := make([]*space, 0, len(rows))
	s.mu.Lock()
	for _, row := range rows {
		if len(row) != 2*prefixLen {
			continue
		}
		if sp := s.armed[binary.BigEndian.Uint32([]byte(row[prefixLen:]))]; sp != nil {
			spaces = append(spaces, sp)
		}
	}
	s.mu.Unlock()
	s.onDue(spaces)
}
