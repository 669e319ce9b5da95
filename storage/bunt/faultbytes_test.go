package bunt

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// Damage anywhere in any file after a clean end is refused, with the file's
// name, or does not matter: nothing but what was written is ever served.
//
// CUBBY_TEST_SEED repeats a run, CUBBY_TEST_STEPS is the number of damages.
func TestRandomDamage(t *testing.T) {
	steps := 4000
	if raceEnabled || testing.Short() {
		steps = 500
	}
	steps = int(envNumber(t, "CUBBY_TEST_STEPS", uint64(steps)))
	seed := envNumber(t, "CUBBY_TEST_SEED", rand.Uint64()>>1)
	rnd := rand.New(rand.NewPCG(seed, 0))

	dir := t.TempDir()
	image := newDisk(dir, rnd)
	opts := Options{Dir: dir, SegmentBytes: 3000, Log: quiet, IndexShards: 1, manual: true}
	opts.fs = image
	s, err := Open(opts)
	require.NoError(t, err)
	for i := range 60 {
		if i == 25 {
			require.NoError(t, s.Compact(t.Context()))
		}
		set(t, s, crashSpaces[i%3], fmt.Sprintf("k%d", i%11), fmt.Sprint(rnd.Uint64()), "same", fmt.Sprint(i))
	}
	want := holdings(t, s, crashSpaces...)
	require.NoError(t, s.Close())
	paths := image.files(dir)
	require.Greater(t, len(paths), 5)

	refused := 0
	for range steps {
		path := paths[rnd.IntN(len(paths))]
		damaged := image.cut()
		whole := image.find(path).data
		b, what := hurt(rnd, whole)
		damaged.find(path).data = b
		at := fmt.Sprintf("CUBBY_TEST_SEED=%d: %s of %s", seed, what, path)
		opts.fs = damaged
		broken := readDamaged(t, opts, want, at)
		refused += broken
		if string(b) != string(whole) {
			require.Positive(t, broken, at)
		}
	}
	t.Logf("CUBBY_TEST_SEED=%d: %d damages, %d refusals", seed, steps, refused)
}

// readDamaged opens a directory and returns how often something was refused.
func readDamaged(t *testing.T, opts Options, want map[string][]string, at string) (refused int) {
	t.Helper()
	s, err := Open(opts)
	if err != nil {
		require.ErrorIs(t, err, storage.ErrDamaged, at)
		require.ErrorContains(t, err, opts.Dir, at)
		return 1
	}
	defer func() { require.NoError(t, s.Close(), at) }()
	for _, id := range crashSpaces {
		ns, err := s.Namespace(t.Context(), storage.Durable, id)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrDamaged, at)
			refused++
			continue
		}
		require.Equal(t, want[id.String()], list(t, ns), at)
	}
	return refused
}

// hurt returns damaged bytes and says what was done.
func hurt(rnd *rand.Rand, whole []byte) ([]byte, string) {
	b := append([]byte(nil), whole...)
	from := rnd.IntN(len(b))
	to := min(len(b), from+1+rnd.IntN(600))
	switch rnd.IntN(6) {
	case 0:
		b[from] ^= 1 << rnd.IntN(8)
		return b, fmt.Sprintf("bit in byte %d", from)
	case 1:
		for i := from; i < to; i++ {
			b[i] = byte(rnd.Uint32())
		}
		return b, fmt.Sprintf("noise from %d to %d", from, to)
	case 2:
		clear(b[from:to])
		return b, fmt.Sprintf("zeros from %d to %d", from, to)
	case 3:
		return b[:from], fmt.Sprintf("end from %d", from)
	case 4:
		return append(b[:from:from], b[to:]...), fmt.Sprintf("hole from %d to %d", from, to)
	default:
		copy(b[from:to], b[rnd.IntN(len(b)):])
		return b, fmt.Sprintf("other bytes from %d to %d", from, to)
	}
}
