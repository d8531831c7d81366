package main

import (
	"fmt"
	"strings"
	"testing"
)

const output = `=== RUN   TestA
=== RUN   TestA/one
    a_test.go:10: chatter
=== RUN   TestA/two
    Error:      	Not equal
--- FAIL: TestA (0.1s)
    --- PASS: TestA/one (0.0s)
    --- FAIL: TestA/two (0.0s)
`

func TestLeaves(t *testing.T) {
	for _, c := range []struct {
		name, out string
		ok        bool
		want      string
	}{
		{"two cases", output, false, "TestA/one PASS, TestA/two FAIL"},
		{"cut off", strings.Split(output, "--- FAIL")[0], false, "TestA/one FAIL, TestA/two FAIL"},
		{"no output", "", false, "TestA FAIL"},
		{"no cases", "=== RUN   TestA\n--- SKIP: TestA (0s)\n", true, "TestA SKIP"},
		{"prefix of another", "=== RUN   TestA\n=== RUN   TestAB\n--- PASS: TestA (0s)\n--- PASS: TestAB (0s)\n", true, "TestA PASS, TestAB PASS"},
	} {
		var got []string
		for _, o := range leaves("TestA", c.out, c.ok) {
			got = append(got, fmt.Sprintf("%s %s", o.name, o.verdict))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
	const left = "=== RUN   TestB\n    b_test.go:1: starting\n    cluster.go:475: not built for it\n    logger.go:146: INFO closed\n--- SKIP: TestB (0s)\n"
	if cases := leaves("TestB", left, true); cases[0].reason != "not built for it" {
		t.Errorf("left out because of %q", cases[0].reason)
	}
	if reason := leaves("TestA", output, false)[1].reason; !strings.Contains(reason, "Not equal") {
		t.Errorf("reason %q", reason)
	}
}

func TestJudge(t *testing.T) {
	known, err := readKnown("# comment\n\nTestB.* # because\n")
	if err != nil {
		t.Fatal(err)
	}
	cases := []outcome{{name: "TestA", verdict: passed}, {name: "TestB/x", verdict: failed}, {name: "TestC", verdict: skipped}}
	if r := judge(cases, known, true); r.err() != nil || r.passed != 1 || r.skipped != 1 || len(r.explained) != 1 {
		t.Errorf("%+v", r)
	}
	if r := judge(cases, known, false); r.err() == nil {
		t.Error("a failure of etcd itself was explained")
	}
	if r := judge([]outcome{{name: "TestB", verdict: passed}}, known, true); r.err() == nil {
		t.Error("a known difference that passes goes unnoticed")
	}
	if r := judge([]outcome{{name: "TestA", verdict: failed}}, known, true); r.err() == nil {
		t.Error("an unknown failure goes unnoticed")
	}
	if _, err := readKnown("TestX"); err == nil {
		t.Error("no reason is needed")
	}
}

func TestKnownFiles(t *testing.T) {
	for suite, text := range knownTexts {
		if _, err := readKnown(text); err != nil {
			t.Errorf("%s: %v", suite, err)
		}
	}
}
