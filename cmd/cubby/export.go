package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cubbykv/cubby/storage"
)

// exportPage is how many rows are asked for at a time.
const exportPage = 1000

func newExport(env environment) *cobra.Command {
	t := &target{files: true}
	db := -1
	cmd := &cobra.Command{
		Use:   "export TENANT/APP [FILE]",
		Short: "Write what an app holds as JSON lines",
		Long: `Write what an app holds as JSON lines, one for each key in the order of the keys,
to FILE or to standard output:

  {"key":"greeting","value":"hello","expires_at":1795303252617,"db":0}

expires_at is in Unix milliseconds, or null. A key or value that is not UTF-8 is
in key_base64 or value_base64. The server goes on meanwhile, so changes made
during the export may be in it or not; a backup is exact.`,
		Example: "  cubby export acme/shop shop.jsonl\n  cubby export acme/shop | gzip > shop.jsonl.gz",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := atLeast(1, "TENANT/APP")(cmd, args); err != nil {
				return err
			}
			return atMost(2)(cmd, args)
		},
		ValidArgsFunction: t.complete(env, forFirst(completeApps)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			databases := []int{storage.Durable, storage.Ephemeral}
			if cmd.Flags().Changed("db") {
				if db < 0 || db >= storage.Databases {
					return usagef("--db %d is neither 0 nor 1", db)
				}
				databases = []int{db}
			}
			file := "-"
			if len(args) == 2 {
				file = args[1]
			}
			x := exporter{target: t, env: env, name: args[0], progress: env.progress("exporting")}
			err := env.toFile(file, func(w io.Writer) error { return x.run(ctx, w, databases) }, nil)
			x.progress.end()
			if err != nil {
				return err
			}
			if file == "-" {
				env.note("exported %d key(s) of %s\n", x.count, x.name)
				return nil
			}
			if t.json {
				return env.printJSON(record{{"name", x.name}, {"file", file}, {"keys", x.count}})
			}
			return env.say("exported %d key(s) of %s to %s\n", x.count, x.name, file)
		},
	}
	t.addFlags(cmd)
	cmd.Flags().IntVar(&db, "db", -1, "only this database, 0 or 1 (default: both)")
	return cmd
}

type exporter struct {
	target   *target
	env      environment
	name     string
	progress *progress
	count    int
}

func (x *exporter) run(ctx context.Context, w io.Writer, databases []int) error {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, db := range databases {
		if err := x.database(ctx, db, func(r row) error { return writeRow(enc, r) }); err != nil {
			return err
		}
	}
	return out.Flush()
}

// database lists one database, page by page.
func (x *exporter) database(ctx context.Context, db int, yield func(row) error) error {
	c, err := x.target.openNamespace(x.env, x.name, db)
	if err != nil {
		return err
	}
	defer c.close()
	for cursor := "0"; ; {
		reply, err := c.patiently(ctx, "KV.LIST", "LIMIT", exportPage, "CURSOR", cursor)
		if err != nil {
			return err
		}
		page, ok := reply.([]any)
		if !ok || len(page) != 2 {
			return fmt.Errorf("the server sent no page but %v", reply)
		}
		rows, _ := page[1].([]any)
		for _, item := range rows {
			r, err := listedRow(item, db)
			if err != nil {
				return err
			}
			if err := yield(r); err != nil {
				return err
			}
			x.count++
		}
		x.progress.count(x.count, "keys")
		if cursor, _ = page[0].(string); cursor == "0" || cursor == "" {
			return nil
		}
	}
}

// listedRow reads a row of KV.LIST.
func listedRow(item any, db int) (row, error) {
	fields, _ := item.([]any)
	r := row{db: db}
	for ; len(fields) >= 2; fields = fields[2:] {
		switch v := fields[1].(type) {
		case string:
			switch fields[0] {
			case "key":
				r.key = []byte(v)
			case "value":
				r.value = []byte(v)
			}
		case int64:
			if fields[0] == "expires_at" {
				r.expiresAt = v
			}
		}
	}
	if r.key == nil || r.value == nil {
		return row{}, fmt.Errorf("the server sent no row but %v", item)
	}
	return r, nil
}
