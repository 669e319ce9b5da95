package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// environment is what a command may use of the world around it. Tests give it
// another one.
type environment struct {
	in          io.Reader
	out, err    io.Writer
	getenv      func(string) string
	interactive bool // a person answers at in
	watched     bool // a person looks at err
	colored     bool // out is a terminal that shows colors, and they are wanted

	// The terminal that out is; 0 when it is none.
	width, height int
	size          func() (width, height int) // as it is now; nil when it is none
	// secret reads what a person types at in without showing it; nil reads a line.
	secret func() (string, error)
}

// say prints what was asked for. That it could not be printed is an error: a
// token nobody saw is lost.
func (e environment) say(format string, args ...any) error {
	_, err := fmt.Fprintf(e.out, format, args...)
	return err
}

// note prints what only people need, beside what was asked for.
func (e environment) note(format string, args ...any) { _, _ = fmt.Fprintf(e.err, format, args...) }

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // it did not work
	exitUsage = 2 // it was called wrongly, and nothing was tried
)

// usageError is a command line that makes no sense.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run executes one command line and returns the exit code. Errors go to
// env.err, a line for each.
func run(ctx context.Context, env environment, args []string) int {
	root := newRoot(env)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		env.note("cubby: %s\n", line)
	}
	var usage usageError
	if !errors.As(err, &usage) {
		return exitError
	}
	env.note("Run '%s --help' for more.\n", cmd.CommandPath())
	return exitUsage
}

func newRoot(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "cubby",
		Short: "A Redis-protocol key-value server that gives each app of each tenant a namespace of its own",
		Long: `Cubby is a Redis-protocol key-value server for app platforms: each credential
opens one private namespace, inside limits that the platform sets.

  cubby serve --dev              try it: no sign-in, wide-open limits, this machine only
  cubby serve redis.conf         run it
  cubby app create acme/shop     open a namespace for the app "shop" of the tenant "acme"
  cubby token create acme/shop   make a secret that opens it
  cubby usage                    see what all apps use, the fullest first
  cubby completion bash --help   let the Tab key complete commands, apps and tokens`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("cubby {{.Version}}\n")
	root.SetIn(env.in)
	root.SetOut(env.out)
	root.SetErr(env.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	group(root, newServe(env), newApp(env), newToken(env), newTenant(env),
		newUsage(env), newClient(env), newConfig(env), newAudit(env), newCheck(env), newBackup(env), newRestore(env), newExport(env), newImport(env), newVersion(env))
	return root
}

// group makes parent a command that does nothing but hold others.
func group(parent *cobra.Command, children ...*cobra.Command) *cobra.Command {
	parent.AddCommand(children...)
	parent.Args = cobra.ArbitraryArgs
	parent.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			cmd.SetOut(cmd.ErrOrStderr())
			_ = cmd.Help()
			return usagef("which command of '%s'?", cmd.CommandPath())
		}
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return usagef("no command %q; did you mean %s?", args[0], strings.Join(near, " or "))
		}
		return usagef("no command %q", args[0])
	}
	parent.SuggestionsMinimumDistance = 2
	parent.DisableFlagsInUseLine = true
	return parent
}
