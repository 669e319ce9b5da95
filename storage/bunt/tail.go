package bunt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// tail says where the journal holds the records of one space that its snapshot
// may lack. The start makes one for each space that it finds in the journal, in
// place of loading the space; the space's first use reads them. No segment that
// it points into is deleted before: the space is dirty until then.
//
// It takes some five bytes for each record.
type tail struct{ pieces []tailPiece }

// tailPiece is the part of a tail in one segment.
type tailPiece struct {
	segment     *tailSegment
	first, last uint64 // sequences
	// refs are pairs of varints, sequence and offset, each less the one before.
	refs []byte
}

// tailSegment is what all tails share about a segment.
type tailSegment struct {
	path string
	salt uint32
	size int64
}

// note adds a record.
func (p *tailPiece) note(seq uint64, off int64, lastOff *int64) {
	if len(p.refs) == 0 {
		p.first, p.last = seq, seq
	}
	p.refs = binary.AppendUvarint(p.refs, seq-p.last)
	p.refs = binary.AppendUvarint(p.refs, uint64(off-*lastOff))
	p.last, *lastOff = seq, off
}

// each calls yield for each record until it returns false.
func (p *tailPiece) each(yield func(seq uint64, off int64) bool) {
	seq, off := p.first, int64(0)
	for b := p.refs; len(b) > 0; {
		ds, n := binary.Uvarint(b)
		do, m := binary.Uvarint(b[n:])
		b = b[n+m:]
		seq, off = seq+ds, off+int64(do)
		if !yield(seq, off) {
			return
		}
	}
}

// since returns the first record behind seq, or 0, and forgets the pieces that
// hold none.
func (t *tail) since(seq uint64) (first uint64) {
	for len(t.pieces) > 0 && t.pieces[0].last <= seq {
		t.pieces = t.pieces[1:]
	}
	if len(t.pieces) == 0 {
		return 0
	}
	t.pieces[0].each(func(s uint64, _ int64) bool { first = s; return s <= seq })
	return first
}

// read yields the records behind seq in their order. What they point to is valid
// during the call only. Errors: storage.ErrDamaged, the system's.
func (t *tail) read(fs fileSystem, seq uint64, yield func(record)) error {
	for i := range t.pieces {
		if p := &t.pieces[i]; p.last > seq {
			if err := p.read(fs, seq, yield); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *tailPiece) read(fs fileSystem, after uint64, yield func(record)) (err error) {
	f, err := fs.OpenFile(p.segment.path, readFlags)
	if err != nil {
		return err
	}
	defer f.Close()
	w := window{file: f, size: p.segment.size}
	p.each(func(seq uint64, off int64) bool {
		if seq <= after {
			return true
		}
		var rec record
		if rec, err = w.record(off, p.segment.salt); err == nil && rec.seq != seq {
			err = fmt.Errorf("%w: it is record %d, not %d", errMalformed, rec.seq, seq)
		}
		if err != nil {
			if isDamage(err) { // it was intact at the start
				err = &storage.DamageError{File: p.segment.path, Offset: off, Reason: err.Error()}
			}
			return false
		}
		yield(rec)
		return true
	})
	return err
}

func isDamage(err error) bool {
	return errors.Is(err, errShortRecord) || errors.Is(err, errChecksum) || errors.Is(err, errMalformed)
}

// window reads parts of a file, front to back. What it returns is valid until
// the next call.
type window struct {
	file io.Reader // an io.ReaderAt skips what is in between
	size int64     // of the file
	buf  []byte
	at   int64 // of buf in the file
	read int64 // place of a file that cannot skip
}

// record reads the record at off.
func (w *window) record(off int64, salt uint32) (record, error) {
	b, err := w.bytes(off, recordHeader)
	if err != nil {
		return record{}, err
	}
	if len(b) < recordHeader || off+recordHeader+int64(binary.LittleEndian.Uint32(b[4:])) > w.size {
		return record{}, errShortRecord
	}
	if b, err = w.bytes(off, recordHeader+int(binary.LittleEndian.Uint32(b[4:]))); err != nil {
		return record{}, err
	}
	rec, _, err := decodeRecord(b, salt)
	return rec, err
}

// bytes returns at least n bytes from off on, fewer at the end of the file.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	const chunk = 4096
	if end := w.at + int64(len(w.buf)); off >= w.at && off+int64(n) <= end {
		return w.buf[off-w.at:], nil
	}
	have := 0
	if rest := w.at + int64(len(w.buf)) - off; off >= w.at && rest > 0 {
		have = copy(w.buf, w.buf[off-w.at:])
	}
	size := max(n, chunk)
	if cap(w.buf) < size {
		w.buf = append(make([]byte, 0, size), w.buf[:have]...)
	}
	w.buf, w.at = w.buf[:size], off
	got, err := w.fill(w.buf[have:], off+int64(have))
	w.buf = w.buf[:have+got]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return w.buf, nil
}

func (w *window) fill(b []byte, off int64) (int, error) {
	if r, ok := w.file.(io.ReaderAt); ok {
		return r.ReadAt(b, off)
	}
	if _, err := io.CopyN(io.Discard, w.file, off-w.read); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(w.file, b)
	w.read = off + int64(n)
	return n, err
}

// trimTail forgets the records of a space that its snapshot includes, unless the
// space is in memory. Errors: errBusy, which only callers without patience get.
func (sp *space) trimTail(patience time.Duration) (resident bool, err error) {
	if !sp.lockFor(patience) {
		return false, errBusy
	}
	defer sp.mu.Unlock()
	if sp.loaded || sp.dropped.Load() {
		return true, nil
	}
	if sp.tail == nil {
		return false, nil
	}
	seq, err := sp.store.snapshotSeq(sp.name)
	if err != nil {
		return false, err
	}
	since := sp.tail.since(seq)
	if since == 0 {
		sp.tail = nil
	}
	sp.store.dirty.restore(sp, since)
	return false, nil
}
