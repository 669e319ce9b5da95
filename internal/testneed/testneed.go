// Package testneed is the one rule for tests that need a program from outside:
// without it they skip and say so, except where CUBBY_TEST_REQUIRE=1 promises
// that everything is installed.
package testneed

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program, or ends the test.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name, err.Error())
		return ""
	}
	return path
}

// Missing ends the test for want of something; why is what was seen of that.
func Missing(t testing.TB, what, why string) {
	t.Helper()
	if os.Getenv("CUBBY_TEST_REQUIRE") == "1" {
		t.Fatalf("%s is missing, and CUBBY_TEST_REQUIRE=1 forbids to skip: %s", what, why)
	}
	t.Skipf("needs %s, which is not installed: %s", what, why)
}
