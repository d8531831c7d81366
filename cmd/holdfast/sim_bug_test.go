package main

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// Outside a checkout, and without Go, --bug says what it lacks.
func TestSimBugNeeds(t *testing.T) {
	usage := func(want string) {
		t.Helper()
		_, _, err := runSim(t, "--bug", "list")
		var known *exitError
		if !errors.As(err, &known) || known.code != exitUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something about %q", err, want)
		}
	}
	t.Setenv("PATH", "")
	usage("go.dev/dl")
	t.Chdir(t.TempDir())
	usage("inside a checkout of " + modulePath)
	if _, _, err := runSim(t, "--reveal"); err == nil {
		t.Error("--reveal without --bug reveals something")
	}
}

// The list of bugs doesn't say what they are; one of them, when asked, does. A
// name that no bug has is an error.
func TestSimBugList(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs Go")
	}
	list, _, err := runSim(t, "--bug", "list")
	if err != nil || !strings.Contains(list, "noticed by") || strings.Contains(list, "told before it is on disk") {
		t.Errorf("%v: %s", err, list)
	}
	one, _, err := runSim(t, "--bug", "6", "--reveal")
	if err != nil || !strings.Contains(one, "Figure 8") || !strings.Contains(one, "\n+") {
		t.Errorf("%v: %s", err, one)
	}
	if _, _, err := runSim(t, "--bug", "nobody"); err == nil {
		t.Error("there is a bug called nobody")
	}
}
