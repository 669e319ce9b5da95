package bunt

// The journal's files: the leader writes them, see journal.go.

// write puts a batch whose first record is first into the file, or into the
// next one.
func (j *journal) write(batch []byte, first uint64, rotate bool) error {
	j.good = j.size
	if j.size > segmentHeader && (rotate || len(batch) > 0 && j.size >= j.segmentBytes) {
		if err := j.nextSegment(first); err != nil {
			return err
		}
	}
	if len(batch) == 0 {
		return nil
	}
	j.good = j.size // of the new segment, if there is one
	n, err := j.file.Write(batch)
	j.size += int64(n)
	return err
}

// retract takes back what the last write may have left in the file: nobody was
// told that it succeeded, so a restart should not bring it back. After a failed
// write this is a wish, not a promise.
func (j *journal) retract() {
	if err := j.file.Truncate(j.good); err != nil {
		j.log.Error("journal: a failed write could not be taken back", "error", err)
	}
}

// nextSegment closes the file, durable, and begins another with record first.
func (j *journal) nextSegment(first uint64) error {
	j.fileMu.Lock()
	defer j.fileMu.Unlock()
	if err := j.file.Sync(); err != nil {
		return err
	}
	f, seg, err := createSegment(j.fs, j.dir, segmentInfo{first: first, version: j.version.Load(), salt: j.salt})
	if err != nil {
		return err
	}
	_ = j.file.Close() // it is durable: nothing is lost by an error here
	j.file, j.size = f, seg.size
	j.mu.Lock()
	j.segments = append(j.segments, seg)
	j.durable.Store(first - 1)
	j.wake()
	j.mu.Unlock()
	j.lastSync.Store(j.clock())
	j.rotated()
	return nil
}

// syncFile makes seq, which is written, durable.
func (j *journal) syncFile(seq uint64) error {
	j.fileMu.Lock()
	defer j.fileMu.Unlock()
	if seq <= j.durable.Load() {
		return nil
	}
	if j.failed.Load() {
		return j.failure() // a second fsync may succeed without having written
	}
	target := j.written.Load() // older segments were fsynced when they were closed
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.lastSync.Store(j.clock())
	j.mu.Lock()
	j.durable.Store(max(target, j.durable.Load()))
	j.wake()
	j.mu.Unlock()
	return nil
}

// closedSegments returns the files that are no longer written to and the
// sequence of the last record in them.
func (j *journal) closedSegments() (segments []segment, last uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := len(j.segments) - 1
	return append([]segment(nil), j.segments[:n]...), j.segments[n].first - 1
}

// deleteSegments removes the oldest segments, oldest first: a newer one left
// behind alone is harmless, an older one would bring dropped data back.
func (j *journal) deleteSegments(segments []segment) error {
	for _, seg := range segments {
		if err := j.fs.Remove(seg.path); err != nil {
			return err
		}
		// One by one: after a power cut the names that are gone must be the oldest.
		if err := j.fs.SyncDir(j.dir); err != nil {
			return err
		}
		j.mu.Lock()
		j.segments = j.segments[1:]
		j.mu.Unlock()
	}
	return nil
}
