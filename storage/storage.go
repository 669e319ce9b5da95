// Package storage is the contract between the command engine and the places
// that keep data. Backends live below it (storage/bunt); storage/storetest is
// the suite that each of them passes.
//
// The contract speaks of namespaces, entries and transactions. It knows
// neither commands nor limits: those belong to package commands.
package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Databases is how many databases each namespace has: 0 is durable, 1 lives
// in memory only and is empty after a restart.
const Databases = 2

// The two databases of a namespace.
const (
	Durable   = 0
	Ephemeral = 1
)

// ID names a namespace. The alphabet of its parts is checked by package auth;
// a backend may rely on them being safe as file names.
type ID struct {
	Tenant string
	App    string
}

// String returns "tenant/app".
func (id ID) String() string { return id.Tenant + "/" + id.App }

// Entry is what a key holds.
type Entry struct {
	// Value is borrowed and immutable. From a Tx it is the store's own memory,
	// valid until that transaction's function returns, whatever the function
	// writes meanwhile; nobody may write to it, and who needs it longer copies.
	// Whoever passes one to Tx.Set may reuse it afterwards (the store copies).
	Value []byte
	// UpdatedAt is the time of the last write, in Unix milliseconds. The store
	// sets it to Tx.Now.
	UpdatedAt int64
	// ExpiresAt is when the entry ends, in Unix milliseconds; 0 is never. An
	// entry is expired as soon as Tx.Now >= ExpiresAt.
	ExpiresAt int64
	// Version changes with every write, also of a key that was deleted in
	// between. The store assigns it from a counter that never repeats.
	Version uint64
}

// Expired tells whether the entry has ended at now (Unix milliseconds).
func (e Entry) Expired(now int64) bool { return e.ExpiresAt != 0 && now >= e.ExpiresAt }

// Usage is what a namespace's database holds. Expired entries never count.
type Usage struct {
	Keys  int64 // live keys
	Bytes int64 // bytes of live keys and their values
}

// Seq is a position in the store's history of writes. Zero depends on nothing.
type Seq uint64

// NeverSeq is greater than every Seq that a store hands out.
const NeverSeq = Seq(math.MaxUint64)

// Errors that a store returns, wrapped with details for the log.
var (
	// ErrNotFound is returned by Tx.Get and Tx.Delete for a key that is missing
	// or expired.
	ErrNotFound = errors.New("storage: key not found")
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("storage: store is closed")
	// ErrDropped is returned by a Namespace whose data was erased by Drop after
	// it was opened. Opening it again gives an empty one.
	ErrDropped = errors.New("storage: namespace was dropped")
	// ErrWouldWait is returned by a Trier.
	ErrWouldWait = errors.New("storage: the call would have to wait")
	// ErrReadOnlyTx is returned by a write inside View.
	ErrReadOnlyTx = errors.New("storage: transaction is read-only")
	// ErrWriteFailed is returned when the disk refused a write or an fsync.
	// Nothing of the transaction is kept. Reads go on.
	ErrWriteFailed = errors.New("storage: the disk refuses writes")
	// ErrOutOfMemory is what Bounded answers while the data in use takes more
	// memory than it may.
	ErrOutOfMemory = errors.New("storage: out of memory")
	// ErrTooLarge is returned by Tx.Set when the transaction writes more than it
	// may. Nothing of it can be kept.
	ErrTooLarge = errors.New("storage: the transaction writes too much")
	// ErrLocked is returned by opening a directory that another process holds.
	ErrLocked = errors.New("storage: directory is in use by another process")
	// ErrNoBackup is returned by a store that keeps its data in memory only.
	ErrNoBackup = errors.New("storage: there is nothing on disk to back up")
	// ErrDamaged is matched by every *DamageError.
	ErrDamaged = errors.New("storage: damaged data")
)

// DamageError names the place where stored bytes are not what was written.
type DamageError struct {
	File   string // path of the file
	Offset int64  // byte offset of the damaged record
	Reason string // what is wrong with it
}

// Error names file, offset and reason.
func (e *DamageError) Error() string {
	return fmt.Sprintf("%s: damaged at byte %d: %s", e.File, e.Offset, e.Reason)
}

// Is makes errors.Is(err, ErrDamaged) true.
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }

// Store keeps the data of all namespaces. All methods are safe for concurrent
// use.
type Store interface {
	// Namespace returns one database (0 or 1) of a namespace; it exists from
	// its first use. Errors: ErrClosed, ErrDamaged.
	Namespace(ctx context.Context, db int, id ID) (Namespace, error)
	// Wait returns when everything up to s may be answered to a client: written
	// to the operating system, or durable where the store promises that.
	// Errors: ErrWriteFailed, ErrClosed, the context's.
	Wait(ctx context.Context, s Seq) error
	// Drop erases both databases of a namespace, durably before it returns.
	// Namespaces that were opened before return ErrDropped from then on.
	Drop(ctx context.Context, id ID) error
	// Close makes all writes durable and releases the store.
	Close() error
}

// Namespace is one database of one namespace. Its methods are safe for
// concurrent use.
//
// The keys argument lists what fn may touch by name, so that a remote store
// can fetch them first; nil means that fn may touch anything. fn MAY RUN MORE
// THAN ONCE: it must start its effects outside the Tx afresh each time. When
// fn returns an error or panics, nothing of it is kept, and the error is
// returned or the panic goes on. Who needs both databases of a namespace at
// once enters 1 first and 0 inside it, so that nobody waits in a circle.
type Namespace interface {
	// View runs fn on a state that does not change meanwhile. The Seq is the
	// newest write that fn may have seen.
	View(ctx context.Context, keys []string, fn func(Tx) error) (Seq, error)
	// Update runs fn alone and keeps all its writes or none. The Seq is that of
	// its writes, or the newest write that fn may have seen when it wrote none.
	Update(ctx context.Context, keys []string, fn func(Tx) error) (Seq, error)
}

// Trier is a Namespace that can decline instead of making its caller wait: for
// others that use it, or for a disk. A door that serves many clients from one
// goroutine asks it.
type Trier interface {
	// TryView is View, or ErrWouldWait, and then fn did not run.
	TryView(ctx context.Context, keys []string, fn func(Tx) error) (Seq, error)
	// TryUpdate is Update, or ErrWouldWait, and then fn did not run.
	TryUpdate(ctx context.Context, keys []string, fn func(Tx) error) (Seq, error)
}

// Tx is one transaction. It must not be used after the function that received
// it has returned, nor may the values and keys that it handed out: they are
// borrowed, see Entry.Value. Keys passed in may be borrowed too: the store
// copies what it keeps.
type Tx interface {
	// Now is the instant of the transaction in Unix milliseconds. It judges
	// every expiry in it.
	Now() int64
	// Get returns a live entry, or ErrNotFound.
	Get(key string) (Entry, error)
	// Set writes Value and ExpiresAt of e under key; UpdatedAt and Version are
	// assigned by the store. An ExpiresAt in the past deletes.
	// Errors: ErrReadOnlyTx, ErrTooLarge.
	Set(key string, e Entry) error
	// Delete removes a live entry. Errors: ErrNotFound, ErrReadOnlyTx.
	Delete(key string) error
	// Clear removes everything. Errors: ErrReadOnlyTx.
	Clear() error
	// Ascend calls yield for each live entry whose key is >= from, in order of
	// the keys' bytes, until yield returns false. Keys are borrowed like values. yield may write to the Tx; it
	// then sees keys that existed when it was called, less what it deleted.
	Ascend(from string, yield func(key string, e Entry) bool) error
	// Random returns some live key, borrowed, each with about the same chance, or
	// ErrNotFound when there is none.
	Random() (string, error)
	// Usage counts live keys and bytes, this Tx's writes included.
	Usage() Usage
	// Purge removes at most limit expired entries from memory, oldest expiry
	// first, and returns how many. No other method can see the difference.
	// Errors: ErrReadOnlyTx.
	Purge(limit int) (int, error)
}
