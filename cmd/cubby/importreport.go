package main

import (
	"errors"
	"fmt"
	"strings"
)

// importExamples is how many refused keys are shown for each code.
const importExamples = 3

// importReport is what became of an import.
type importReport struct {
	Name     string     `json:"name"`
	DryRun   bool       `json:"dry_run"`
	Read     int        `json:"read"`
	Imported int        `json:"imported"`
	Expired  int        `json:"expired"` // skipped
	Refused  []*refused `json:"refused"`
	Error    string     `json:"error,omitempty"` // why it ended early
}

// refused are the rows that were not taken for one reason.
type refused struct {
	Code     string           `json:"code"`
	Count    int              `json:"count"`
	Examples []refusedExample `json:"examples"`
}

type refusedExample struct {
	Key     string `json:"key"`
	Message string `json:"message"`
}

// refuse counts a row that the server answered with an error.
func (r *importReport) refuse(key []byte, reply string) {
	code, message, _ := strings.Cut(reply, " ")
	r.refuseAs(code, key, message)
}

func (r *importReport) refuseAs(code string, key []byte, message string) {
	var x *refused
	for _, other := range r.Refused {
		if other.Code == code {
			x = other
		}
	}
	if x == nil {
		x = &refused{Code: code}
		r.Refused = append(r.Refused, x)
	}
	x.Count++
	if len(x.Examples) < importExamples {
		x.Examples = append(x.Examples, refusedExample{strings.ToValidUTF8(string(key), "\uFFFD"), message})
	}
}

func (r *importReport) refusals() (n int) {
	for _, x := range r.Refused {
		n += x.Count
	}
	return n
}

// finish prints the report. The error that it returns decides the exit code.
func (r *importReport) finish(env environment, asJSON bool, err error) error {
	if err != nil {
		if r.Read == 0 {
			return err
		}
		r.Error = err.Error()
	}
	var perr error
	if asJSON {
		if r.Refused == nil {
			r.Refused = []*refused{}
		}
		perr = env.printJSON(r)
	} else {
		perr = r.print(env)
	}
	switch n := r.refusals(); {
	case perr != nil:
		return perr
	case err != nil:
		return fmt.Errorf("the import ended early: %w", err)
	case n > 0:
		return errors.New("not everything was imported")
	}
	return nil
}

func (r *importReport) print(env environment) error {
	imported := "imported"
	if r.DryRun {
		imported = "would import"
	}
	err := env.printTable([][]string{
		{imported, fmt.Sprint(r.Imported)},
		{"skipped", fmt.Sprint(r.Expired), "expired already"},
		{"refused", fmt.Sprint(r.refusals())},
	})
	if err != nil || len(r.Refused) == 0 {
		return err
	}
	rows := [][]string{{"CODE", "COUNT", "FIRST KEYS", "REASON"}}
	for _, x := range r.Refused {
		for i, e := range x.Examples {
			code, count := x.Code, fmt.Sprint(x.Count)
			if i > 0 {
				code, count = "", ""
			}
			rows = append(rows, []string{code, count, fmt.Sprintf("%q", e.Key), e.Message})
		}
	}
	if err := env.say("\n"); err != nil {
		return err
	}
	return env.printTable(rows)
}
