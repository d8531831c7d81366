package main

import (
	"flag"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"testing"
)

var (
	hunting = flag.Bool("mutants", false, "build the mutants and run the simulator on each")
	flags   settings
)

func init() { flags.register(flag.CommandLine, "mutants.") }

// TestMutantsApply: every mutant still applies to the code as it stands, and
// what comes out is a Go file, and another one.
func TestMutantsApply(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i := range mutants {
		m := &mutants[i]
		if seen[m.id] {
			t.Errorf("mutant %s stands twice", m.id)
		}
		seen[m.id] = true
		if m.tests != "" && m.harmless != "" {
			t.Errorf("mutant %s can't be harmless and be noticed by tests", m.id)
		}
		changed, err := m.apply(root)
		if err != nil {
			t.Error(err)
			continue
		}
		for file, text := range changed {
			before, err := os.ReadFile(filepath.Join(root, file))
			if err != nil || text == string(before) {
				t.Errorf("mutant %s changes nothing in %s (%v)", m.id, file, err)
			}
			if _, err := parser.ParseFile(token.NewFileSet(), file, text, 0); err != nil {
				t.Errorf("mutant %s: %v", m.id, err)
			}
		}
	}
}

// TestChoose: by number, by letter, and a rotating sample that leaves none out.
func TestChoose(t *testing.T) {
	all := []mutant{{id: "1"}, {id: "2a"}, {id: "2b"}, {id: "3"}, {id: "10"}}
	for _, c := range []struct {
		only         string
		first, every int
		want         string
	}{
		{"", 0, 1, "1 2a 2b 3 10 "}, {"2", 0, 1, "2a 2b "}, {"2b,10", 0, 1, "2b 10 "}, {"1", 0, 1, "1 "},
		{"", 0, 3, "1 3 "}, {"", 1, 3, "2a 10 "}, {"", 2, 3, "2b "}, {"", 5, 3, "2b "}, {"4", 0, 1, ""},
	} {
		got := ""
		for _, m := range choose(all, c.only, c.first, c.every) {
			got += m.id + " "
		}
		if got != c.want {
			t.Errorf("choose(%q, %d, %d) = %q, want %q", c.only, c.first, c.every, got, c.want)
		}
	}
}

// TestVerdicts: the line of the first failing seed is found, and one that was
// cut off is no verdict.
func TestVerdicts(t *testing.T) {
	const passed, failed = `{"seed":1,"verdict":"passed"}` + "\n", `{"seed":2,"verdict":"unsafe","check":"R1"}` + "\n"
	for _, c := range []struct {
		out, killer string
		seeds       int
	}{
		{passed + passed, "", 2}, {passed + failed + passed, "R1", 2}, {passed + `{"seed":2,"verd`, "", 1}, {"", "", 0},
	} {
		var o outcome
		if err := readVerdicts([]byte(c.out), &o); err != nil || o.KilledBy != c.killer || o.Seeds != c.seeds {
			t.Errorf("%q: killed by %q after %d (%v), want %q after %d", c.out, o.KilledBy, o.Seeds, err, c.killer, c.seeds)
		}
	}
}

// TestMutants is the hunt itself: minutes to an hour, so only on demand.
func TestMutants(t *testing.T) {
	if !*hunting {
		t.Skip("with -mutants only")
	}
	if err := flags.run(os.Stdout); err != nil {
		t.Error(err)
	}
}
