package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/sim"
)

// recorded runs a small world and draws it.
func recorded(t *testing.T, o sim.Options) (*sim.Result, string) {
	t.Helper()
	o.Record, o.Porcupine = true, true
	r := sim.Run(o)
	p, err := FromRun("seed 5", []string{"holdfast sim --seed 5"}, &r)
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := p.Write(&page); err != nil {
		t.Fatal(err)
	}
	return &r, page.String()
}

// data is what the page's script will read.
func data(t *testing.T, page string) (p Page) {
	t.Helper()
	_, rest, _ := strings.Cut(page, `<script type="application/json" id="data">`)
	text, _, ok := strings.Cut(rest, "</script>")
	if !ok {
		t.Fatal("no data in the page")
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// The page has the whole story in it, and needs nothing from elsewhere.
func TestPage(t *testing.T) {
	r, page := recorded(t, sim.Options{Seed: 5, Nodes: 3, Chaos: 1_000_000})
	p := data(t, page)
	if p.Verdict != "passed" || p.FailedAt != -1 || p.End != r.Virtual || p.Nodes < 3 || len(p.Ops) < 500 || len(p.Frames) < 1000 {
		t.Errorf("%s, %d nodes, %d operations, %d frames", p.Verdict, p.Nodes, len(p.Ops), len(p.Frames))
	}
	leaders := 0
	for _, m := range p.Roles {
		if strings.EqualFold(m.Role, "leader") {
			leaders++
		}
	}
	if leaders == 0 || len(p.Phases) < 4 || len(p.Lives) < 6 || len(p.Actions) != len(r.Script) || len(p.Logs) < 3 {
		t.Errorf("%d leaders, %d phases, %d lives, %d actions, %d logs", leaders, len(p.Phases), len(p.Lives), len(p.Actions), len(p.Logs))
	}
	for _, l := range p.Logs {
		if !l.Removed && (!l.Up || l.Commit == 0 || len(l.Terms) == 0) {
			t.Errorf("log of n%d: %+v", l.Node, l)
		}
	}
	for i := 1; i < len(p.Frames); i++ {
		if p.Frames[i].Sent < p.Frames[i-1].Sent {
			t.Fatalf("frame %d was sent before the one in front of it", i)
		}
	}
	for _, l := range p.Lives {
		if l.To >= 0 && l.To < l.From {
			t.Errorf("a life that ends before it begins: %+v", l)
		}
	}
	if found := regexp.MustCompile(`(?i)(src|href)=|@import|url\([^#]|fetch\(|https?://[^w]`).FindString(page); found != "" {
		t.Errorf("the page wants %q", found)
	}
	if strings.Contains(page, "{{") {
		t.Error("a part of the page is not filled in")
	}
}

// What a failure says is shown, whatever characters it has.
func TestPageOfAFailure(t *testing.T) {
	s, err := sim.ParseScenario("expect leader\nput x </script><b>&\nexpect value x none")
	if err != nil {
		t.Fatal(err)
	}
	_, page := recorded(t, sim.Options{Scenario: s})
	p := data(t, page)
	if p.Verdict != "unsafe" || p.FailedAt < 0 || !strings.Contains(p.Reason, "</script><b>&") || len(p.Recent) == 0 {
		t.Errorf("%s at %d: %s", p.Verdict, p.FailedAt, p.Reason)
	}
	if strings.Contains(page, "<b>&") {
		t.Error("text of the run became a part of the page")
	}
}

// Recording changes nothing about a run; without it there is no page.
func TestRecordingChangesNothing(t *testing.T) {
	o := sim.Options{Seed: 6, Nodes: 3, Chaos: 1_000_000}
	plain := sim.Run(o)
	o.Record = true
	if r := sim.Run(o); r.Hash != plain.Hash {
		t.Errorf("hash %016x, recorded %016x", plain.Hash, r.Hash)
	}
	if _, err := FromRun("", nil, &plain); err == nil || !strings.Contains(err.Error(), fmt.Sprint(plain.Seed)) {
		t.Errorf("a page of nothing: %v", err)
	}
}
