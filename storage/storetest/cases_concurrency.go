package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

var concurrencyCases = []testCase{
	{"updates run alone", func(h *harness) {
		const workers, rounds = 8, 50
		s := h.notes()
		h.parallel(workers, func(int) error {
			for range rounds {
				seq, err := s.ns.Update(context.Background(), nil, func(tx storage.Tx) error {
					n := 0
					if e, err := tx.Get("n"); err == nil {
						n, _ = strconv.Atoi(string(e.Value))
					}
					return tx.Set("n", storage.Entry{Value: []byte(strconv.Itoa(n + 1))})
				})
				if err == nil {
					err = h.store.Wait(context.Background(), seq)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		s.holds("n", strconv.Itoa(workers*rounds))
	}},
	{"a view sees whole updates", func(h *harness) {
		const rounds = 100
		s := h.notes()
		s.set("a", "0", "b", "0")
		h.parallel(4, func(worker int) error {
			for i := range rounds {
				var err error
				if worker == 0 {
					_, err = s.ns.Update(context.Background(), nil, func(tx storage.Tx) error {
						e := storage.Entry{Value: []byte(strconv.Itoa(i))}
						return errors.Join(tx.Set("a", e), tx.Set(fmt.Sprintf("x%d", i), e), tx.Set("b", e))
					})
				} else {
					_, err = s.ns.View(context.Background(), nil, func(tx storage.Tx) error {
						a, _ := tx.Get("a")
						var b storage.Entry
						n := int64(0)
						if err := tx.Ascend("", func(key string, e storage.Entry) bool {
							if key == "b" {
								b = e
							}
							n++
							return true
						}); err != nil {
							return err
						}
						if string(a.Value) != string(b.Value) || n != tx.Usage().Keys {
							return fmt.Errorf("a is %s, b is %s, %d keys listed, %d counted", a.Value, b.Value, n, tx.Usage().Keys)
						}
						return nil
					})
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}},
	{"namespaces at once, some dropped", func(h *harness) {
		const workers, rounds = 8, 40
		h.parallel(workers, func(worker int) error {
			ctx := context.Background()
			for i := range rounds {
				id := storage.ID{Tenant: "t", App: "a" + strconv.Itoa((worker+i)%4)}
				if worker == 0 && i%10 == 9 {
					if err := h.store.Drop(ctx, id); err != nil {
						return err
					}
					continue
				}
				ns, err := h.store.Namespace(ctx, i%2, id)
				if err != nil {
					return err
				}
				seq, err := ns.Update(ctx, nil, func(tx storage.Tx) error {
					key := strconv.Itoa(i % 10)
					if i%7 == 0 {
						return tx.Clear()
					}
					if i%3 == 0 {
						if err := tx.Delete(key); !errors.Is(err, storage.ErrNotFound) {
							return err
						}
						return nil
					}
					return tx.Set(key, storage.Entry{Value: []byte(key), ExpiresAt: tx.Now() + 3_600_000})
				})
				if errors.Is(err, storage.ErrDropped) {
					continue
				}
				if err != nil {
					return err
				}
				if err := h.store.Wait(ctx, seq); err != nil {
					return err
				}
			}
			return nil
		})
		for app := range 4 {
			for db := range storage.Databases {
				h.open(db, storage.ID{Tenant: "t", App: "a" + strconv.Itoa(app)})
			}
		}
	}},
}

// parallel runs a function in several goroutines and checks what they return.
func (h *harness) parallel(workers int, fn func(worker int) error) {
	h.Helper()
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() { errs[worker] = fn(worker) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(h, err)
	}
}
