// Package lint holds the architecture as tests: which package may import
// which, and how long a file may be.
package lint
