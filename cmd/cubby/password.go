package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// passwordName is the file in the data directory with the password that the
// server generated.
const passwordName = "admin.password"

// readPassword reads a file with a password and perhaps a line break after it.
// Errors: those of the system, with os.ErrNotExist among them.
func readPassword(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("admin's password: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", fmt.Errorf("admin's password: %s is empty; delete it, and the server generates a new one at its next start", path)
	}
	return password, nil
}

// readSecret asks a person for something that is not shown, or takes a line of
// standard input where nobody can be asked.
func (e environment) readSecret(question string) (string, error) {
	if e.interactive && e.secret != nil {
		if question == "" {
			question = "Password: "
		}
		e.note("%s", question)
		secret, err := e.secret()
		e.note("\n")
		return checkSecret(secret, err)
	}
	if question != "" {
		e.note("%s", question)
	}
	text, err := bufio.NewReader(e.in).ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return checkSecret(strings.TrimRight(text, "\r\n"), err)
}

func checkSecret(secret string, err error) (string, error) {
	if err == nil && secret == "" {
		err = errors.New("nothing was typed")
	}
	return secret, err
}

// ensurePassword returns the password in dir's file, which it makes first when
// it is missing. The caller holds dir's lock.
func ensurePassword(dir string) (password string, made bool, err error) {
	path := filepath.Join(dir, passwordName)
	password, err = readPassword(path)
	if !errors.Is(err, os.ErrNotExist) {
		return password, false, err
	}
	password = rand.Text()
	if err := writePassword(path, password); err != nil {
		return "", false, fmt.Errorf("admin's password: %w", err)
	}
	return password, true, nil
}

// writePassword makes a file that only its owner can read. It gets its name
// when it is whole and on disk: a crash must not leave an empty one.
func writePassword(path, password string) (err error) {
	unfinished := path + ".new"
	if err := os.Remove(unfinished); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(unfinished)
		}
	}()
	_, err = f.WriteString(password + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(unfinished, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
