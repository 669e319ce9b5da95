package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is set by the release build: -ldflags "-X main.release=1.2.3".
var release string

// fallbackRelease is what a build from a working tree calls itself.
const fallbackRelease = "0.1.0-dev"

// version is the version of this binary: the release's, or that of the module
// when it was installed with "go install".
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return fallbackRelease
}

func newVersion(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Args:  exactly(0, ""),
		RunE: func(*cobra.Command, []string) error {
			return env.say("cubby %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}
