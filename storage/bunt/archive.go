package bunt

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/cubbykv/cubby/storage"
)

// A backup is one file: a prefix (segment.go) and frames as in a snapshot,
// integers little endian:
//
//	'N'  the next file's path in the data directory, '/' between its parts
//	'D'  the file's bytes, as often as need be
//	'F'  last: files 8, bytes in them 8, Unix ms of what it shows 8, SHA-256 of
//	     everything before this frame and of these three
//
// Each frame has a checksum, so damage is found where it is; the SHA-256 finds
// frames that were left out, repeated or exchanged.
const (
	archiveMagic = "CUBBYBAK"
	frameName    = 'N'
	frameData    = 'D'
	dataBytes    = 256 << 10
)

// archiveWriter writes a backup.
type archiveWriter struct {
	out   *bufio.Writer
	sum   hash.Hash
	frame snapshotWriter
	data  []byte
	files uint64
	bytes uint64
}

func newArchiveWriter(w io.Writer) (*archiveWriter, error) {
	a := &archiveWriter{out: bufio.NewWriterSize(w, dataBytes), sum: sha256.New()}
	a.frame.w = bufio.NewWriterSize(io.MultiWriter(a.out, a.sum), 4<<10)
	_, err := a.frame.w.Write(appendPrefix(nil, archiveMagic))
	return a, err
}

// begin starts the next file.
func (a *archiveWriter) begin(name string) error {
	if err := a.flush(); err != nil {
		return err
	}
	a.files++
	return a.frame.frame(frameName, []byte(name))
}

// Write adds to the file.
func (a *archiveWriter) Write(b []byte) (int, error) {
	a.bytes += uint64(len(b))
	a.data = append(a.data, b...)
	if len(a.data) >= dataBytes {
		if err := a.flush(); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (a *archiveWriter) flush() error {
	if len(a.data) == 0 {
		return nil
	}
	err := a.frame.frame(frameData, a.data)
	a.data = a.data[:0]
	return err
}

// end writes the last frame. at is the time of what the backup shows.
func (a *archiveWriter) end(at int64) error {
	if err := a.flush(); err != nil {
		return err
	}
	if err := a.frame.w.Flush(); err != nil { // the sum is complete now
		return err
	}
	foot := binary.LittleEndian.AppendUint64(nil, a.files)
	foot = binary.LittleEndian.AppendUint64(foot, a.bytes)
	foot = binary.LittleEndian.AppendUint64(foot, uint64(at))
	_, _ = a.sum.Write(foot) // a hash takes everything
	if err := a.frame.frame(frameFoot, a.sum.Sum(foot)); err != nil {
		return err
	}
	if err := a.frame.w.Flush(); err != nil {
		return err
	}
	return a.out.Flush()
}

// readArchive reads a whole backup from r. file gets each file's name, data
// its bytes, which are valid until it returns. Errors: storage.ErrDamaged, the
// system's, those of file and data.
func readArchive(path string, r io.Reader, file func(name string) error, data func(b []byte) error) (storage.BackupInfo, error) {
	var info storage.BackupInfo
	sum := sha256.New()
	a := snapshotReader{path: path, r: bufio.NewReaderSize(r, dataBytes)}
	prefix := make([]byte, prefixSize)
	if _, err := io.ReadFull(a.r, prefix); err != nil {
		return info, a.ended(err)
	}
	if err := checkPrefix(path, prefix, archiveMagic); err != nil {
		return info, err
	}
	_, _ = sum.Write(prefix)
	a.off = prefixSize
	for {
		start := a.off
		kind, b, err := a.frame()
		switch {
		case err != nil:
			return info, err
		case kind == frameData && info.Files == 0:
			return info, a.damaged(start, "a frame %q stands in the wrong place", kind)
		case kind == frameFoot:
			want := binary.LittleEndian.AppendUint64(nil, uint64(info.Files))
			want = binary.LittleEndian.AppendUint64(want, uint64(info.Bytes))
			if len(b) >= 24 {
				want = append(want, b[16:24]...)
				info.CreatedAt = int64(binary.LittleEndian.Uint64(b[16:]))
			}
			_, _ = sum.Write(want)
			if !bytes.Equal(b, sum.Sum(want)) {
				return info, a.damaged(start, "the checksum of the whole file does not match")
			}
			if _, err := a.r.ReadByte(); !errors.Is(err, io.EOF) {
				return info, a.damaged(a.off, "bytes follow the end")
			}
			return info, nil
		}
		sumFrame(sum, kind, b)
		switch kind {
		case frameName:
			info.Files++
			err = file(string(b))
		case frameData:
			info.Bytes += int64(len(b))
			err = data(b)
		default:
			return info, a.damaged(start, "unknown frame %q", kind)
		}
		if err != nil {
			return info, fmt.Errorf("%s, byte %d: %w", path, start, err)
		}
	}
}

// sumFrame adds a frame to the checksum as it stands in the file.
func sumFrame(sum hash.Hash, kind byte, payload []byte) {
	w := snapshotWriter{w: bufio.NewWriterSize(sum, 16)}
	_ = w.frame(kind, payload) // a hash takes everything
	_ = w.w.Flush()
}
