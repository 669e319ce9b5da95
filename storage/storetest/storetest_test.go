package storetest_test

import (
	"testing"

	"github.com/cubbykv/cubby/storage"
	"github.com/cubbykv/cubby/storage/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T, clock *storetest.Clock) storage.Store {
		return storetest.NewMemory(clock)
	})
}
