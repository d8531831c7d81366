package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/internal/torture"
)

// TestTortureFlags: what can't be done is refused before anything starts. That the command itself works is tested in
// internal/torture, which it only calls.
func TestTortureFlags(t *testing.T) {
	for _, args := range []string{"--nodes 0", "--nodes 10", "--faults fire", "--network carrier-pigeons", "-o xml", "--writers", "extra"} {
		err := execute(append([]string{"torture"}, strings.Fields(args)...))
		if exitCode(err) != exitUsage {
			t.Errorf("%s: %v", args, err)
		}
	}
	f := tortureFlags{config: torture.Defaults(), faults: "all", network: "auto", output: "text"}
	f.config.Rounds, f.config.Binary = 0, "bin/etcd"
	if err := f.check(); err != nil {
		t.Fatal(err)
	}
	if len(f.config.Faults) != len(torture.FaultsOfAnyServer()) || f.config.Rounds != 1 || f.config.Seed == 0 || f.config.Binary == "bin/etcd" {
		t.Errorf("%+v", f.config)
	}
}

// TestTortureExitCodes are those of holdfast sim.
func TestTortureExitCodes(t *testing.T) {
	for class, want := range map[torture.Class]int{torture.Passed: 0, torture.Crashed: 10, torture.Unsafe: 11, torture.NotBack: 12} {
		if got := exitCode(exitWith(class.ExitCode(), errors.New("x"))); got != want {
			t.Errorf("%v: exit code %d, want %d", class, got, want)
		}
	}
}
