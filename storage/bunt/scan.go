package bunt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
)

// segmentScan is what one pass over a segment finds: each checksum was verified,
// and each space has the places of its records.
type segmentScan struct {
	seg     segment
	headErr error // the header cannot be used; nothing else is known
	info    segmentInfo
	last    uint64 // newest intact record, info.first-1 without any
	end     int64  // of the intact records
	err     error  // why reading ended before the file did
	version uint64 // the newest
	sure    uint64 // newest sequence that a record calls durable
	parts   map[string]*scanPart
}

// scanPart is what a segment holds of one space, by the stored form of its name.
type scanPart struct {
	piece   tailPiece // behind the drop
	lastOff int64
	lastSeq uint64
	dropped uint64 // sequence of the last drop; 0 is none
}

// scanSegments reads all segments, some at a time, and hands them over in their
// order until yield fails. done counts the bytes read.
func scanSegments(fs fileSystem, segments []segment, done *atomic.Int64, yield func(*segmentScan) error) error {
	stop := make(chan struct{})
	defer close(stop)
	results := make([]chan *segmentScan, len(segments))
	for i := range results {
		results[i] = make(chan *segmentScan, 1)
	}
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), 4, len(segments)) {
		go func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(segments) {
					return
				}
				select {
				case <-stop:
					return
				default:
					results[i] <- scanSegment(fs, segments[i], done)
				}
			}
		}()
	}
	for _, result := range results {
		if err := yield(<-result); err != nil {
			return err
		}
	}
	return nil
}

func scanSegment(fs fileSystem, seg segment, done *atomic.Int64) *segmentScan {
	const chunk = 1 << 20
	s := &segmentScan{seg: seg, parts: make(map[string]*scanPart)}
	f, err := fs.OpenFile(seg.path, readFlags)
	if err != nil {
		s.headErr = err
		return s
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, chunk)
	head := make([]byte, segmentHeader)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.headErr = err
		return s
	}
	if s.info, s.headErr = decodeSegmentHeader(seg.path, head[:n]); s.headErr != nil {
		return s
	}
	s.last, s.end, s.version = s.info.first-1, segmentHeader, s.info.version
	shared := &tailSegment{path: seg.path, salt: s.info.salt, size: seg.size}
	for s.end < seg.size {
		n, err := s.record(r, shared)
		if errors.Is(err, errBlank) {
			break
		}
		if err != nil {
			s.err = err
			break
		}
		s.end += int64(n)
		done.Add(int64(n))
	}
	return s
}

// record reads the record at s.end and returns its size. Errors: errBlank when
// there is nothing but zeros.
func (s *segmentScan) record(r *bufio.Reader, shared *tailSegment) (int, error) {
	b, err := r.Peek(8)
	if blank(b) {
		rest, err := blankRest(r)
		switch {
		case err != nil:
			return 0, err
		case rest:
			return 0, errBlank
		}
		return 0, errChecksum
	}
	if err == nil {
		b, err = r.Peek(recordHeader)
	}
	if err != nil {
		return 0, shortRead(err)
	}
	size := recordHeader + int64(binary.LittleEndian.Uint32(b[4:]))
	if s.end+size > s.seg.size {
		return 0, errShortRecord
	}
	n := int(size)
	peeked := n <= r.Size()
	if peeked {
		b, err = r.Peek(n)
	} else {
		b = make([]byte, n)
		_, err = io.ReadFull(r, b)
	}
	if err != nil {
		return 0, shortRead(err)
	}
	rec, body, err := openRecord(b, s.info.salt)
	if err != nil {
		return 0, err
	}
	name, version, err := rec.checkBody(body)
	if err == nil && rec.seq != s.last+1 {
		err = fmt.Errorf("%w: record %d follows record %d", errMalformed, rec.seq, s.last)
	}
	if err != nil {
		return 0, err
	}
	p := s.parts[string(name)]
	if p == nil {
		p = &scanPart{piece: tailPiece{segment: shared}}
		s.parts[string(name)] = p
	}
	if p.lastSeq = rec.seq; rec.kind == kindDrop {
		*p = scanPart{piece: tailPiece{segment: shared}, lastSeq: rec.seq, dropped: rec.seq}
	} else {
		p.piece.note(rec.seq, s.end, &p.lastOff)
	}
	s.last, s.version, s.sure = rec.seq, max(s.version, version), max(s.sure, rec.durable)
	if peeked {
		_, err = r.Discard(n)
	}
	return n, err
}

var errBlank = errors.New("the rest is zeros")

// shortRead turns the end of a file into the end of a record.
func shortRead(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errShortRecord
	}
	return err
}
