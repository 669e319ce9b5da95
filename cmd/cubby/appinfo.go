package main

import (
	"slices"
	"strings"
	"time"

	"github.com/cubbykv/cubby/auth"
)

// printInfo shows the fields of APP.INFO, one in a line: its value, and what
// there is to say of it. In a pipe they are what JSON has.
func (e environment) printInfo(info record) error {
	set, _ := info.get("overrides").([]any)
	var rows [][]string
	for _, f := range info {
		if f.name == "overrides" {
			continue
		}
		limit := strings.TrimSuffix(f.name, "-ms")
		row := []string{f.name, info.text(f.name), ""}
		if f.value == nil {
			row[1] = ""
		}
		if e.width > 0 {
			row = []string{limit, infoForPeople(f), ofLimit(info, f.name)}
		}
		if slices.Contains(set, any(limit)) {
			row[2] = "set for this app"
		}
		rows = append(rows, row)
	}
	if e.width > 0 {
		return e.printTable(rows)
	}
	return e.printTabbed(rows)
}

// infoForPeople puts units to a field of APP.INFO; a duration gets the form in
// which it is set.
func infoForPeople(f field) string {
	n, isNumber := f.value.(int64)
	switch {
	case f.value == nil && slices.ContainsFunc(auth.LimitTable, func(l auth.Limit) bool { return l.Field == f.name }):
		return "no limit"
	case f.value == nil:
		return "-"
	case strings.HasSuffix(f.name, "_at"):
		return showTime(f.value) + " UTC"
	case !isNumber:
		return record{f}.text(f.name)
	case strings.HasSuffix(f.name, "-ms"):
		return auth.FormatDuration(time.Duration(n) * time.Millisecond)
	case strings.HasSuffix(f.name, "bytes"):
		return formatBytes(n)
	}
	return showCount(n)
}

// ofLimit says how much of its limit a field uses, if it has one.
func ofLimit(info record, name string) string {
	limit := useOf[name]
	if use := usedPart(info, name, limit); use != nil {
		return showPercent(*use) + " of " + limit
	}
	return ""
}

// printTabbed prints rows for programs, less the empty cells at their ends.
func (e environment) printTabbed(rows [][]string) error {
	for _, row := range rows {
		for i := range row {
			row[i] = printable(row[i])
		}
		if err := e.say("%s\n", strings.TrimRight(strings.Join(row, "\t"), "\t")); err != nil {
			return err
		}
	}
	return nil
}
