package sim

import (
	"bytes"
	"fmt"
	"runtime/debug"

	"github.com/holdfast-db/holdfast/linearizability"
)

// Result is what became of a run.
type Result struct {
	Seed    uint64
	Plan    string // as printed
	Hash    uint64 // of the trace: equal seeds give equal hashes
	Events  uint64
	Virtual int64 // µs simulated
	Count   Counters
	Class   Class
	Failure *Failure
	// Recording is what the run looked like, if Options.Record asked for it.
	Recording *Recording
	// Script lists what was done to the world.
	Script []Action
	// Recent are the last lines of the trace before a failure.
	Recent []string
	// History of the clients, for the checkers and for drawing.
	History *linearizability.History
}

// Plan is what a run will print first: the settings that its seed draws and the
// faults that it turns on. It is known before anything runs.
func (o Options) Plan() string {
	p := planOf(o)
	return p.text()
}

// planOf draws the plan, or takes a story's own.
func planOf(o Options) Plan {
	if o.Scenario == nil {
		return newPlan(o)
	}
	p, err := o.Scenario.plan()
	if err != nil {
		panic(err) // it was parsed, so it has one
	}
	return p
}

func (p *Plan) text() string {
	var text bytes.Buffer
	p.Print(&text)
	return text.String()
}

// Run lives one world through and judges it. It uses no clock and no
// goroutine; equal options give equal results.
func Run(o Options) (r Result) {
	w := newWorld(o)
	defer func() {
		if p := recover(); p != nil {
			w.caught(p)
		}
		r = w.result()
	}()
	if o.Trace != nil && !o.TraceJSON {
		w.plan.Print(o.Trace)
	}
	w.run(o)
	w.told = w.history()
	w.checkHistory(w.told, o.Porcupine)
	return r
}

// caught turns a panic into the run's failure: our own stop, or one of the
// code under test.
func (w *World) caught(p any) {
	if _, ours := p.(stopRun); ours {
		return
	}
	w.failure = &Failure{Class: Crashed, Check: "no panic", At: w.now, Text: fmt.Sprintf("%v\n%s", p, trimStack(debug.Stack()))}
}

// trimStack drops the frames of the panic machinery itself.
func trimStack(stack []byte) []byte {
	if _, rest, ok := bytes.Cut(stack, []byte("panic(")); ok {
		return append([]byte("panic("), rest...)
	}
	return stack
}

func (w *World) result() Result {
	r := Result{
		Seed: w.plan.Seed, Plan: w.plan.text(), Hash: w.trace.hash.Sum64(), Events: w.trace.events,
		Virtual: w.now, Count: w.count, Failure: w.failure, Script: w.script, History: w.told,
	}
	if w.told == nil { // the run was ended
		r.History = w.history()
	}
	r.Recording = w.rec.finish(w)
	if w.failure != nil {
		r.Class = w.failure.Class
		r.Recent = w.trace.recent.list()
	}
	return r
}
