package auth

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// Bounds on how long replaced secrets go on, and how many of a token's.
const (
	// DefaultGrace is how long a replaced secret still opens what it opened, when
	// nobody says otherwise: long enough to hand the new one to a few servers.
	DefaultGrace = time.Minute
	maxGrace     = 30 * 24 * time.Hour
	maxFormer    = 8
)

// A token that was rotated is several: one for each secret that still opens it.
// All have one id and one scope. A session keeps the one that it signed in with,
// and ends with it.

// RotateToken gives a token a new secret, which is returned here and nowhere
// else. The secrets that it had go on for grace at most; with a grace of 0 none
// does. Errors: ErrNoToken, *InputError, the store's.
func (d *Directory) RotateToken(ctx context.Context, tokenID string, grace time.Duration) (secret string, t *Token, err error) {
	if grace < 0 || grace > maxGrace {
		return "", nil, inputErrorf("the grace is %s; 0 to %s are allowed", FormatDuration(grace), FormatDuration(maxGrace))
	}
	d.changing.Lock()
	defer d.changing.Unlock()
	d.mu.RLock()
	old := d.tokens[tokenID]
	d.mu.RUnlock()
	if old == nil {
		return "", nil, fmt.Errorf("%w: %s", ErrNoToken, tokenID)
	}
	now := d.clock().UnixMilli()
	if old.ended(now) {
		return "", nil, inputErrorf("the token has ended already")
	}
	until := now + grace.Milliseconds()
	t = &Token{ID: old.ID, App: old.App, Name: old.Name, CreatedAt: old.CreatedAt, RotatedAt: now, Scope: old.Scope}
	if secret, t.hash = mintSecret(t.ID); grace > 0 {
		t.former = slices.DeleteFunc(slices.Clone(old.former), func(f *Token) bool { return f.ended(now) })
		if len(t.former) >= maxFormer {
			return "", nil, inputErrorf("%d earlier secrets of the token still work; wait until they end, or end them now with a grace of 0", len(t.former))
		}
		t.former = append(t.former, old)
	}
	record := t.record()
	for i, f := range t.former {
		record.Former[i].Until = f.until.Load()
		if f == old {
			record.Former[i].Until = until
		}
	}
	if err := d.commit(ctx, func(tx storage.Tx) error { return put(tx, tokenKey+t.ID, record) }); err != nil {
		return "", nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old.until.Store(until)
	if grace == 0 {
		for _, f := range old.former {
			f.until.Store(now)
		}
	}
	d.tokens[t.ID], d.apps[t.App].tokens[t.ID] = t, t
	return secret, t, nil
}

// GraceEndsAt is when the last replaced secret that still works at now stops to,
// in Unix milliseconds; 0 when none does.
func (t *Token) GraceEndsAt(now int64) int64 {
	last := int64(0)
	for _, f := range t.former {
		if !f.ended(now) {
			last = max(last, f.until.Load())
		}
	}
	return last
}

// withdraw ends a token with all of its secrets.
func (t *Token) withdraw() {
	t.revoked.Store(true)
	for _, f := range t.former {
		f.revoked.Store(true)
	}
}
