package bunt

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// A drop whose record is written but not durable has happened, and says that a
// power cut may undo it. One whose record is not written has not.
func TestDropThatFails(t *testing.T) {
	for _, mode := range []SyncMode{SyncEverySecond, SyncAlways} {
		s, d := onDisk(t, mode)
		set(t, s, notes, "a", "1")
		require.NoError(t, s.Compact(t.Context()))
		set(t, s, notes, "b", "1")
		before := holdings(t, s, notes)
		d.fault = failing("sync", segmentSuffix, syscall.EIO)
		err := s.Drop(t.Context(), notes)
		require.ErrorIs(t, err, storage.ErrWriteFailed)
		if mode == SyncEverySecond {
			require.ErrorContains(t, err, "is erased")
			before = holdings(t, s)
			before[notes.String()] = nil
		}
		d.fault = nil
		s.mend()
		require.Equal(t, before, holdings(t, s, notes), mode)
		next := d.killed()
		_ = s.Close()
		s = openTest(t, Options{Dir: s.dir, fs: next, manual: true, Log: quiet})
		require.Equal(t, before, holdings(t, s, notes), "a restart agrees")
	}
}

// As long as a power cut may undo a drop, the namespace's snapshot stays: what
// comes back is whole.
func TestDropThatIsUndone(t *testing.T) {
	rnd := seeded(t)
	for range 20 {
		s, d := onDisk(t, SyncEverySecond)
		d.rnd = rnd
		set(t, s, notes, "a", "1")
		require.NoError(t, s.Compact(t.Context()))
		set(t, s, notes, "b", "1")
		require.NoError(t, s.journal.rotate(t.Context()))
		whole := list(t, namespace(t, s, notes))
		d.fault = failing("sync", segmentSuffix, syscall.EIO)
		require.ErrorIs(t, s.Drop(t.Context(), notes), storage.ErrWriteFailed)
		d.fault = nil
		require.ErrorIs(t, s.compactClosed(t.Context()), storage.ErrWriteFailed)
		next := d.cut()
		_ = s.Close()
		s = openTest(t, Options{Dir: s.dir, fs: next, manual: true, Log: quiet})
		if got := list(t, namespace(t, s, notes)); len(got) > 0 {
			require.Equal(t, whole, got)
		}
	}
}
