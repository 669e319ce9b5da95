// Package client gives Go programs JSON values under keys: the KV commands of
// Cubby over go-redis, or in the process itself (NewLocal). Package kvtest runs a
// real server for tests.
package client

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// KV is one namespace's store of JSON values. Its methods are safe for
// concurrent use. Errors are *Error: errors.Is(err, ErrCapReached) asks for a code.
type KV struct {
	caller caller
	prefix string
}

// caller performs one command. Replies are those of RESP2: string, int64, nil,
// []any. Errors are *Error.
type caller interface {
	call(ctx context.Context, r retry, args ...any) (any, error)
	close() error
}

// retry tells whether a command may be sent again when its reply did not come: it
// may have been performed.
type retry bool

const (
	again retry = true
	never retry = false
)

// Options say where a store is and who asks.
type Options struct {
	Addr     string // host:port; default localhost:6379
	App      string // tenant/app; may be empty, as the token names it
	Token    string // opaque, JSON Web Token or browser token
	Database int    // 0 is durable, 1 is gone after a restart of the server
	// Prefix stands before each key that is sent, and is taken off again. It keeps
	// parts of a program apart; it is no protection.
	Prefix string
	// Redis, when set, changes the options of the connection pool: TLS, timeouts.
	Redis func(*redis.Options)
}

// New returns a store on a server. It connects at the first use; Close ends it.
func New(o Options) *KV {
	r := &redis.Options{Addr: o.Addr, Username: o.App, Password: o.Token, DB: o.Database}
	if o.Redis != nil {
		o.Redis(r)
	}
	return &KV{remote{redis.NewClient(r), true}, o.Prefix}
}

// FromURL is New for redis://tenant%2Fapp:token@host:port/database, and rediss://
// for TLS. Errors: those of redis.ParseURL.
func FromURL(url string) (*KV, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	return &KV{remote{redis.NewClient(o), true}, ""}, nil
}

// On returns a store that uses an existing client, which Close leaves open.
func On(c redis.UniversalClient) *KV { return &KV{remote{c, false}, ""} }

// WithPrefix returns a store of the keys under a prefix of kv's keys. It shares
// kv's connections.
func (kv *KV) WithPrefix(prefix string) *KV { return &KV{kv.caller, kv.prefix + prefix} }

// Close ends the connections, or forgets everything of a local store.
func (kv *KV) Close() error { return kv.caller.close() }

// SetOption changes what Set, MSet and AppendUnique do.
type SetOption func(*setOptions)

type setOptions struct {
	words []any
	ttl   time.Duration
	keep  bool
	id    string
	err   error
}

// TTL lets the entry end after d, in whole milliseconds; MSet takes whole
// seconds. Without it an entry never ends, and one that is replaced loses its end.
func TTL(d time.Duration) SetOption {
	return func(o *setOptions) {
		o.ttl = d
		if d <= 0 || d%time.Millisecond != 0 {
			o.err = badInput("a TTL of %s is not a number of whole milliseconds above 0", d)
		}
	}
}

// KeepTTL leaves the end of an entry that is replaced as it is.
func KeepTTL() SetOption { return func(o *setOptions) { o.keep = true } }

// IfMissing lets Set write only a key that does not exist.
func IfMissing() SetOption { return condition("NX") }

// IfPresent lets Set write only a key that exists.
func IfPresent() SetOption { return condition("XX") }

// IfVersion lets Set write only over the entry with that version (Row.Version); 0
// is a key that does not exist.
func IfVersion(version uint64) SetOption { return condition("IFVERSION", version) }

// ID names the member by which AppendUnique tells items apart; the default is
// "id".
func ID(member string) SetOption { return func(o *setOptions) { o.id = member } }

func condition(words ...any) SetOption {
	return func(o *setOptions) { o.words = append(o.words, words...) }
}

func collect(options []SetOption) (setOptions, error) {
	var o setOptions
	for _, set := range options {
		set(&o)
	}
	if o.ttl != 0 && o.keep {
		o.err = badInput("TTL and KeepTTL contradict each other")
	}
	return o, o.err
}

// expiry are the words for the end of an entry.
func (o *setOptions) expiry() []any {
	switch {
	case o.keep:
		return []any{"KEEPTTL"}
	case o.ttl == 0:
		return nil
	case o.ttl%time.Second == 0:
		return []any{"TTL", int64(o.ttl / time.Second)}
	}
	return []any{"PX", o.ttl.Milliseconds()}
}

// Get reads the value under key into to, as json.Unmarshal does, and tells
// whether there was one.
func (kv *KV) Get(ctx context.Context, key string, to any) (found bool, err error) {
	reply, err := kv.caller.call(ctx, again, "KV.GET", kv.prefix+key)
	if err != nil || reply == nil {
		return false, err
	}
	return true, decode(reply, to)
}

// Set stores value as JSON under key. It is true unless an option's condition
// did not hold.
func (kv *KV) Set(ctx context.Context, key string, value any, options ...SetOption) (bool, error) {
	o, err := collect(options)
	if err != nil {
		return false, err
	}
	text, err := encode(value)
	if err != nil {
		return false, err
	}
	args := append([]any{"KV.SET", kv.prefix + key, text}, o.expiry()...)
	reply, err := kv.caller.call(ctx, retry(o.words == nil), append(args, o.words...)...)
	return reply != nil, err
}

// Delete removes key and tells whether it was there.
func (kv *KV) Delete(ctx context.Context, key string) (bool, error) {
	return truth(kv.caller.call(ctx, again, "KV.DEL", kv.prefix+key))
}

// MSet stores several values, all or none. Of the options it takes TTL.
func (kv *KV) MSet(ctx context.Context, values map[string]any, options ...SetOption) error {
	o, err := collect(options)
	if err != nil {
		return err
	}
	if o.keep || o.words != nil || o.ttl%time.Second != 0 {
		return badInput("of the options, MSet takes a TTL of whole seconds")
	}
	if len(values) == 0 {
		return nil
	}
	args := append([]any{"KV.MSET"}, o.expiry()...)
	for key, value := range values {
		text, err := encode(value)
		if err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		args = append(args, kv.prefix+key, text)
	}
	_, err = kv.caller.call(ctx, again, args...)
	return err
}

// MGet reads several values; those of missing keys are not in the map.
func (kv *KV) MGet(ctx context.Context, keys ...string) (map[string]Value, error) {
	if len(keys) == 0 {
		return map[string]Value{}, nil
	}
	args := []any{"KV.MGET"}
	for _, key := range keys {
		args = append(args, kv.prefix+key)
	}
	reply, err := kv.caller.call(ctx, again, args...)
	if err != nil {
		return nil, err
	}
	list, ok := reply.([]any)
	if !ok || len(list) != len(keys) {
		return nil, errReply
	}
	found := make(map[string]Value, len(list))
	for i, item := range list {
		if text, ok := item.(string); ok {
			found[keys[i]] = Value(text)
		}
	}
	return found, nil
}

// Expire lets key end after d, in whole milliseconds, and tells whether there is
// such a key. A d of 0 or less deletes it.
func (kv *KV) Expire(ctx context.Context, key string, d time.Duration) (bool, error) {
	return truth(kv.caller.call(ctx, again, "PEXPIRE", kv.prefix+key, d.Milliseconds()))
}

// AppendUnique appends to the array under key those of items, an array of
// objects, whose id it does not have yet, and reads the updated array into to,
// which may be nil. Without TTL the entry keeps its end.
func (kv *KV) AppendUnique(ctx context.Context, key string, items, to any, options ...SetOption) error {
	o, err := collect(options)
	if err != nil {
		return err
	}
	if o.words != nil {
		return badInput("AppendUnique takes no conditions")
	}
	text, err := encode(items)
	if err != nil {
		return err
	}
	o.keep = o.ttl == 0
	args := append([]any{"KV.APPENDUNIQUE", kv.prefix + key, text}, o.expiry()...)
	if o.id != "" {
		args = append(args, "ID", o.id)
	}
	reply, err := kv.caller.call(ctx, again, args...)
	if err != nil || to == nil {
		return err
	}
	return decode(reply, to)
}

// PopAll reads the array under key into to and removes the key, as one step; a
// missing key is an empty array. It is never tried again by itself: when the
// reply is lost, so is what it held.
func (kv *KV) PopAll(ctx context.Context, key string, to any) error {
	reply, err := kv.caller.call(ctx, never, "KV.POPALL", kv.prefix+key)
	if err != nil {
		return err
	}
	return decode(reply, to)
}

// PurgeExpired removes up to limit ended entries of the namespace from memory
// now, the oldest first, and returns how many. They count for nothing in any case.
func (kv *KV) PurgeExpired(ctx context.Context, limit int) (int, error) {
	reply, err := kv.caller.call(ctx, again, "KV.PURGE", "LIMIT", limit)
	if err != nil {
		return 0, err
	}
	n, ok := reply.(int64)
	if !ok {
		return 0, errReply
	}
	return int(n), nil
}

// Usage tells what the namespace uses and every limit in force, as KV.USAGE
// does: whole numbers and words, nil for no limit.
func (kv *KV) Usage(ctx context.Context) (map[string]any, error) {
	reply, err := kv.caller.call(ctx, again, "KV.USAGE")
	if err != nil {
		return nil, err
	}
	return fields(reply)
}

// unprefixed takes the store's prefix off a key.
func (kv *KV) unprefixed(key string) string { return strings.TrimPrefix(key, kv.prefix) }
