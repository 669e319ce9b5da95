package config

// Kind is how a directive's words are read.
type Kind string

// The kinds. A duration is whole milliseconds inside Cubby.
const (
	KindYesNo        Kind = "yes or no"
	KindNumber       Kind = "number"
	KindSize         Kind = "size"     // bytes, or a number with k, kb, m, mb, g or gb
	KindDuration     Kind = "duration" // seconds, or a number with ms, s, m, h or d
	KindOctal        Kind = "octal"
	KindChoice       Kind = "choice"
	KindText         Kind = "text"
	KindPath         Kind = "path"
	KindAddresses    Kind = "addresses"
	KindOutputLimits Kind = "limits"
	KindFiles        Kind = "files" // read in place of the line
)

// Directive describes one directive for people and for CONFIG GET.
type Directive struct {
	Name    string
	Kind    Kind
	Default string // as a line of the file would have it
	Unit    string // what the number counts; empty where there is none
	Allowed string // range or choices
	Zero    string // what 0 means; empty where it means nothing special
	Group   string // heading under which it is documented
	Doc     string // sentences for the admin
	Repeat  bool   // lines add up; of any other directive the last line counts
	Live    Part   // what a change concerns while the server runs; empty: it cannot change
	Public  bool   // apps may see it
	Secret  bool   // must not be shown or logged
	Example string // what redis.conf.example sets; empty is the default
}

// Part is a part of the running server. Whoever wires it knows how each takes a
// changed configuration.
type Part string

// The parts.
const (
	PartServer    Part = "server"    // connections
	PartEngine    Part = "engine"    // commands
	PartDirectory Part = "directory" // apps and the admin
	PartSignIn    Part = "sign-in"   // which JWTs are accepted
	PartStore     Part = "store"
	PartLog       Part = "log"
	PartAudit     Part = "audit"   // the audit trail
	PartTLS       Part = "tls"     // what new connections with TLS get
	PartProcess   Part = "process" // what is read when it is needed
)

// directive is a row of the table. Kind and Allowed are left to value, which
// is nil for include.
type directive struct {
	Directive
	value value
}

// Directives returns all directives in the order of the documentation.
func Directives() []Directive {
	list := make([]Directive, len(table))
	for i, d := range table {
		list[i] = d.describe()
	}
	return list
}

// describe fills in what the value knows about itself.
func (d *directive) describe() Directive {
	full := d.Directive
	if d.value == nil {
		full.Kind, full.Allowed = KindFiles, "a path; * ? [ ] stand for parts of file names"
		return full
	}
	full.Kind, full.Allowed = d.value.kind(), d.value.allowed()
	switch {
	case full.Unit != "":
	case full.Kind == KindSize:
		full.Unit = "bytes"
	case full.Kind == KindDuration:
		full.Unit = "seconds"
	}
	return full
}

// lookup returns the directive of that name (lower case), or nil.
func lookup(name string) *directive {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}

// allowedText is what an error tells about right values.
func (d *directive) allowedText() string {
	full := d.describe()
	s := full.Allowed
	switch full.Kind {
	case KindSize:
		s += ", in bytes or with k, kb, m, mb, g, gb"
	case KindDuration:
		s += ", in seconds or with ms, s, m, h, d"
	}
	if full.Zero != "" {
		s += " (0: " + full.Zero + ")"
	}
	return s
}
