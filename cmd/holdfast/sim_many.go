package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/sim"
)

// campaign runs seed after seed on several workers. Each run stays on one
// goroutine; only which of them run side by side depends on the machine.
type campaign struct {
	flags    *simFlags
	next     atomic.Uint64
	last     uint64
	deadline time.Time // zero: none
	stop     atomic.Bool
	results  *simResults // nil: not kept

	mu      sync.Mutex
	totals  *simTotals
	status  *statusLine
	failure *sim.Result // the one of the smallest seed
	broken  error       // the results can't be written
}

// many runs the seeds and prints a live line, then a table.
func (f *simFlags) many(c *cobra.Command, first, last uint64) error {
	began := time.Now()
	p := &campaign{flags: f, last: last, totals: newSimTotals(), status: newStatusLine(c.ErrOrStderr())}
	p.next.Store(first)
	if f.duration > 0 {
		p.deadline = began.Add(f.duration)
	}
	if err := p.resume(c); err != nil {
		return exitWith(exitUsage, err)
	}
	interrupted, release := signal.NotifyContext(commandContext(c), os.Interrupt, syscall.SIGTERM)
	defer release()
	p.run(c, began, interrupted)
	if p.results != nil {
		p.results.file.Close()
	}
	if f.output == "text" {
		p.totals.print(c.OutOrStdout(), time.Since(began))
	}
	switch {
	case p.broken != nil:
		return exitWith(exitNo, p.broken)
	case p.failure != nil:
		return f.verdict(c, p.failure, nil)
	case interrupted.Err() != nil && p.results != nil:
		return exitWith(exitNo, fmt.Errorf("interrupted: the same command goes on from %s", f.out))
	case interrupted.Err() != nil:
		return exitWith(exitNo, fmt.Errorf("interrupted (with --out FILE the same command would go on)"))
	case len(f.faults) == 0 && f.nodes == 0:
		if err := p.totals.unmet(); err != nil {
			return exitWith(exitNo, err)
		}
	}
	return nil
}

// commandContext is the command's, if it was started with one.
func commandContext(c *cobra.Command) context.Context {
	if ctx := c.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// resume takes up what an earlier process of this campaign has found.
func (p *campaign) resume(c *cobra.Command) (err error) {
	if p.flags.out == "" {
		return nil
	}
	p.results, err = openResults(p.flags.out, p.flags.settings(), func(row *simJSON) {
		if row.Seed < p.next.Load() || row.Seed > p.last {
			return
		}
		p.totals.add(row)
		if r := row.result(); r.Failure != nil && (p.failure == nil || r.Seed < p.failure.Seed) {
			p.failure = r
		}
	})
	if err != nil {
		return err
	}
	p.totals.earlier = p.totals.work
	if n := len(p.results.done); n > 0 {
		p.status.say(fmt.Sprintf("%d seeds are in %s already", n, p.flags.out), false)
	}
	p.stop.Store(p.failure != nil && !p.flags.keepGoing)
	return nil
}

// run starts the workers and watches them.
func (p *campaign) run(c *cobra.Command, began time.Time, interrupted context.Context) {
	var workers sync.WaitGroup
	for range p.flags.workers {
		workers.Go(func() { p.work(c) })
	}
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			p.status.clear()
			return
		case <-interrupted.Done():
			p.stop.Store(true) // the runs under way end first, which takes a second
			interrupted = context.Background()
		case <-tick.C:
			p.mu.Lock()
			p.status.show(p.totals.status(time.Since(began)), p.failure != nil)
			p.mu.Unlock()
		}
	}
}

func (p *campaign) work(c *cobra.Command) {
	for !p.stop.Load() && (p.deadline.IsZero() || time.Now().Before(p.deadline)) {
		seed := p.next.Add(1) - 1
		if seed > p.last || seed+1 == 0 {
			return
		}
		if p.results != nil && p.results.done[seed] {
			continue
		}
		r := p.flags.play(p.flags.options(seed))
		p.finished(c, &r)
	}
}

func (p *campaign) finished(c *cobra.Command, r *sim.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	row := simRow(r)
	p.totals.add(row)
	if p.results != nil {
		if err := p.results.add(row); err != nil {
			p.broken = err
			p.stop.Store(true)
		}
	}
	if p.flags.output == "json" {
		_ = printJSON(c, row) // a closed pipe ends the process by itself
	}
	if r.Failure == nil {
		return
	}
	p.status.say(p.flags.story(r), true)
	if p.failure == nil || r.Seed < p.failure.Seed {
		p.failure = r
	}
	if !p.flags.keepGoing {
		p.stop.Store(true)
	}
}
