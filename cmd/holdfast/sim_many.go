package main

import (
	"fmt"
	"sync"
	"sync/atomic"
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

	mu      sync.Mutex
	totals  *simTotals
	failure *sim.Result // the one of the smallest seed
}

// many runs the seeds and prints a live line, then a table.
func (f *simFlags) many(c *cobra.Command, first, last uint64) error {
	began := time.Now()
	p := &campaign{flags: f, last: last, totals: newSimTotals()}
	p.next.Store(first)
	if f.duration > 0 {
		p.deadline = began.Add(f.duration)
	}
	var workers sync.WaitGroup
	for range f.workers {
		workers.Go(func() { p.work(c) })
	}
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()
	p.watch(c, began, done)
	if f.output == "text" {
		p.totals.print(c.OutOrStdout(), time.Since(began))
	}
	if p.failure == nil {
		return nil
	}
	return f.verdict(c, p.failure, nil)
}

func (p *campaign) work(c *cobra.Command) {
	for !p.stop.Load() && (p.deadline.IsZero() || time.Now().Before(p.deadline)) {
		seed := p.next.Add(1) - 1
		if seed > p.last || seed+1 == 0 {
			return
		}
		r := p.flags.play(p.flags.options(seed))
		p.finished(c, &r)
	}
}

func (p *campaign) finished(c *cobra.Command, r *sim.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.totals.add(r)
	if p.flags.output == "json" {
		_ = printSimJSON(c, r) // a closed pipe ends the process by itself
	}
	if r.Failure == nil {
		return
	}
	fmt.Fprintf(c.ErrOrStderr(), "\r\x1b[K%s\n", simVerdict(r))
	if p.failure == nil || r.Seed < p.failure.Seed {
		p.failure = r
	}
	if !p.flags.keepGoing {
		p.stop.Store(true)
	}
}

// watch shows where the campaign is until it is done.
func (p *campaign) watch(c *cobra.Command, began time.Time, done <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			fmt.Fprint(c.ErrOrStderr(), "\r\x1b[K")
			return
		case <-tick.C:
			p.mu.Lock()
			fmt.Fprintf(c.ErrOrStderr(), "\r\x1b[K%s", p.totals.status(time.Since(began)))
			p.mu.Unlock()
		}
	}
}
