package bunt

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/storage"
)

// filledJournal makes a directory as a process leaves it that is killed under
// SyncAlways: four records, and zeros behind them.
func filledJournal(t *testing.T) (dir, path string, states [][]string) {
	t.Helper()
	s, err := Open(Options{Dir: t.TempDir(), Sync: SyncAlways, manual: true})
	require.NoError(t, err)
	states = append(states, nil)
	for _, value := range []string{"1", "2", "3", "4"} {
		set(t, s, notes, "a", value, "b"+value, value)
		require.True(t, s.journal.fill())
		states = append(states, list(t, namespace(t, s, notes)))
	}
	for s.journal.fill() {
	}
	paths := files(t, s.dir, segmentSuffix)
	require.Len(t, paths, 1)
	content := s.Stats().JournalBytes
	require.Equal(t, s.journal.size, content)
	require.Len(t, readFile(t, paths[0]), int(content+fillAhead))
	dir = crash(t, s.dir)
	require.NoError(t, s.Close())
	require.Len(t, readFile(t, paths[0]), int(content), "an orderly end cuts the zeros off")
	return dir, files(t, dir, segmentSuffix)[0], states
}

// recordEnds returns where each record of a segment starts, and their end.
func recordEnds(t *testing.T, b []byte) []int {
	t.Helper()
	path := filepath.Join(t.TempDir(), segmentName(1))
	writeFile(t, path, bytes.TrimRight(b, "\x00"))
	return recordOffsets(t, path)
}

func TestZerosAheadAreNoDamage(t *testing.T) {
	dir, path, states := filledJournal(t)
	whole := readFile(t, path)
	end := recordEnds(t, whole)[4]
	for _, n := range []int{0, 1, 7, 8, recordHeader - 1, recordHeader, 4000, 3 << 20} {
		writeFile(t, path, append(whole[:end:end], make([]byte, n)...))
		report, err := Verify(t.Context(), dir, VerifyOptions{})
		require.NoError(t, err)
		require.Empty(t, report.Damage, "%d zeros", n)
		require.Empty(t, report.Notes, "%d zeros", n)
		require.Equal(t, 4, report.Records)
		var backup bytes.Buffer
		_, err = BackupDir(t.Context(), dir, &backup, VerifyOptions{})
		require.NoError(t, err)
		require.Less(t, backup.Len(), 4<<10, "a backup holds no zeros")
		s := openTest(t, Options{Dir: crash(t, dir), Sync: SyncAlways, Log: loud(t), manual: true})
		require.Equal(t, states[4], list(t, namespace(t, s, notes)))
		require.Len(t, readFile(t, files(t, s.dir, segmentSuffix)[0]), end)
	}
}

// What stands behind zeros is judged as what stands behind a torn record.
func TestBytesBehindZeros(t *testing.T) {
	dir, path, states := filledJournal(t)
	whole := readFile(t, path)
	ends := recordEnds(t, whole)
	known := readFile(t, filepath.Join(dir, manifestName))
	for name, test := range map[string]struct {
		change  func(b []byte)
		records int // that are found; below 0 is damage
	}{
		"a byte":              {func(b []byte) { b[ends[4]+5000] = 1 }, 4},
		"a byte in a header":  {func(b []byte) { b[ends[4]+12] = 1 }, 4},
		"the last byte":       {func(b []byte) { b[len(b)-1] = 1 }, 4},
		"the last record":     {func(b []byte) { clear(b[ends[3]:]) }, 3},
		"a record before it":  {func(b []byte) { clear(b[ends[2]:ends[3]]) }, -1},
		"the first record":    {func(b []byte) { clear(b[ends[0]:ends[1]]) }, -1},
		"its header":          {func(b []byte) { clear(b[ends[1] : ends[1]+recordHeader]) }, -1},
		"a record comes back": {func(b []byte) { copy(b[ends[4]+512:], b[ends[2]:ends[3]]) }, 4},
	} {
		b := slices.Clone(whole)
		test.change(b)
		writeFile(t, path, b)
		writeFile(t, filepath.Join(dir, manifestName), known)
		report, err := Verify(t.Context(), dir, VerifyOptions{})
		require.NoError(t, err, name)
		require.Equal(t, test.records < 0, len(report.Damage) > 0, "%s: %v", name, report.Damage)
		got, err := tryOpen(t, dir)
		if test.records < 0 {
			require.ErrorIs(t, err, storage.ErrDamaged, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, states[test.records], got, name)
	}
}

// After an orderly end it is known which record was the last.
func TestZeroedRecordAfterAnOrderlyEnd(t *testing.T) {
	dir, _, _ := filledJournal(t)
	s, err := Open(Options{Dir: dir, Log: quiet})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	path := files(t, dir, segmentSuffix)[0]
	b := readFile(t, path)
	clear(b[recordOffsets(t, path)[3]:])
	writeFile(t, path, b)
	_, err = tryOpen(t, dir)
	require.ErrorIs(t, err, storage.ErrDamaged)
	report, err := Verify(t.Context(), dir, VerifyOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, report.Damage)
}

// The zeros behind an earlier segment may be there after a power cut. Its
// successor knows its last record.
func TestZerosBehindAnEarlierSegment(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Sync: SyncAlways, Log: quiet, manual: true})
	require.NoError(t, err)
	set(t, s, notes, "a", "1")
	set(t, s, notes, "b", "2")
	require.True(t, s.journal.fill())
	require.NoError(t, s.journal.rotate(t.Context()))
	set(t, s, notes, "c", "3")
	want := list(t, namespace(t, s, notes))
	left := crash(t, dir)
	require.NoError(t, s.Close())
	first := files(t, left, segmentSuffix)[0]
	whole, ends := readFile(t, first), recordOffsets(t, first)
	require.Len(t, whole, ends[2], "rotation cuts the zeros off")

	for name, test := range map[string]struct {
		content []byte
		intact  bool
	}{
		"zeros":            {append(slices.Clone(whole), make([]byte, 5000)...), true},
		"a zeroed record":  {append(whole[:ends[1]:ends[1]], make([]byte, len(whole)-ends[1])...), false},
		"bytes behind":     {append(append(slices.Clone(whole), make([]byte, 5000)...), 1), false},
		"no records":       {append(whole[:ends[0]:ends[0]], make([]byte, 5000)...), false},
		"a torn record":    {whole[:ends[2]-1], false},
		"nothing is wrong": {whole, true},
	} {
		writeFile(t, first, test.content)
		report, err := Verify(t.Context(), left, VerifyOptions{})
		require.NoError(t, err)
		require.Equal(t, test.intact, len(report.Damage) == 0, "%s: %v", name, report.Damage)
		var backup bytes.Buffer
		_, err = BackupDir(t.Context(), left, &backup, VerifyOptions{})
		if test.intact {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, storage.ErrDamaged, name)
		}
		got, err := tryOpen(t, crash(t, left))
		if !test.intact {
			require.ErrorIs(t, err, storage.ErrDamaged, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}

	// What such a directory is repaired to has the rest.
	writeFile(t, first, append(whole[:ends[1]:ends[1]], make([]byte, 5000)...))
	result, err := Repair(t.Context(), left, VerifyOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, result.Aside)
	got, err := tryOpen(t, left)
	require.NoError(t, err)
	require.Len(t, got, 2)
}

// A backup of a server that writes zeros ahead has none of them.
func TestBackupWithZerosAhead(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), Sync: SyncAlways, manual: true})
	set(t, s, notes, "a", "1")
	require.True(t, s.journal.fill())
	var backup bytes.Buffer
	_, err := s.Backup(t.Context(), &backup, nil)
	require.NoError(t, err)
	require.Less(t, backup.Len(), 4<<10)
	file := filepath.Join(t.TempDir(), "backup")
	writeFile(t, file, backup.Bytes())
	to := filepath.Join(t.TempDir(), "data")
	_, report, err := Restore(t.Context(), file, to, VerifyOptions{})
	require.NoError(t, err)
	require.Equal(t, 1, report.Records)
}

// A disk that is full while zeros are written refuses no record that fits.
func TestNoSpaceForZeros(t *testing.T) {
	s, d := onDisk(t, SyncAlways)
	set(t, s, notes, "a", "1")
	size := s.journal.size
	d.space = 300
	require.False(t, s.journal.fill())
	require.False(t, s.journal.fill(), "not again before a while has passed")
	require.EqualValues(t, 300, s.journal.ahead.filled.Load()-size)
	for i := 0; s.journal.size+100 < size+300; i++ {
		require.NoError(t, tryWrite(t, s, notes, "a", fmt.Sprint(i)))
	}
	before := holdings(t, s, notes)
	err := tryWrite(t, s, notes, "b", string(make([]byte, 300)))
	require.ErrorIs(t, err, syscall.ENOSPC)
	d.space = -1
	s.mend()
	require.Equal(t, before, holdings(t, s, notes))
	require.NoError(t, tryWrite(t, s, notes, "b", "1"))
	s.journal.tick()
	require.True(t, s.journal.fill(), "it goes on with zeros")

	// No zeros, and the records go on behind the file's end.
	d.fault = failing("write", segmentSuffix, syscall.EIO)
	s.journal.fill()
	d.fault = nil
	require.NoError(t, tryWrite(t, s, notes, "c", string(make([]byte, 2*fillPiece))))
	before = holdings(t, s, notes)
	left := d.cut()
	_ = s.Close()
	next := openTest(t, Options{Dir: s.dir, Sync: SyncAlways, Log: quiet, fs: left, manual: true})
	require.Equal(t, before, holdings(t, next, notes))
}

// Zeros are for SyncAlways: nobody waits for the other fsyncs.
func TestNoZerosInOtherModes(t *testing.T) {
	for _, mode := range []SyncMode{SyncEverySecond, SyncNo} {
		s := openTest(t, Options{Dir: t.TempDir(), Sync: mode, manual: true})
		set(t, s, notes, "a", "1")
		require.False(t, s.journal.fill())
		info, err := os.Stat(files(t, s.dir, segmentSuffix)[0])
		require.NoError(t, err)
		require.Equal(t, s.journal.size, info.Size())
	}
}

// The goroutine in earnest, with rotations.
func TestFillerUnderLoad(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir(), Sync: SyncAlways, SegmentBytes: 3 * fillPiece, Log: quiet})
	value := string(make([]byte, 10_000))
	for i := range 100 {
		set(t, s, notes, fmt.Sprint(i%7), value)
	}
	eventually(t, "zeros ahead", func() bool { return s.journal.ahead.filled.Load() > s.journal.ahead.used.Load() })
	want := holdings(t, s, notes)
	c := openTest(t, Options{Dir: crash(t, s.dir), Log: loud(t)})
	require.Equal(t, want, holdings(t, c, notes))
}

// loud fails a test that logs a warning.
func loud(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(logFails{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type logFails struct{ t *testing.T }

func (w logFails) Write(b []byte) (int, error) {
	w.t.Errorf("logged: %s", b)
	return len(b), nil
}
