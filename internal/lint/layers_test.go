package lint_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/cubbykv/cubby"

// layers is the picture of ARCHITECTURE.md: each package of ours with those of
// ours that its product code may import directly. A package that is missing
// here fails the test: it has to be given its place first.
var layers = map[string][]string{
	"internal/hostaddr":  {},
	"internal/kverr":     {},
	"internal/resp":      {},
	"internal/samples":   {},
	"internal/testcert":  {},
	"internal/testneed":  {},
	"internal/tlsconf":   {},
	"internal/units":     {},
	"internal/wallclock": {},
	"internal/lint":      {},

	"storage":           {},
	"storage/storetest": {"storage"},
	"storage/bunt":      {"storage", "internal/wallclock"},

	"auth": {"storage", "internal/units"},

	"internal/lua": {"internal/resp"},

	"audit": {},

	"commands":                  {"audit", "auth", "storage", "internal/hostaddr", "internal/kverr", "internal/lua", "internal/resp"},
	"commands/internal/gendocs": {"commands"},

	// Doors: they translate, so they know the engine and not what is below it.
	"server": {"commands", "storage", "internal/hostaddr", "internal/kverr", "internal/resp"},

	"gateway": {"commands", "storage", "internal/hostaddr", "internal/kverr", "internal/resp"},

	"config":                  {"internal/tlsconf", "internal/units"},
	"config/internal/gendocs": {"config"},

	"internal/inmemory":  {"auth", "commands", "storage", "storage/bunt"},
	"internal/sdkserver": {"auth", "gateway", "internal/inmemory", "server"},

	"client":        {"auth", "commands", "internal/inmemory", "internal/kverr", "internal/resp"},
	"client/kvtest": {"auth", "client", "internal/inmemory", "server", "storage", "storage/storetest"},

	// cmd wires everything.
	"cmd/cubby": {"audit", "auth", "commands", "config", "gateway", "server", "storage", "storage/bunt", "internal/kverr", "internal/tlsconf"},

	"internal/redistest":                  {"internal/resp", "internal/testneed"},
	"integration":                         {},
	"integration/internal/gendocs":        {"commands"},
	"integration/internal/genconformance": {},
	"bench":                               {},
}

// outside lists libraries that only some packages may use, each for a reason
// that CONTRIBUTING.md gives.
var outside = map[string][]string{
	"github.com/tidwall/redcon":  {"server", "bench"}, // bench compares with its empty handler
	"github.com/tidwall/buntdb":  {"storage/bunt"},
	"github.com/redis/go-redis/": {"cmd/cubby", "client", "client/kvtest", "integration", "bench"},
	"github.com/redis/rueidis":   {"integration"},
	"github.com/gomodule/redigo": {"integration"},
	"github.com/spf13/cobra":     {"cmd/cubby"},
	"github.com/yuin/gopher-lua": {"internal/lua"},
	"github.com/golang-jwt/jwt":  {"auth"},
}

type listedPackage struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var pkgs []listedPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		pkgs = append(pkgs, p)
	}
	require.NotEmpty(t, pkgs)
	return pkgs
}

func TestImportsPointDownwards(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		allowed, placed := layers[name]
		if !placed {
			t.Errorf("package %s has no place in the layers: add it to internal/lint and to ARCHITECTURE.md", name)
			continue
		}
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, module+"/"); ok && !contains(allowed, ours) {
				t.Errorf("%s imports %s, which is not below it", name, ours)
			}
			for lib, users := range outside {
				if strings.HasPrefix(imp, lib) && !contains(users, name) {
					t.Errorf("%s imports %s, which belongs to %v alone", name, imp, users)
				}
			}
		}
	}
}

// maxLines is where a file is about more than one thing.
const maxLines = 500

func TestFilesAreAboutOneThing(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, f := range p.GoFiles {
			b, err := os.ReadFile(filepath.Join(p.Dir, f))
			require.NoError(t, err)
			if n := bytes.Count(b, []byte("\n")); n > maxLines {
				t.Errorf("%s/%s has %d lines, more than %d: split it", p.ImportPath, f, n, maxLines)
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
