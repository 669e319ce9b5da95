// Command cubby is the server and the tool with which its admin manages apps
// and tokens.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), environment{
		in:          os.Stdin,
		out:         os.Stdout,
		err:         os.Stderr,
		getenv:      os.Getenv,
		interactive: isTerminal(os.Stdin),
	}, os.Args[1:]))
}

// isTerminal tells whether a person may answer at f.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
