package bunt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// RepairReport is what Repair did.
type RepairReport struct {
	// Found is what Verify found before.
	Found *Report
	// Aside is the directory that took the damaged files; empty when nothing
	// was to be done.
	Aside string
	// Moved are the files in it, by their path in the data directory.
	Moved []string
	// Kept are all namespaces as they are now.
	Kept []NamespaceReport
}

// Repair makes a directory that Verify finds damaged whole again. It keeps
// each entry and each journal record whose checksum holds; what lies between
// is lost, and Report.Damage says where. Files that it replaces are moved into
// a new directory damaged-<time> and never deleted. A repair that was cut
// short can be run again. Errors: storage.ErrLocked, the system's, the
// context's.
func Repair(ctx context.Context, dir string, o VerifyOptions) (*RepairReport, error) {
	lock, err := takeDir(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	s, found, err := verify(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	result := &RepairReport{Found: found, Kept: found.Namespaces}
	if len(found.Damage) == 0 {
		return result, nil
	}
	r := &repair{survey: s, aside: filepath.Join(dir, "damaged-"+time.UnixMilli(o.now()).UTC().Format("20060102T150405.000Z"))}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	result.Aside, result.Moved = r.aside, r.moved
	_, again, err := verify(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	if len(again.Damage) > 0 {
		return nil, fmt.Errorf("after the repair there is still damage: %w", &again.Damage[0])
	}
	result.Kept = again.Namespaces
	return result, nil
}

type repair struct {
	*survey
	aside string
	moved []string
	last  uint64 // sequence that the new snapshots include
}

// run replaces what is damaged in steps of which each leaves a directory that
// holds no less than before:
//
//  1. New snapshots take the place of the old, which get a second name aside.
//     They include the whole journal, so it is of no more use to them.
//  2. If the journal is damaged, all namespaces in it got a snapshot; a new
//     segment begins behind it, the old ones are moved aside, and the manifest
//     says so. Until then it tells of segments that are gone, which is damage.
func (r *repair) run(ctx context.Context) error {
	r.last = max(r.survey.last, r.newest)
	if r.journal {
		for r.hasSegment(r.last + 1) { // it may be damaged itself
			r.last++
		}
	}
	for _, id := range r.ids() {
		if err := ctx.Err(); err != nil {
			return err
		}
		sp := r.spaces[id]
		if sp.damaged || r.journal && len(sp.records.pieces) > 0 {
			if err := r.rewrite(sp); err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
		}
	}
	if !r.journal {
		return nil
	}
	dir := filepath.Join(r.dir, journalDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// Versions may have been given out that only lost records knew: those of a
	// server's next start are above them, see Store.openDir.
	f, _, err := createSegment(systemFS{}, dir, segmentInfo{first: r.last + 1, follows: r.last, version: r.version, salt: r.newSalt()})
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, seg := range r.segments {
		to, err := r.makeAside(seg.path)
		if err != nil {
			return err
		}
		if err := errors.Join(os.Rename(seg.path, to), systemFS{}.SyncDir(filepath.Dir(to)), systemFS{}.SyncDir(dir)); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(r.dir, manifestName)); err == nil {
		if err := r.nameAside(filepath.Join(r.dir, manifestName)); err != nil {
			return err
		}
	}
	return writeManifest(systemFS{}, r.dir, manifest{oldest: r.last + 1, newest: r.last + 1, durable: r.last})
}

// nameAside gives a file that is about to be replaced a second name.
func (r *repair) nameAside(path string) error {
	to, err := r.makeAside(path)
	if err != nil {
		return err
	}
	if err := os.Link(path, to); err != nil {
		if err := copyFile(path, to); err != nil {
			return err
		}
	}
	return systemFS{}.SyncDir(filepath.Dir(to))
}

func (r *repair) hasSegment(first uint64) bool {
	for _, seg := range r.segments {
		if seg.first == first {
			return true
		}
	}
	return false
}

// rewrite gives a namespace a new snapshot.
func (r *repair) rewrite(sp *surveyed) error {
	damage := len(r.survey.damage)
	c, err := r.contents(sp, true)
	if err != nil {
		return err
	}
	r.survey.damage = r.survey.damage[:damage] // reported before
	if sp.snapshot != "" {
		if err := r.nameAside(sp.snapshot); err != nil {
			return err
		}
	}
	path := filepath.Join(r.dir, spacesDir, sp.id.Tenant, sp.id.App+snapshotExt)
	if len(c.items) == 0 {
		if sp.snapshot == "" {
			return nil
		}
		return errors.Join(os.Remove(path), systemFS{}.SyncDir(filepath.Dir(path))) // its second name stays
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp := filepath.Join(r.dir, spacesDir, ".repair"+tempSuffix)
	if err := c.write(temp, sp.id, r.last); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return errors.Join(systemFS{}.SyncDir(filepath.Dir(path)), systemFS{}.SyncDir(filepath.Join(r.dir, spacesDir)))
}

// makeAside returns the place of a file among the damaged ones.
func (r *repair) makeAside(path string) (string, error) {
	name, err := filepath.Rel(r.dir, path)
	if err != nil {
		return "", err
	}
	to := filepath.Join(r.aside, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", err
	}
	r.moved = append(r.moved, name)
	return to, errors.Join(systemFS{}.SyncDir(r.dir), systemFS{}.SyncDir(r.aside))
}

// newSalt is the journal's, where it is known.
func (r *repair) newSalt() uint32 {
	if r.salted {
		return r.salt
	}
	return rand.Uint32()
}

// copyFile makes a durable copy.
func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
