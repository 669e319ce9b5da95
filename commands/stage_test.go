package commands

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

// TestStageAnswersLikeTheStore runs random writes on a stage and, straight, on
// another store: whatever is asked, before and after commit, they agree.
func TestStageAnswersLikeTheStore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clock := storetest.NewClock()
		id := storage.ID{Tenant: "t", App: "a"}
		open := func() storage.Namespace {
			ns, err := storetest.NewMemory(clock).Namespace(context.Background(), storage.Durable, id)
			require.NoError(rt, err)
			return ns
		}
		staged, straight := open(), open()
		key := rapid.Custom(func(rt *rapid.T) string { return fmt.Sprintf("k%d", rapid.IntRange(0, 14).Draw(rt, "key")) })
		for _, ns := range []storage.Namespace{staged, straight} {
			_, err := ns.Update(context.Background(), nil, func(tx storage.Tx) error {
				for i := range 8 {
					require.NoError(rt, tx.Set(fmt.Sprintf("k%d", i), storage.Entry{Value: []byte("old")}))
				}
				return nil
			})
			require.NoError(rt, err)
		}
		type op struct {
			kind, key string
			expiresAt int64
		}
		ops := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) op {
			return op{
				kind:      rapid.SampledFrom([]string{"set", "set", "set", "delete", "delete", "clear"}).Draw(rt, "kind"),
				key:       key.Draw(rt, "key"),
				expiresAt: rapid.SampledFrom([]int64{0, 0, clock.Now() - 1, clock.Now() + 1000}).Draw(rt, "expiry"),
			}
		}), 0, 30).Draw(rt, "ops")
		apply := func(tx storage.Tx, o op) (err error) {
			switch o.kind {
			case "set":
				err = tx.Set(o.key, storage.Entry{Value: []byte("new " + o.key), ExpiresAt: o.expiresAt})
			case "delete":
				err = tx.Delete(o.key)
			case "clear":
				err = tx.Clear()
			}
			return err
		}
		var fromStage, fromStore []string
		_, err := staged.Update(context.Background(), nil, func(base storage.Tx) error {
			var s stage
			s.reset(base)
			fromStage = nil
			for _, o := range ops {
				fromStage = append(fromStage, fmt.Sprint(apply(&s, o)), describe(rt, &s))
			}
			require.NoError(rt, s.commit())
			fromStage = append(fromStage, describe(rt, base))
			return nil
		})
		require.NoError(rt, err)
		_, err = straight.Update(context.Background(), nil, func(tx storage.Tx) error {
			fromStore = nil
			for _, o := range ops {
				fromStore = append(fromStore, fmt.Sprint(apply(tx, o)), describe(rt, tx))
			}
			fromStore = append(fromStore, describe(rt, tx))
			return nil
		})
		require.NoError(rt, err)
		require.Equal(rt, fromStore, fromStage)
	})
}

// describe is everything that a transaction can tell, versions aside: a stage
// has none to give.
func describe(t require.TestingT, tx storage.Tx) string {
	var rows []string
	collect := func(key string, e storage.Entry) bool {
		rows = append(rows, fmt.Sprintf("%s=%s@%d", key, e.Value, e.ExpiresAt))
		return true
	}
	require.NoError(t, tx.Ascend("", collect))
	rows = append(rows, "from k5:")
	require.NoError(t, tx.Ascend("k5", collect))
	rows = append(rows, "first two:")
	n := 0
	require.NoError(t, tx.Ascend("", func(key string, _ storage.Entry) bool { n++; rows = append(rows, key); return n < 2 }))
	for i := range 15 {
		e, err := tx.Get(fmt.Sprintf("k%d", i))
		rows = append(rows, fmt.Sprintf("%s %v", e.Value, err))
	}
	key, err := tx.Random()
	if err == nil {
		_, err = tx.Get(key)
		require.NoError(t, err, "Random gave a key that is not there")
	}
	return fmt.Sprint(rows, tx.Usage(), err)
}

func TestStageKeepsThePositionOfManyWrites(t *testing.T) {
	clock := storetest.NewClock()
	ns, err := storetest.NewMemory(clock).Namespace(context.Background(), storage.Durable, storage.ID{Tenant: "t", App: "a"})
	require.NoError(t, err)
	_, err = ns.Update(context.Background(), nil, func(base storage.Tx) error {
		var s stage
		s.reset(base)
		for round := range 2 {
			for i := range 3 * fewWrites {
				require.NoError(t, s.Set(fmt.Sprintf("k%02d", i), storage.Entry{Value: []byte{byte(round)}}))
			}
		}
		require.Len(t, s.writes, 3*fewWrites, "a second write replaces the first")
		require.EqualValues(t, 3*fewWrites, s.Usage().Keys)
		var keys []string
		require.NoError(t, s.Ascend("", func(key string, e storage.Entry) bool {
			require.Equal(t, []byte{1}, e.Value)
			keys = append(keys, key)
			return true
		}))
		require.True(t, slices.IsSorted(keys))
		return nil
	})
	require.NoError(t, err)
}
