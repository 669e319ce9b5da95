package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cubbykv/cubby/audit"
	"github.com/cubbykv/cubby/auth"
)

// auditShown is how many lines audit shows unless it is told.
const auditShown = 100

// auditFilter says which lines of a trail are wanted; empty fields want all.
type auditFilter struct {
	tenant, app, token, command, event, code string
	own                                      bool
	from                                     time.Time
}

func (f *auditFilter) wants(e *audit.Entry) bool {
	if e.Own() && !f.own {
		return false
	}
	for _, p := range [...]struct{ want, have string }{
		{f.tenant, e.Tenant}, {f.app, e.App}, {f.command, e.Command}, {f.event, string(e.Event)}, {f.code, e.Code},
	} {
		if p.want != "" && !strings.EqualFold(p.want, p.have) {
			return false
		}
	}
	if f.token != "" && f.token != e.Token && f.token != e.JWT && f.token != e.With && f.token != e.Created {
		return false
	}
	return !e.Time.Before(f.from)
}

type auditReader struct {
	target
	env    environment
	filter auditFilter
	since  string
	last   int
	follow bool
}

func newAudit(env environment) *cobra.Command {
	a := &auditReader{env: env}
	cmd := &cobra.Command{
		Use:   "audit FILE",
		Short: "Show the lines of an audit trail",
		Long: `Show the newest lines of the audit trail in FILE, which is what audit-file says,
and of the older files beside it. It reads files and needs no server.
docs/audit.md explains the lines; --json prints them as they are.`,
		Example: `  cubby audit /var/log/cubby/audit.log --tenant acme --since 1h
  cubby audit audit.log --code WRONGPASS -n 0 --json
  cubby audit audit.log --token 3nnsqpkvykv5evca --follow
  cubby audit verify audit.log`,
		Args: exactly(1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.since != "" {
				d, err := auth.ParseDuration(a.since)
				if err != nil {
					return usagef("--since %s: %v", a.since, err)
				}
				a.filter.from = time.Now().Add(-d)
			}
			if a.last < 0 {
				return usagef("-n %d: how many lines? 0 is all", a.last)
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return a.run(ctx, args[0])
		},
	}
	f, g := cmd.Flags(), &a.filter
	f.StringVar(&g.tenant, "tenant", "", "only of this tenant")
	f.StringVar(&g.app, "app", "", "only of the app with this name")
	f.StringVar(&g.token, "token", "", "only of the token with this id, or of the JWT with this jti")
	f.StringVar(&g.command, "command", "", "only this command; a subcommand is container|name")
	f.StringVar(&g.event, "event", "", "only this event: write, refused, auth, admin, control, failed, erased")
	f.StringVar(&g.code, "code", "", "only what ended with this code: OK or an error's first word")
	f.BoolVar(&g.own, "all", false, "also the trail's own lines: open, seal, dropped")
	f.StringVar(&a.since, "since", "", "only of the last 90s, 15m, 12h, 7d ...")
	f.IntVarP(&a.last, "lines", "n", auditShown, "how many lines, the newest; 0 is all")
	f.BoolVarP(&a.follow, "follow", "f", false, "go on with new lines until Ctrl-C")
	f.BoolVar(&a.json, "json", false, "print the lines as they are")
	cmd.AddCommand(newAuditVerify(env))
	return cmd
}

func (a *auditReader) run(ctx context.Context, path string) error {
	files, err := auditFiles(path)
	if err != nil {
		return err
	}
	var kept [][]byte // the newest
	var at *os.File   // the file that is followed
	var r *audit.Reader
	for i, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		r = audit.NewReader(f)
		err = a.each(r, func(e *audit.Entry) error {
			if a.last == 0 && a.json {
				return a.printRaw(e.Raw)
			}
			kept = append(kept, bytes.Clone(e.Raw))
			if a.last > 0 && len(kept) >= 2*a.last {
				kept = append([][]byte(nil), kept[len(kept)-a.last:]...)
			}
			return ctx.Err()
		})
		if i == len(files)-1 && a.follow && err == nil {
			at = f
			break
		}
		_ = f.Close()
		if err != nil {
			return err
		}
	}
	if a.last > 0 && len(kept) > a.last {
		kept = kept[len(kept)-a.last:]
	}
	if err := a.print(kept); err != nil || at == nil {
		return err
	}
	return a.goOn(ctx, path, at, r)
}

// auditFiles are the files of a trail.
func auditFiles(path string) ([]string, error) {
	files, err := audit.Files(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no audit trail %s", path)
	}
	return files, err
}

// each calls yield with the wanted lines up to the end.
func (a *auditReader) each(r *audit.Reader, yield func(*audit.Entry) error) error {
	for {
		e, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, audit.ErrTorn):
			continue
		case err != nil:
			return err
		case !a.filter.wants(&e):
			continue
		}
		if err := yield(&e); err != nil {
			return err
		}
	}
}

func (a *auditReader) printRaw(line []byte) error { return a.env.say("%s\n", line) }

// print shows lines that were kept.
func (a *auditReader) print(lines [][]byte) error {
	if a.json {
		for _, line := range lines {
			if err := a.printRaw(line); err != nil {
				return err
			}
		}
		return nil
	}
	if len(lines) == 0 && a.follow {
		return nil
	}
	list := make([]record, len(lines))
	for i, line := range lines {
		list[i] = auditRecord(line)
	}
	return a.printRecords(a.env, list, auditColumns...)
}

var auditColumns = []column{
	{field: "time"}, {field: "event"}, {field: "namespace"},
	{field: "by"},
	column{field: "remote"}.spared(2),
	{field: "command"}, {field: "what"}, {field: "code"},
	number("us", "", nil, "").spared(1),
}

// auditRecord is a line as the table shows it.
func auditRecord(line []byte) record {
	e, err := audit.Parse(line)
	if err != nil {
		return nil // impossible: it was read before
	}
	namespace := e.Tenant
	if e.App != "" {
		namespace += "/" + e.App
	}
	by := e.As
	if id := e.Token + e.JWT; id != "" {
		by += ":" + id
	}
	command := e.Command
	if e.Via != "" {
		command += " (" + e.Via + ")"
	}
	what := append(append([]string{}, e.Keys...), e.Args...)
	if e.MoreKeys > 0 {
		what = append(what, fmt.Sprintf("and %d more", e.MoreKeys))
	}
	for _, p := range [...]struct{ name, text string }{{"user", e.User}, {"with", e.With}, {"created", e.Created}} {
		if p.text != "" {
			what = append(what, p.name+"="+p.text)
		}
	}
	for _, p := range [...]struct {
		name string
		n    int64
	}{{"lines", e.Lines}, {"namespaces", e.Namespaces}, {"keys", e.ErasedKeys}} {
		if p.n != 0 {
			what = append(what, p.name+"="+strconv.FormatInt(p.n, 10))
		}
	}
	r := record{{"time", e.Time.Format("2006-01-02T15:04:05.000000Z")}, {"event", string(e.Event)}, {"namespace", namespace}, {"by", by},
		{"remote", e.Remote}, {"command", command}, {"what", strings.Join(what, " ")}, {"code", e.Code}}
	if e.Micros != nil {
		r = append(r, field{"us", *e.Micros})
	}
	return r
}

// followEvery is how often audit --follow looks for new lines.
const followEvery = 200 * time.Millisecond

// goOn prints new lines as they come. A file that was turned over is read to its
// end before the next.
func (a *auditReader) goOn(ctx context.Context, path string, f *os.File, r *audit.Reader) error {
	defer func() { _ = f.Close() }()
	show := func(e *audit.Entry) error {
		if a.json {
			return a.printRaw(e.Raw)
		}
		var cells []string
		row := auditRecord(e.Raw)
		for _, c := range auditColumns {
			if text := c.cell(row); text != "-" {
				cells = append(cells, text)
			}
		}
		return a.env.say("%s\n", strings.Join(cells, "  "))
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		files, err := audit.Files(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		// In this order: what was written to the old file stands in it by now.
		if err := a.each(r, show); err != nil {
			return err
		}
		for _, name := range filesAfter(files, f) {
			next, err := os.Open(name)
			if errors.Is(err, os.ErrNotExist) {
				break // it is being turned over
			}
			if err != nil {
				return err
			}
			_ = f.Close()
			f, r = next, audit.NewReader(next)
			if err := a.each(r, show); err != nil {
				return err
			}
		}
	}
}

// filesAfter are those behind f; the last one when f is gone.
func filesAfter(files []string, f *os.File) []string {
	was, err := f.Stat()
	if err != nil || len(files) == 0 {
		return nil
	}
	for i, name := range files {
		if now, err := os.Stat(name); err == nil && os.SameFile(was, now) {
			return files[i+1:]
		}
	}
	return files[len(files)-1:]
}

func newAuditVerify(env environment) *cobra.Command {
	var head string
	cmd := &cobra.Command{
		Use:   "verify FILE [FILE ...]",
		Short: "Check that nobody changed an audit trail",
		Long: `Check that the lines of an audit trail are those that the server wrote: that each
seal is that of the lines before it, and that each file goes on where the one
before ended. One FILE stands for itself and the older files beside it; several
are taken in the order in which they are given. The exit code is 1 when
something is not as it was.

Whoever can write the files could write all of them anew. --head compares with
a hash that was kept elsewhere: INFO audit shows the newest as audit_head.`,
		Example: "  cubby audit verify /var/log/cubby/audit.log --head 51592e4fef54fd31...",
		Args:    atLeast(1, "FILE"),
		RunE: func(_ *cobra.Command, files []string) error {
			var err error
			if len(files) == 1 {
				if files, err = auditFiles(files[0]); err != nil {
					return err
				}
			}
			v, err := audit.Verify(files, head)
			if err != nil {
				return err
			}
			broken := 0
			for _, f := range v.Findings {
				word := "note"
				if f.Broken {
					word = "BROKEN"
					broken++
				}
				if err := env.say("%s: %s:%d: %s\n", word, f.File, f.Line, f.What); err != nil {
					return err
				}
			}
			if broken > 0 {
				return fmt.Errorf("the trail is not what the server wrote, in %d place(s)", broken)
			}
			return env.say("%d lines in %d file(s) hold, %d seals; %d lines are not sealed yet; %d were lost\nhead %s\n",
				v.Lines, v.Files, v.Seals, v.Unsealed, v.Lost, v.Head)
		},
	}
	cmd.Flags().StringVar(&head, "head", "", "a hash that must be among the seals")
	return cmd
}
