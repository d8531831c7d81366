package sim

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// oracle replays the committed log. The first member to apply an index tells
// it what is there; from then on every member must apply the same (R6, State
// Machine Safety), and the model's result is what every reply must say.
type oracle struct {
	w       *World
	draw    draw
	log     []committedEntry // index-1
	entries map[raft.EntryID]entryOrigin
	model   *model
	origins map[uint64]*requestOrigin
	// outcomes of requests, by id; absent: not committed (yet).
	outcomes map[state.RequestID]*outcome
	endings  map[uint64][]ending // of leases, by index
	config   raft.Configuration  // the last committed one
	configs  []committedConfig
	slow     int64 // when an entry was last committed that had waited long for it
}

// committedEntry is one index of the log for all members and all times.
type committedEntry struct {
	term raft.Term
	crc  uint32
	kind raft.EntryType
	// commitTerm is the term of the member that first applied it: the entry
	// was committed in it or in an earlier one.
	commitTerm raft.Term
	revision   int64 // the store's after the entry
	hashed     bool
	hash       uint64 // the state's after the entry
	leases     bool   // it holds a checkpoint of leases
}

type committedConfig struct {
	index  raft.Index
	config raft.Configuration
}

// outcome is what the model says about one request.
type outcome struct {
	index   raft.Index
	applied bool // false: refused as a duplicate or ambiguous
	times   int
	result  state.Result
	at      int64 // µs when it was first applied
}

func newOracle(w *World) *oracle {
	return &oracle{
		w: w, draw: newDraw(w.plan.Seed, "oracle"), entries: map[raft.EntryID]entryOrigin{}, model: newModel(),
		origins: map[uint64]*requestOrigin{}, outcomes: map[state.RequestID]*outcome{},
		endings: map[uint64][]ending{},
	}
}

// observe looks at what a member is about to apply.
func (o *oracle) observe(n *Node, ev replica.Event) {
	if meta := replica.RestoreOf(ev); meta != nil {
		o.restored(n, meta)
	}
	for _, e := range replica.EntriesOf(ev) {
		o.entry(n, &e)
	}
}

// restored: a snapshot may only hold what was committed.
func (o *oracle) restored(n *Node, meta *raft.SnapshotMeta) {
	o.w.count.add(CountInstalls)
	i := meta.Last.Index
	if int(i) > len(o.log) || i > 0 && o.log[i-1].term != meta.Last.Term {
		o.w.unsafe("R6 snapshots hold what was committed", uint8(n.id), "installs %v, known are %d entries", meta.Last, len(o.log))
	}
}

func (o *oracle) entry(n *Node, e *raft.Entry) {
	switch known := len(o.log); {
	case int(e.Index) <= known:
		c := &o.log[e.Index-1]
		if c.term != e.Term || c.crc != e.CRC || c.kind != e.Type {
			o.w.unsafe("R6 state machine safety", uint8(n.id), "applies %v crc %08x, elsewhere %d@%d crc %08x was applied",
				e.ID(), e.CRC, e.Index, c.term, c.crc)
		}
	case int(e.Index) == known+1:
		o.commit(n, e)
	default:
		o.w.unsafe("R6 no index is skipped", uint8(n.id), "applies %v, known are %d entries", e.ID(), known)
	}
}

// commit takes a new entry of the one log.
func (o *oracle) commit(n *Node, e *raft.Entry) {
	o.log = append(o.log, committedEntry{term: e.Term, crc: e.CRC, kind: e.Type, commitTerm: n.last.term})
	if o.w.now-o.entries[e.ID()].at > commitSlow {
		o.slow = o.w.now
	}
	o.model.index = uint64(e.Index)
	switch {
	case e.Type == raft.EntryConfig:
		o.configure(n, e)
	case len(e.Data) > 0:
		o.commands(n, e)
	}
	o.log[e.Index-1].revision = o.model.rev
}

func (o *oracle) commands(n *Node, e *raft.Entry) {
	batch := state.OpenBatch(e.Data)
	for batch.Next() {
		c := batch.Command
		body, err := state.DecodeBody(c.Body)
		if err != nil {
			o.w.unsafe("S2 entries decode", uint8(n.id), "entry %v: %v", e.ID(), err)
		}
		if _, ok := body.(*state.LeaseCheckpointRequest); ok {
			o.log[e.Index-1].leases = true
		}
		o.command(e, &c, body)
	}
	if err := batch.Err(); err != nil {
		o.w.unsafe("S2 entries decode", uint8(n.id), "entry %v: %v", e.ID(), err)
	}
}

// command runs one command, unless its request was seen before.
func (o *oracle) command(e *raft.Entry, c *state.Encoded, body state.Body) {
	if c.ID.Seq == 0 {
		r := o.run(e, c, body)
		o.w.load.leases.internal(body, &r)
		return
	}
	out := o.outcomes[c.ID]
	if out == nil {
		out = &outcome{index: e.Index, at: o.w.now}
		o.outcomes[c.ID] = out
	}
	out.times++
	if !o.admit(c.ID) {
		if out.times > 1 {
			o.w.count.add("duplicate commands refused")
		}
		return
	}
	if out.applied {
		o.w.unsafe("R10 a request is applied at most once", 0, "request %+v again at %v", c.ID, e.ID())
	}
	out.applied, out.index, out.at = true, e.Index, o.w.now
	out.result = o.run(e, c, body)
	o.w.load.leases.committed(body, &out.result)
}

// run lets the model apply a command, and notes what a lease took along.
func (o *oracle) run(e *raft.Entry, c *state.Encoded, body state.Body) state.Result {
	before := len(o.model.changes)
	r := o.model.apply(c, body, uint64(e.Term))
	if c.ID.Seq != 0 {
		o.w.checkSecrets(c.Caller, &r)
	}
	if _, ok := body.(*state.LeaseRevokeRequest); ok {
		o.noteEnding(uint64(e.Index), before)
	}
	return r
}

// configure follows membership: windows of requests go with their members.
func (o *oracle) configure(n *Node, e *raft.Entry) {
	config, err := raft.DecodeConfiguration(e.Data)
	if err != nil {
		o.w.unsafe("S2 entries decode", uint8(n.id), "configuration %v: %v", e.ID(), err)
	}
	o.checkSuccession(n, e, config)
	o.config = config
	o.configs = append(o.configs, committedConfig{index: e.Index, config: config})
	o.w.count.add(CountConfigs)
	o.rebind(config)
	asker, err := state.DecodeRequestID(config.Context)
	if err == nil && asker.Seq != 0 && !config.Joint() {
		o.outcomes[asker] = &outcome{index: e.Index, applied: o.admit(asker), at: o.w.now, result: state.Result{Revision: o.model.rev}}
	}
	o.w.trace.line(o.w.now, whatCommit, uint8(n.id), "configuration %v: %v", e.ID(), config)
	o.w.faults.configured(config)
}
