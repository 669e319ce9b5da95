package auth

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/cubbykv/cubby/storage"
)

// commit writes to the directory and returns when they are durable. A
// change that was begun is finished even when its sender has gone: what is
// stored and what is in memory must not part.
func (d *Directory) commit(ctx context.Context, writes func(storage.Tx) error) error {
	ctx = context.WithoutCancel(ctx)
	seq, err := d.space.Update(ctx, nil, writes)
	if err == nil {
		err = d.store.Wait(ctx, seq)
	}
	if err != nil {
		return fmt.Errorf("auth: write to the directory: %w", err)
	}
	return nil
}

// CreateApp opens a namespace for an app. Errors: ErrAppExists, *InputError
// for limits that contradict each other, the store's.
func (d *Directory) CreateApp(ctx context.Context, id storage.ID, limits Overrides) (*App, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	if _, err := d.member(id); err == nil {
		return nil, fmt.Errorf("%w: %s", ErrAppExists, id)
	}
	app := &App{ID: id, CreatedAt: d.clock().UnixMilli()}
	limits = Overrides{}.with(limits)
	if err := d.judge(limits); err != nil {
		return nil, err
	}
	if err := app.override(limits, d.defaults); err != nil {
		return nil, err
	}
	if err := d.empty(ctx, id); err != nil {
		return nil, err
	}
	record := appRecord{app.CreatedAt, limits}
	if err := d.commit(ctx, func(tx storage.Tx) error { return put(tx, appKey+id.String(), record) }); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.apps[id] = &member{app: app, tokens: make(map[string]*Token)}
	d.mu.Unlock()
	return app, nil
}

// judge refuses overrides whose sum with the defaults makes no sense.
func (d *Directory) judge(o Overrides) error {
	limits, err := o.on(d.defaults)
	if err != nil {
		return err
	}
	return limits.check()
}

// SetLimits changes limits of an app, from its next command on. Errors:
// ErrNoApp, *InputError for limits that contradict each other, the store's.
func (d *Directory) SetLimits(ctx context.Context, id storage.ID, change Overrides) (*App, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	m, err := d.member(id)
	if err != nil {
		return nil, err
	}
	limits := m.app.Overrides().with(change)
	if err := d.judge(limits); err != nil {
		return nil, err
	}
	record := appRecord{m.app.CreatedAt, limits}
	if err := d.commit(ctx, func(tx storage.Tx) error { return put(tx, appKey+id.String(), record) }); err != nil {
		return nil, err
	}
	return m.app, m.app.override(limits, d.defaults)
}

// DropApp erases an app: its tokens, its data, its entry. Sessions of it lose
// access at their next command. Errors: ErrNoApp, the store's.
func (d *Directory) DropApp(ctx context.Context, id storage.ID) (Erasure, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	if _, err := d.member(id); err != nil {
		if _, again := d.erasing[id]; again {
			return Erasure{Tenant: id.Tenant, App: id.App}, d.erase(ctx, id) // what failed the last time
		}
		return Erasure{}, err
	}
	return d.drop(ctx, []storage.ID{id}, Erasure{Tenant: id.Tenant, App: id.App})
}

// DropTenant erases all apps of a tenant. Errors: the store's.
func (d *Directory) DropTenant(ctx context.Context, tenant string) (Erasure, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	for id := range maps.Clone(d.erasing) { // what failed the last time
		if id.Tenant == tenant {
			if err := d.erase(ctx, id); err != nil {
				return Erasure{}, err
			}
		}
	}
	var ids []storage.ID
	d.mu.RLock()
	for id := range d.apps {
		if id.Tenant == tenant {
			ids = append(ids, id)
		}
	}
	d.mu.RUnlock()
	if len(ids) == 0 {
		return Erasure{Tenant: tenant}, nil
	}
	slices.SortFunc(ids, compareIDs)
	return d.drop(ctx, ids, Erasure{Tenant: tenant})
}

// drop erases apps in two steps. First their entries and tokens go, all at
// once and durably; then the data. The other way round, a crash in between
// would leave tokens that open an empty namespace, and an app could write into
// what its owner believes erased. In this order it leaves data that nobody can
// open, and a note about it with which Open goes on.
func (d *Directory) drop(ctx context.Context, ids []storage.ID, of Erasure) (Erasure, error) {
	g := d.newGone(ids, of)
	err := d.commit(ctx, func(tx storage.Tx) error {
		if err := d.putGone(tx, g); err != nil {
			return err
		}
		for _, id := range ids {
			if err := put(tx, dropKey+id.String(), struct{}{}); err != nil {
				return err
			}
			if err := tx.Delete(appKey + id.String()); err != nil {
				return err
			}
			for token := range d.apps[id].tokens {
				if err := tx.Delete(tokenKey + token); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return g.Erasure, err
	}
	d.gone[g.key] = g
	d.mu.Lock()
	for _, id := range ids {
		m := d.apps[id]
		m.app.dropped.Store(true)
		for token, t := range m.tokens {
			t.withdraw()
			delete(d.tokens, token)
		}
		delete(d.apps, id)
	}
	d.mu.Unlock()
	for _, id := range ids {
		d.erasing[id] = struct{}{}
	}
	for _, id := range ids {
		if err := d.erase(ctx, id); err != nil {
			return g.Erasure, err
		}
	}
	return g.Erasure, nil
}

// erase removes the data of an app that is gone, then the note about it.
func (d *Directory) erase(ctx context.Context, id storage.ID) error {
	keys, bytes := d.holds(ctx, id)
	if err := d.store.Drop(context.WithoutCancel(ctx), id); err != nil {
		return fmt.Errorf("auth: erase the data of %s: %w", id, err)
	}
	return d.erased(ctx, id, keys, bytes)
}

// empty makes sure that a new app does not meet data of one that had its name:
// an erasure may have failed, and a command that was under way may have
// written once more after it.
func (d *Directory) empty(ctx context.Context, id storage.ID) error {
	if _, pending := d.erasing[id]; pending {
		return d.erase(ctx, id)
	}
	for db := range storage.Databases {
		space, err := d.store.Namespace(ctx, db, id)
		if err != nil {
			return fmt.Errorf("auth: open %s: %w", id, err)
		}
		var keys int64
		_, err = space.View(ctx, nil, func(tx storage.Tx) error {
			keys = tx.Usage().Keys
			return nil
		})
		if err == nil && keys > 0 {
			return d.store.Drop(ctx, id)
		}
		if err != nil {
			return fmt.Errorf("auth: look into %s: %w", id, err)
		}
	}
	return nil
}

// CreateToken makes a token for an app. The secret is returned here and
// nowhere else. Errors: ErrNoApp, *InputError, the store's.
func (d *Directory) CreateToken(ctx context.Context, id storage.ID, name string, scope Scope) (secret string, t *Token, err error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	m, err := d.member(id)
	if err != nil {
		return "", nil, err
	}
	now := d.clock().UnixMilli()
	if err := checkTokenName(name); err != nil {
		return "", nil, err
	}
	if err := scope.check(m.app.Limits(), now); err != nil {
		return "", nil, err
	}
	t = &Token{App: id, Name: name, CreatedAt: now, Scope: scope}
	t.Origins = slices.Clone(scope.Origins)
	t.ID, secret, t.hash = mintToken()
	for d.tokens[t.ID] != nil { // 80 random bits: never, but then it would hand out another's name
		t.ID, secret, t.hash = mintToken()
	}
	record := t.record()
	if err := d.commit(ctx, func(tx storage.Tx) error { return put(tx, tokenKey+t.ID, record) }); err != nil {
		return "", nil, err
	}
	d.mu.Lock()
	d.tokens[t.ID], m.tokens[t.ID] = t, t
	d.mu.Unlock()
	return secret, t, nil
}

// RevokeToken ends a token and tells whether it existed. Sessions with it lose
// access at their next command. Errors: the store's.
func (d *Directory) RevokeToken(ctx context.Context, tokenID string) (bool, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	d.mu.RLock()
	t := d.tokens[tokenID]
	d.mu.RUnlock()
	if t == nil {
		return false, nil
	}
	if err := d.commit(ctx, func(tx storage.Tx) error { return tx.Delete(tokenKey + t.ID) }); err != nil {
		return false, err
	}
	t.withdraw()
	d.mu.Lock()
	delete(d.tokens, t.ID)
	delete(d.apps[t.App].tokens, t.ID)
	d.mu.Unlock()
	return true, nil
}
