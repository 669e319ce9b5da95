// Package integration tests the built binary as its users meet it: real
// clients over real sockets, restarts, kill -9, damaged files, and the command
// line. TestMain builds the binary once; each test starts servers of its own in
// directories of its own.
//
// CUBBY_TEST_SEED repeats a run with random choices, CUBBY_TEST_CRASH_ROUNDS
// makes the crash tests longer.
package integration

//go:generate go run ./internal/gendocs testdata/compatibility.json ../docs/compatibility.md
//go:generate go run ./internal/genconformance ../sdk/conformance/cases.json ../sdk/conformance/results.json ../docs/sdk.md
