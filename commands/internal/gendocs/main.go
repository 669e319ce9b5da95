// Command gendocs writes the reference of all commands to the file that its
// argument names.
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/cubbykv/cubby/commands"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendocs FILE")
		os.Exit(2)
	}
	var b bytes.Buffer
	if err := commands.WriteDocs(&b); err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
	if err := os.WriteFile(os.Args[1], b.Bytes(), 0o644); err != nil { //nolint:gosec // documentation is public
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}
