package examples

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// program is one run of an example.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when it has ended
}

// output is what a program prints.
type output struct{ proc.Output }

// lines are the whole lines printed so far.
func (o *output) lines() []string {
	text := o.String()
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		return strings.Split(text[:i], "\n")
	}
	return nil
}

// goProgram starts a Go example.
func (c *cluster) goProgram(t *testing.T, name string, args ...string) *program {
	t.Helper()
	return launch(t, exec.Command(filepath.Join(built, name), c.with(args)...))
}

// with puts the endpoints behind the first word, where every example takes flags.
func (c *cluster) with(args []string) []string {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return append([]string{c.endpoints()}, args...)
	}
	return append([]string{args[0], c.endpoints()}, args[1:]...)
}

func launch(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{t: t, cmd: cmd, out: &output{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s printed:\n%s", strings.Join(cmd.Args, " "), p.out)
		}
	})
	return p
}

// kill ends the program and what it started, by SIGKILL.
func (p *program) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// killAlone ends the program only, by SIGKILL: what it started is left to itself.
func (p *program) killAlone() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop asks the program to end, and waits.
func (p *program) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	p.wait(15 * time.Second)
}

// terminate asks the program to end by SIGTERM, and waits.
func (p *program) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	p.wait(15 * time.Second)
}

// wait returns when the program has ended by itself, with its exit code.
func (p *program) wait(within time.Duration) int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-ctx.Done():
		p.t.Fatalf("%s has not ended in %v; it printed:\n%s", p.cmd.Args[0], within, p.out)
		return -1
	}
}

// succeed waits for a good end and returns what was printed.
func (p *program) succeed() string {
	p.t.Helper()
	if code := p.wait(3 * time.Minute); code != 0 { // Maven on a machine with twenty times too much to do needs two
		p.t.Fatalf("%s ended with %d:\n%s", strings.Join(p.cmd.Args, " "), code, p.out)
	}
	return p.out.String()
}

// says waits for words in what is printed.
func (p *program) says(within time.Duration, words string) {
	p.t.Helper()
	eventually(p.t, within, p.cmd.Args[0]+" says "+words+"; it has said:\n"+p.out.String(), func() bool {
		return strings.Contains(p.out.String(), words)
	})
}

// matching returns the lines with a prefix, without it.
func (p *program) matching(prefix string) (rest []string) {
	for _, line := range p.out.lines() {
		if r, ok := strings.CutPrefix(line, prefix); ok {
			rest = append(rest, r)
		}
	}
	return rest
}
