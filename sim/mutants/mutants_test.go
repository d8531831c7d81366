package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
		if (m.waits != "") != (len(m.edits) == 0) {
			t.Errorf("mutant %s: a row waits for a feature, or it changes something", m.id)
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

// TestChoose: by number, by letter, all; a name that nobody has is an error.
func TestChoose(t *testing.T) {
	all := []mutant{{id: "1"}, {id: "2a"}, {id: "2b"}, {id: "3"}, {id: "10"}}
	for only, want := range map[string]string{
		"": "1 2a 2b 3 10 ", "2": "2a 2b ", "2b,10": "2b 10 ", "1": "1 ", "4": "error", "1,4": "error",
	} {
		list, err := choose(all, only)
		got := ""
		for _, m := range list {
			got += m.id + " "
		}
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("choose(%q) = %q, want %q", only, got, want)
		}
	}
}

// TestResults: what was found out is not asked again, unless the change, the
// code or the number of seeds is another; the last of two results counts.
func TestResults(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.ndjson")
	list := []mutant{{id: "1", edits: []edit{{"a", "b", "c"}}}, {id: "2"}, {id: "3"}}
	r, err := readResults(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []outcome{
		{Mutant: "2", Seeds: 100, Change: list[1].print(), Code: "x"},
		{Mutant: "1", Seeds: 9, Change: list[0].print(), Code: "x"},
		{Mutant: "1", Seeds: 3, KilledBy: "R1", Change: list[0].print(), Code: "x"},
		{Mutant: "gone", Seeds: 3, KilledBy: "R1", Code: "x"},
	} {
		if err := r.add(o); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.tidy(list); err != nil {
		t.Fatal(err)
	}
	if r, err = readResults(name); err != nil || len(r.rows) != 2 {
		t.Fatalf("%v, %v: want the rows of 1 and 2", r.rows, err)
	}
	changed := mutant{id: "1", edits: []edit{{"a", "b", "d"}}}
	for i, c := range []struct {
		m     *mutant
		code  string
		seeds int
		known bool
	}{
		{&list[0], "x", 1000, true}, {&list[0], "y", 1000, false}, {&changed, "x", 1000, false},
		{&list[1], "x", 100, true}, {&list[1], "x", 101, false}, {&list[2], "x", 1, false},
	} {
		if _, known := r.known(c.m, c.code, c.seeds); known != c.known {
			t.Errorf("case %d: known %v, want %v", i, known, c.known)
		}
	}
	if rows := r.inOrder(list); len(rows) != 2 || rows[0].KilledBy != "R1" || rows[1].Mutant != "2" {
		t.Errorf("in order: %+v", rows)
	}
	if err := os.WriteFile(name, []byte("{}\n{\"mutant"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readResults(name); err == nil {
		t.Error("a line that is cut off was read")
	}
}

// TestReadme: every kind of row lands in its table, and the sums are right.
func TestReadme(t *testing.T) {
	list := []mutant{{id: "1"}, {id: "2"}, {id: "3"}, {id: "4"}, {id: "5"}, {id: "6"}, {id: "7b"}}
	known := &results{rows: map[string]outcome{}}
	for i, o := range []outcome{ // none for the last two
		{Name: "a|b", KilledBy: "R1 x", Verdict: "unsafe", Seeds: 7}, {Name: "lives", Seeds: 1000}, {Name: "c", KilledBy: "TestX", Verdict: "test"},
		{Name: "d", Harmless: "because"}, {Name: "e", Waits: "the lock service"},
	} {
		o.Mutant, o.Change = list[i].id, list[i].print()
		known.rows[o.Mutant] = o
	}
	got := string(readme(list, known))
	for _, want := range []string{
		"7 mistakes, 3 of them judged: 1 killed by the simulator (seeds: median 7, most 7), 1 by tests of what it can't reach, 1 survived; 1 harmless, 1 wait for a feature. 1 of 2",
		"| 1 | a\\|b | R1 x | 7 |", "| 2 | lives | nothing, so far | 1000 |", "| 3 | c | TestX |\n", "| 4 | d | because |", "| 5 | e | the lock service |",
		"changed\n\n6, 7b\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestLesson: the list gives nothing away, and what can't be run says why.
func TestLesson(t *testing.T) {
	var out bytes.Buffer
	l := lesson{known: &results{}, out: &out}
	if err := l.run("list", false); err != nil || strings.Contains(out.String(), "vote is told") {
		t.Errorf("%v: the list tells too much:\n%s", err, out.String())
	}
	out.Reset()
	if err := l.run("list", true); err != nil || !strings.Contains(out.String(), "a vote is told before it is on disk") {
		t.Errorf("%v: the list tells too little:\n%s", err, out.String())
	}
	out.Reset()
	if err := l.run("6", true); err != nil || !strings.Contains(out.String(), "\nraft/replicate.go\n-") {
		t.Errorf("%v: no change in\n%s", err, out.String())
	}
	for _, name := range []string{"nobody", "12", "68"} {
		if err := l.run(name, false); err == nil {
			t.Errorf("bug %s runs", name)
		}
	}
}

// TestSimulation: a row's own faults are those of every command that shows it.
func TestSimulation(t *testing.T) {
	for want, m := range map[string]mutant{
		"sim --seed 1": {}, "sim --seed 1 --faults disk-full,slow-disk": {faults: "disk-full,slow-disk"},
	} {
		if got := strings.Join(m.simulation("--seed", "1"), " "); got != want {
			t.Errorf("%q, want %q", got, want)
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
