package auth

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/cubbykv/cubby/storage"
)

// VersionKeyLen is how many bytes VersionKey has.
const VersionKeyLen = 12

// VersionKey is the secret under which clients see versions of entries. It is
// made once and stays with the data: what a client remembers holds after a
// restart, and in a restored backup.
func (d *Directory) VersionKey() [VersionKeyLen]byte { return d.versionKey }

// loadVersionKey takes over the stored key.
func (d *Directory) loadVersionKey(value []byte) error {
	if copy(d.versionKey[:], value) != VersionKeyLen || len(value) != VersionKeyLen {
		return fmt.Errorf("it has %d bytes instead of %d", len(value), VersionKeyLen)
	}
	return nil
}

// makeVersionKey makes the key of a new store.
func (d *Directory) makeVersionKey(ctx context.Context) error {
	_, _ = rand.Read(d.versionKey[:]) // never fails: crypto/rand ends the process instead
	return d.commit(ctx, func(tx storage.Tx) error {
		return tx.Set(versionKeyName, storage.Entry{Value: d.versionKey[:]})
	})
}
