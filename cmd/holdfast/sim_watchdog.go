package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/holdfast-db/holdfast/sim"
)

const (
	// hungLook is how often the watchdog looks, and hungWarn when it names a run:
	// one that passes takes seconds.
	hungLook = time.Second
	hungWarn = 2 * time.Minute
	hungEnd  = 10 * time.Minute
)

// watchdog looks at simulations from outside. Virtual time says nothing of a step
// that never returns: the simulator bounds its events, not what one of them does.
// It counts its own looks instead of reading the clock, so a process that was
// stopped for an hour has not been at work for an hour.
type watchdog struct {
	mu      sync.Mutex
	running map[*watchedRun]bool
}

type watchedRun struct {
	name  string
	looks time.Duration
}

// watch begins with a run, until the function that it returns is called.
func (d *watchdog) watch(name string) (ended func()) {
	r := &watchedRun{name: name}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running == nil {
		d.running = map[*watchedRun]bool{}
	}
	d.running[r] = true
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.running, r)
	}
}

// look makes every run a look older. It names those that just got as old as warn,
// and one that is as old as end (0: none ever is).
func (d *watchdog) look(warn, end time.Duration) (slow []string, hung string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for r := range d.running {
		r.looks += hungLook
		if r.looks == warn {
			slow = append(slow, r.name)
		}
		if end > 0 && r.looks >= end && (hung == "" || r.name < hung) {
			hung = r.name
		}
	}
	return slow, hung
}

// addHung adds the flag that says when a run counts as endless.
func (f *simFlags) addHung(fs *pflag.FlagSet) {
	fs.DurationVar(&f.hung, "hung", hungEnd, "give up (exit code 12) once a single run has taken so long by the clock on the wall; 0: never")
}

// guarded does the work under the watchdog. Nothing can end a goroutine that does
// not return, so when one is hung the command ends without it, and soon the
// process.
func (f *simFlags) guarded(c *cobra.Command, work func(*cobra.Command) error) error {
	tick := time.NewTicker(hungLook)
	defer tick.Stop()
	return f.guard(c, work, tick.C)
}

func (f *simFlags) guard(c *cobra.Command, work func(*cobra.Command) error, tick <-chan time.Time) error {
	done := make(chan error, 1)
	go func() { done <- work(c) }()
	for {
		select {
		case err := <-done:
			return err
		case <-tick:
			slow, hung := f.dog.look(hungWarn, f.hung)
			for _, name := range slow {
				fmt.Fprintf(c.ErrOrStderr(), "\n%s has been running for %v and has not ended\n", name, hungWarn)
			}
			if hung != "" {
				return f.giveUp(c.ErrOrStderr(), hung)
			}
		}
	}
}

// giveUp tells what every goroutine is doing, in a file, and fails.
func (f *simFlags) giveUp(errOut io.Writer, name string) error {
	text := allStacks()
	file := filepath.Join(f.report, hungFile(name))
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		file = "above"
		fmt.Fprintf(errOut, "%s\n%v\n", text, err)
	}
	return exitWith(sim.Stuck.ExitCode(), fmt.Errorf("%s hangs: it has not ended after %v; what its goroutines do: %s", name, f.hung, file))
}

// hungFile is where the stacks go: seed-7.stacks.txt.
func hungFile(name string) string {
	name = strings.TrimSuffix(filepath.Base(name), ".txt")
	return strings.ReplaceAll(name, " ", "-") + ".stacks.txt"
}

func allStacks() []byte {
	buf := make([]byte, 1<<16)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			return buf[:n]
		}
		buf = make([]byte, 2*len(buf))
	}
}
