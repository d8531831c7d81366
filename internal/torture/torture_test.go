package torture

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// TestTorture is one short round with every fault; `make torture` does long ones. With HOLDFAST_BIN another server
// takes Holdfast's place, and keeps its own disk.
func TestTorture(t *testing.T) {
	t.Setenv("ETCD_CLIENT_DEBUG", "fatal")
	c := Defaults()
	c.Dir, c.KeepDir = t.TempDir(), t.TempDir()
	c.OnRound = func(r Round) { t.Log(r) }
	if os.Getenv(proc.BinaryVariable) != "" {
		c.Faults = FaultsOfAnyServer()
	}
	var err error
	if c.Binary, err = proc.ServerUnderTest(t.Context(), c.Dir); err != nil {
		t.Fatal(err)
	}
	result := passes(t, c)
	round := result.Rounds[0]
	if f := round.Faults; f.Total() < 5 || f[killOne]+f[killLeader]+f[killMajority]+f[killCluster] == 0 {
		t.Errorf("too few faults to mean anything: %+v", f)
	}
	if round.Tally.OK < 500 || round.Events < 500 || round.Resumes == 0 || round.Elections == 0 {
		t.Errorf("too little happened to mean anything: %v", round)
	}
	checkReport(t, c.KeepDir, result)
}

// passes runs a cluster that has to stand it.
func passes(t *testing.T, c Config) Result {
	t.Helper()
	result, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !result.OK() {
		t.Fatalf("%v: %s", result.Class, result.Reason)
	}
	return result
}

// checkReport: the page and the figures are there and say what the result says.
func checkReport(t *testing.T, dir string, r Result) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(dir, reportName))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<h1 class=\"passed\">passed</h1>", "id=\"round1\"", "class=\"kill\"", "holdfast torture --seed 1"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the report has no %q", want)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, resultName))
	if err != nil {
		t.Fatal(err)
	}
	var figures struct {
		Verdict string
		Events  []Event
		Sum     struct{ Operations Tally }
	}
	if err := json.Unmarshal(text, &figures); err != nil {
		t.Fatal(err)
	}
	if figures.Verdict != "passed" || len(figures.Events) != len(r.Events) || figures.Sum.Operations != r.Rounds[0].Tally {
		t.Errorf("figures %+v", figures)
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := Run(t.Context(), Config{Binary: "x", Dir: "y"}); err == nil {
		t.Error("a test of nothing was accepted")
	}
}

func TestParseFaults(t *testing.T) {
	for text, want := range map[string]int{"all": len(Faults()), "none": 0, "": 0, "kill,cut": 2, "kill, kill": 1} {
		if got, err := ParseFaults(text); err != nil || len(got) != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := ParseFaults("kill,fire"); err == nil {
		t.Error("fire was accepted")
	}
}
