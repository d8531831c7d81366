package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// script is how to start an example that is not compiled.
type script func(t *testing.T, c *cluster, name string, args ...string) *program

var scripts = map[string]script{"python": python, "node": node, "curl": curl}

// venv is a Python environment with what the examples need, made once.
var venv = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(built, "venv")
	if out, err := exec.Command("python3", "-m", "venv", dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("python3 -m venv: %w\n%s", err, out)
	}
	pip := exec.Command(filepath.Join(dir, "bin", "pip"), "install", "-q", "-r", filepath.Join(root, "examples", "python", "requirements.txt"))
	if out, err := pip.CombinedOutput(); err != nil {
		return "", fmt.Errorf("pip: %w\n%s", err, out)
	}
	return dir, nil
})

func python(t *testing.T, c *cluster, name string, args ...string) *program {
	t.Helper()
	dir, err := venv()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "examples", "python", name+".py")
	return launch(t, exec.Command(filepath.Join(dir, "bin", "python"), append([]string{file, c.endpoints()}, args...)...))
}

// modules are the Node examples' packages, installed once, from the lock file.
var modules = sync.OnceValue(func() error {
	npm := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--silent")
	npm.Dir = filepath.Join(root, "examples", "node")
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
})

func node(t *testing.T, c *cluster, name string, args ...string) *program {
	t.Helper()
	if err := modules(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "examples", "node", name+".mjs")
	return launch(t, exec.Command("node", append([]string{file, c.endpoints()}, args...)...))
}

func curl(t *testing.T, c *cluster, name string, args ...string) *program {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "examples", "curl", name+".sh"), args...)
	cmd.Env = append(os.Environ(), "ENDPOINTS="+strings.Join(c.Cluster.Endpoints(), ","))
	return launch(t, cmd)
}

// TestDiscovery, in every scripting language: services come, one stops, one dies, the leader dies.
func TestDiscovery(t *testing.T) {
	for _, language := range []string{"curl", "python", "node"} {
		t.Run(language, func(t *testing.T) {
			need(t, language)
			t.Parallel()
			c := start(t)
			run := scripts[language]
			services := map[string]*program{}
			add := func(address string) {
				services[address] = run(t, c, "discovery", "register", "web", address)
				services[address].says(60*time.Second, "registered services/web/"+address)
			}
			add("10.0.0.1:80")
			watcher := run(t, c, "discovery", "watch", "web")
			watcher.says(60*time.Second, "there: ")
			add("10.0.0.2:80")
			add("10.0.0.3:80")
			watcher.says(60*time.Second, "there: services/web/10.0.0.3:80")
			c.killLeader(t)
			if text := watcher.out.String(); strings.Contains(text, "gone: ") {
				t.Errorf("the leader's death took a service away:\n%s", text)
			}
			stops, dies := services["10.0.0.2:80"], services["10.0.0.3:80"]
			stops.terminate()
			stops.says(time.Second, "signed off")
			watcher.says(20*time.Second, "gone: services/web/10.0.0.2:80")
			dies.kill()
			watcher.says(30*time.Second, "gone: services/web/10.0.0.3:80")
			if out := run(t, c, "discovery", "list", "web").succeed(); strings.TrimSpace(out) != "10.0.0.1:80" {
				t.Errorf("listed: %q", out)
			}
		})
	}
}

// TestLock, in every scripting language: turns of three processes, the leader killed among them. Each number is counted
// once, and later holders have larger tokens.
func TestLock(t *testing.T) {
	for _, language := range []string{"curl", "python", "node"} {
		t.Run(language, func(t *testing.T) {
			need(t, language)
			t.Parallel()
			c := start(t)
			const turns = 6
			var workers []*program
			for _, name := range []string{"a", "b", "c"} {
				args := []string{name, strconv.Itoa(turns)}
				if language == "python" {
					args = []string{"--name", name, "--turns", strconv.Itoa(turns)}
				}
				workers = append(workers, scripts[language](t, c, "lock", args...))
			}
			eventually(t, 60*time.Second, "somebody counts", func() bool { return len(c.everyChange(t, "jobs/"+language+"-counter")) > 1 })
			c.killLeader(t)
			tokens := map[int]int{} // by number counted
			for _, w := range workers {
				w.succeed()
				for _, line := range w.out.lines() {
					var name string
					var number, token int
					if _, err := fmt.Sscanf(line, "%s counted %d with token %d", &name, &number, &token); err == nil {
						tokens[number] = token
					}
				}
			}
			values := c.everyChange(t, "jobs/"+language+"-counter")
			for i, v := range values {
				if v != strconv.Itoa(i+1) {
					t.Fatalf("change %d of the counter is %s", i+1, v)
				}
				if i > 0 && tokens[i+1] <= tokens[i] {
					t.Errorf("number %d was counted with token %d, the one before with %d", i+1, tokens[i+1], tokens[i])
				}
			}
			if len(values) != 3*turns || len(tokens) != 3*turns {
				t.Errorf("counted to %d, reported %d, not %d", len(values), len(tokens), 3*turns)
			}
		})
	}
}

// TestSleeper, in every language but Go, whose lock has its fence elsewhere: who sleeps with the lock loses it, and its
// write with it.
func TestSleeper(t *testing.T) {
	programs := map[string]func(t *testing.T, c *cluster, name, turns string, stall int) *program{
		"curl": func(t *testing.T, c *cluster, name, turns string, stall int) *program {
			cmd := exec.Command(filepath.Join(root, "examples", "curl", "lock.sh"), name, turns)
			cmd.Env = append(os.Environ(), "ENDPOINTS="+strings.Join(c.Cluster.Endpoints(), ","), "TTL=2", fmt.Sprint("STALL=", stall))
			return launch(t, cmd)
		},
		"python": func(t *testing.T, c *cluster, name, turns string, stall int) *program {
			return python(t, c, "lock", "--name", name, "--turns", turns, "--ttl", "2", "--stall", fmt.Sprint(stall))
		},
		"node": func(t *testing.T, c *cluster, name, turns string, stall int) *program {
			return node(t, c, "lock", name, turns, fmt.Sprint("--stall=", stall))
		},
		"java": func(t *testing.T, c *cluster, name, turns string, stall int) *program {
			return c.javaProgram(t, "LockedCounter", name, turns, fmt.Sprint(stall))
		},
	}
	for language, run := range programs {
		t.Run(language, func(t *testing.T) {
			need(t, language)
			t.Parallel()
			c := start(t)
			sleeper := run(t, c, "sleeper", "1", 8)
			eventually(t, 60*time.Second, "the sleeper has the lock", func() bool { return len(c.get(t, "locks/"+language).Kvs) == 1 })
			run(t, c, "other", "1", 0).succeed()
			out := sleeper.succeed()
			if !strings.Contains(out, "sleeper lost its turn") || !strings.Contains(out, "sleeper counted 2") {
				t.Errorf("the sleeper said:\n%s", out)
			}
		})
	}
}
