//go:build race

package bunt

const raceEnabled = true
