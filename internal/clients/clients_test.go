package clients

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

var serverBinary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "holdfast-clients-")
	if err == nil {
		serverBinary, err = proc.ServerUnderTest(context.Background(), dir)
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// start starts one member and returns its HOST:PORT.
func start(t *testing.T) string {
	t.Helper()
	c, err := proc.New(proc.Options{Binary: serverBinary, Members: 1, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.LogTails(12))
		}
		if err := c.KillAll(); err != nil {
			t.Error(err)
		}
	})
	if err := c.StartAll(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(c.Endpoints()[0], "http://")
}

// program is a client in another language.
type program struct {
	name string
	// needs are commands that must be there.
	needs []string
	// files, of testdata, are copied to where it is installed.
	files []string
	// install are commands to run there once; each of checks gets the server's
	// HOST:PORT as its last argument.
	install [][]string
	checks  [][]string
}

var programs = []program{
	{
		name: "python", needs: []string{"python3"},
		files:   []string{"python/requirements.txt", "python/check_etcd3.py", "python/check_etcd3gw.py"},
		install: [][]string{{"python3", "-m", "venv", "venv"}, {"venv/bin/pip", "install", "--quiet", "-r", "requirements.txt"}},
		checks:  [][]string{{"venv/bin/python", "check_etcd3.py"}, {"venv/bin/python", "check_etcd3gw.py"}},
	},
	{
		name: "node", needs: []string{"node", "npm"}, files: []string{"node/package.json", "node/package-lock.json", "node/check.js"},
		install: [][]string{{"npm", "ci", "--no-audit", "--no-fund", "--silent"}},
		checks:  [][]string{{"node", "check.js"}},
	},
	{
		name: "jetcd", needs: []string{"mvn", "java"}, files: []string{"jetcd/pom.xml", "jetcd/src/main/java/Check.java"},
		install: [][]string{{"mvn", "--quiet", "--batch-mode", "package", "dependency:copy-dependencies", "-DoutputDirectory=target/lib"}},
		checks:  [][]string{{"java", "-cp", "target/classes:target/lib/*", "Check"}},
	},
}

// TestPrograms runs each against a member of its own.
func TestPrograms(t *testing.T) {
	mode := os.Getenv("HOLDFAST_CLIENTS")
	if mode == "" {
		t.Skip("clients in other languages run with make clients")
	}
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			dir, err := p.installed(t)
			if err != nil && mode == "available" {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			endpoint := start(t)
			for _, check := range p.checks {
				out, err := p.command(t, dir, append(slices.Clone(check), endpoint), time.Minute)
				if err != nil {
					t.Errorf("%v: %v\n%s", check, err, out)
				}
				t.Logf("%v: %d calls answered as expected", check, strings.Count(out, "ok "))
			}
		})
	}
}

// installed returns the directory that the program is installed in, after
// installing it if it isn't. Its name depends on the program's files.
func (p *program) installed(t *testing.T) (string, error) {
	for _, command := range p.needs {
		if _, err := exec.LookPath(command); err != nil {
			return "", fmt.Errorf("%s needs %s: %w", p.name, command, err)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	contents := map[string][]byte{}
	for _, f := range p.files {
		if contents[f], err = os.ReadFile(filepath.Join("testdata", f)); err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d ", f, len(contents[f]))
		sum.Write(contents[f])
	}
	dir := filepath.Join(cache, "holdfast-clients", fmt.Sprintf("%s-%x", p.name, sum.Sum(nil)[:6]))
	done := filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return dir, nil
	}
	for f, content := range contents {
		_, below, _ := strings.Cut(f, "/")
		to := filepath.Join(dir, below)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return "", err
		}
	}
	for _, command := range p.install {
		if out, err := p.command(t, dir, command, 3*time.Minute); err != nil {
			return "", fmt.Errorf("%s cannot be installed: %v: %w\n%s", p.name, command, err, out)
		}
	}
	return dir, os.WriteFile(done, nil, 0o600)
}

func (p *program) command(t *testing.T, dir string, command []string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	name := command[0]
	if strings.Contains(name, "/") {
		name = filepath.Join(dir, name)
	}
	cmd := exec.CommandContext(ctx, name, command[1:]...)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}
