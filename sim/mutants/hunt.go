package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// patience is how long one seed may take before it counts as endless: a run
// that passes takes a fraction of a second.
const patience = 2 * time.Minute

// hunter builds mutants and sets the judges on them.
type hunter struct {
	root  string        // of the module
	code  string        // hash of what is built
	seeds int           // to try at most
	limit time.Duration // for one mutant
	// compile only the packages that the mutant touches, and judge nothing.
	compile bool
}

// hunt judges one mutant. The error tells that it could not be judged.
func (h *hunter) hunt(m *mutant) (o outcome, err error) {
	o = outcome{Mutant: m.id, Name: m.name, Harmless: m.harmless, Waits: m.waits, Faults: m.faults, Change: m.print(), Code: h.code}
	dir, err := os.MkdirTemp("", "holdfast-mutant-")
	if err != nil {
		return o, err
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(h.root, dir)
	if err != nil || o.unjudged() {
		return o, err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), h.limit)
	defer cancel()
	switch {
	case h.compile:
		err = h.compiles(ctx, m, overlay)
	case m.tests != "":
		err = h.runTests(ctx, m, overlay, &o)
	default:
		err = h.simulate(ctx, m, overlay, dir, &o)
	}
	o.Seconds = time.Since(began).Seconds()
	return o, err
}

// compiles tells whether the changed packages still do, which is quicker than
// building what uses them.
func (h *hunter) compiles(ctx context.Context, m *mutant, overlay string) error {
	args := []string{"build", "-overlay", overlay}
	for _, e := range m.edits {
		args = append(args, "./"+path.Dir(e.file))
	}
	return h.goCommand(ctx, m, args...)
}

// goCommand runs a step of the toolchain that is expected to succeed.
func (h *hunter) goCommand(ctx context.Context, m *mutant, args ...string) error {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir = h.root
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("mutant %s (%s) does not compile: %w\n%s", m.id, m.name, err, out)
	}
	return nil
}

// simulate runs seeds 1, 2, … in order, so that "seeds needed" means something.
func (h *hunter) simulate(ctx context.Context, m *mutant, overlay, dir string, o *outcome) error {
	binary := filepath.Join(dir, "seeds")
	err := h.goCommand(ctx, m, "build", "-overlay", overlay, "-ldflags=-s -w", "-o", binary, "./sim/mutants/seeds")
	if err != nil {
		return err
	}
	args := []string{"1", fmt.Sprint(h.seeds), patience.String()}
	if m.faults != "" {
		args = append(args, m.faults)
	}
	out, err := exec.CommandContext(ctx, binary, args...).Output()
	if unreadable := readVerdicts(out, o); unreadable != nil {
		return fmt.Errorf("mutant %s: %w", m.id, unreadable)
	}
	var exit *exec.ExitError
	switch {
	case o.KilledBy != "" || err == nil:
		return nil
	case ctx.Err() != nil:
		return nil // slow, but nothing was noticed: it survived so many seeds
	case errors.As(err, &exit):
		o.Seeds++
		o.KilledBy, o.Verdict = "the end of the process: "+firstLine(exit.Stderr), "crashed"
		return nil
	}
	return fmt.Errorf("mutant %s: %w", m.id, err)
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return line
}

// readVerdicts counts the seeds that passed and finds the one that failed. A
// last line that was cut off is a run that was ended.
func readVerdicts(out []byte, o *outcome) error {
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var row struct{ Verdict, Check string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return nil
		}
		o.Seeds++
		if row.Verdict != "passed" {
			o.KilledBy, o.Verdict = row.Check, row.Verdict
			return nil
		}
	}
	return lines.Err()
}

var failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// runTests runs a package's own tests on the mutant.
func (h *hunter) runTests(ctx context.Context, m *mutant, overlay string, o *outcome) error {
	test := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-failfast", "-overlay", overlay, m.tests)
	test.Dir = h.root
	out, err := test.CombinedOutput()
	if err == nil {
		return nil
	}
	found := failedTest.FindSubmatch(out)
	switch {
	case found != nil:
		o.KilledBy = string(found[1])
	case strings.Contains(string(out), "panic:"):
		o.KilledBy = "a panic"
	default:
		return fmt.Errorf("mutant %s (%s) in %s: %w\n%s", m.id, m.name, m.tests, err, out)
	}
	o.KilledBy, o.Verdict = fmt.Sprintf("%s of %s", o.KilledBy, m.tests), "test"
	return nil
}
