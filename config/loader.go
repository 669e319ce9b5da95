package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Load reads the file at path ("" is none, "-" is standard input), then lays
// the command line's overrides over it: "--directive value ..." words as
// redis-server takes them, or "--directive=value".
//
// Errors: one for the file when it cannot be read, else every *Error found,
// joined.
func Load(path string, overrides []string) (*Config, error) {
	l := newLoader()
	switch path {
	case "":
	case "-":
		l.read(os.Stdin, "standard input")
	default:
		if err := l.readFile(path); err != nil {
			return nil, fmt.Errorf("configuration file: %w", err)
		}
	}
	l.overrides(overrides)
	return l.finish()
}

// loader applies lines to a Config and collects what is wrong with them.
type loader struct {
	c    *Config
	errs []error
	open []os.FileInfo // the files being read, outermost first
}

func newLoader() *loader { return &loader{c: Default()} }

func (l *loader) finish() (*Config, error) {
	// What is between two directives is only worth saying when each is right.
	if len(l.errs) == 0 {
		l.errs = crossCheck(l.c)
	}
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	return l.c, nil
}

func (l *loader) fail(at position, name, reason string) {
	l.errs = append(l.errs, &Error{File: at.file, Line: at.line, Directive: name, Reason: reason})
}

func (l *loader) readFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a directory", path)
	}
	if slices.ContainsFunc(l.open, func(o os.FileInfo) bool { return os.SameFile(o, info) }) {
		return fmt.Errorf("%s includes itself", path)
	}
	l.open = append(l.open, info)
	l.read(f, path)
	l.open = l.open[:len(l.open)-1]
	return nil
}

// read applies all lines of r.
func (l *loader) read(r io.Reader, name string) {
	content, err := io.ReadAll(r)
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("%s: %w", name, err))
		return
	}
	n := 0
	for line := range strings.SplitSeq(string(content), "\n") {
		n++
		l.line(position{name, n}, line)
	}
}

func (l *loader) line(at position, line string) {
	line = strings.Trim(line, " \t\r\n")
	if line == "" || line[0] == '#' {
		return
	}
	words, err := splitArgs(line)
	if err != nil {
		// Not the whole line: it may hold a password.
		l.fail(at, strings.ToLower(strings.Fields(line)[0]), err.Error())
		return
	}
	if len(words) > 0 {
		l.apply(at, words[0], words[1:])
	}
}

// apply sets one directive.
func (l *loader) apply(at position, name string, words []string) {
	name = strings.ToLower(name)
	d := lookup(name)
	if d == nil {
		l.fail(at, name, unknown(name))
		return
	}
	if d.value == nil {
		l.include(at, name, words)
		return
	}
	if err := d.value.set(l.c, words); err != nil {
		l.fail(at, name, err.Error()+"; allowed: "+d.allowedText())
		return
	}
	l.c.origins[name] = at
}

// include reads files in place of the line. As in Redis, a path is relative
// to the working directory, and a pattern may match nothing.
func (l *loader) include(at position, name string, words []string) {
	pattern, err := single(words)
	if err != nil {
		l.fail(at, name, err.Error())
		return
	}
	paths := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		if paths, err = glob(pattern); err != nil {
			l.fail(at, name, fmt.Sprintf("%q %s", pattern, err))
			return
		}
	}
	for _, path := range paths {
		if err := l.readFile(path); err != nil {
			l.fail(at, name, err.Error())
		}
	}
}

// glob is filepath.Glob with the shell's rules that Redis follows: sorted, [!
// negates, and a leading dot must be written out.
func glob(pattern string) ([]string, error) {
	paths, err := filepath.Glob(strings.ReplaceAll(pattern, "[!", "[^"))
	if err != nil {
		return nil, errors.New("is not a pattern of files")
	}
	wanted := strings.Split(filepath.Clean(pattern), "/")
	paths = slices.DeleteFunc(paths, func(path string) bool {
		for i, part := range strings.Split(filepath.Clean(path), "/") {
			if strings.HasPrefix(part, ".") && !strings.HasPrefix(wanted[i], ".") {
				return true
			}
		}
		return false
	})
	slices.Sort(paths)
	return paths, nil
}

// overrides applies the command line. As in Redis, the word after a bare
// "--directive" is always its value, even one that starts with "--"; later
// ones that do start the next directive.
func (l *loader) overrides(args []string) {
	for i := 0; i < len(args); {
		word := args[i]
		if !strings.HasPrefix(word, "--") {
			l.fail(position{}, word, "is not a --directive and follows none")
			i++
			continue
		}
		words, err := firstWords(word[2:])
		if err != nil {
			l.fail(position{}, strings.Fields(word)[0], err.Error())
		}
		i++
		for i < len(args) && (err == nil && len(words) == 1 || !strings.HasPrefix(args[i], "--")) {
			words = append(words, args[i])
			i++
		}
		if err == nil {
			l.apply(position{}, words[0], words[1:])
		}
	}
}

// firstWords splits "port", "port=0" and, as Redis allows it, "port 0".
func firstWords(s string) ([]string, error) {
	i := strings.IndexAny(s, "= \t")
	switch {
	case i < 0:
		return []string{s}, nil
	case s[i] == '=':
		return []string{s[:i], s[i+1:]}, nil
	}
	words, err := splitArgs(s)
	if err == nil && len(words) == 0 {
		words = []string{""}
	}
	return words, err
}
