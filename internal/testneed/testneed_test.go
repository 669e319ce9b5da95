package testneed_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/testneed"
)

func TestProgramThatIsThere(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	require.Equal(t, self, testneed.Program(t, self))
}

func TestMissingProgramSkips(t *testing.T) {
	t.Setenv("CUBBY_TEST_REQUIRE", "")
	r := ended(t)
	require.True(t, r.skipped)
	require.False(t, r.failed)
}

func TestMissingProgramFailsWhereItIsRequired(t *testing.T) {
	t.Setenv("CUBBY_TEST_REQUIRE", "1")
	r := ended(t)
	require.True(t, r.failed)
	require.False(t, r.skipped)
}

// recorder stands in for the test that asks, and ends as one does.
type recorder struct {
	testing.TB
	skipped, failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Skipf(string, ...any)  { r.skipped = true; panic(r) }
func (r *recorder) Fatalf(string, ...any) { r.failed = true; panic(r) }

func ended(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	require.PanicsWithValue(t, r, func() { testneed.Program(r, "no-such-program-anywhere") })
	return r
}
