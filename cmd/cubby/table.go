package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// column is one field of the records in a table.
type column struct {
	field string
	title string // for people; the field's name without it
	// show turns the field's value, which is not nil, into words for people; nil
	// shows it as it is.
	show  func(v any) string
	right bool // numbers stand under each other
	none  string
	// spare columns make room where a terminal is narrow, the greatest first.
	spare int
}

// number is a column with a count or a size.
func number(field, title string, show func(any) string, none string) column {
	return column{field: field, title: title, show: show, right: true, none: none}
}

func (c column) spared(order int) column { c.spare = order; return c }

func (c column) head() string {
	if c.title != "" {
		return c.title
	}
	return strings.ToUpper(strings.ReplaceAll(strings.TrimSuffix(c.field, "_at"), "_", " "))
}

func (c column) cell(r record) string {
	v := r.get(c.field)
	switch {
	case v == nil && c.none != "":
		return c.none
	case v == nil || v == "":
		return "-"
	case c.show != nil:
		return printable(c.show(v))
	}
	if text := printable(r.text(c.field)); text != "" {
		return text
	}
	return "-"
}

// printRecords prints a list: as JSON, as an aligned table on a terminal, and
// elsewhere as tab-separated values under the names of the fields.
func (t *target) printRecords(env environment, list []record, columns ...column) error {
	switch {
	case t.json && list == nil:
		return env.printJSON([]record{})
	case t.json:
		return env.printJSON(list)
	case env.width == 0:
		return env.printTabs(list, columns)
	case len(list) == 0:
		env.note("none\n")
		return nil
	}
	return env.printColumns(list, columns)
}

// printTabs is for programs: values as they are, empty where there is none.
func (e environment) printTabs(list []record, columns []column) error {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteByte('\t')
		}
		b.WriteString(c.field)
	}
	b.WriteByte('\n')
	for _, r := range list {
		for i, c := range columns {
			if i > 0 {
				b.WriteByte('\t')
			}
			if r.get(c.field) != nil {
				b.WriteString(printable(r.text(c.field)))
			}
		}
		b.WriteByte('\n')
	}
	return e.say("%s", b.String())
}

// printColumns is for people.
func (e environment) printColumns(list []record, columns []column) error {
	columns = append([]column(nil), columns...)
	cells := func() [][]string {
		rows := [][]string{make([]string, len(columns))}
		for i, c := range columns {
			rows[0][i] = c.head()
		}
		for _, r := range list {
			row := make([]string, len(columns))
			for i, c := range columns {
				row[i] = c.cell(r)
			}
			rows = append(rows, row)
		}
		return rows
	}
	rows := cells()
	hidden := 0
	for {
		widths := widthsOf(rows)
		total := -gap
		for _, w := range widths {
			total += w + gap
		}
		last := -1
		for i, c := range columns {
			if c.spare > 0 && (last < 0 || c.spare >= columns[last].spare) {
				last = i
			}
		}
		if total <= e.width || last < 0 {
			if err := e.printCells(rows, widths, columns); err != nil {
				return err
			}
			if hidden > 0 {
				e.note("(%d more in a wider terminal, or with --json)\n", hidden)
			}
			return nil
		}
		columns = append(columns[:last], columns[last+1:]...)
		hidden++
		rows = cells()
	}
}

const gap = 2 // blanks between columns

func widthsOf(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func (e environment) printCells(rows [][]string, widths []int, columns []column) error {
	var b strings.Builder
	for n, row := range rows {
		line := ""
		for i, cell := range row {
			blanks := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case columns[i].right:
				line += blanks + cell
			default:
				line += cell + blanks
			}
			line += strings.Repeat(" ", gap)
		}
		line = strings.TrimRight(line, " ")
		if n == 0 {
			line = e.bold(line)
		}
		b.WriteString(line + "\n")
	}
	return e.say("%s", b.String())
}

// bold makes a line stand out where that is possible and wanted.
func (e environment) bold(s string) string {
	if !e.colored {
		return s
	}
	return "\x1b[1m" + s + "\x1b[0m"
}

// printTable aligns rows of cells, for reports that are no lists.
func (e environment) printTable(rows [][]string) error { return alignTo(e.out, rows) }

func alignTo(out io.Writer, rows [][]string) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, gap, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = printable(row[i])
		}
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// printable keeps what others have chosen from steering a terminal, and one
// cell in its line.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\x%02x`, r)
		}
	}
	return b.String()
}

// What columns show to people.

func showCount(v any) string {
	n, ok := v.(int64)
	if !ok {
		return fmt.Sprint(v)
	}
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func showBytes(v any) string {
	if n, ok := v.(int64); ok {
		return formatBytes(n)
	}
	return fmt.Sprint(v)
}

// showTime shortens an ISO time to its minute, in UTC.
func showTime(v any) string {
	at, err := time.Parse(time.RFC3339, fmt.Sprint(v))
	if err != nil {
		return fmt.Sprint(v)
	}
	return at.UTC().Format("2006-01-02 15:04")
}

func showYes(v any) string {
	if v == true {
		return "yes"
	}
	return "-"
}

func showPercent(v any) string {
	f, ok := v.(float64)
	if !ok {
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%d%%", int64(f*100)) // 99.9 is not full
}

// showSeconds shows a time such as 3d4h.
func showSeconds(v any) string {
	n, ok := v.(int64)
	if !ok {
		return fmt.Sprint(v)
	}
	const minute, hour, day = 60, 3600, 86400
	switch {
	case n < minute:
		return fmt.Sprintf("%ds", n)
	case n < hour:
		return fmt.Sprintf("%dm%ds", n/minute, n%minute)
	case n < day:
		return fmt.Sprintf("%dh%dm", n/hour, n%hour/minute)
	}
	return fmt.Sprintf("%dd%dh", n/day, n%day/hour)
}
