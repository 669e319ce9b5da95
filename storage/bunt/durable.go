package bunt

import (
	"context"

	"github.com/cubbykv/cubby/storage"
)

var (
	_ storage.Syncer    = (*Store)(nil)
	_ storage.Compactor = (*Store)(nil)
)

// SyncTo makes everything up to seq durable, whatever the SyncMode. In memory
// there is nothing to wait for. Errors: storage.ErrWriteFailed,
// storage.ErrClosed, the context's.
func (s *Store) SyncTo(ctx context.Context, seq storage.Seq) error {
	if s.closed.Load() {
		return storage.ErrClosed
	}
	if s.journal == nil || seq <= s.Durable() {
		return nil
	}
	return s.journal.sync(ctx, uint64(seq))
}

// Durable returns the newest write that is known to be durable.
func (s *Store) Durable() storage.Seq {
	if s.journal == nil {
		return storage.NeverSeq
	}
	return s.journal.ticket(s.journal.durable.Load())
}
