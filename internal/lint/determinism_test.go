package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// deterministic packages run under the simulator, where the same seed must give the same run.
var deterministic = []string{"raft", "wal", "snapshot", "mvcc", "server/auth", "server/state", "server/replica", "sim"}

// banned imports of the standard library, with what to use instead.
var banned = map[string]string{
	"time":        "the clock is an input: ticks, and clock.Clock where an instant is needed",
	"os":          "files are reached through internal/disk, so that the simulator can break them",
	"os/exec":     "a deterministic package starts nothing",
	"net":         "frames leave through transport.Network",
	"net/http":    "frames leave through transport.Network",
	"sync":        "one actor owns each state machine; parallelism comes from outside",
	"context":     "a deadline is a number of ticks, a cancellation an event",
	"log":         "events are values that the driver logs, counts and traces",
	"log/slog":    "events are values that the driver logs, counts and traces",
	"math/rand":   "an injected *math/rand/v2.Rand",
	"crypto/rand": "an injected *math/rand/v2.Rand",
	"runtime":     "behaviour must not depend on the scheduler or the collector",
	"unsafe":      "bytes that depend on the machine are not the same on every replica",
	"maps":        "map order differs from run to run; range over sorted keys",
}

// excepted imports, package by package, each for a reason.
var excepted = map[string][]string{
	"wal": {"time"}, // durations in a sync policy's settings and in what it reports; it reads no clock (see below)
	"sim": {"time"}, // durations of options and of what a run took, as the command prints them
}

func TestDeterministicImports(t *testing.T) {
	for _, p := range list(t) {
		if !slices.Contains(deterministic, p.name()) {
			continue
		}
		for _, imported := range p.Imports {
			if instead, bad := banned[imported]; bad && !slices.Contains(excepted[p.name()], imported) {
				t.Errorf("%s imports %s: %s", p.name(), imported, instead)
			}
		}
	}
}

// TestDeterministicCode looks at the statements: no goroutine, channel or select, no reading of the wall clock, and
// nothing drawn from the global random source.
func TestDeterministicCode(t *testing.T) {
	for _, p := range list(t) {
		if !slices.Contains(deterministic, p.name()) {
			continue
		}
		for _, file := range p.GoFiles {
			files := token.NewFileSet()
			tree, err := parser.ParseFile(files, filepath.Join(p.Dir, file), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				if what := nondeterminism(n); what != "" {
					t.Errorf("%s/%s:%d: %s in a deterministic package", p.name(), file, files.Position(n.Pos()).Line, what)
				}
				return true
			})
		}
	}
}

// nondeterminism names what is wrong with a node, "" for nothing.
func nondeterminism(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "a goroutine"
	case *ast.SelectStmt:
		return "a select"
	case *ast.ChanType:
		return "a channel"
	case *ast.CallExpr:
		if selector, ok := n.Fun.(*ast.SelectorExpr); ok {
			if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Obj == nil { // Obj is set for a local variable of that name
				return call(pkg.Name, selector.Sel.Name)
			}
		}
	}
	return ""
}

func call(pkg, function string) string {
	switch {
	case pkg == "time" && slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}, function):
		return "time." + function
	case pkg == "rand" && !strings.HasPrefix(function, "New"):
		return "the global source's rand." + function
	}
	return ""
}

func TestNondeterminismIsSeen(t *testing.T) {
	source := `package p
import ("time"; "math/rand/v2")
func f(rand2 *rand.Rand, rand *rand.Rand) {
	go f(nil, nil)
	time.Now()
	rand.IntN(3)
	rand2.IntN(3)
	select {}
	var _ chan int
}
func g() { rand.IntN(3); rand.New(nil) }`
	tree, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	ast.Inspect(tree, func(n ast.Node) bool {
		if what := nondeterminism(n); what != "" {
			seen = append(seen, what)
		}
		return true
	})
	want := []string{"a goroutine", "time.Now", "a select", "a channel", "the global source's rand.IntN"}
	if !slices.Equal(seen, want) {
		t.Errorf("seen %q, want %q", seen, want)
	}
}
