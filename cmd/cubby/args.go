package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// exactly accepts n arguments, which are called names.
func exactly(n int, names string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < n:
			return usagef("%s is missing", missing(names, len(args)))
		case len(args) > n:
			return usagef("unexpected argument %q", args[n])
		}
		return nil
	}
}

// atLeast accepts n arguments or more; the first n are called names.
func atLeast(n int, names string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < n {
			return usagef("%s is missing", missing(names, len(args)))
		}
		return nil
	}
}

// missing returns those of "A, B and C" that were not given.
func missing(names string, given int) string {
	list := strings.FieldsFunc(strings.ReplaceAll(names, " and ", ", "), func(r rune) bool { return r == ',' || r == ' ' })
	if given >= len(list) {
		return names
	}
	return strings.Join(list[given:], " and ")
}

// atMost accepts up to n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("unexpected argument %q", args[n])
		}
		return nil
	}
}
