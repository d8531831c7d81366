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

// outcome is one row of the table.
type outcome struct {
	Mutant string `json:"mutant"`
	Name   string `json:"name"`
	// KilledBy is the check or test that failed; empty: survived.
	KilledBy string `json:"killed_by,omitempty"`
	// Verdict of the run that failed: crashed, unsafe or stuck.
	Verdict string `json:"verdict,omitempty"`
	// Seeds needed, or tried in vain.
	Seeds    int     `json:"seeds,omitempty"`
	Seconds  float64 `json:"seconds"`
	Harmless string  `json:"harmless,omitempty"`
}

func (o *outcome) survived() bool { return o.KilledBy == "" && o.Harmless == "" }

// hunter builds mutants and sets the judges on them.
type hunter struct {
	root  string        // of the module
	seeds int           // to try at most
	limit time.Duration // for one mutant
	// compile only the packages that the mutant touches, and judge nothing.
	compile bool
}

// hunt judges one mutant. The error tells that it could not be judged.
func (h *hunter) hunt(m *mutant) (o outcome, err error) {
	o = outcome{Mutant: m.id, Name: m.name, Harmless: m.harmless}
	dir, err := os.MkdirTemp("", "holdfast-mutant-")
	if err != nil {
		return o, err
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(h.root, dir)
	if err != nil || m.harmless != "" {
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

// compiles tells whether the changed packages still do, which takes a second
// where building the command takes ten.
func (h *hunter) compiles(ctx context.Context, m *mutant, overlay string) error {
	args := []string{"build", "-overlay", overlay}
	for _, e := range m.edits {
		args = append(args, "./"+path.Dir(e.file))
	}
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir = h.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("mutant %s (%s) does not compile: %w\n%s", m.id, m.name, err, out)
	}
	return nil
}

// simulate runs seeds 1, 2, … in order, so that "seeds needed" means something.
func (h *hunter) simulate(ctx context.Context, m *mutant, overlay, dir string, o *outcome) error {
	binary := filepath.Join(dir, "holdfast")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-ldflags=-s -w", "-o", binary, "./cmd/holdfast")
	build.Dir = h.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("mutant %s (%s) does not build: %w\n%s", m.id, m.name, err, out)
	}
	sim := exec.CommandContext(ctx, binary, "sim", "--seeds", fmt.Sprintf("1..%d", h.seeds), "--workers", "1", "-o", "json", "--report", dir)
	out, err := sim.Output()
	if seen := readVerdicts(out, o); seen != nil {
		return fmt.Errorf("mutant %s: %w", m.id, seen)
	}
	var exit *exec.ExitError
	switch {
	case o.KilledBy != "" || err == nil:
		return nil
	case ctx.Err() != nil:
		o.KilledBy, o.Verdict = fmt.Sprintf("no end within %v", h.limit), "endless"
		if o.Seeds > 0 {
			o.KilledBy = "" // slow, but nothing was noticed
		}
		return nil
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
