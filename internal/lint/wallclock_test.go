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

// wallClocks are the files that take a number out of a time.Time: only such a
// number can be wrong by the step of a wall clock, for differences of a Time count
// by its monotonic reading, as tickers and deadlines do. So what a step of an hour
// can do in a server is this list, and none of it decides about data.
var wallClocks = map[string]string{
	"server/identity.go":        "a member id is drawn from the time, as etcd does; any number will do",
	"server/head.go":            "a gauge that says, by its name, when history was compacted last",
	"server/token/jwt.go":       "a JWT says in wall time when it ends (RFC 7519): a step makes clients log in again, or lets a token live on",
	"internal/pki/authority.go": "`holdfast cert` dates what it signs, as X.509 asks",
	"cmd/holdfast/torture.go":   "a seed, printed",
	"sim/mutants/main.go":       "which day it is, to choose the sample of mutants",
}

// TestWallClock: nobody else does, and all of them still do.
func TestWallClock(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t) {
		for _, file := range p.GoFiles {
			tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			name := p.name() + "/" + file
			ast.Inspect(tree, func(n ast.Node) bool {
				seen[name] = seen[name] || readsWallClock(n)
				return true
			})
			if seen[name] && wallClocks[name] == "" {
				t.Errorf("%s takes a number out of a time, which a step of the wall clock makes wrong: compare times with Sub, or give the reason here", name)
			}
		}
	}
	for name := range wallClocks {
		if !seen[name] {
			t.Errorf("%s no longer reads the wall clock", name)
		}
	}
}

func readsWallClock(n ast.Node) bool {
	selector, ok := n.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"Unix", "UnixMilli", "UnixMicro", "UnixNano", "NewNumericDate"}, selector.Sel.Name)
}

func TestWallClockIsSeen(t *testing.T) {
	for source, want := range map[string]bool{
		"time.Now().Unix()": true, "t.UnixMilli()": true, "jwt.NewNumericDate(t)": true, "t.Sub(u)": false, "time.Since(t)": false,
	} {
		expr, err := parser.ParseExpr(source)
		if err != nil {
			t.Fatal(err)
		}
		got := false
		ast.Inspect(expr, func(n ast.Node) bool {
			got = got || readsWallClock(n)
			return true
		})
		if got != want {
			t.Errorf("%s: %v", strings.TrimSpace(source), got)
		}
	}
}
