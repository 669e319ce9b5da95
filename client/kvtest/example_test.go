package kvtest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cubbykv/cubby/client/kvtest"
)

// signUp is the code under test: it invites an address at most once an hour,
// and tells whether it did so now.
func signUp(ctx context.Context, kv *redis.Client, address string) (bool, error) {
	return kv.SetNX(ctx, "invited:"+address, "yes", time.Hour).Result()
}

func Example() {
	t := newT() // in a test, this is its *testing.T
	defer t.end()
	ctx := context.Background()

	s := kvtest.New(t, kvtest.Limits("max-keys", "2"))
	kv := s.Client()

	fmt.Println(signUp(ctx, kv, "ada@example.com"))
	fmt.Println(signUp(ctx, kv, "ada@example.com"))

	// No test waits for an hour.
	s.Advance(time.Hour)
	fmt.Println(signUp(ctx, kv, "ada@example.com"))

	// The limits are those of production, or the test's own.
	fmt.Println(signUp(ctx, kv, "bob@example.com"))
	_, err := signUp(ctx, kv, "cyd@example.com")
	fmt.Println(err)

	// Output:
	// true <nil>
	// false <nil>
	// true <nil>
	// true <nil>
	// CAP_REACHED database 0 of the namespace holds 2 of 2 keys; 1 more are refused (hint: delete unused keys or set a TTL)
}

func ExampleServer_App() {
	t := newT() // in a test, this is its *testing.T
	defer t.end()
	ctx := context.Background()

	s := kvtest.New(t)
	acme := s.App(t, "acme/shop").Client()
	rival := s.App(t, "rival/shop").Client()

	fmt.Println(acme.Set(ctx, "price", "12", 0).Err())
	fmt.Println(rival.Get(ctx, "price").Err())

	// Output:
	// <nil>
	// redis: nil
}
