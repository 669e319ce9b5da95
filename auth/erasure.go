package auth

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// Erasure says what a drop has erased. The store's history may hold remains of
// it for a while; SignOff tells when they are gone.
type Erasure struct {
	Tenant     string `json:"tenant"`
	App        string `json:"app,omitempty"` // empty for all of the tenant's
	At         int64  `json:"at"`            // Unix milliseconds
	Namespaces int    `json:"namespaces"`
	Tokens     int    `json:"tokens"`
	Keys       int64  `json:"keys"`  // live ones, of both databases
	Bytes      int64  `json:"bytes"` // of those keys and their values
	// Uncounted is how many of the namespaces are missing in Keys and Bytes: they
	// could not be read, or a crash came before they were counted.
	Uncounted int `json:"uncounted,omitempty"`
}

// gone is a drop whose remains may be on the disk.
type gone struct {
	Erasure
	key   string                  // of its record
	left  map[storage.ID]struct{} // still to be erased
	after uint64                  // once left is empty: where the store's history was then
}

// newGone begins the record of a drop; changing is held.
func (d *Directory) newGone(ids []storage.ID, of Erasure) *gone {
	of.At, of.Namespaces, of.Uncounted = d.clock().UnixMilli(), len(ids), len(ids)
	g := &gone{Erasure: of, left: make(map[storage.ID]struct{})}
	for _, id := range ids {
		g.left[id] = struct{}{}
		g.Tokens += len(d.apps[id].tokens)
	}
	for n := g.At; ; n++ { // a number that is free
		g.key = goneKey + strconv.FormatInt(n, 10)
		if d.gone[g.key] == nil {
			return g
		}
	}
}

// history is the newest position of the store's, 0 without any.
func (d *Directory) history() uint64 {
	f, ok := d.store.(storage.Forgetter)
	if !ok {
		return 0
	}
	_, newest := f.History()
	return newest
}

// putGone keeps the record as long as the store has a history.
func (d *Directory) putGone(tx storage.Tx, g *gone) error {
	if _, ok := d.store.(storage.Forgetter); !ok {
		return nil
	}
	return put(tx, g.key, g.Erasure)
}

// loadGone reads a record of an earlier process.
func (d *Directory) loadGone(key string, text []byte) error {
	g := &gone{key: key, left: make(map[storage.ID]struct{})}
	if err := json.Unmarshal(text, &g.Erasure); err != nil {
		return err
	}
	d.gone[key] = g
	return nil
}

// resumeGone judges the records of an earlier process by where the store's
// history is now, which is after them.
func (d *Directory) resumeGone() {
	for _, g := range d.gone {
		g.after = d.history()
	}
}

// holds counts what a namespace holds; below 0 when it cannot be read, which
// must not keep it from being erased.
func (d *Directory) holds(ctx context.Context, id storage.ID) (keys, bytes int64) {
	for db := range storage.Databases {
		space, err := d.store.Namespace(ctx, db, id)
		if err == nil {
			_, err = space.View(ctx, nil, func(tx storage.Tx) error {
				u := tx.Usage()
				keys += u.Keys
				bytes += u.Bytes
				return nil
			})
		}
		if err != nil {
			return -1, -1
		}
	}
	return keys, bytes
}

// erased notes that the data of an app is gone; changing is held.
func (d *Directory) erased(ctx context.Context, id storage.ID, keys, bytes int64) error {
	var of []*gone
	for _, g := range d.gone {
		if _, ok := g.left[id]; !ok {
			continue
		}
		if keys >= 0 {
			g.Keys += keys
			g.Bytes += bytes
			g.Uncounted--
		}
		of = append(of, g)
	}
	err := d.commit(ctx, func(tx storage.Tx) error {
		for _, g := range of {
			if err := d.putGone(tx, g); err != nil {
				return err
			}
		}
		return tx.Delete(dropKey + id.String())
	})
	if err != nil {
		return err
	}
	delete(d.erasing, id)
	for _, g := range of {
		delete(g.left, id)
		if g.after = d.history(); len(g.left) == 0 {
			if _, ok := d.store.(storage.Forgetter); !ok {
				delete(d.gone, g.key) // there is no history
			}
		}
	}
	return nil
}

// SignOff returns the drops of whose data nothing is left, since the store's
// history now begins at oldest, the first first. Each is returned once. Errors:
// the store's.
func (d *Directory) SignOff(ctx context.Context, oldest uint64) ([]Erasure, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	var done []*gone
	for _, g := range d.gone {
		if len(g.left) == 0 && g.after < oldest {
			done = append(done, g)
		}
	}
	if len(done) == 0 {
		return nil, nil
	}
	err := d.commit(ctx, func(tx storage.Tx) error {
		for _, g := range done {
			if err := tx.Delete(g.key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(done, func(a, b *gone) int { return strings.Compare(a.key, b.key) })
	list := make([]Erasure, len(done))
	for i, g := range done {
		delete(d.gone, g.key)
		list[i] = g.Erasure
	}
	return list, nil
}
