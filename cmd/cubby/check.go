package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
)

func newCheck(env environment) *cobra.Command {
	var repair, asJSON bool
	cmd := &cobra.Command{
		Use:   "check DIR [--repair] [--json]",
		Short: "Verify every checksum of a data directory and recount its namespaces",
		Long: `Verify every checksum of a data directory that no server is using, the order of
its journal, and recount each namespace. It changes nothing. The exit code is 0
when all is good and 1 when something is damaged.

With --repair, everything that is provably what was written is kept, and the
files that were damaged are moved into DIR/damaged-<time>. Nothing is deleted.`,
		Example: "  cubby check /var/lib/cubby\n  cubby check /var/lib/cubby --repair",
		Args:    exactly(1, "DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			c := checker{env: env, dir: args[0], json: asJSON}
			if repair {
				return c.repair(ctx)
			}
			return c.check(ctx)
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "keep what is good and move the rest aside")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// interruptible returns a context that Ctrl-C ends, so that unfinished files
// can be removed.
func interruptible(parent context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
}

type checker struct {
	env  environment
	dir  string
	json bool
}

func (c *checker) check(ctx context.Context) error {
	p := c.env.progress("checking")
	report, err := bunt.Verify(ctx, c.dir, bunt.VerifyOptions{Progress: p.bytes})
	p.end()
	if err != nil {
		return c.explain(err)
	}
	if c.json {
		if err := c.env.printJSON(newCheckJSON(c.dir, report, nil)); err != nil {
			return err
		}
	} else if err := c.print(report); err != nil {
		return err
	}
	if n := len(report.Damage); n > 0 {
		return fmt.Errorf("%s is damaged in %d place(s); 'cubby check %s --repair' keeps what is good, and a backup may have more", c.dir, n, c.dir)
	}
	return nil
}

func (c *checker) repair(ctx context.Context) error {
	p := c.env.progress("repairing")
	report, err := bunt.Repair(ctx, c.dir, bunt.VerifyOptions{Progress: p.bytes})
	p.end()
	if err != nil {
		return c.explain(err)
	}
	if c.json {
		return c.env.printJSON(newCheckJSON(c.dir, report.Found, report))
	}
	if report.Aside == "" {
		return c.print(report.Found)
	}
	if err := c.env.say("Damage was found, and what it held is lost:\n"); err != nil {
		return err
	}
	if err := c.printDamage(report.Found); err != nil {
		return err
	}
	if err := c.env.say("\nMoved to %s:\n", report.Aside); err != nil {
		return err
	}
	for _, name := range report.Moved {
		if err := c.env.say("  %s\n", name); err != nil {
			return err
		}
	}
	if err := c.env.say("\nKept:\n"); err != nil {
		return err
	}
	if err := c.printNamespaces(report.Kept); err != nil {
		return err
	}
	return c.env.say("\nThe directory is good now.\n")
}

// explain turns the errors of looking into what to do.
func (c *checker) explain(err error) error {
	switch {
	case errors.Is(err, storage.ErrLocked):
		return fmt.Errorf("%s is in use by a running server; stop it first (a copy or a restored backup can be checked while it runs)", c.dir)
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("there is no directory %s", c.dir)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	}
	return err
}

func (c *checker) print(r *bunt.Report) error {
	if err := c.printNamespaces(r.Namespaces); err != nil {
		return err
	}
	records := "no records"
	if r.Records > 0 {
		records = fmt.Sprintf("%d record(s), %d to %d", r.Records, r.First, r.Last)
	}
	if err := c.env.say("\njournal: %d segment(s), %s, %s\n", r.Segments, formatBytes(r.Bytes), records); err != nil {
		return err
	}
	for _, note := range r.Notes {
		if err := c.env.say("note: %s\n", note); err != nil {
			return err
		}
	}
	if len(r.Damage) == 0 {
		return c.env.say("no damage\n")
	}
	if err := c.env.say("damage:\n"); err != nil {
		return err
	}
	return c.printDamage(r)
}

func (c *checker) printDamage(r *bunt.Report) error {
	for i := range r.Damage {
		d := &r.Damage[i]
		file := d.File
		if rel, err := filepath.Rel(c.dir, d.File); err == nil {
			file = rel
		}
		whose := ""
		if d.Namespace != "" {
			whose = ", of " + d.Namespace
		}
		if err := c.env.say("  %s, byte %d%s: %s\n", file, d.Offset, whose, d.Reason); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) printNamespaces(list []bunt.NamespaceReport) error {
	if len(list) == 0 {
		return c.env.say("no namespaces\n")
	}
	rows := [][]string{{"NAMESPACE", "KEYS", "BYTES", "EXPIRED"}}
	for _, n := range list {
		row := []string{n.Name, fmt.Sprint(n.Keys), fmt.Sprint(n.Bytes), fmt.Sprint(n.Expired)}
		if n.Damaged {
			row = append(row, "damaged, this is what is left")
		}
		rows = append(rows, row)
	}
	return c.env.printTable(rows)
}

// checkJSON is the output for scripts.
type checkJSON struct {
	Directory  string          `json:"directory"`
	Good       bool            `json:"good"` // now
	Namespaces []namespaceJSON `json:"namespaces"`
	Journal    struct {
		Segments int    `json:"segments"`
		Records  int    `json:"records"`
		First    uint64 `json:"first"`
		Last     uint64 `json:"last"`
		Bytes    int64  `json:"bytes"`
	} `json:"journal"`
	Damage []damageJSON `json:"damage"`
	Notes  []string     `json:"notes"`
	Repair *repairJSON  `json:"repair,omitempty"`
}

type namespaceJSON struct {
	Name    string `json:"name"`
	Keys    int64  `json:"keys"`
	Bytes   int64  `json:"bytes"`
	Expired int64  `json:"expired"`
	Damaged bool   `json:"damaged"`
}

type damageJSON struct {
	File      string `json:"file"`
	Offset    int64  `json:"offset"`
	Reason    string `json:"reason"`
	Namespace string `json:"namespace,omitempty"`
}

type repairJSON struct {
	Aside string          `json:"aside"`
	Moved []string        `json:"moved"`
	Kept  []namespaceJSON `json:"kept"`
}

func newCheckJSON(dir string, r *bunt.Report, repaired *bunt.RepairReport) checkJSON {
	out := checkJSON{
		Directory: dir, Good: len(r.Damage) == 0 || repaired != nil,
		Namespaces: namespacesJSON(r.Namespaces), Damage: []damageJSON{}, Notes: append([]string{}, r.Notes...),
	}
	j := &out.Journal
	j.Segments, j.Records, j.First, j.Last, j.Bytes = r.Segments, r.Records, r.First, r.Last, r.Bytes
	for _, d := range r.Damage {
		out.Damage = append(out.Damage, damageJSON{d.File, d.Offset, d.Reason, d.Namespace})
	}
	if repaired != nil && repaired.Aside != "" {
		out.Repair = &repairJSON{repaired.Aside, repaired.Moved, namespacesJSON(repaired.Kept)}
	}
	return out
}

func namespacesJSON(list []bunt.NamespaceReport) []namespaceJSON {
	out := make([]namespaceJSON, 0, len(list))
	for _, n := range list {
		out = append(out, namespaceJSON(n))
	}
	return out
}
