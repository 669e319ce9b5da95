package bunt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	iofs "io/fs"
	"path/filepath"

	"github.com/cubbykv/cubby/storage"
)

// manifest says what the journal must hold at least, so that a segment that is
// gone, or a record that is damaged where a torn one could stand, is noticed.
// It is written when segments are deleted and when the store is closed; what it
// says stays true in between.
//
// File: prefix (segment.go), then three integers of 8 bytes, little endian, and
// their CRC-32C.
type manifest struct {
	oldest  uint64 // first record of the oldest segment; older segments may go
	newest  uint64 // first record of a segment that there is
	durable uint64 // a record that was fsynced, with all before it
}

const (
	manifestName  = "MANIFEST"
	manifestMagic = "CUBBYMAN"
	manifestSize  = prefixSize + 28
)

func (m manifest) encode() []byte {
	b := appendPrefix(nil, manifestMagic)
	b = binary.LittleEndian.AppendUint64(b, m.oldest)
	b = binary.LittleEndian.AppendUint64(b, m.newest)
	b = binary.LittleEndian.AppendUint64(b, m.durable)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[prefixSize:], castagnoli))
}

// writeManifest replaces the manifest of a data directory, durably.
func writeManifest(fs fileSystem, dir string, m manifest) error {
	path := filepath.Join(dir, manifestName)
	err := writeWhole(fs, path+tempSuffix, m.encode())
	if err == nil {
		err = fs.Rename(path+tempSuffix, path)
	}
	if err == nil {
		err = fs.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// readManifest returns the manifest of a data directory, and false when there
// is none. Errors: storage.ErrDamaged, the system's.
func readManifest(fs fileSystem, dir string) (m manifest, found bool, err error) {
	path := filepath.Join(dir, manifestName)
	b, err := readAll(fs, path)
	if errors.Is(err, iofs.ErrNotExist) {
		return manifest{}, false, nil
	}
	if err != nil {
		return manifest{}, false, err
	}
	if err := checkPrefix(path, b, manifestMagic); err != nil {
		return manifest{}, false, err
	}
	if len(b) != manifestSize || crc32.Checksum(b[prefixSize:manifestSize-4], castagnoli) != binary.LittleEndian.Uint32(b[manifestSize-4:]) {
		return manifest{}, false, &storage.DamageError{File: path, Offset: prefixSize, Reason: errChecksum.Error()}
	}
	b = b[prefixSize:]
	return manifest{
		oldest:  binary.LittleEndian.Uint64(b),
		newest:  binary.LittleEndian.Uint64(b[8:]),
		durable: binary.LittleEndian.Uint64(b[16:]),
	}, true, nil
}

// judge compares the manifest with the segments that there are, in order, and
// returns those that count and those that a deletion left behind.
func (m manifest) judge(found bool, dataDir string, segments []segment) (kept, left []segment, err error) {
	if !found {
		// The first start is cut short between the first segment and the manifest.
		if len(segments) > 1 || len(segments) == 1 && (segments[0].first != 1 || segments[0].size > segmentHeader) {
			return nil, nil, &storage.DamageError{File: filepath.Join(dataDir, manifestName), Reason: "the file is missing, and there is a journal"}
		}
		return segments, nil, nil
	}
	for len(segments) > 0 && segments[0].first < m.oldest {
		left, segments = append(left, segments[0]), segments[1:]
	}
	for _, must := range []uint64{m.oldest, m.newest} {
		there := false
		for _, seg := range segments {
			there = there || seg.first == must
		}
		if !there {
			return nil, nil, &storage.DamageError{
				File:   filepath.Join(dataDir, journalDir, segmentName(must)),
				Reason: "the file is missing: journal files are missing or were put back from another time",
			}
		}
	}
	return segments, left, nil
}
