// Package audit keeps the audit trail: a file of JSON lines that says who did
// what and how it ended. It never holds a value or a secret; the engine hands
// over nothing of the kind, and what names a line has to bound and to escape is
// done here.
//
// Callers encode their lines (Line) and hand them over in batches (Trail.Append),
// which costs a short lock and a copy. One goroutine writes them, seals them and
// turns the files over. A seal is a line with a SHA-256 over everything since the
// seal before it, that seal included, so the files form one chain (Verify).
package audit
