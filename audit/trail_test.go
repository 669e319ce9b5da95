package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// faultyFS is the system's files with faults.
type faultyFS struct {
	systemFS
	mu       sync.Mutex
	write    error         // of the next writes
	part     int           // how many bytes such a write takes
	truncate error         // of the next truncations
	rename   error         // of the next renames
	syncErr  error         // of the next syncs
	hold     chan struct{} // a write waits until it is closed; may be nil
	syncs    int
}

type faultyFile struct {
	file
	fs *faultyFS
}

func (f *faultyFS) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *faultyFS) Open(name string) (file, error) {
	opened, err := f.systemFS.Open(name)
	return faultyFile{opened, f}, err
}

func (f *faultyFS) Rename(from, to string) error {
	if f.rename != nil {
		return f.rename
	}
	return f.systemFS.Rename(from, to)
}

func (f faultyFile) Write(b []byte) (int, error) {
	f.fs.mu.Lock()
	err, part, hold := f.fs.write, f.fs.part, f.fs.hold
	f.fs.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if err != nil {
		n, _ := f.file.Write(b[:min(part, len(b))])
		return n, err
	}
	return f.file.Write(b)
}

func (f faultyFile) Truncate(size int64) error {
	if f.fs.truncate != nil {
		return f.fs.truncate
	}
	return f.file.Truncate(size)
}

func (f faultyFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.syncs++
	return f.fs.syncErr
}

// rig is a trail whose writer the test moves, on a clock that stands still.
type rig struct {
	*Trail
	t    *testing.T
	fs   *faultyFS
	path string
	now  time.Time
	log  bytes.Buffer
	n    int
}

func newRig(t *testing.T, s Settings) *rig {
	t.Helper()
	r := &rig{t: t, fs: new(faultyFS), path: filepath.Join(t.TempDir(), "sub", "audit.log"), now: noon}
	r.open(s)
	return r
}

func (r *rig) open(s Settings) {
	r.t.Helper()
	if s.QueueBytes == 0 {
		s.QueueBytes = 1 << 20
	}
	var err error
	r.Trail, err = Open(Options{Path: r.path, Settings: s, Version: "1", Clock: func() time.Time { return r.now },
		Log: slog.New(slog.NewTextHandler(&r.log, nil)), fs: r.fs, manual: true})
	require.NoError(r.t, err)
}

// add hands over n lines.
func (r *rig) add(n int) {
	for range n {
		r.n++
		l := Line{Time: r.now, Event: Write, DB: -1, Command: fmt.Sprintf("c%d", r.n), Code: OK}
		require.True(r.t, r.Append(l.Append(nil, new(Clock)), 1))
	}
}

// entries reads what all files hold.
func (r *rig) entries() (list []Entry) {
	r.t.Helper()
	files, err := Files(r.path)
	require.NoError(r.t, err)
	for _, name := range files {
		f, err := os.Open(name)
		require.NoError(r.t, err)
		reader := NewReader(f)
		for {
			e, err := reader.Next()
			if err != nil && !errors.Is(err, ErrTorn) {
				break
			}
			e.Raw = nil
			list = append(list, e)
		}
		require.NoError(r.t, f.Close())
	}
	return list
}

// commands are the lines that are not the trail's own.
func (r *rig) commands() (list []string) {
	for _, e := range r.entries() {
		if !e.Own() {
			list = append(list, e.Command)
		}
	}
	return list
}

func numbers(from, to int) (list []string) {
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprintf("c%d", i))
	}
	return list
}

// verify requires a chain that holds, and returns what there is to know.
func (r *rig) verify() *Verified {
	r.t.Helper()
	files, err := Files(r.path)
	require.NoError(r.t, err)
	v, err := Verify(files, "")
	require.NoError(r.t, err)
	require.False(r.t, v.Broken(), "%+v", v.Findings)
	return v
}

func TestWriteAndSeal(t *testing.T) {
	r := newRig(t, Settings{})
	info, err := os.Stat(r.path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	r.add(2)
	require.Equal(t, sealEvery, r.w.work(), "the seal is due in a second")
	require.Equal(t, numbers(1, 2), r.commands())
	require.Zero(t, r.fs.syncs)
	v := r.verify()
	require.EqualValues(t, 3, v.Unsealed)

	r.now = r.now.Add(sealEvery)
	require.Equal(t, idle, r.w.work())
	require.Equal(t, 1, r.fs.syncs)
	v = r.verify()
	require.Zero(t, v.Unsealed)
	require.EqualValues(t, 1, v.Seals)
	require.Equal(t, v.Head, r.Stats().Head)
	r.now = r.now.Add(sealEvery)
	require.Equal(t, idle, r.w.work())
	require.EqualValues(t, 1, r.verify().Seals, "nothing to seal, no seal")
	require.Equal(t, 1, r.fs.syncs)

	r.add(1)
	require.NoError(t, r.Close())
	require.ErrorIs(t, r.Close(), ErrClosed)
	require.False(t, r.Append([]byte("{}\n"), 1))
	require.ErrorIs(t, r.Flush(t.Context()), ErrClosed)
	v = r.verify()
	require.Zero(t, v.Unsealed)
	require.Equal(t, numbers(1, 3), r.commands())
	require.EqualValues(t, 3, r.Stats().Written)

	head := v.Head
	r.open(Settings{NoSync: true})
	r.add(1)
	require.NoError(t, r.Close())
	v = r.verify()
	require.Equal(t, numbers(1, 4), r.commands())
	files, err := Files(r.path)
	require.NoError(t, err)
	v2, err := Verify(files, head)
	require.NoError(t, err)
	require.True(t, v2.HasHead)
	require.NotEqual(t, head, v.Head)
}

func TestFilesAreTurnedOver(t *testing.T) {
	for name, restart := range map[string]bool{"in one run": false, "with a restart for each": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Settings{FileBytes: 1000, Files: 3})
			for range 12 {
				r.add(4)
				r.w.work()
				if restart {
					require.NoError(t, r.Close())
					r.open(Settings{FileBytes: 1000, Files: 3})
				}
			}
			require.NoError(t, r.Close())
			files, err := Files(r.path)
			require.NoError(t, err)
			require.Len(t, files, 4)
			for _, f := range files {
				info, err := os.Stat(f)
				require.NoError(t, err)
				require.LessOrEqual(t, info.Size(), int64(1300), "one more seal, one more start")
			}
			require.NotContains(t, files, r.path+".000001")
			v := r.verify()
			require.Equal(t, 4, v.Files)
			list := r.commands()
			require.Equal(t, numbers(48-len(list)+1, 48), list, "the newest, without a hole")
		})
	}
}

// TestFileThatWasMoved is what logrotate does, with SIGHUP and without.
func TestFileThatWasMoved(t *testing.T) {
	r := newRig(t, Settings{})
	r.add(2)
	r.w.work()
	require.NoError(t, os.Rename(r.path, r.path+".000007"))
	r.add(1)
	r.w.work()
	r.Reopen()
	r.add(1)
	r.w.work()
	require.NoError(t, r.Close())
	require.Equal(t, numbers(1, 4), r.commands())
	v := r.verify()
	require.Equal(t, 2, v.Files)
	first, err := Verify([]string{r.path + ".000007"}, "")
	require.NoError(t, err)
	require.Zero(t, first.Unsealed)

	// A file that did not move is opened again all the same.
	r.open(Settings{})
	r.Reopen()
	r.add(1)
	r.w.work()
	require.NoError(t, r.Close())
	r.verify()
	require.Equal(t, numbers(1, 5), r.commands())
}

func TestTornLine(t *testing.T) {
	r := newRig(t, Settings{})
	r.add(2)
	r.w.work()
	require.NoError(t, r.w.file.Close()) // as kill -9
	f, err := os.OpenFile(r.path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"time":"2026-05-06T12:00`)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	r.open(Settings{})
	r.add(1)
	require.NoError(t, r.Close())
	require.Equal(t, append(numbers(1, 2), append([]string{""}, numbers(3, 3)...)...), r.commands())
	v := r.verify()
	require.Len(t, v.Findings, 1)
	require.Equal(t, int64(4), v.Findings[0].Line)
}

func TestTamperingShows(t *testing.T) {
	r := newRig(t, Settings{FileBytes: 1000, Files: 0})
	for range 10 {
		r.add(3)
		r.now = r.now.Add(sealEvery)
		r.w.work()
	}
	require.NoError(t, r.Close())
	files, err := Files(r.path)
	require.NoError(t, err)
	require.Greater(t, len(files), 3)
	head := r.Stats().Head
	r.verify()
	original, err := os.ReadFile(files[1])
	require.NoError(t, err)
	lines := strings.SplitAfter(string(original), "\n")
	for name, change := range map[string]func() []string{
		"a line changed":   func() []string { lines[1] = strings.Replace(lines[1], "OK", "NO", 1); return lines },
		"a line removed":   func() []string { return append(lines[:1:1], lines[2:]...) },
		"a line added":     func() []string { return append(lines[:2:2], append([]string{lines[1]}, lines[2:]...)...) },
		"lines swapped":    func() []string { lines[1], lines[2] = lines[2], lines[1]; return lines },
		"the end cut off":  func() []string { return lines[:len(lines)-2] },
		"the first is cut": func() []string { return lines[1:] },
	} {
		lines = strings.SplitAfter(string(original), "\n")
		require.NoError(t, os.WriteFile(files[1], []byte(strings.Join(change(), "")), 0o600))
		v, err := Verify(files, "")
		require.NoError(t, err)
		require.True(t, v.Broken(), name)
	}
	require.NoError(t, os.WriteFile(files[1], original, 0o600))
	r.verify()
	v, err := Verify(append(files[:1:1], files[2:]...), "")
	require.NoError(t, err)
	require.True(t, v.Broken(), "a file is missing")
	v, err = Verify(files[2:], head)
	require.NoError(t, err)
	require.False(t, v.Broken(), "the oldest files may be gone")
	v, err = Verify(files[:len(files)-1], head)
	require.NoError(t, err)
	require.True(t, v.Broken(), "the newest may not, when somebody kept the hash")
}

func TestDropCounts(t *testing.T) {
	r := newRig(t, Settings{QueueBytes: 300})
	r.add(100)
	require.Equal(t, Calm, r.Pressure())
	lost := r.Stats().Dropped
	require.NotZero(t, lost)
	r.w.work()
	r.add(1)
	require.NoError(t, r.Close())
	require.Equal(t, 101-lost, r.Stats().Written)
	require.Equal(t, append(numbers(1, 100-int(lost)), "c101"), r.commands())
	v := r.verify()
	require.EqualValues(t, lost, v.Lost, "the trail says itself what it lacks")
}

func TestWriteErrors(t *testing.T) {
	errDisk := errors.New("no space left on device")
	for name, fault := range map[string]func(*faultyFS){
		"nothing written": func(f *faultyFS) { f.write = errDisk },
		"a part written":  func(f *faultyFS) { f.write, f.part = errDisk, 30 },
		"not taken back":  func(f *faultyFS) { f.write, f.part, f.truncate = errDisk, 30, errDisk },
		"not synced":      func(f *faultyFS) { f.syncErr = errDisk },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Settings{Block: true})
			r.add(2)
			r.now = r.now.Add(sealEvery)
			r.w.work()
			fault(r.fs)
			r.add(2)
			r.now = r.now.Add(sealEvery)
			room := r.Room()
			require.Equal(t, retryEvery, r.w.work())
			require.Equal(t, Broken, r.Pressure())
			require.ErrorIs(t, r.Stats().Err, errDisk)
			<-room // nobody waits for a broken disk
			r.add(1)
			require.Equal(t, retryEvery, r.w.work())
			require.Equal(t, 1, strings.Count(r.log.String(), "cannot be written"), "said once")
			r.fs.set(func() { r.fs.write, r.fs.part, r.fs.truncate, r.fs.syncErr = nil, 0, nil, nil })
			r.w.work()
			require.Equal(t, Calm, r.Pressure())
			require.Contains(t, r.log.String(), "written again")
			require.NoError(t, r.Close())
			require.NotContains(t, r.log.String(), "level=ERROR msg=panic")
			var whole []string
			for _, c := range r.commands() {
				if c != "" {
					whole = append(whole, c)
				}
			}
			require.Equal(t, numbers(1, 5), whole, "nothing was lost, nothing stands twice")
			r.verify()
		})
	}
}

func TestTurningOverFails(t *testing.T) {
	r := newRig(t, Settings{FileBytes: 600})
	r.fs.rename = errors.New("read-only")
	r.add(20)
	require.Equal(t, retryEvery, r.w.work())
	require.Equal(t, Calm, r.Pressure(), "with drop, nobody waits")
	r.fs.rename = nil
	r.w.work()
	require.NoError(t, r.Close())
	require.Equal(t, numbers(1, 20), r.commands())
	r.verify()
}

func TestPressure(t *testing.T) {
	r := newRig(t, Settings{QueueBytes: 1000, Block: true})
	for r.Stats().Queued < 1000 {
		require.Equal(t, Calm, r.Pressure())
		r.add(1)
	}
	require.Equal(t, Full, r.Pressure())
	room := r.Room()
	for r.Stats().Queued < 2000 {
		require.Equal(t, Full, r.Pressure())
		r.add(1)
	}
	require.Equal(t, Packed, r.Pressure())
	r.add(1)
	require.EqualValues(t, 1, r.Stats().Dropped, "of those who may not wait, lines are counted")
	r.checkStall(r.progress)
	require.Equal(t, Broken, r.Pressure())
	<-room
	require.Contains(t, r.log.String(), "does not take")
	r.w.work()
	require.Equal(t, Calm, r.Pressure())

	// A check that finds progress changes nothing.
	for r.Pressure() != Full {
		r.add(1)
	}
	room = r.Room()
	r.checkStall(r.progress - 1)
	require.Equal(t, Full, r.Pressure())
	r.Configure(Settings{QueueBytes: 1000})
	require.Equal(t, Calm, r.Pressure(), "drop takes the pressure away")
	<-room
	require.NoError(t, r.Close())
}

// TestASlowDiskHoldsNobody appends while a write hangs.
func TestASlowDiskHoldsNobody(t *testing.T) {
	fs := &faultyFS{}
	path := filepath.Join(t.TempDir(), "audit.log")
	tr, err := Open(Options{Path: path, Settings: Settings{QueueBytes: 1 << 20}, fs: fs})
	require.NoError(t, err)
	hold := make(chan struct{})
	fs.set(func() { fs.hold = hold })
	l := Line{Time: noon, Event: Write, DB: -1, Command: "set", Code: OK}
	line := l.Append(nil, new(Clock))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				tr.Append(line, 1)
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, tr.Flush(ctx), context.Canceled)
	close(hold)
	fs.set(func() { fs.hold = nil })
	require.NoError(t, tr.Flush(t.Context()))
	s := tr.Stats()
	require.EqualValues(t, 4000, s.Written+s.Dropped)
	require.NoError(t, tr.Close())
	v, err := Verify([]string{path}, "")
	require.NoError(t, err)
	require.False(t, v.Broken())
	require.EqualValues(t, s.Dropped, v.Lost)
	require.Zero(t, v.Unsealed)
}

func TestTwoProcessesDoNotShareAFile(t *testing.T) {
	r := newRig(t, Settings{})
	_, err := Open(Options{Path: r.path})
	require.ErrorContains(t, err, "another process writes it")
	require.NoError(t, r.Close())
}

// TestManyLines goes over the pieces in which large batches are written and the
// windows in which the end of a file is read.
func TestManyLines(t *testing.T) {
	r := newRig(t, Settings{QueueBytes: 32 << 20})
	long := strings.Repeat("x", 60)
	for i := range 40_000 {
		l := Line{Time: r.now, Event: Write, DB: -1, Command: fmt.Sprintf("%s%d", long, i)[10:], Code: OK}
		r.Append(l.Append(nil, &r.w.clock), 1)
	}
	r.w.work()
	require.Greater(t, r.verify().Seals, int64(2))
	require.NoError(t, r.w.file.Close())
	r.open(Settings{})
	r.add(1)
	require.NoError(t, r.Close())
	require.Len(t, r.commands(), 40_001)
	require.Zero(t, r.verify().Unsealed)
}
