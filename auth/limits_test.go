package auth

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimitTableReadsWhatItShows(t *testing.T) {
	for i := range LimitTable {
		x := &LimitTable[i]
		defaults, zero := DefaultLimits(), Limits{}
		require.NoError(t, x.Parse(&zero, x.Format(&defaults)), x.Name)
		require.Equal(t, x.Format(&defaults), x.Format(&zero), x.Name)
		_, word := x.Report(&defaults)
		require.Equal(t, x.Name == "key-charset", word != "", x.Name)
	}
}

// Every field of Limits has its row, else a limit could not be set.
func TestLimitTableIsComplete(t *testing.T) {
	rebuilt := Limits{}
	all := OverridesFor(DefaultLimits(), Limits{})
	rebuilt, err := all.on(rebuilt)
	require.NoError(t, err)
	require.Equal(t, DefaultLimits(), rebuilt)
}

func TestLimitValues(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"key-bytes", "1", "1"},
		{"key-bytes", "64kb", "65536"},
		{"KEY-BYTES", "1k", "1000"},
		{"key-charset", "any", "any"},
		{"key-charset", "Printable", "printable"},
		{"value-bytes", "1MB", "1048576"},
		{"max-keys", "1000000000000", "1000000000000"},
		{"max-bytes", "0", "0"},
		{"ephemeral-max-bytes", "2gb", "2147483648"},
		{"ttl-min", "60", "60s"},
		{"ttl-min", "1ms", "1ms"},
		{"ttl-min", "1500ms", "1500ms"},
		{"ttl-max", "2m", "120s"},
		{"ttl-max", "36h", "129600s"},
		{"ttl-max", "365d", "365d"},
		{"ephemeral-ttl-max", "0", "0"},
		{"commands-per-second", "100", "100"},
		{"commands-per-second", "default", "default"},
	} {
		o, err := ParseOverrides([]string{c.name, c.value})
		require.NoError(t, err, c)
		require.Len(t, o, 1)
		for _, got := range o {
			require.Equal(t, c.want, got, c)
		}
	}
}

func TestWrongLimitValues(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"key-bytes", "0", "too small"},
		{"key-bytes", "65537", "too large"},
		{"key-bytes", "-1", "not a size"},
		{"key-bytes", "", "not a size"},
		{"key-charset", "all", "printable or any"},
		{"value-bytes", "513mb", "too large"},
		{"max-keys", "0", "too small"},
		{"max-keys", "1k", "not a whole number"},
		{"max-keys", "99999999999999999999", "too large"},
		{"max-bytes", "9223372036854775807gb", "too large"},
		{"ttl-min", "0", "too small"},
		{"ttl-min", "1.5s", "not a duration"},
		{"ttl-min", "s", "not a duration"},
		{"ttl-max", "36501d", "too large"},
		{"ttl-max", "9223372036854775807", "too large"},
		{"commands-per-second", "many", "not a whole number"},
		{"max-moons", "1", `"max-moons" is not a limit; the limits are key-bytes, key-charset`},
		{"", "1", "is not a limit"},
	} {
		_, err := ParseOverrides([]string{c.name, c.value})
		var input *InputError
		require.ErrorAs(t, err, &input, c)
		require.ErrorContains(t, err, c.want)
	}
	_, err := ParseOverrides([]string{"max-keys", "1", "max-bytes"})
	require.ErrorContains(t, err, `"max-bytes" has no value`)
}

func TestOverridesFor(t *testing.T) {
	l := DefaultLimits()
	require.Empty(t, OverridesFor(l, DefaultLimits()))
	l.KeyAnyByte, l.TTLMax[1] = true, 0
	o := OverridesFor(l, DefaultLimits())
	require.Equal(t, Overrides{"key-charset": "any", "ephemeral-ttl-max": "0"}, o)
	got, err := o.on(DefaultLimits())
	require.NoError(t, err)
	require.Equal(t, l, got)
}

func TestTakeCommand(t *testing.T) {
	l := DefaultLimits()
	l.CommandsPerSecond = 2
	app := NewApp(shop, l)
	now := time.UnixMilli(1_700_000_000_000)
	require.Zero(t, app.TakeCommand(now))
	require.Zero(t, app.TakeCommand(now))
	require.Equal(t, 500*time.Millisecond, app.TakeCommand(now))
	require.Equal(t, 500*time.Millisecond, app.TakeCommand(now), "a refused command costs nothing")
	require.Zero(t, app.TakeCommand(now.Add(500*time.Millisecond)))
}

func TestBurst(t *testing.T) {
	l := DefaultLimits()
	report := func(name string) int64 {
		n, _ := findLimit(name).Report(&l)
		return n
	}
	l.CommandsBurst = 5
	require.Zero(t, report("commands-burst"), "without a rate there is nothing to burst over")
	l.CommandsPerSecond = 2
	require.EqualValues(t, 5, report("commands-burst"))
	app := NewApp(shop, l)
	now := time.UnixMilli(1_700_000_000_000)
	left, limited := app.BurstLeft(now)
	require.True(t, limited)
	require.EqualValues(t, 5, left)
	for range 5 {
		require.Zero(t, app.TakeCommand(now))
	}
	require.Equal(t, 500*time.Millisecond, app.TakeCommand(now))
	left, _ = app.BurstLeft(now.Add(time.Second))
	require.EqualValues(t, 2, left)
	// A limit that stays as it is gives nothing back, a changed one starts anew.
	l.MaxKeys[0]++
	app.SetLimits(l)
	require.NotZero(t, app.TakeCommand(now))
	l.CommandsBurst = 0
	app.SetLimits(l)
	require.EqualValues(t, 2, report("commands-burst"), "a second's worth")
	require.Zero(t, app.TakeCommand(now))
	require.Zero(t, app.TakeCommand(now))
	require.NotZero(t, app.TakeCommand(now))
	l.CommandsPerSecond = 0
	app.SetLimits(l)
	require.Zero(t, app.TakeCommand(now))
	_, limited = app.BurstLeft(now)
	require.False(t, limited)
}

func TestCommandsLately(t *testing.T) {
	app := NewApp(shop, DefaultLimits())
	at := func(ms int64) time.Time { return time.UnixMilli(1_700_000_000_000 + ms) }
	require.Zero(t, app.CommandsLately(at(0)))
	app.CountCommands(at(100), 30)
	app.CountCommands(at(900), 70)
	require.EqualValues(t, 100, app.CommandsLately(at(999)))
	require.EqualValues(t, 75, app.CommandsLately(at(1250)), "three quarters of the second before")
	app.CountCommands(at(1500), 10)
	require.EqualValues(t, 60, app.CommandsLately(at(1500)))
	require.EqualValues(t, 10, app.CommandsLately(at(2000)))
	require.Zero(t, app.CommandsLately(at(3000)))
	app.CountCommands(at(0), 7)
	require.EqualValues(t, 7, app.CommandsLately(at(0)), "the clock was set back")
}
