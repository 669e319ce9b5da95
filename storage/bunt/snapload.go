package bunt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	iofs "io/fs"

	"github.com/cubbykv/cubby/storage"
)

// snapshotReader reads a snapshot file and checks everything in it.
type snapshotReader struct {
	path    string
	r       *bufio.Reader
	off     int64 // of the next frame
	payload []byte
}

func (r *snapshotReader) damaged(off int64, format string, args ...any) error {
	return &storage.DamageError{File: r.path, Offset: off, Reason: fmt.Sprintf(format, args...)}
}

// ended turns the end of the file into damage: a snapshot is whole or damaged.
func (r *snapshotReader) ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.damaged(r.off, "file ends too early")
	}
	return fmt.Errorf("read %s: %w", r.path, err)
}

// frame reads the next frame; its payload is valid until the next call.
func (r *snapshotReader) frame() (kind byte, payload []byte, err error) {
	var h [frameHeader]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		return 0, nil, r.ended(err)
	}
	length := int64(binary.LittleEndian.Uint32(h[1:]))
	if length <= 16*blockBytes {
		if int64(cap(r.payload)) < length {
			r.payload = make([]byte, length)
		}
		r.payload = r.payload[:length]
		_, err = io.ReadFull(r.r, r.payload)
	} else {
		// A damaged length must not ask for gigabytes: grow with what is there.
		r.payload, err = io.ReadAll(io.LimitReader(r.r, length))
		if err == nil && int64(len(r.payload)) < length {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		return 0, nil, r.ended(err)
	}
	if crc32.Update(crc32.Checksum(h[:5], castagnoli), castagnoli, r.payload) != binary.LittleEndian.Uint32(h[5:]) {
		return 0, nil, r.damaged(r.off, "%v", errChecksum)
	}
	r.off += frameHeader + length
	return h[0], r.payload, nil
}

// header reads prefix and head frame.
func (r *snapshotReader) header(id storage.ID) (seq uint64, err error) {
	prefix := make([]byte, prefixSize)
	if _, err := io.ReadFull(r.r, prefix); err != nil {
		return 0, r.ended(err)
	}
	if err := checkPrefix(r.path, prefix, snapshotMagic); err != nil {
		return 0, err
	}
	r.off = prefixSize
	kind, payload, err := r.frame()
	if err != nil {
		return 0, err
	}
	if kind != frameHead || len(payload) < 8 {
		return 0, r.damaged(prefixSize, "header is malformed")
	}
	name, rest, ok := readName(payload[8:])
	if !ok || len(rest) > 0 {
		return 0, r.damaged(prefixSize, "header is malformed")
	}
	if name != id {
		return 0, r.damaged(prefixSize, "it holds namespace %s", name)
	}
	return binary.LittleEndian.Uint64(payload), nil
}

// openSnapshot opens a namespace's file and reads its header. Without a file,
// reader is nil.
func (s *Store) openSnapshot(id storage.ID) (r *snapshotReader, seq uint64, closeFile func(), err error) {
	path := s.snapshotPath(id)
	f, err := s.fs.OpenFile(path, readFlags)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, 0, func() {}, nil
	}
	if err != nil {
		return nil, 0, nil, err
	}
	r = &snapshotReader{path: path, r: bufio.NewReaderSize(f, blockBytes)}
	seq, err = r.header(id)
	if err != nil {
		f.Close()
		return nil, 0, nil, err
	}
	return r, seq, func() { f.Close() }, nil
}

// snapshotSeq returns the sequence of a namespace's file, 0 without one.
func (s *Store) snapshotSeq(id storage.ID) (uint64, error) {
	_, seq, closeFile, err := s.openSnapshot(id)
	if err != nil {
		return 0, err
	}
	closeFile()
	return seq, nil
}

// loadSnapshot fills an empty space from its file. The shard is told later.
// Errors: storage.ErrDamaged; the space is then empty and not loaded.
func (sp *space) loadSnapshot() error {
	s := sp.store
	r, seq, closeFile, err := s.openSnapshot(sp.name)
	if err != nil {
		return err
	}
	defer closeFile()
	s.files.Lock()
	dropped := s.undead[sp.name]
	s.files.Unlock()
	if r != nil && seq >= dropped {
		if err := r.fill(sp); err != nil {
			sp.reset()
			return err
		}
		sp.lastSeq.Store(seq)
		sp.fileBytes.Store(r.off)
	}
	sp.loaded = true
	return nil
}

// fill reads the blocks and the footer.
func (r *snapshotReader) fill(sp *space) error {
	now := sp.store.clock()
	version, err := r.entries(func(o op) {
		if !expiredAt(o.expiresAt, now) {
			sp.setOp(o)
		}
	}, nil)
	if err == nil {
		sp.maxVersion = version
		sp.store.raiseVersion(version)
	}
	return err
}
