package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/client"
	"github.com/cubbykv/cubby/client/kvtest"
)

// conformanceCase is one of sdk/conformance/cases.json, which all SDKs obey.
type conformanceCase struct {
	Name   string            `json:"name"`
	Limits map[string]string `json:"limits"`
	On     []string          `json:"on"`
	Steps  []json.RawMessage `json:"steps"`
}

type step struct {
	Op       string                     `json:"op"`
	Key      json.RawMessage            `json:"key"`
	Value    json.RawMessage            `json:"value"`
	TTL      *float64                   `json:"ttl"`
	Prefix   string                     `json:"prefix"`
	Limit    *int                       `json:"limit"`
	Values   *bool                      `json:"values"`
	Cursor   string                     `json:"cursor"`
	Keys     []json.RawMessage          `json:"keys"`
	Entries  map[string]json.RawMessage `json:"entries"`
	Items    json.RawMessage            `json:"items"`
	IDKey    string                     `json:"idKey"`
	Returns  json.RawMessage            `json:"returns"`
	Missing  bool                       `json:"missing"`
	Error    string                     `json:"error"`
	More     *bool                      `json:"more"`
	Advance  float64                    `json:"advance"`
	Together int                        `json:"together"`
	Steps    []step                     `json:"steps"`
	Union    []any                      `json:"union"`
}

// world is a store and the clock it goes by.
type world struct {
	kv      *client.KV
	now     func() time.Time
	advance func(time.Duration)
	cursor  string
}

// missing is what a key that does not exist is in the results of this test.
type missing struct{}

func loadCases(t *testing.T) []conformanceCase {
	t.Helper()
	text, err := os.ReadFile("../sdk/conformance/cases.json")
	require.NoError(t, err)
	var file struct{ Cases []conformanceCase }
	require.NoError(t, json.Unmarshal(text, &file))
	require.NotEmpty(t, file.Cases)
	return file.Cases
}

func TestConformanceOnAServer(t *testing.T) {
	conform(t, "Go, RESP", "server", func(t *testing.T, limits []string) *world {
		s := kvtest.New(t, kvtest.Limits(limits...))
		return &world{kv: s.KV(), now: s.Now, advance: s.Advance}
	})
}

func TestConformanceOfLocalStores(t *testing.T) {
	conform(t, "Go, NewLocal", "server", func(t *testing.T, limits []string) *world {
		var mu sync.Mutex
		now := time.UnixMilli(1_800_000_000_000)
		clock := func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
		if limits == nil {
			limits = []string{"max-keys", "10000"}
		}
		kv, err := client.NewLocal(client.LocalOptions{Limits: limits, Clock: clock})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, kv.Close()) })
		return &world{kv: kv, now: clock, advance: func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(d)
		}}
	})
}

// conform runs the cases that are for such stores, each on a store of its own.
func conform(t *testing.T, store, kind string, open func(t *testing.T, limits []string) *world) {
	passed := make(map[string]bool)
	for _, c := range loadCases(t) {
		if c.On != nil && !slices.Contains(c.On, kind) {
			continue
		}
		passed[c.Name] = t.Run(c.Name, func(t *testing.T) {
			var limits []string
			for name, value := range c.Limits {
				limits = append(limits, name, value)
			}
			w := open(t, limits)
			for i, raw := range c.Steps {
				var s step
				require.NoError(t, json.Unmarshal(raw, &s))
				w.take(t, i, s)
			}
		})
	}
	report(t, store, passed)
}

func (w *world) take(t *testing.T, i int, s step) {
	t.Helper()
	switch {
	case s.Advance != 0:
		w.advance(time.Duration(s.Advance*1000+0.5) * time.Millisecond)
		return
	case s.Together != 0:
		w.together(t, s)
		return
	}
	got, err := w.perform(t, s)
	if s.Error != "" {
		require.ErrorIs(t, err, &client.Error{Code: s.Error}, "step %d: %s", i, s.Op)
		var e *client.Error
		require.ErrorAs(t, err, &e)
		require.NotEmpty(t, e.Message)
		return
	}
	require.NoError(t, err, "step %d: %s", i, s.Op)
	if s.Missing {
		require.Equal(t, missing{}, got, "step %d", i)
	}
	if s.Returns != nil {
		w.compare(t, i, s, expanded(t, s.Returns), got)
	}
}

func (w *world) together(t *testing.T, s step) {
	t.Helper()
	results, errs := make([]any, s.Together), make([]error, s.Together)
	var wg sync.WaitGroup
	for n := range s.Together {
		wg.Go(func() { results[n], errs[n] = w.perform(t, s.Steps[0]) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	if s.Union == nil {
		return
	}
	var all []any
	for _, r := range results {
		all = append(all, r.([]any)...)
	}
	require.ElementsMatch(t, s.Union, all)
}

func seconds(ttl float64) time.Duration {
	return time.Duration(ttl * float64(time.Second)).Round(time.Microsecond)
}

func (s *step) options() []client.SetOption {
	if s.TTL == nil {
		return nil
	}
	return []client.SetOption{client.TTL(seconds(*s.TTL))}
}

// perform returns what an operation returns, as encoding/json would read it.
func (w *world) perform(t *testing.T, s step) (any, error) {
	ctx := context.Background()
	key := func() string { return expanded(t, s.Key).(string) }
	var v any
	switch s.Op {
	case "get":
		found, err := w.kv.Get(ctx, key(), &v)
		if !found {
			return missing{}, err
		}
		return v, err
	case "set":
		_, err := w.kv.Set(ctx, key(), expanded(t, s.Value), s.options()...)
		return nil, err
	case "delete":
		return boolean(w.kv.Delete(ctx, key()))
	case "expire":
		return boolean(w.kv.Expire(ctx, key(), seconds(*s.TTL)))
	case "mset":
		values := make(map[string]any)
		for k, raw := range s.Entries {
			values[k] = expanded(t, raw)
		}
		return nil, w.kv.MSet(ctx, values, s.options()...)
	case "mget":
		return w.mget(t, s)
	case "appendUnique":
		options := s.options()
		if s.IDKey != "" {
			options = append(options, client.ID(s.IDKey))
		}
		err := w.kv.AppendUnique(ctx, key(), expanded(t, s.Items), &v, options...)
		return v, err
	case "popAll":
		err := w.kv.PopAll(ctx, key(), &v)
		return v, err
	case "purgeExpired":
		limit := 1000
		if s.Limit != nil {
			limit = *s.Limit
		}
		n, err := w.kv.PurgeExpired(ctx, limit)
		return float64(n), err
	case "usage":
		return w.kv.Usage(ctx)
	case "list":
		return w.list(s)
	}
	t.Errorf("the operation %q is unknown", s.Op)
	return nil, nil
}

func boolean(b bool, err error) (any, error) { return b, err }

func (w *world) mget(t *testing.T, s step) (any, error) {
	keys := make([]string, len(s.Keys))
	for i, raw := range s.Keys {
		keys[i] = expanded(t, raw).(string)
	}
	found, err := w.kv.MGet(context.Background(), keys...)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, k := range keys {
		v, ok := found[k]
		if !ok {
			list = append(list, map[string]any{"$missing": true})
			continue
		}
		var x any
		if err := v.Decode(&x); err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}

func (w *world) list(s step) (any, error) {
	o := client.ListOptions{Prefix: s.Prefix, KeysOnly: s.Values != nil && !*s.Values, Cursor: s.Cursor}
	if s.Limit != nil {
		if o.Limit = *s.Limit; o.Limit == 0 {
			o.Limit = -1 // 0 is the default in Go
		}
	}
	if s.Cursor == "$" {
		o.Cursor = w.cursor
	}
	page, err := w.kv.List(context.Background(), o)
	w.cursor = page.Cursor
	return page, err
}

// compare judges what an operation returned.
func (w *world) compare(t *testing.T, i int, s step, want, got any) {
	t.Helper()
	switch s.Op {
	case "usage":
		for name, value := range want.(map[string]any) {
			require.EqualValues(t, value, got.(map[string]any)[name], "step %d: %s", i, name)
		}
	case "list":
		page := got.(client.Page)
		if s.More != nil {
			require.Equal(t, *s.More, page.Cursor != "", "step %d: there are more", i)
		}
		rows := want.([]any)
		require.Len(t, page.Rows, len(rows), "step %d", i)
		for n, row := range rows {
			w.compareRow(t, row.(map[string]any), page.Rows[n], s)
		}
	default:
		require.Equal(t, want, got, "step %d: %s", i, s.Op)
	}
}

func (w *world) compareRow(t *testing.T, want map[string]any, got client.Row, s step) {
	t.Helper()
	require.Equal(t, want["key"], got.Key)
	require.NotZero(t, got.Version)
	if s.Values != nil && !*s.Values {
		require.Nil(t, got.Value)
	}
	if value, ok := want["value"]; ok {
		var v any
		require.NoError(t, got.Value.Decode(&v))
		require.Equal(t, value, v)
	}
	if in, ok := want["expiresIn"]; ok && in == nil {
		require.True(t, got.ExpiresAt.IsZero())
	} else if ok {
		require.WithinDuration(t, w.now().Add(seconds(in.(float64))), got.ExpiresAt, 0)
	}
	if ago, ok := want["updatedAgo"]; ok {
		require.WithinDuration(t, w.now().Add(-seconds(ago.(float64))), got.UpdatedAt, 0)
	}
}

// expanded reads JSON and puts strings where they are to be repeated.
func expanded(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(raw, &v))
	return expand(v)
}

func expand(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if r, ok := v["$repeat"].([]any); ok {
			return strings.Repeat(r[0].(string), int(r[1].(float64)))
		}
		for k := range v {
			v[k] = expand(v[k])
		}
	case []any:
		for i := range v {
			v[i] = expand(v[i])
		}
	}
	return v
}

// report writes down what passed, for docs/sdk.md.
func report(t *testing.T, store string, passed map[string]bool) {
	t.Helper()
	path := os.Getenv("CUBBY_CONFORMANCE_OUT")
	if path == "" {
		return
	}
	all := make(map[string]map[string]bool)
	if text, err := os.ReadFile(path); err == nil {
		require.NoError(t, json.Unmarshal(text, &all))
	}
	all[store] = passed
	text, err := json.MarshalIndent(all, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o600))
}
