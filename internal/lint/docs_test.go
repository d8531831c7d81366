package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	codeBlock  = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")
	inlineCode = regexp.MustCompile("`([^`\n]+(?:\n[^`\n]+)?)`")
	makeTarget = regexp.MustCompile(`\bmake ([a-z][a-z0-9-]*)`)
	subcommand = regexp.MustCompile(`\bholdfast ([a-z][a-z0-9-]*)((?: --[a-z][a-z-]*)*)`)
	link       = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
)

// documents are those that tell people what to type.
var documents = []string{"README.md", "CONTRIBUTING.md", "DESIGN.md", "SECURITY.md", "docs/benchmarks.md"}

// commands collects what a document shows as code.
func commands(text string) []string {
	var out []string
	for _, m := range codeBlock.FindAllStringSubmatch(text, -1) {
		out = append(out, strings.Split(m[1], "\n")...)
	}
	for _, m := range inlineCode.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		out = append(out, strings.ReplaceAll(m[1], "\n", " "))
	}
	return out
}

// TestDocumentsNameWhatExists: make targets, subcommands with their flags, and links in the documents are there.
func TestDocumentsNameWhatExists(t *testing.T) {
	makefile := readProject(t, "Makefile")
	binary := filepath.Join(t.TempDir(), "holdfast")
	build := exec.Command("go", "build", "-o", binary, "./cmd/holdfast")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	help := func(sub string) string {
		out, err := exec.Command(binary, sub, "--help").CombinedOutput()
		if err != nil || strings.Contains(string(out), "unknown command") {
			return ""
		}
		return string(out)
	}
	seen := 0
	for _, path := range documents {
		text := readProject(t, path)
		for _, command := range commands(text) {
			for _, m := range makeTarget.FindAllStringSubmatch(command, -1) {
				seen++
				if !strings.Contains(makefile, "\n"+m[1]+":") {
					t.Errorf("%s: the Makefile has no target %q (%s)", path, m[1], command)
				}
			}
			for _, m := range subcommand.FindAllStringSubmatch(command, -1) {
				seen++
				checkSubcommand(t, path, m[1], strings.Fields(m[2]), help(m[1]))
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("../..", filepath.Dir(path), m[1])); err != nil && !strings.Contains(m[1], "://") {
				t.Errorf("%s: a link to %s, which is not there", path, m[1])
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d commands were found in the documents: the patterns no longer match", seen)
	}
}

func checkSubcommand(t *testing.T, path, sub string, flags []string, help string) {
	if help == "" {
		t.Errorf("%s: holdfast has no command %q", path, sub)
		return
	}
	for _, flag := range flags {
		if flag != "--help" && !strings.Contains(help, flag) {
			t.Errorf("%s: holdfast %s has no flag %s", path, sub, flag)
		}
	}
}

// TestMakefileTestsEverything: each package with tests is run by `make test`, and once.
func TestMakefileTestsEverything(t *testing.T) {
	makefile := readProject(t, "Makefile")
	var patterns []string
	for _, name := range []string{"RACE", "PLAIN", "FRESH"} {
		m := regexp.MustCompile(`(?m)^` + name + `\s*:= (.*)$`).FindStringSubmatch(makefile)
		if m == nil {
			t.Fatalf("the Makefile has no list %s", name)
		}
		patterns = append(patterns, strings.Fields(m[1])...)
	}
	for _, p := range list(t) {
		tests, err := filepath.Glob(filepath.Join(p.Dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var by []string
		for _, pattern := range patterns {
			if allowed(p.name(), []string{strings.TrimPrefix(pattern, "./")}) {
				by = append(by, pattern)
			}
		}
		if len(by) != 1 && len(tests) > 0 {
			t.Errorf("%s is tested by %v of the Makefile's lists, want exactly one", p.name(), by)
		}
	}
}

func TestCommandsAreFound(t *testing.T) {
	text := "Run `make test`, then\n\n```sh\nbin/holdfast sim --seed 7 --nodes 3\n```\n\nor `holdfast\nstatus`.\n"
	if got := commands(text); !slices.Equal(got, []string{"bin/holdfast sim --seed 7 --nodes 3", "", "make test", "holdfast status"}) {
		t.Errorf("%q", got)
	}
}

func readProject(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
