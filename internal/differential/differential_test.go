package differential

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

var (
	steps    = flag.Int("steps", 500, "steps of each random run")
	seeds    = flag.Int("seeds", 1, "how many random runs of each kind, each with its own seed and fresh servers")
	first    = flag.Uint64("seed", 1, "the first seed")
	requests = flag.Int("requests", 0, "go on until so many were sent, and print what was covered; 0: as -seeds says")
	least    = flag.Int("least", 100, "with -requests: how often each RPC, field and error must have been met")
	duration = flag.Duration("duration", 0, "begin no run after this time; 0: no limit")
)

var etcdBinary, holdfastBinary string

func TestMain(m *testing.M) {
	code, err := runMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runMain(m *testing.M) (int, error) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "holdfast-differential-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if holdfastBinary, err = proc.ServerUnderTest(ctx, dir); err != nil {
		return 1, err
	}
	if etcdBinary, err = proc.Peer(ctx, "etcd"); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// source draws steps and hears what became of them.
type source interface {
	Next() Step
	Done(Step, outcome)
}

// sources are the kinds of run. Steps that Prepare returns come first.
var sources = []struct {
	name string
	make func(seed uint64) source
}{
	{"keys", func(seed uint64) source { return NewGenerator(seed) }},
	{"auth", func(seed uint64) source { return NewAuthGenerator(seed) }},
	{"queues", func(seed uint64) source { return NewQueueGenerator(seed) }},
	{"admin", func(seed uint64) source { return NewAdminGenerator(seed) }},
}

// TestRandom sends random steps until both servers have answered all of them alike. With -requests it goes on until so
// many were sent, and everything that can be asked has to have been asked often enough.
func TestRandom(t *testing.T) {
	coverage := NewCoverage()
	began := time.Now()
	for i := range *seeds {
		if *duration > 0 && time.Since(began) > *duration || *requests > 0 && coverage.Requests >= *requests {
			t.Logf("%d of %d runs in %v", i, *seeds, time.Since(began))
			break
		}
		for _, s := range sources {
			seed := *first + uint64(i)
			t.Run(fmt.Sprintf("%s/%d", s.name, seed), func(t *testing.T) { run(t, s.make(seed), coverage) })
		}
	}
	if *requests > 0 {
		coverage.Print(os.Stdout)
		for _, short := range coverage.Missing(*least, expected) {
			t.Errorf("too seldom: %s", short)
		}
	}
}

// run plays one source against fresh servers.
func run(t *testing.T, g source, coverage *Coverage) {
	p := startPair(t)
	p.coverage = coverage
	var done []Step
	if prepared, ok := g.(interface{ Prepare() []Step }); ok {
		done = prepared.Prepare()
		if d := p.Replay(t.Context(), done); d != nil {
			t.Fatal(d)
		}
	}
	refused := 0
	for range *steps {
		s := g.Next()
		done = append(done, s)
		o, d := p.Do(t.Context(), s)
		if d != nil {
			p.Stop()
			report(t, done, d)
		}
		if o.err != nil {
			refused++
		}
		g.Done(s, o)
		for _, s := range p.Overtaken() {
			done = append(done, s)
			if _, d := p.Do(t.Context(), s); d != nil {
				t.Fatal(d)
			}
		}
	}
	t.Logf("%d steps, %d refused, revision %d", len(done), refused, p.revision)
	if refused < *steps/20 || refused > *steps*9/10 {
		t.Errorf("%d of %d steps were refused: the generator is lopsided", refused, *steps)
	}
}

// report shrinks the run and prints it.
func report(t *testing.T, done []Step, d *Difference) {
	t.Helper()
	t.Logf("step %d:\n%s", len(done), d)
	small, last := Shrink(done, d, shrinkTime, func(steps []Step) *Difference {
		p := startPair(t)
		defer p.Stop()
		return p.Replay(t.Context(), steps)
	})
	lines := make([]string, len(small))
	for i, s := range small {
		lines[i] = fmt.Sprintf("%3d %s", i+1, s)
	}
	t.Fatalf("the shortest run of %d steps that was found:\n%s\n%s", len(small), strings.Join(lines, "\n"), last)
}

const shrinkTime = 45 * time.Second

func startPair(t *testing.T) *Pair {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p, err := Start(ctx, etcdBinary, holdfastBinary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}
