package sim

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the manual's table of actions anew")

// Every story of the library comes true.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("scenarios/*.txt")
	if err != nil || len(files) < 24 {
		t.Fatalf("%v: %d scenarios", err, len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := ParseScenario(string(text))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			r := Run(Options{Scenario: s, Porcupine: true})
			if r.Failure != nil {
				t.Fatalf("%v\n%v", r.Failure, r.Recent)
			}
		})
	}
}

// A story that does not come true says which line, and what is.
func TestScenarioFails(t *testing.T) {
	for text, want := range map[string]string{
		"expect leader\nexpect no leader within 1s":             `line 2, "expect no leader within 1s": it is not so after`,
		"expect leader\nexpect leader not leader":               `line 2, `,
		"expect leader\ncrash leader\nexpect leader for 1s":     `line 3, "expect leader for 1s": it ceased to be so`,
		"put x 1\nexpect value x 2":                             `line 2, "expect value x 2": the value is 1`,
		"put x 1\nexpect value y 2":                             "the value is none",
		"start 1":                                               "there is nothing to do it to",
		"wait 2s\nat 1 heal":                                    "the story is at 2",
		"expect committed x":                                    "nothing was put as x",
		"name a leader":                                         "there is no leader now",
		"nodes 1\nexpect leader\ncrash 1\nput x 1":              "there is no member leader to ask",
		"expect leader\nname a leader\nisolate a\nput x 1 on a": "the answer is ambiguous",
	} {
		s, err := ParseScenario(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if r := Run(Options{Scenario: s}); r.Failure == nil || r.Failure.Check != "scenario" || !strings.Contains(r.Failure.Text, want) {
			t.Errorf("%q: %v, want %s", text, r.Failure, want)
		}
	}
}

// What can't be read is named with its place.
func TestScenarioMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"\n\n  explode":                    `line 3, column 3: "explode" stands where an action`,
		"nodes 10":                         "line 1, column 7: from 1 to 9 members",
		"nodes 3 4":                        `line 1, column 9: "4" stands where the end of the line`,
		"heal\nseed 3":                     "line 2, column 1: seed belongs before the first step",
		"set Raft.Ticks 3":                 `line 1, column 5: no setting is called "Raft.Ticks"`,
		"set Raft.ElectionTicks x":         "line 1, column 5: Raft.ElectionTicks is a number",
		"set Raft 3":                       "line 1, column 5: settings have names like",
		"set Raft.ElectionTicks.x 3":       "line 1, column 5: no setting",
		"set Raft.ElectionTicks 2":         "line 1, column 5: Raft.HeartbeatTicks must be below",
		"set Raft.TickMicros 0":            "line 1, column 5: Raft.TickMicros must be at least 1",
		"set Replica.Sync never":           "line 1, column 5: ",
		"set Load.Weights 3":               "line 1, column 5: Load.Weights can't be set",
		"set":                              "line 1, column 4: the line ends where a setting",
		"set Seed":                         "line 1, column 9: the line ends where a value",
		"expect":                           "line 1, column 7: the line ends where something to expect",
		"expect luck":                      `line 1, column 8: "luck" stands where something to expect`,
		"expect leader not":                "line 1, column 18: the line ends where a member",
		"expect log 1 hides x":             `line 1, column 14: "hides" stands where has or lacks`,
		"expect answer x maybe":            `line 1, column 17: "maybe" stands where pending`,
		"expect term-changes 3":            `line 1, column 21: "3" stands where <`,
		"expect leader within":             "line 1, column 21: the line ends where a duration",
		"expect local x 1":                 "line 1, column 17: the line ends where on and a member",
		"put x":                            "line 1, column 6: the line ends where a value",
		"send x":                           `line 1, column 6: "x" stands where put or get`,
		"name leader 1":                    "a name is a word other than leader",
		"name a":                           "line 1, column 7: the line ends where a member",
		"at noon heal":                     `line 1, column 4: "noon" stands where a time`,
		"wait 3":                           `line 1, column 6: "3" stands where a duration`,
		"wait 3s 4s":                       `line 1, column 9: "4s" stands where the end of the line`,
		strings.Repeat("x", scenarioMax+1): "at most a megabyte",
	} {
		_, err := ParseScenario(text)
		var at *ParseError
		if !errors.As(err, &at) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
}

// A run's own script as a file is the run again.
func TestScriptAsScenario(t *testing.T) {
	o := Options{Seed: 4, Nodes: 3}
	drawn := Run(o)
	s, err := ParseScenario(Script(o, drawn.Script))
	if err != nil {
		t.Fatal(err)
	}
	played := Run(Options{Scenario: s})
	if played.Failure != nil || played.Virtual != drawn.Virtual || len(played.Script) != len(drawn.Script) || played.Count[CountAcked] != drawn.Count[CountAcked] {
		t.Errorf("%v: %d µs, %d acknowledged, then %d µs, %d", played.Failure, drawn.Virtual, drawn.Count[CountAcked], played.Virtual, played.Count[CountAcked])
	}
}

const manualMark = "<!-- actions: made by go test ./sim -run TestManual -args -rewrite -->\n"

// The manual knows every action, as the table of verbs has it.
func TestManual(t *testing.T) {
	const file = "scenarios/README.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("\n| action | what happens |\n|---|---|\n")
	for _, name := range verbNames() {
		v := verbs[name]
		usage := name
		for _, p := range v.params {
			usage += " " + p.usage
		}
		fmt.Fprintf(&table, "| `%s` | %s |\n", strings.ReplaceAll(usage, "|", "\\|"), v.help)
	}
	before, _, ok := strings.Cut(string(text), manualMark)
	if !ok {
		t.Fatalf("no mark in %s", file)
	}
	want := before + manualMark + table.String() + manualEnd
	if *rewrite {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Errorf("%s is not up to date: run this test with -args -rewrite", file)
	}
}

const manualEnd = `
Faults with ` + "`for`" + ` end by themselves, others with ` + "`heal`" + ` (links between members also with ` + "`reconnect`" + `). In a story an action
that finds nothing to do is a mistake of the author and ends it; with ` + "`swarm`" + ` it is passed over, because scripts of
failing seeds are cut down by leaving lines out (` + "`holdfast sim shrink`" + `).
`

// No input makes the reader panic.
func FuzzParseScenario(f *testing.F) {
	files, err := filepath.Glob("scenarios/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScenario(text)
		var at *ParseError
		if err != nil && !errors.As(err, &at) {
			t.Errorf("%v has no place", err)
		}
		if err == nil && (s.Nodes < 1 && !s.Swarm || s.Nodes > nodesMax) {
			t.Errorf("%d nodes", s.Nodes)
		}
	})
}
