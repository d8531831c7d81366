package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// lesson runs the simulator on a mutant for somebody who wants to find out by
// himself what is wrong with it.
type lesson struct {
	root  string
	seeds int
	known *results
	out   io.Writer
}

// run lists the mistakes, shows one, or lets one loose.
func (l *lesson) run(name string, reveal bool) error {
	if name == "list" {
		l.list(reveal)
		return nil
	}
	var m *mutant
	for i := range mutants {
		if mutants[i].id == name {
			m = &mutants[i]
		}
	}
	switch {
	case m == nil:
		return fmt.Errorf("no bug is called %q; `--bug list` names them", name)
	case len(m.edits) == 0:
		return fmt.Errorf("bug %s (%s) waits for %s", m.id, m.name, m.waits)
	case reveal:
		l.reveal(m)
		return nil
	case !m.simulated():
		return fmt.Errorf("bug %s is none that the simulator sees; `--reveal` shows it", m.id)
	}
	return l.hunt(m)
}

// list prints the bugs without saying what is wrong, unless that is wanted.
func (l *lesson) list(reveal bool) {
	fmt.Fprintf(l.out, "%-5s %-16s %-44s %s\n", "bug", "in", "noticed by", "seeds")
	for i := range mutants {
		m := &mutants[i]
		if !m.simulated() {
			continue
		}
		o := l.known.rows[m.id]
		seeds := ""
		if o.Seeds > 0 {
			seeds = fmt.Sprint(o.Seeds)
		}
		fmt.Fprintf(l.out, "%-5s %-16s %-44.44s %5s", m.id, m.area(), o.KilledBy, seeds)
		if reveal {
			fmt.Fprintf(l.out, "  %s", m.name)
		}
		fmt.Fprintln(l.out)
	}
}

// reveal shows what was changed.
func (l *lesson) reveal(m *mutant) {
	fmt.Fprintf(l.out, "bug %s: %s\n", m.id, m.name)
	for _, e := range m.edits {
		fmt.Fprintf(l.out, "\n%s\n", e.file)
		fmt.Fprint(l.out, prefixed("-", e.old), prefixed("+", e.new))
	}
	if m.harmless != "" {
		fmt.Fprintf(l.out, "\nharmless: %s\n", m.harmless)
	}
}

func prefixed(sign, text string) string {
	if text == "" {
		return ""
	}
	return sign + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+sign) + "\n"
}

// hunt builds the whole command with the mistake in it, so that traces and
// reports can be had, and lets it try seeds until a check fails.
func (l *lesson) hunt(m *mutant) error {
	dir := filepath.Join(os.TempDir(), "holdfast-bug-"+m.id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	overlay, err := m.overlay(l.root, dir)
	if err != nil {
		return err
	}
	binary := filepath.Join(dir, "holdfast")
	fmt.Fprintf(l.out, "building Holdfast with bug %s in it …\n", m.id)
	build := exec.Command("go", "build", "-overlay", overlay, "-o", binary, "./cmd/holdfast")
	build.Dir = l.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("bug %s does not build: %w\n%s", m.id, err, out)
	}
	seed, err := l.firstFailure(binary, m)
	if err != nil {
		return err
	}
	if seed == 0 {
		fmt.Fprintf(l.out, "%d seeds passed, nothing was noticed; more with --seeds\n", l.seeds)
		return nil
	}
	c := exec.Command(binary, m.simulation("--seed", fmt.Sprint(seed), "--report", dir)...)
	c.Stdout, c.Stderr = l.out, os.Stderr
	failed := c.Run()
	again := strings.Join(m.simulation("--seed", fmt.Sprint(seed), "--trace", filepath.Join(dir, "run.txt")), " ")
	fmt.Fprintf(l.out, lessonText, binary, again, m.id)
	return failed
}

// simulation is the command line that simulates the mutant: where its row names
// faults, these are all that happen.
func (m *mutant) simulation(args ...string) []string {
	args = append([]string{"sim"}, args...)
	if m.faults != "" {
		args = append(args, "--faults", m.faults)
	}
	return args
}

const lessonText = `
What is wrong? The check says what was broken, the trace how it came to that:

  %s %s

sim/README.md tells how to read it. When you think you know:

  holdfast sim --bug %s --reveal
`

// firstFailure runs seeds until one fails; 0: none did.
func (l *lesson) firstFailure(binary string, m *mutant) (seed uint64, err error) {
	c := exec.Command(binary, m.simulation("--seeds", fmt.Sprintf("1..%d", l.seeds), "--workers", "1", "-o", "json", "--report", filepath.Dir(binary))...)
	pipe, err := c.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := c.Start(); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var row struct {
			Seed    uint64
			Verdict string
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return 0, fmt.Errorf("the simulator says %q: %w", lines.Text(), err)
		}
		if row.Verdict != "passed" && seed == 0 {
			seed = row.Seed
		}
		fmt.Fprintf(l.out, "seed %d: %s\n", row.Seed, row.Verdict)
	}
	err = c.Wait()
	var exit *exec.ExitError
	if seed != 0 && errors.As(err, &exit) {
		err = nil
	}
	return seed, errors.Join(lines.Err(), err)
}
