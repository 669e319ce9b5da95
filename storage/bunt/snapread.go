package bunt

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/cubbykv/cubby/storage"
)

// entries reads the blocks and the footer behind a snapshot's header. yield
// gets each entry, which points into memory that the next block overwrites.
//
// Without salvage the first damage ends the reading. With it, each damage goes
// to salvage, and the reading goes on with the next block that can be trusted;
// version is then 0 unless the footer was intact.
func (r *snapshotReader) entries(yield func(op), salvage func(error)) (version uint64, err error) {
	e := entryReader{snapshotReader: r, yield: yield}
	for {
		start := r.off
		done, version, err := e.step(start)
		var damage *storage.DamageError
		switch {
		case err == nil && !done:
			continue
		case err == nil:
			return version, nil
		case salvage == nil || !errors.As(err, &damage):
			return 0, err
		}
		salvage(err)
		if r.off == start { // the frame itself: its length is all there is to go by
			r.off += frameHeader + int64(len(r.payload))
		}
		e.holes = true
		if _, perr := r.r.Peek(1); perr != nil {
			return 0, nil //nolint:nilerr // the end of the file was already reported
		}
	}
}

// entryReader is the state of entries.
type entryReader struct {
	*snapshotReader
	yield func(op)
	count uint64
	last  []byte
	any   bool
	holes bool // something was left out
}

// step reads one frame; done tells that it was the footer.
func (e *entryReader) step(start int64) (done bool, version uint64, err error) {
	kind, b, err := e.frame()
	switch {
	case err != nil:
		return false, 0, err
	case kind == frameBlock:
		return false, 0, e.block(start, b)
	case kind != frameFoot:
		return false, 0, e.damaged(start, "unknown frame %q", kind)
	case len(b) != 16 || binary.LittleEndian.Uint64(b) != e.count && !e.holes:
		return false, 0, e.damaged(start, "footer does not fit the %d entries before it", e.count)
	}
	if _, err := e.r.ReadByte(); !errors.Is(err, io.EOF) {
		return false, 0, e.damaged(e.off, "bytes follow the footer")
	}
	return true, binary.LittleEndian.Uint64(b[8:]), nil
}

func (e *entryReader) block(start int64, b []byte) error {
	for len(b) > 0 {
		var o op
		var ok bool
		if b, ok = o.readEntry(b); !ok {
			return e.damaged(start, "entry is malformed")
		}
		if e.any && string(o.key) <= string(e.last) {
			return e.damaged(start, "keys are out of order")
		}
		e.last, e.any = append(e.last[:0], o.key...), true
		e.count++
		e.yield(o)
	}
	return nil
}
