package bunt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// formatVersion is the one version of both file formats that there is so far.
const formatVersion = 1

const (
	journalMagic  = "CUBBYJNL"
	snapshotMagic = "CUBBYSNP"
	segmentSuffix = ".log"
	snapshotExt   = ".snap"
	// prefixSize is the part of a header that stays the same in every version of
	// the format: magic 8, version 4, CRC-32C of both 4.
	prefixSize = 16
	// segmentHeader: the prefix, first sequence 8, the sequence that it follows 8,
	// version counter 8, salt 4, CRC-32C of these four 4.
	segmentHeader = prefixSize + 32
)

// segment is one file of the journal.
type segment struct {
	path    string
	first   uint64 // sequence of its first record
	follows uint64 // sequence of the record before it, once its header was read
	size    int64  // bytes
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

func parseSegmentName(name string) (first uint64, ok bool) {
	digits, found := strings.CutSuffix(name, segmentSuffix)
	if !found || len(digits) != 20 {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil
}

func appendPrefix(b []byte, magic string) []byte {
	start := len(b)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, formatVersion)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// checkPrefix tells a damaged file from one that a newer program wrote.
func checkPrefix(path string, b []byte, magic string) error {
	if len(b) < prefixSize || string(b[:8]) != magic {
		return &storage.DamageError{File: path, Reason: "it does not start with " + magic}
	}
	if crc32.Checksum(b[:12], castagnoli) != binary.LittleEndian.Uint32(b[12:]) {
		return &storage.DamageError{File: path, Reason: "header: " + errChecksum.Error()}
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return fmt.Errorf("%s has format version %d, this program reads version %d: use the program that wrote it", path, v, formatVersion)
	}
	return nil
}

// segmentInfo is what a segment's header says. follows is the last record
// before the segment: there is a gap up to first where a full disk took records
// that were never promised. version is the store's version counter when the
// segment began: it keeps versions from repeating after a drop, when nothing
// else remembers them.
type segmentInfo struct {
	first, follows, version uint64
	salt                    uint32
}

func appendSegmentHeader(b []byte, info segmentInfo) []byte {
	b = appendPrefix(b, journalMagic)
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, info.first)
	b = binary.LittleEndian.AppendUint64(b, info.follows)
	b = binary.LittleEndian.AppendUint64(b, info.version)
	b = binary.LittleEndian.AppendUint32(b, info.salt)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func decodeSegmentHeader(path string, b []byte) (segmentInfo, error) {
	if err := checkPrefix(path, b, journalMagic); err != nil {
		return segmentInfo{}, err
	}
	if len(b) < segmentHeader || crc32.Checksum(b[prefixSize:segmentHeader-4], castagnoli) != binary.LittleEndian.Uint32(b[segmentHeader-4:]) {
		return segmentInfo{}, &storage.DamageError{File: path, Offset: prefixSize, Reason: "header: " + errChecksum.Error()}
	}
	b = b[prefixSize:]
	info := segmentInfo{
		first:   binary.LittleEndian.Uint64(b),
		follows: binary.LittleEndian.Uint64(b[8:]),
		version: binary.LittleEndian.Uint64(b[16:]),
		salt:    binary.LittleEndian.Uint32(b[24:]),
	}
	if info.follows >= info.first {
		return segmentInfo{}, &storage.DamageError{File: path, Offset: prefixSize, Reason: fmt.Sprintf("header says that it follows record %d", info.follows)}
	}
	if want, ok := parseSegmentName(filepath.Base(path)); !ok || want != info.first {
		return segmentInfo{}, &storage.DamageError{File: path, Offset: prefixSize, Reason: fmt.Sprintf("header says that it begins with record %d", info.first)}
	}
	return info, nil
}

// createSegment makes an empty, durable segment and leaves it open. After an
// error that is not errNotCreated the file may be there all the same.
func createSegment(fs fileSystem, dir string, info segmentInfo) (file, segment, error) {
	path := filepath.Join(dir, segmentName(info.first))
	f, err := fs.OpenFile(path, createFlags)
	if err != nil {
		return nil, segment{}, fmt.Errorf("%w: %w", errNotCreated, err)
	}
	_, err = f.Write(appendSegmentHeader(nil, info))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = fs.SyncDir(dir)
	}
	if err != nil {
		f.Close()
		return nil, segment{}, fmt.Errorf("create %s: %w", path, err)
	}
	return f, segment{path: path, first: info.first, follows: info.follows, size: segmentHeader}, nil
}

var errNotCreated = errors.New("a new segment could not be created")
