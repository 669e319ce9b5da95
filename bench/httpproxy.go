package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

// httpProxy is the first argument that turns this program into a server.
const httpProxy = "http-proxy"

// proxy is the least that gives a redis-server an HTTP door: what a platform
// would write in an afternoon, with net/http, encoding/json and go-redis. It
// checks a token and knows no namespaces, limits or origins.
type proxy struct{ kv *redis.Client }

// serveHTTPProxy answers on a port for the redis-server on another.
func serveHTTPProxy(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%s takes a port and the port of redis-server", httpProxy)
	}
	p := proxy{redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + args[1], Username: "bench", Password: password, PoolSize: usualConns})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", p.one)
	mux.HandleFunc("POST /pipeline", p.pipeline)
	fmt.Fprintln(os.Stdout, "ready")
	s := http.Server{Addr: "127.0.0.1:" + args[0], Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return s.ListenAndServe()
}

// outcome is the JSON of a reply.
type outcome struct {
	Result any    `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
}

func outcomeOf(c *redis.Cmd) outcome {
	v, err := c.Result()
	if err != nil {
		return outcome{Error: err.Error()}
	}
	return outcome{Result: v}
}

func (p proxy) one(w http.ResponseWriter, r *http.Request) {
	var args []any
	if !understood(w, r, &args) {
		return
	}
	answer(w, outcomeOf(p.kv.Do(r.Context(), args...)))
}

func (p proxy) pipeline(w http.ResponseWriter, r *http.Request) {
	var list [][]any
	if !understood(w, r, &list) {
		return
	}
	pipe := p.kv.Pipeline()
	replies := make([]*redis.Cmd, len(list))
	for i, args := range list {
		replies[i] = pipe.Do(r.Context(), args...)
	}
	_, _ = pipe.Exec(r.Context()) // each reply has its error
	answers := make([]outcome, len(list))
	for i, c := range replies {
		answers[i] = outcomeOf(c)
	}
	answer(w, answers)
}

// understood checks the token and reads the body.
func understood(w http.ResponseWriter, r *http.Request, into any) bool {
	if r.Header.Get("Authorization") != "Bearer "+password {
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return false
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8<<20)).Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}
