package sim

import (
	"strings"
	"testing"
)

// Whoever adds a kind of fault says to which group it belongs.
func TestFaultGroups(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range faultGroups {
		for _, kind := range g.kinds {
			if seen[kind] {
				t.Errorf("%s is in two groups", kind)
			}
			seen[kind] = true
		}
	}
	for _, f := range faultTable {
		if !seen[f.name] {
			t.Errorf("%s is in no group: add it to faultGroups", f.name)
		}
		delete(seen, f.name)
	}
	for kind := range seen {
		t.Errorf("there is no fault %s", kind)
	}
}

// A choice of faults leaves the others out, whatever the seed says.
func TestRestrictedFaults(t *testing.T) {
	o := Options{Seed: 3, Nodes: 3, Chaos: 3 * second, Faults: []string{"partition", "crash"}}
	r := Run(o)
	if r.Failure != nil {
		t.Fatal(r.Failure)
	}
	crashes := int64(0)
	for _, f := range faultTable {
		n := r.Count["fault "+f.name]
		if groupOf(f.name) == "crash" {
			crashes += n
		} else if f.name != "partition" && n > 0 {
			t.Errorf("%d times %s", n, f.name)
		}
	}
	if r.Count["fault partition"] == 0 || crashes == 0 || r.Count["frames dropped"] != 0 {
		t.Errorf("%d partitions, %d crashes, %d frames dropped", r.Count["fault partition"], crashes, r.Count["frames dropped"])
	}
	if err := CheckFaults([]string{"partition", "luck"}); err == nil || !strings.Contains(err.Error(), `"luck"`) {
		t.Errorf("an unknown fault: %v", err)
	}
	s, err := ParseScenario(Script(o, r.Script))
	if err != nil {
		t.Fatal(err)
	}
	if again := Run(Options{Scenario: s}); again.Virtual != r.Virtual || again.Plan != r.Plan && !strings.Contains(again.Plan, "faults") {
		t.Errorf("the script of a restricted run: %d µs, then %d", r.Virtual, again.Virtual)
	}
}
