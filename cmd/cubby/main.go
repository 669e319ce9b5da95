// Command cubby is the server and the tool with which its admin manages apps
// and tokens.
package main

import (
	"context"
	"os"

	"golang.org/x/term"
)

func main() {
	os.Exit(run(context.Background(), environment{
		in:          os.Stdin,
		out:         os.Stdout,
		err:         os.Stderr,
		getenv:      os.Getenv,
		interactive: term.IsTerminal(int(os.Stdin.Fd())),
		watched:     term.IsTerminal(int(os.Stderr.Fd())),
	}, os.Args[1:]))
}
