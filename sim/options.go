package sim

import "io"

// Options say which run is wanted. Everything else is drawn from the seed.
type Options struct {
	Seed uint64
	// Nodes is the first size of the cluster; 0: drawn from 1 to 5.
	Nodes int
	// Chaos is the length of the fault phase in µs; 0: drawn.
	Chaos int64
	// Faults, if not empty, are the groups or kinds of faults that may happen
	// (FaultNames); else the seed draws which do.
	Faults []string
	// Script, if not nil, is what is done to the world, in order of time; the
	// swarm draws no faults then. With a run's own Result.Script it is that run
	// again.
	Script []Action
	// Scenario, if not nil, is the story to play; seed and size are its own.
	Scenario *Scenario
	// Trace, if not nil, gets one line an event; TraceJSON makes it NDJSON.
	Trace     io.Writer
	TraceJSON bool
	// Record keeps what is needed to draw the run (Result.Recording).
	Record bool
	// Porcupine adds its searches, by key and in windows, to what judges the
	// clients' history at the end. The rest of package linearizability (witness,
	// real time, watches) and the online checks always run.
	Porcupine bool
}
