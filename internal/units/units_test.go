package units_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/units"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1024": 1024, "3b": 3, "1k": 1000, "1kb": 1024, "64MB": 64 << 20, "2g": 2e9, "1Gb": 1 << 30,
	} {
		n, err := units.Size(text)
		require.NoError(t, err, text)
		require.Equal(t, want, n, text)
	}
	for text, want := range map[string]error{
		"": units.ErrSyntax, "kb": units.ErrSyntax, "-1": units.ErrSyntax, "1 kb": units.ErrSyntax, "1.5mb": units.ErrSyntax,
		"1tb": units.ErrSyntax, "9223372036854775808": units.ErrTooLarge, "9223372036854775807kb": units.ErrTooLarge,
	} {
		_, err := units.Size(text)
		require.ErrorIs(t, err, want, text)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "90": 90 * time.Second, "60s": time.Minute, "1ms": time.Millisecond, "2M": 2 * time.Minute, "3h": 3 * time.Hour, "30d": 720 * time.Hour,
	} {
		d, err := units.Duration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, d, text)
	}
	for text, want := range map[string]error{
		"": units.ErrSyntax, "s": units.ErrSyntax, "-5s": units.ErrSyntax, "5us": units.ErrSyntax, "9223372036854775807": units.ErrTooLarge, "9223372036854775807ms": units.ErrTooLarge,
	} {
		_, err := units.Duration(text)
		require.ErrorIs(t, err, want, text)
	}
}
