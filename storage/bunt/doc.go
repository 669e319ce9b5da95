// Package bunt is the embedded backend of package storage.
//
// Tables answer by name, buntdb answers by order and wakes up on time, one
// journal remembers:
//
//   - A space holds one database of one namespace under its own lock (space.go,
//     tx.go). Its keyspace has records in an arena, a table that finds them, counts
//     and a calendar of expiries (keyspace.go, item.go, arena.go, table.go,
//     slots.go, expiry.go).
//   - A shard is an in-memory buntdb that orders the pages of several spaces,
//     which order their keys (pages.go), and holds one alarm row per space that
//     has a due time (shard.go, sweeper.go).
//   - The journal keeps one checksummed record per Update of database 0
//     (record.go, journal.go, segment.go). A start checks it and notes where the
//     records of each space are; it loads none (scan.go, replay.go, tail.go).
//   - When the disk refuses something, what nobody was promised is taken back,
//     and a journal whose disk was full goes on (failure.go, rollback.go).
//   - A snapshot file per namespace lets old segments go (snapshot.go, dirty.go,
//     compact.go).
//   - A space is read at its first use, and leaves memory when it is idle or
//     memory is short (load.go, unload.go, memory.go).
//   - Verify and Repair look at a directory without trusting it (survey.go,
//     contents.go); Backup and Restore carry one in a single file (archive.go).
//
// # Locks
//
// Order: Store.compacting, Store.drops, space.mu, Store.files, shard (buntdb's
// own lock), dirtyList.mu, journal.mu. Store.mu, sweeper.mu and residents.mu are
// held over nothing else. Only Drop holds two spaces at once, database 1 before
// 0. User code runs under the lock of its space and under no other. Files are
// written outside every data lock, except by Drop, whose space nobody may use
// any more. A space is loaded under its own lock: those who wait for it want
// that space.
//
// # Files in Options.Dir
//
//	LOCK                          held while the store is open
//	MANIFEST                      what the journal holds at least (manifest.go)
//	journal/<first sequence>.log  segments, 20 digits
//	spaces/<tenant>/<app>.snap    snapshots of database 0
package bunt
