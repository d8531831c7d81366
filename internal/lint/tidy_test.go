package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	fileLinesMax     = 800 // near it, look for the second noun in the file
	functionLinesMax = 60  // a tall screen; few should be over 40
)

// unfinished marks code that somebody meant to come back to. What is left out belongs into the package comment, with
// its cost, where a reader finds it. (Spelled apart here so that this file passes its own test.)
var unfinished = regexp.MustCompile(`\b(` + "TO" + "DO|FIX" + "ME|X" + "XX|HA" + `CK)\b`)

// machinePath is a path that exists on somebody's machine only.
var machinePath = regexp.MustCompile(`(^|[^A-Za-z0-9._])/(work|home|Users|root)/`)

// generated marks code that nobody reads function by function (go help generate).
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestSourceIsTidy(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == ".git" || name == "bin" || name == "node_modules" {
				return filepath.SkipDir
			}
			return nil
		}
		if !isSource(path) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		checkText(t, strings.TrimPrefix(path, "../../"), string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func isSource(path string) bool {
	switch filepath.Ext(path) {
	case ".go", ".md", ".sh", ".yml", ".yaml", ".mod":
		return true
	}
	return filepath.Base(path) == "Makefile"
}

func checkText(t *testing.T, path, text string) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if m := unfinished.FindString(line); m != "" {
			t.Errorf("%s:%d: %s; finish it, or say in the package comment what is left out and what that costs", path, i+1, m)
		}
		if m := machinePath.FindString(line); m != "" && path != "internal/lint/tidy_test.go" {
			t.Errorf("%s:%d: a path of one machine: %s", path, i+1, strings.TrimSpace(line))
		}
	}
	if !strings.HasSuffix(path, ".go") || generated.MatchString(text) {
		return
	}
	if len(lines) > fileLinesMax {
		t.Errorf("%s has %d lines, more than %d: look for its second noun", path, len(lines), fileLinesMax)
	}
	if !strings.HasSuffix(path, "_test.go") {
		checkFunctions(t, path, text)
	}
}

func checkFunctions(t *testing.T, path, text string) {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, path, text, 0)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	for _, decl := range tree.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1; n > functionLinesMax {
			t.Errorf("%s: %s has %d lines, more than %d", path, f.Name.Name, n, functionLinesMax)
		}
	}
}
