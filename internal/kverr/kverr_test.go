package kverr_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cubbykv/cubby/internal/kverr"
)

func TestParseReadsWhatErrorWrites(t *testing.T) {
	for _, e := range []*kverr.Error{
		kverr.New(kverr.CapReached, "database 0 holds 3 of 3 keys").WithHint("delete unused keys (or set a TTL)"),
		kverr.New(kverr.Err, "unknown command 'X', with args beginning with: "),
		kverr.New(kverr.WrongPass, "invalid (hint: not one) pair"),
		kverr.New("EXECABORT", "x"),
	} {
		require.Equal(t, e, kverr.Parse(e.Error()))
	}
	for text, want := range map[string]*kverr.Error{
		"":                   {Code: kverr.Err},
		"lower case":         {Code: kverr.Err, Message: "lower case"},
		"ONLY":               {Code: kverr.Err, Message: "ONLY"},
		" x":                 {Code: kverr.Err, Message: " x"},
		"ERR x (hint: y) z":  {Code: kverr.Err, Message: "x (hint: y) z"},
		"BAD_INPUT (hint: )": {Code: kverr.BadInput, Message: "(hint: )"},
	} {
		require.Equal(t, want, kverr.Parse(text), "%q", text)
	}
}

func TestCauseIsForTheLog(t *testing.T) {
	cause := errors.New("disk is on fire")
	err := fmt.Errorf("around: %w", kverr.New(kverr.Misconf, "no").WithCause(cause))
	require.ErrorIs(t, err, cause)
	require.Equal(t, kverr.Misconf, kverr.CodeOf(err))
	require.Equal(t, kverr.PlatformError, kverr.CodeOf(cause))
	require.NotContains(t, kverr.New(kverr.Misconf, "no").WithCause(cause).Error(), "fire")
}
