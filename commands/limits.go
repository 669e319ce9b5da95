package commands

import (
	"strconv"
	"time"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/kverr"
	"github.com/cubbykv/cubby/storage"
)

// This file is the one place where a namespace's limits are judged. Keys are
// checked at admission, values and TTLs where a command writes them, growth
// when a command's writes are about to be kept.

// keyMin and keyMax bound the bytes of a key where the alphabet is printable.
const (
	keyMin = 0x21
	keyMax = 0x7E
)

func checkKey(l *auth.Limits, key []byte) error {
	if len(key) == 0 || len(key) > l.KeyBytes {
		return kverr.Newf(kverr.BadInput, "the key is %d bytes long; 1 to %d are allowed", len(key), l.KeyBytes)
	}
	if l.KeyAnyByte {
		return nil
	}
	for i, b := range key {
		if b < keyMin || b > keyMax {
			return kverr.Newf(kverr.BadInput,
				"the key has byte 0x%02X at position %d; allowed are 0x21 to 0x7E (printable ASCII without blanks)", b, i)
		}
	}
	return nil
}

func checkValue(l *auth.Limits, size int) error {
	if size <= l.ValueBytes {
		return nil
	}
	return kverr.Newf(kverr.SizeExceeded, "the value is %d bytes; at most %d are allowed", size, l.ValueBytes)
}

// checkTTL judges the time from now to expiresAt, both in Unix milliseconds. A
// moment that has passed is no TTL: the caller deletes, as Redis does.
func checkTTL(l *auth.Limits, db int, now, expiresAt int64) error {
	if expiresAt <= now {
		return nil
	}
	ttl := expiresAt - now
	lo, hi := l.TTLMin[db].Milliseconds(), l.TTLMax[db].Milliseconds()
	if ttl >= lo && (hi == 0 || ttl <= hi) {
		return nil
	}
	if hi == 0 {
		return kverr.Newf(kverr.BadInput, "the TTL of %s is too short; at least %s is allowed",
			formatMillis(ttl), formatMillis(lo))
	}
	return kverr.Newf(kverr.BadInput, "the TTL of %s is out of bounds; allowed are %s to %s",
		formatMillis(ttl), formatMillis(lo), formatMillis(hi))
}

// formatMillis shows whole seconds as seconds, everything else as milliseconds.
func formatMillis(ms int64) string {
	if ms%1000 == 0 {
		return strconv.FormatInt(ms/1000, 10) + " s"
	}
	return strconv.FormatInt(ms, 10) + " ms"
}

// checkGrowth refuses the staged writes of a command that would add keys or
// bytes beyond the limit. Where nothing grows nothing is refused, even in a
// namespace that is over a limit lowered later.
//
// discreet leaves out what the namespace holds, which is not for a token that
// opens only some of it.
func checkGrowth(l *auth.Limits, db int, s *stage, discreet bool) error {
	maxKeys, maxBytes := l.MaxKeys[db], l.MaxBytes[db]
	adds := s.adds()
	if adds == 0 {
		return nil
	}
	before := s.base.Usage()
	if before.Keys+adds <= maxKeys && maxBytes == 0 {
		return nil
	}
	after := s.Usage()
	tooManyKeys := after.Keys > maxKeys && after.Keys > before.Keys
	tooManyBytes := maxBytes != 0 && after.Bytes > maxBytes && after.Bytes > before.Bytes
	if discreet && (tooManyKeys || tooManyBytes) {
		limit, unit := maxKeys, "keys"
		if !tooManyKeys {
			limit, unit = maxBytes, "bytes"
		}
		return kverr.Newf(kverr.CapReached, "database %d of the namespace would hold more than %d %s", db, limit, unit).
			WithHint("delete unused keys or set a TTL")
	}
	if tooManyKeys {
		return kverr.Newf(kverr.CapReached, "database %d of the namespace holds %d of %d keys; %d more are refused",
			db, before.Keys, maxKeys, after.Keys-before.Keys).
			WithHint("delete unused keys or set a TTL")
	}
	if tooManyBytes {
		return kverr.Newf(kverr.CapReached, "database %d of the namespace holds %d of %d bytes; %d more are refused",
			db, before.Bytes, maxBytes, after.Bytes-before.Bytes).
			WithHint("delete unused keys or set a TTL")
	}
	return nil
}

// checkMemory refuses the staged writes of a command that would add keys or
// bytes while the store has no memory for more. Redis refuses whatever might
// grow; here, as at a namespace's cap, what does not grow goes on.
func (e *Engine) checkMemory(s *stage) error {
	bounded, ok := e.store.(storage.Bounded)
	if !ok {
		return nil
	}
	full := bounded.MayGrow()
	if full == nil {
		return nil
	}
	before, after := s.base.Usage(), s.Usage()
	if after.Keys > before.Keys || after.Bytes > before.Bytes {
		return full
	}
	return nil
}

// checkRate spends one command of the namespace's rate.
func checkRate(app *auth.App, now time.Time) error {
	wait := app.TakeCommand(now)
	if wait == 0 {
		return nil
	}
	ms := (wait + time.Millisecond - 1) / time.Millisecond
	return kverr.Newf(kverr.RateLimited, "the namespace may send %d commands per second; wait %d ms",
		app.Limits().CommandsPerSecond, ms)
}
