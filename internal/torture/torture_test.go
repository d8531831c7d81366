package torture

import (
	"os"
	"testing"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// TestTorture is one short round; `make torture` does ten long ones.
func TestTorture(t *testing.T) {
	t.Setenv("ETCD_CLIENT_DEBUG", "fatal")
	c := Defaults()
	c.Dir = t.TempDir()
	c.Progress = os.Stderr
	var err error
	if c.Binary, err = proc.ServerUnderTest(t.Context(), c.Dir); err != nil {
		t.Fatal(err)
	}
	result, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !result.OK() {
		t.Fatalf("%v", result.Rounds)
	}
	round := result.Rounds[0]
	if f := round.Faults; f.KillOne+f.KillLeader == 0 || f.KillAll == 0 || f.total() < 3 {
		t.Errorf("too few faults to mean anything: %+v", f)
	}
	if round.Tally.OK < 500 || round.Events < 500 || round.Resumes == 0 {
		t.Errorf("too little happened to mean anything: %v", round)
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := Run(t.Context(), Config{Binary: "x", Dir: "y"}); err == nil {
		t.Error("a test of nothing was accepted")
	}
}
