package docs

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

var languages = flag.String("languages", "go", "which commands to run: some of go, curl, python, node, java")

var root string // of the project

func TestMain(m *testing.M) {
	flag.Parse()
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// prepare does once what each page would do otherwise, beside the others: the server and etcd's tool are built.
func prepare() (err error) {
	if root, err = proc.Root(); err != nil {
		return err
	}
	build := exec.Command("make", "build")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("make build: %w\n%s", err, out)
	}
	_, err = proc.Peer(context.Background(), "etcdctl")
	return err
}

// TestPages runs all commands of all pages.
func TestPages(t *testing.T) {
	total := 0
	for _, page := range pages(t) {
		commands := read(t, page)
		total += len(commands)
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			r := newReader(t)
			if !slices.ContainsFunc(commands, func(c command) bool { return c.text == "make run" }) {
				r.do(t, command{page: page, text: "make run", stays: true, prints: []string{ready}})
			}
			for _, c := range commands {
				if c.text == "make run" {
					c.prints = append(c.prints, ready)
				}
				if c.asked() {
					r.do(t, c)
				}
			}
			r.goodbye(t)
		})
	}
	if total < 40 {
		t.Errorf("%d commands were found: the documents' marks are not understood any more", total)
	}
}

// ready is what a server prints when it serves; whoever reads a page waits for it before going on.
const ready = "ready to serve client requests"

// reader is somebody at the root of a checkout who does what a page says.
type reader struct {
	env   []string
	ports map[string]string // of the page, and what stands for them
	stay  []running         // commands until Ctrl-C
}

type running struct {
	command
	out   *proc.Output
	ended chan struct{}
}

// goodbye: what is to stay until Ctrl-C has printed all it should, and has not ended by itself.
func (r *reader) goodbye(t *testing.T) {
	t.Helper()
	for _, c := range r.stay {
		c.prints = c.later
		for end := time.Now().Add(patience); r.missing(t, c.command, c.out) != ""; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s\nhas not printed %q in %v, but:\n%s", c, r.missing(t, c.command, c.out), patience, c.out)
			}
		}
		select {
		case <-c.ended:
			t.Errorf("%s\nhas ended by itself:\n%s", c, c.out)
		default:
		}
	}
}

func newReader(t *testing.T) *reader {
	t.Helper()
	client, peer, url := free(t), free(t), "http://127.0.0.1:"
	return &reader{ports: map[string]string{"127.0.0.1:2379": "127.0.0.1:" + client}, env: append(os.Environ(),
		"ETCD_DATA_DIR="+t.TempDir(),
		"ETCD_LISTEN_CLIENT_URLS="+url+client, "ETCD_ADVERTISE_CLIENT_URLS="+url+client,
		"ETCD_LISTEN_PEER_URLS="+url+peer, "ETCD_INITIAL_ADVERTISE_PEER_URLS="+url+peer,
		"ETCD_INITIAL_CLUSTER=default="+url+peer,
		"ETCDCTL_ENDPOINTS="+url+client, "HOLDFAST_ENDPOINTS="+url+client, "ENDPOINTS="+url+client,
		"LOCAL_ARGS=--port "+freeRow(t))}
}

// freeRow returns the first of the ports that `holdfast local` takes: three times two, ten apart.
func freeRow(t *testing.T) string {
	for first, last, n := "", 0, 0; ; {
		port, err := proc.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if port != last+1 {
			first, n = fmt.Sprint(port), 0
		}
		if last, n = port, n+1; n == 22 {
			return first
		}
	}
}

func free(t *testing.T) string {
	t.Helper()
	port, err := proc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(port)
}

var pagePort = regexp.MustCompile(`127\.0\.0\.1:(2379|7\d\d\d)\b`)

// here puts free ports in the place of those of the page.
func (r *reader) here(t *testing.T, text string) string {
	return pagePort.ReplaceAllStringFunc(text, func(address string) string {
		if r.ports[address] == "" {
			r.ports[address] = "127.0.0.1:" + free(t)
		}
		return r.ports[address]
	})
}

// patience is how long a command may take to end or to print what it should: many are compiled first, on a busy machine.
const patience = 3 * time.Minute

// do types one command.
func (r *reader) do(t *testing.T, c command) {
	t.Helper()
	cmd := exec.Command("bash", "-c", r.here(t, c.text))
	cmd.Dir, cmd.Env = root, r.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := &proc.Output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var err error // of the end
	go func() { err = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		if t.Failed() && c.stays {
			t.Logf("%s\n%s", c, out)
		}
	})
	deadline := time.After(patience)
	for wait := true; wait; {
		select {
		case <-ended:
			wait = false
			switch {
			case c.stays:
				t.Fatalf("%s\nended by itself: %v\n%s", c, err, out)
			case (err != nil) != c.fails:
				t.Fatalf("%s\n%v\n%s", c, err, out)
			}
		case <-time.After(20 * time.Millisecond):
			wait = !c.stays || r.missing(t, c, out) != ""
		case <-deadline:
			t.Fatalf("%s\nhas not ended or not printed %q in %v, but:\n%s", c, r.missing(t, c, out), patience, out)
		}
	}
	if c.stays {
		r.stay = append(r.stay, running{c, out, ended})
	}
	if what := r.missing(t, c, out); what != "" {
		t.Fatalf("%s\nhas not printed %q, but:\n%s", c, what, out)
	}
}

// missing is the first of the things that a command should print and has not printed yet.
func (r *reader) missing(t *testing.T, c command, out *proc.Output) string {
	text := out.String()
	for _, want := range c.prints {
		if want = r.here(t, want); !strings.Contains(text, want) {
			return want
		}
	}
	return ""
}
