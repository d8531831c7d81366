package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// suitePackages is where the suites are.
const suitePackages = "go.etcd.io/etcd/tests/v3/"

// suite is etcd's test binary with what it needs around it:
//
//	DIR/bin/{etcd,etcdctl,etcdutl}   etcd is Holdfast, unless -etcd
//	DIR/SUITE.test
//	DIR/work/SUITE                   its working folder
//	DIR/work/fixtures                certificates and keys, which it looks for beside that
type suite struct {
	options
}

func (s *suite) binary() string { return s.path(s.suite + ".test") }

func (s *suite) workDir() string { return s.path("work", s.suite) }

func (s *suite) path(elements ...string) string {
	return filepath.Join(append([]string{s.dir}, elements...)...)
}

func (s *suite) build() error {
	for _, dir := range []string{s.path("bin"), s.workDir(), s.logs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	server := []string{"build", "-C", "../..", "-o", s.path("bin", "etcd"), "./cmd/holdfast"}
	if s.etcd {
		server = []string{"build", "-o", s.path("bin", "etcd"), "go.etcd.io/etcd/server/v3"}
	}
	tags := "e2e"
	if s.proxy {
		tags += ",cluster_proxy"
	}
	for _, args := range [][]string{
		server,
		{"build", "-o", s.path("bin", "etcdctl"), "go.etcd.io/etcd/etcdctl/v3"},
		{"build", "-o", s.path("bin", "etcdutl"), "go.etcd.io/etcd/etcdutl/v3"},
		{"test", "-c", "-tags", tags, "-o", s.binary(), suitePackages + s.suite},
	} {
		if _, err := run("go", args...); err != nil {
			return err
		}
	}
	return errors.Join(s.copyFixtures(), s.copySample())
}

// rootModule holds etcd's sample of a configuration file, which the suite of the
// process starts a server with.
const rootModule = "go.etcd.io/etcd/v3"

// copySample puts that file where the suite looks for it.
func (s *suite) copySample() error {
	version, err := run("go", "list", "-m", "-f", "{{.Version}}", "go.etcd.io/etcd/server/v3")
	if err != nil {
		return err
	}
	text, err := run("go", "mod", "download", "-json", rootModule+"@"+strings.TrimSpace(version))
	if err != nil {
		return err
	}
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(text), &module); err != nil {
		return err
	}
	const name = "etcd.conf.yml.sample"
	content, err := os.ReadFile(filepath.Join(module.Dir, name))
	if err != nil {
		return err
	}
	return os.WriteFile(s.path(name), content, 0o644)
}

// copyFixtures: the module cache is read-only, and the suite writes beside them.
func (s *suite) copyFixtures() error {
	dir, err := run("go", "list", "-f", "{{.Dir}}", suitePackages+s.suite)
	if err != nil {
		return err
	}
	from, to := filepath.Join(filepath.Dir(strings.TrimSpace(dir)), "fixtures"), s.path("work", "fixtures")
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	return fs.WalkDir(os.DirFS(from), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(from, path))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), content, 0o600)
	})
}

// list names the top-level tests that match.
func (s *suite) list(pattern *regexp.Regexp) (tests []string, err error) {
	out, err := run(s.binary(), "-test.list", ".")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		if name := strings.TrimSpace(line); strings.HasPrefix(name, "Test") && pattern.MatchString(name) {
			tests = append(tests, name)
		}
	}
	return tests, nil
}

func run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}
