package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/config"
)

// jwtKeysFile is the directive that names the file.
const jwtKeysFile = "jwt-keys-file"

// setJWT puts the JWTs that the configuration accepts in force, after reading
// the keys from their file. When it fails nothing is changed.
func (p *process) setJWT(c *config.Config) error {
	o := auth.JWTOptions{Leeway: c.JWTLeeway, Audience: c.JWTAudience, Issuer: c.JWTIssuer}
	if c.JWTKeysFile != "" {
		var err error
		if o.Keys, err = readJWTKeys(c.JWTKeysFile); err != nil {
			return err
		}
	}
	p.directory.SetJWT(o)
	return nil
}

const (
	maxJWTKeysFile = 1 << 20
	othersRead     = fs.FileMode(0o004)
	othersWrite    = fs.FileMode(0o002)
)

// readJWTKeys reads a file that others can neither write nor, when it holds
// secrets, read.
func readJWTKeys(path string) (*auth.JWTKeys, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxJWTKeysFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxJWTKeysFile:
		return nil, fmt.Errorf("%s is larger than 1 MB", path)
	case len(text) == 0:
		return nil, fmt.Errorf("%s is empty", path)
	}
	keys, err := auth.ParseJWTKeys(text)
	var input *auth.InputError
	switch {
	case errors.As(err, &input):
		return nil, fmt.Errorf("%s: %w", path, err)
	case err != nil:
		return nil, err
	case info.Mode()&othersWrite != 0:
		return nil, fmt.Errorf("everybody on this machine can write %s, and so make keys of their own: chmod 600 it", path)
	case info.Mode()&othersRead != 0 && keys.HasSecrets():
		return nil, fmt.Errorf("everybody on this machine can read the secrets in %s: chmod 600 it, and take new ones", path)
	}
	return keys, nil
}
