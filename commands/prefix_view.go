package commands

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// prefixTx is a transaction as a token with a key prefix sees it: a namespace in
// which only the keys under the prefix exist. Commands that list, count, pick or
// delete keys need not know of prefixes.
//
// Admission has judged the keys that a command names. That they are judged here
// once more is for the command whose row forgets one.
type prefixTx struct {
	storage.Tx
	ctx    context.Context
	prefix string
}

// narrow returns tx as the session's token may see it.
func (r *run) narrow(tx storage.Tx, db int) storage.Tx {
	prefix := r.session.principal.Prefix()
	if prefix == "" {
		return tx
	}
	n := &r.narrowed[db]
	n.Tx, n.ctx, n.prefix = tx, r.ctx, prefix
	return n
}

var errOutside = errors.New("commands: a command touched a key outside of its token's prefix")

func (t *prefixTx) covers(key string) error {
	if strings.HasPrefix(key, t.prefix) {
		return nil
	}
	return errOutside
}

// Get implements storage.Tx. Errors: also errOutside.
func (t *prefixTx) Get(key string) (storage.Entry, error) {
	if err := t.covers(key); err != nil {
		return storage.Entry{}, err
	}
	return t.Tx.Get(key)
}

// Set implements storage.Tx. Errors: also errOutside.
func (t *prefixTx) Set(key string, e storage.Entry) error {
	if err := t.covers(key); err != nil {
		return err
	}
	return t.Tx.Set(key, e)
}

// Delete implements storage.Tx. Errors: also errOutside.
func (t *prefixTx) Delete(key string) error {
	if err := t.covers(key); err != nil {
		return err
	}
	return t.Tx.Delete(key)
}

// Ascend implements storage.Tx. Errors: also the context's, since one of the
// walks below may be long.
func (t *prefixTx) Ascend(from string, yield func(string, storage.Entry) bool) error {
	const lookUp = 1024 // keys between two looks at the connection
	n := 0
	var cut error
	err := t.Tx.Ascend(max(from, t.prefix), func(key string, e storage.Entry) bool {
		if !strings.HasPrefix(key, t.prefix) {
			return false
		}
		if n++; n%lookUp == 0 {
			if cut = t.ctx.Err(); cut != nil {
				return false
			}
		}
		return yield(key, e)
	})
	return firstError(err, cut)
}

// Clear implements storage.Tx: it deletes one key after the other.
func (t *prefixTx) Clear() error {
	var keys []string
	err := t.Ascend("", func(key string, _ storage.Entry) bool {
		keys = append(keys, strings.Clone(key)) // who tracks it is told when the transaction is over
		return true
	})
	for i := 0; err == nil && i < len(keys); i++ {
		err = t.Tx.Delete(keys[i])
	}
	return err
}

// Random implements storage.Tx. It looks at all keys under the prefix: guesses
// in the whole namespace would take the longer the more others there are.
func (t *prefixTx) Random() (string, error) {
	seen, chosen := 0, ""
	err := t.Ascend("", func(key string, _ storage.Entry) bool {
		if seen++; rand.IntN(seen) == 0 {
			chosen = key
		}
		return true
	})
	if err == nil && seen == 0 {
		err = storage.ErrNotFound
	}
	return chosen, err
}

// Usage implements storage.Tx. A walk that was cut off counted for nobody.
func (t *prefixTx) Usage() storage.Usage {
	var u storage.Usage
	_ = t.Ascend("", func(key string, e storage.Entry) bool {
		u.Keys++
		u.Bytes += int64(len(key) + len(e.Value))
		return true
	})
	return u
}

// Purge implements storage.Tx. What has ended exists for nobody, and how much of
// it there is would tell of others.
func (t *prefixTx) Purge(int) (int, error) { return 0, errOutside }
