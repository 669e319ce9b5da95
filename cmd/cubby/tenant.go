package main

import (
	"bufio"
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

func newTenant(env environment) *cobra.Command {
	t := new(target)
	yes := false
	drop := &cobra.Command{
		Use:   "drop TENANT",
		Short: "Erase all apps of a tenant with their data and tokens",
		Args:  exactly(1, "TENANT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := env.confirm(yes, "Erase the tenant "+args[0]+" with all apps, their data and tokens?"); err != nil {
				return err
			}
			n, err := t.ask(cmd.Context(), env, "TENANT.DROP", args[0])
			if err != nil {
				return err
			}
			if t.json {
				return env.printJSON(record{{"tenant", args[0]}, {"dropped", n}})
			}
			return env.say("dropped %d app(s) of %s\n", n, args[0])
		},
	}
	drop.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	parent := group(&cobra.Command{Use: "tenant", Short: "Manage tenants on a running server"}, drop)
	t.addFlags(parent)
	return parent
}

// confirm asks before something is erased. Where nobody can answer it refuses:
// a script has to say --yes.
func (e environment) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if !e.interactive {
		return usagef("this erases data for good and nobody is there to confirm it; add --yes")
	}
	e.note("%s [y/N] ", question)
	answer, _ := bufio.NewReader(e.in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was erased; it takes the answer y, or --yes")
}
