package bunt

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// VerifyOptions configures Verify and Repair.
type VerifyOptions struct {
	// Now judges what has expired, in Unix milliseconds. Default: the time.
	Now int64
	// Progress, unless nil, is told how many bytes were read, of how many.
	Progress func(done, total int64)
}

func (o VerifyOptions) now() int64 {
	if o.Now != 0 {
		return o.Now
	}
	return time.Now().UnixMilli()
}

// Report is what Verify found in a directory.
type Report struct {
	Namespaces []NamespaceReport // in the order of their names
	Segments   int               // of the journal
	Records    int               // intact ones in it
	First      uint64            // sequence of the journal's first record
	Last       uint64            // of its last; less than First without any
	Bytes      int64             // of the journal
	Damage     []Damage
	// Notes tell what is no damage and yet worth knowing.
	Notes []string
}

// NamespaceReport is what database 0 of a namespace holds.
type NamespaceReport struct {
	Name    string
	Keys    int64 // live
	Bytes   int64 // of their keys and values
	Expired int64 // keys that have ended and wait to be removed
	Damaged bool  // the figures are of what could be read
}

// Verify reads every byte of a data directory that no server uses, checks
// every checksum and the order of the journal, and recounts each namespace.
// Damage is in the report. It changes nothing. Errors: storage.ErrLocked, the
// system's, the context's.
func Verify(ctx context.Context, dir string, o VerifyOptions) (*Report, error) {
	lock, err := takeDir(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	_, report, err := verify(ctx, dir, o)
	return report, err
}

// verify is Verify for callers that hold the lock.
func verify(ctx context.Context, dir string, o VerifyOptions) (*survey, *Report, error) {
	s, err := newSurvey(ctx, dir, o.Progress)
	if err != nil {
		return nil, nil, err
	}
	report := &Report{Segments: len(s.segments), Records: s.records, First: s.first, Last: s.last, Bytes: s.bytes}
	for _, id := range s.ids() {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		c, err := s.contents(s.spaces[id], false)
		if err != nil {
			return nil, nil, err
		}
		sp := s.spaces[id]
		sp.damaged = c.damaged
		s.newest = max(s.newest, c.seq)
		s.version = max(s.version, c.version)
		if len(c.items) == 0 && !c.damaged { // dropped, or emptied
			continue
		}
		usage, expired := c.count(o.now())
		report.Namespaces = append(report.Namespaces, NamespaceReport{
			Name: id.String(), Keys: usage.Keys, Bytes: usage.Bytes, Expired: expired, Damaged: c.damaged,
		})
	}
	slices.SortStableFunc(s.damage, func(a, b Damage) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset))
	})
	report.Damage, report.Notes = s.damage, s.notes
	return s, report, nil
}
