package client_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cubbykv/cubby/client"
)

func Example() {
	ctx := context.Background()
	// kv := client.New(client.Options{Addr: "localhost:6379", App: "acme/notes", Token: token})
	kv, err := client.NewLocal(client.LocalOptions{Limits: []string{"max-keys", "2"}}) // the same, without a server
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = kv.Close() }()

	_, _ = kv.Set(ctx, "note:1", map[string]any{"title": "Groceries"}, client.TTL(time.Hour))
	_ = kv.AppendUnique(ctx, "feed", []map[string]any{{"id": 1, "text": "created"}, {"id": 1, "text": "again"}}, nil)
	for row, err := range kv.All(ctx, client.ListOptions{}) {
		fmt.Println(row.Key, string(row.Value), err)
	}
	_, err = kv.Set(ctx, "one more", 1)
	fmt.Println(errors.Is(err, client.ErrBadInput)) // a key has no blanks
	_, err = kv.Set(ctx, "one-more", 1)
	fmt.Println(errors.Is(err, client.ErrCapReached))
	// Output:
	// feed [{"id":1,"text":"created"}] <nil>
	// note:1 {"title":"Groceries"} <nil>
	// true
	// true
}
