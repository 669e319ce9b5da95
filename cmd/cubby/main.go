// Command cubby is the server and the tool with which its admin manages apps
// and tokens.
package main

import (
	"context"
	"os"

	"golang.org/x/term"
)

func main() {
	env := environment{
		in:          os.Stdin,
		out:         os.Stdout,
		err:         os.Stderr,
		getenv:      os.Getenv,
		interactive: term.IsTerminal(int(os.Stdin.Fd())),
		watched:     term.IsTerminal(int(os.Stderr.Fd())),
	}
	if out := int(os.Stdout.Fd()); term.IsTerminal(out) {
		env.size = func() (width, height int) {
			width, height, err := term.GetSize(out)
			if err != nil || width <= 0 {
				return 80, 0
			}
			return width, height
		}
		env.width, env.height = env.size()
		// https://no-color.org
		env.colored = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	if env.interactive {
		env.secret = func() (string, error) {
			secret, err := term.ReadPassword(int(os.Stdin.Fd()))
			return string(secret), err
		}
	}
	os.Exit(run(context.Background(), env, os.Args[1:]))
}
