//go:build !race

package integration

// buildFlags build the server as this test was built.
var buildFlags []string
