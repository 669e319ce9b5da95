package storetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

var lifecycleCases = []testCase{
	{"namespaces and databases are apart", func(h *harness) {
		spaces := []*space{
			h.open(storage.Durable, acme), h.open(storage.Ephemeral, acme),
			h.open(storage.Durable, other), h.open(storage.Ephemeral, other),
			// The same letters, parted elsewhere.
			h.open(storage.Durable, storage.ID{Tenant: "acmen", App: "otes"}),
		}
		for i, s := range spaces {
			s.set("key", string(rune('a'+i)), "k"+string(rune('a'+i)), "v")
		}
		for i, s := range spaces {
			s.holds("key", string(rune('a'+i)))
			require.Len(h, s.keys(""), 2)
			require.EqualValues(h, 2, s.usage().Keys)
		}
		require.NoError(h, spaces[0].update(func(tx storage.Tx) error { return tx.Clear() }))
		require.Empty(h, spaces[0].keys(""))
		for _, s := range spaces[1:] {
			require.Len(h, s.keys(""), 2)
		}
	}},
	{"two handles are one namespace", func(h *harness) {
		a, b := h.notes(), h.notes()
		a.set("a", "1")
		b.holds("a", "1")
	}},
	{"drop", func(h *harness) {
		s, e, o := h.notes(), h.open(storage.Ephemeral, acme), h.open(storage.Durable, other)
		s.set("a", "1")
		s.setUntil("t", "1", h.in(time.Hour))
		e.set("b", "1")
		o.set("c", "1")
		require.NoError(h, h.store.Drop(h.Context(), acme))
		for _, old := range []*space{s, e} {
			require.ErrorIs(h, old.view(func(storage.Tx) error { return nil }), storage.ErrDropped)
			require.ErrorIs(h, old.update(func(storage.Tx) error { return nil }), storage.ErrDropped)
		}
		require.Zero(h, h.notes().usage())
		require.Empty(h, h.notes().keys(""))
		require.Zero(h, h.open(storage.Ephemeral, acme).usage())
		o.holds("c", "1")
		h.notes().set("a", "2")
		h.notes().holds("a", "2")
		h.clock.Advance(2 * time.Hour)
		h.notes().holds("a", "2")
	}},
	{"drop of what is not there", func(h *harness) {
		require.NoError(h, h.store.Drop(h.Context(), acme))
		require.NoError(h, h.store.Drop(h.Context(), acme))
		h.notes().set("a", "1")
	}},
	{"closed", func(h *harness) {
		s := h.notes()
		s.set("a", "1")
		require.NoError(h, h.store.Close())
		require.ErrorIs(h, s.view(func(storage.Tx) error { return nil }), storage.ErrClosed)
		require.ErrorIs(h, s.update(func(storage.Tx) error { return nil }), storage.ErrClosed)
		_, err := h.store.Namespace(h.Context(), storage.Durable, acme)
		require.ErrorIs(h, err, storage.ErrClosed)
		require.ErrorIs(h, h.store.Wait(h.Context(), 1), storage.ErrClosed)
		require.ErrorIs(h, h.store.Drop(h.Context(), acme), storage.ErrClosed)
		require.NoError(h, h.store.Close())
	}},
	{"a context that is over", func(h *harness) {
		s := h.notes()
		ctx, cancel := context.WithCancel(h.Context())
		cancel()
		_, err := s.ns.Update(ctx, nil, func(tx storage.Tx) error { return tx.Set("a", storage.Entry{}) })
		require.ErrorIs(h, err, context.Canceled)
		s.lacks("a")
	}},
	{"wait for nothing", func(h *harness) {
		require.NoError(h, h.store.Wait(h.Context(), 0))
		seq, err := h.notes().ns.View(h.Context(), nil, func(storage.Tx) error { return nil })
		require.NoError(h, err)
		require.NoError(h, h.store.Wait(h.Context(), seq))
	}},
	{"an update that writes nothing", func(h *harness) {
		s := h.notes()
		s.set("a", "1")
		before := s.holds("a", "1")
		require.NoError(h, s.update(func(storage.Tx) error { return nil }))
		require.Equal(h, before, s.holds("a", "1"))
	}},
}
