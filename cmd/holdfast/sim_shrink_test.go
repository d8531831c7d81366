package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/sim"
)

// failWhen makes runs fail if their script has this verb.
func failWhen(t *testing.T, verb string) {
	t.Helper()
	plain := runSimulation
	t.Cleanup(func() { runSimulation = plain })
	runSimulation = func(o sim.Options) sim.Result {
		r := sim.Run(o)
		for _, a := range r.Script {
			if a.Verb == verb && r.Failure == nil {
				r.Class = sim.Unsafe
				r.Failure = &sim.Failure{Class: sim.Unsafe, Check: "no " + verb, Text: a.Text()}
			}
		}
		return r
	}
}

func sub(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := newSimCommand()
	c.SetOut(&out)
	c.SetErr(&out)
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(args)
	err := c.Execute()
	return out.String(), err
}

// A failing seed is cut down to a file that replay plays, and that fails in the
// same way.
func TestSimShrink(t *testing.T) {
	failWhen(t, "partition")
	file := filepath.Join(t.TempDir(), "least.txt")
	out, err := sub(t, "shrink", "--seed", "2", "--nodes", "3", "--chaos", "2s", "--faults", "partition,kill", "--file", file, "--runs", "40")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var actions int
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "at ") {
			actions++
		}
	}
	if actions != 1 || !strings.Contains(string(text), "# unsafe: no partition") || !strings.Contains(out, "1 of ") {
		t.Errorf("%s\n%s", out, text)
	}
	out, err = sub(t, "replay", file, "--report", t.TempDir())
	var known *exitError
	if !errors.As(err, &known) || known.code != 11 || !strings.Contains(out, "holdfast sim replay "+file) || !strings.Contains(out, "least.html") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A seed that passes is not shrunk, and a file that can't be read is named with
// the place.
func TestSimShrinkUsage(t *testing.T) {
	var known *exitError
	if _, err := sub(t, "shrink", "--seed", "2", "--nodes", "3", "--chaos", "1s"); !errors.As(err, &known) || known.code != exitUsage {
		t.Errorf("a seed that passes: %v", err)
	}
	if _, err := sub(t, "shrink"); err == nil {
		t.Error("no seed, and no error")
	}
	file := filepath.Join(t.TempDir(), "bad.txt")
	if err := os.WriteFile(file, []byte("nodes 3\ncrash it hard\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"replay", file}, {"--scenario", file}} {
		if _, err := sub(t, args...); !errors.As(err, &known) || known.code != exitUsage || !strings.Contains(err.Error(), "bad.txt: line 2, column 10") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// An interrupted campaign goes on where it stopped: what is in its file is not
// run again, but counted, and half a line is written anew.
func TestSimResume(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.ndjson")
	if _, _, err := runSim(t, "--seeds", "1..3", "--out", file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || bytes.Count(text, []byte("\n")) != 4 {
		t.Fatalf("%v: %s", err, text)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	torn := append(bytes.Join(lines[:3], nil), lines[3][:40]...)
	if err := os.WriteFile(file, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	played := 0
	plain := runSimulation
	t.Cleanup(func() { runSimulation = plain })
	runSimulation = func(o sim.Options) sim.Result { played++; return plain(o) }
	out, errOut, err := runSim(t, "--seeds", "1..4", "--workers", "1", "--out", file)
	if err != nil || played != 2 || !strings.Contains(out, "4 runs, 0 failed") || !strings.Contains(errOut, "2 seeds are in") {
		t.Errorf("%v, %d played: %s%s", err, played, out, errOut)
	}
	if again, err := os.ReadFile(file); err != nil || bytes.Count(again, []byte("\n")) != 5 {
		t.Errorf("%v: %s", err, again)
	}
	if _, _, err := runSim(t, "--seeds", "1..4", "--out", file, "--faults", "crash"); err == nil || !strings.Contains(err.Error(), "another campaign") {
		t.Errorf("results of other settings are mixed in: %v", err)
	}
}

// A failure from before the interruption is still the campaign's.
func TestSimResumeFailed(t *testing.T) {
	failWhen(t, "heal")
	file := filepath.Join(t.TempDir(), "results.ndjson")
	var known *exitError
	for range 2 {
		_, _, err := runSim(t, "--seeds", "1..3", "--workers", "1", "--out", file, "--report", t.TempDir())
		if !errors.As(err, &known) || known.code != 11 || !strings.Contains(err.Error(), "seed 1") {
			t.Errorf("%v", err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || bytes.Count(text, []byte("\n")) != 2 {
		t.Errorf("%v: %s", err, text)
	}
}

// Faults are chosen by name, and unknown names are answered with the known ones.
func TestSimFaults(t *testing.T) {
	out, _, err := runSim(t, "--seed", "3", "--faults", "partition")
	if err != nil || !strings.Contains(out, "faults   partition/") || strings.Contains(out, "fault kill") {
		t.Errorf("%v: %s", err, out)
	}
	if _, _, err := runSim(t, "--seed", "3", "--faults", "luck"); err == nil || !strings.Contains(err.Error(), "isolate-leader") {
		t.Errorf("%v", err)
	}
}

// Where there is no terminal nothing is written over, and nothing is coloured.
func TestStatusLine(t *testing.T) {
	var out bytes.Buffer
	s := newStatusLine(&out)
	s.show("not yet", false)
	s.say("failed", true)
	s.clear()
	if out.String() != "failed\n" {
		t.Errorf("%q", out.String())
	}
	s.terminal = true
	s.show("now", true)
	if !strings.HasSuffix(out.String(), "\r\x1b[Know") {
		t.Errorf("%q", out.String())
	}
}
