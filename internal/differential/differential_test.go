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
	steps    = flag.Int("steps", 600, "steps of each random run")
	seeds    = flag.Int("seeds", 2, "how many random runs, each with its own seed and fresh servers")
	first    = flag.Uint64("seed", 1, "the first seed")
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

// TestRandom sends random steps until both servers have answered all of them alike.
func TestRandom(t *testing.T) {
	began := time.Now()
	for i := range *seeds {
		if *duration > 0 && time.Since(began) > *duration {
			t.Logf("%d of %d runs in %v", i, *seeds, *duration)
			return
		}
		seed := *first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runSeed(t, seed) })
	}
}

func runSeed(t *testing.T, seed uint64) {
	g := NewGenerator(seed)
	p := startPair(t)
	var done []Step
	for range *steps {
		s := g.Next()
		done = append(done, s)
		o, d := p.Do(t.Context(), s)
		if d != nil {
			p.Stop()
			report(t, done, d)
		}
		g.Done(s, o)
		for _, s := range p.Overtaken() {
			done = append(done, s)
			if _, d := p.Do(t.Context(), s); d != nil {
				t.Fatal(d)
			}
		}
	}
	t.Logf("seed %d: %d steps, revision %d", seed, len(done), p.revision)
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
