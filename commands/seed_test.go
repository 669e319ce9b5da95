package commands

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// seeded returns a source of random numbers that CUBBY_TEST_SEED repeats. A
// failing test prints its seed.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(chooseSeed(t), 0))
}

func chooseSeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("CUBBY_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "CUBBY_TEST_SEED")
	}
	t.Logf("repeat with CUBBY_TEST_SEED=%d", seed)
	return seed
}
