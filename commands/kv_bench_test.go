package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/internal/resp"
	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/bunt"
)

// benchmarkKV runs one command again and again on the real store, in memory,
// after a preparation.
func benchmarkKV(b *testing.B, prepare [][]string, command ...string) {
	b.Helper()
	store, err := bunt.Open(bunt.Options{})
	require.NoError(b, err)
	defer store.Close()
	dir, err := auth.Open(context.Background(), store, auth.Options{})
	require.NoError(b, err)
	e := New(Options{Store: store, Directory: dir})
	s := e.NewSession(SessionOptions{Door: "resp"})
	s.become(&auth.Principal{App: auth.NewApp(storage.ID{Tenant: "t", App: "a"}, wideOpen())})
	out := resp.NewWriter(resp.V2)
	run := func(batch []Request) {
		out.Reset()
		_, seq := e.Do(context.Background(), s, batch, out)
		if e.Wait(context.Background(), seq) != nil || out.Bytes()[0] == '-' {
			b.Fatalf("%.100s", out.Bytes())
		}
	}
	request := func(args []string) []Request {
		r := Request{}
		for _, a := range args {
			r.Argv = append(r.Argv, []byte(a))
		}
		return []Request{r}
	}
	for _, args := range prepare {
		run(request(args))
	}
	batch := request(command)
	b.ReportAllocs()
	for b.Loop() {
		run(batch)
	}
}

func BenchmarkKV(b *testing.B) {
	small, medium, large := `{"id":1,"name":"a value of 64 bytes, as they are all over","n":1}`, largeArray(0, 1024), largeArray(0, 65_000)
	for name, value := range map[string]string{"64B": small, "1KB": medium, "64KB": large} {
		set := [][]string{{"SET", "k", value}}
		b.Run("GET/"+name+"/plain", func(b *testing.B) { benchmarkKV(b, set, "GET", "k") })
		b.Run("GET/"+name+"/KV", func(b *testing.B) { benchmarkKV(b, set, "KV.GET", "k") })
		b.Run("SET/"+name+"/plain", func(b *testing.B) { benchmarkKV(b, nil, "SET", "k", value) })
		b.Run("SET/"+name+"/KV", func(b *testing.B) { benchmarkKV(b, nil, "KV.SET", "k", value) })
		b.Run("SET/"+name+"/KV-blanks", func(b *testing.B) { benchmarkKV(b, nil, "KV.SET", "k", " "+value) })
	}
	var fill [][]string
	for i := range 10_000 {
		fill = append(fill, []string{"KV.SET", fmt.Sprintf("item:%05d", i), small})
	}
	b.Run("LIST100", func(b *testing.B) { benchmarkKV(b, fill, "KV.LIST", "PREFIX", "item:05") })
	b.Run("LIST100/NOVALUES", func(b *testing.B) { benchmarkKV(b, fill, "KV.LIST", "PREFIX", "item:05", "NOVALUES") })
	b.Run("APPENDUNIQUE/64KB", func(b *testing.B) {
		benchmarkKV(b, [][]string{{"KV.SET", "k", large}}, "KV.APPENDUNIQUE", "k", `[{"id":1},{"id":2}]`)
	})
	b.Run("APPENDUNIQUE/64KB/all", func(b *testing.B) {
		benchmarkKV(b, [][]string{{"KV.SET", "k", large}}, "KV.APPENDUNIQUE", "k", large)
	})
}

// BenchmarkJSON compares our check with encoding/json's.
func BenchmarkJSON(b *testing.B) {
	for _, size := range []int{128, 1024, 65_000} {
		text := []byte(largeArray(0, size))
		for name, valid := range map[string]func([]byte) bool{
			"own":           isJSON,
			"encoding-json": func(t []byte) bool { return json.Valid(t) && utf8.Valid(t) },
		} {
			b.Run(fmt.Sprintf("%s/%dB", name, size), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if !valid(text) {
						b.Fatal("not JSON")
					}
				}
			})
		}
	}
}
