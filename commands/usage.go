package commands

import (
	"time"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
)

// usageDoc is what the documentation tells about the fields.
const usageDoc = "A map (RESP2: pairs) with the same fields in every database: `keys` and `bytes` are of database 0, " +
	"`ephemeral-keys` and `ephemeral-bytes` of database 1; `commands-last-second`, `commands-burst-left` and `connections` are of both. " +
	"Limits have the names that APP.SET knows; those that are durations end in `-ms` and are milliseconds. " +
	"All of these but `key-charset` are whole numbers, and nil is no limit. " +
	"To a token with a key prefix, keys and bytes are its own, and what tells of the others is nil."

// usageFields is how many pairs writeUsage writes.
var usageFields = 7 + len(auth.LimitTable)

// writeUsage writes what a namespace uses and every limit in force, as pairs of a
// map. KV.USAGE and APP.INFO share it, so a field means the same in both,
// whatever database is selected. Everything but key-charset is a number:
// counts, bytes, milliseconds; nil is no limit.
//
// discreet leaves out what all connections of the namespace do.
func writeUsage(out *resp.Writer, app *auth.App, u [storage.Databases]storage.Usage, now time.Time, discreet bool) {
	number := func(name string, n int64) {
		out.BulkString(name)
		out.Int(n)
	}
	number("keys", u[storage.Durable].Keys)
	number("bytes", u[storage.Durable].Bytes)
	number("ephemeral-keys", u[storage.Ephemeral].Keys)
	number("ephemeral-bytes", u[storage.Ephemeral].Bytes)
	shared := func(name string, n int64, known bool) {
		out.BulkString(name)
		if known && !discreet {
			out.Int(n)
		} else {
			out.Null()
		}
	}
	shared("commands-last-second", app.CommandsLately(now), true)
	left, limited := app.BurstLeft(now)
	shared("commands-burst-left", left, limited)
	shared("connections", app.Connections(), true)
	limits := app.Limits()
	for i := range auth.LimitTable {
		writeLimit(out, &auth.LimitTable[i], limits)
	}
}

// writeLimit writes one limit as a pair of a map.
func writeLimit(out *resp.Writer, x *auth.Limit, l *auth.Limits) {
	out.BulkString(x.Field)
	switch n, word := x.Report(l); {
	case word != "":
		out.BulkString(word)
	case n == 0:
		out.Null()
	default:
		out.Int(n)
	}
}
