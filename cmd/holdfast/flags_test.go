package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestDefaultCommand(t *testing.T) {
	for args, want := range map[string]string{
		"": "serve", "--name a": "serve --name a", "get k": "get k", "--help": "--help", "-h": "-h",
		"--version": "--version", "serve -name a": "serve -name a", "-name a": "serve -name a", "-version": "--version", "local --nodes 3": "local --nodes 3",
	} {
		if got := withDefaultCommand(strings.Fields(args)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for args, want := range map[string]int{
		"put onlykey":            exitUsage,
		"--nonsense":             exitUsage,
		"nonsense":               exitUsage,
		"get k -o xml":           exitUsage,
		"wal ls /does/not/exist": exitNo,
		"serve --log-level loud": exitConfig,
		"--election-timeout 1":   exitConfig,
		"get k --timeout 100ms --endpoints 127.0.0.1:1": exitUnavailable,
		"local --nodes 0":                exitUsage,
		"config show --nonsense":         exitUsage,
		"config show --max-txn-ops 0":    exitConfig,
		"serve --v2-deprecation not-yet": exitUsage,
	} {
		err := execute(strings.Fields(args))
		if err == nil || exitCode(err) != want {
			t.Errorf("%q: %v; want code %d", args, err, want)
		}
	}
}

// answer runs a command and returns what it prints.
func answer(t *testing.T, args string) string {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(withDefaultCommand(strings.Fields(args)))
	root.SetOut(&out)
	if err := root.Execute(); err != nil {
		t.Fatalf("%s: %v", args, err)
	}
	return out.String()
}

func TestAnswers(t *testing.T) {
	for args, want := range map[string]string{
		"--version":                            "etcd Version: 3.7.1\nGit SHA: ",
		"--name a --version":                   "etcd Version: 3.7.1\nGit SHA: ",
		"serve --help":                         "  --name 'default'\n    Human-readable name of this member.\n",
		"help serve":                           "  --snapshot-catchup-entries '5000'\n",
		"config show --name a":                 "name: \"a\"\n",
		"config show --origin --max-txn-ops=7": "max-txn-ops: 7                                               # flag\n",
		"config show --help":                   "--origin",
	} {
		if got := answer(t, args); !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", args, want, got)
		}
	}
}
