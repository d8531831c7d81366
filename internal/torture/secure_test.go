package torture

import (
	"crypto/tls"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

func secureConfig(t *testing.T) Config {
	t.Helper()
	t.Setenv("ETCD_CLIENT_DEBUG", "fatal")
	c := Defaults()
	c.Dir, c.Secure = t.TempDir(), true
	c.Writers, c.Keys, c.Length = 24, 256, 5*time.Second
	var err error
	if c.Binary, err = proc.ServerUnderTest(t.Context(), c.Dir); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSecure: three members with certificates on both sides of every connection, and users, survive that each is
// restarted, that each is replaced, and that every certificate and the authority itself change, under load.
func TestSecure(t *testing.T) {
	c := secureConfig(t)
	c.Each, c.Faults = true, []Fault{Roll, Rebuild, Renew}
	want := []string{rolled, rebuilt, renewed, refounded, regranted}
	if os.Getenv(proc.BinaryVariable) != "" { // etcd reads its authorities once
		c.Faults, want = []Fault{Roll, Rebuild}, want[:2]
	}
	result := passes(t, c)
	round := result.Rounds[0]
	t.Log(round)
	for _, e := range result.Events {
		t.Logf("%v to %v: %s (%s)", e.At.Round(time.Millisecond), e.Until.Round(time.Millisecond), e.Kind, e.Detail)
	}
	for _, kind := range want {
		if round.Faults[kind] == 0 {
			t.Errorf("the round had no %s: %v", kind, round.Faults)
		}
	}
	if round.Tally.OK < 500 || round.Events < 500 || round.Resumes == 0 {
		t.Errorf("too little happened to mean anything: %v", round)
	}
}

// TestShutDoors: that a certificate opens no door is seen to, and would be seen if it did.
func TestShutDoors(t *testing.T) {
	c := secureConfig(t)
	c.Members, c.Faults = 1, nil
	torture, err := begin(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer torture.end()
	n := &nemesis{rig: torture.rig, config: c}
	old, err := n.readmit()
	if err != nil {
		t.Fatal(err)
	}
	var broken *brokenError
	if err := n.mustBeShut("a certificate that was replaced and not revoked", old); !errors.As(err, &broken) || broken.class != Unsafe {
		t.Errorf("it opens the door still; said: %v", err)
	}
	n.office.revoke(old[0])
	if err := n.refurnish(false); err != nil {
		t.Fatal(err)
	}
	if err := n.mustBeShut("a revoked one", old[:1]); err != nil {
		t.Error(err)
	}
	if err := n.mustBeShut("the other one", old[1:]); err == nil {
		t.Error("revoking one certificate shut out another")
	}
	if err := n.mustBeShut("no certificate", []*tls.Certificate{{Leaf: old[1].Leaf}}); err != nil {
		t.Error(err)
	}
}
