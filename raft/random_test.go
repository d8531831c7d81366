package raft_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/holdfast-db/holdfast/raft"
)

// TestRandom lets clusters live through random delays, losses, duplicates,
// crashes, slow disks, transfers, snapshots and changes of members, checks the
// paper's properties after every step, then heals them and expects that they
// agree.
func TestRandom(t *testing.T) {
	runs := 300 / raceDivisor
	if v, err := strconv.Atoi(os.Getenv("RAFT_RANDOM_RUNS")); err == nil {
		runs = v
	}
	marks := map[string]int{}
	for seed := range runs {
		w := newWorld(uint64(seed), marks)
		w.chaos(1200)
		w.heal()
		if w.failure != nil {
			t.Fatalf("seed %d: %v", seed, w.failure)
		}
	}
	t.Log(marks)
	for _, mark := range []string{"became leader", "crash", "snapshot installed", "config committed", "config rolled back", "truncated",
		"transfer started", "write superseded", "read", "append rejected", "vote refused", "wiped"} {
		if marks[mark] < runs/80 {
			t.Errorf("%q happened only %d times in %d runs", mark, marks[mark], runs)
		}
	}
}

type world struct {
	*cluster
	rnd   *rand.Rand
	marks map[string]int
	op    int
	// bound worlds have all incarnations bound from the start and no change of
	// members; disks are wiped there, fewer than a majority.
	bound         bool
	wipes, voters int
	// holdRate and persistRate make disks slow.
	holdRate, persistRate, crashRate int
	// asked holds the highest committed index when a read was asked: what its
	// answer must not be below.
	asked map[raft.ReadID]raft.Index
}

func newWorld(seed uint64, marks map[string]int) *world {
	return drawWorld(rand.New(rand.NewPCG(seed, 1)), seed, marks)
}

func drawWorld(rnd *rand.Rand, seed uint64, marks map[string]int) *world {
	cfg := defaultConfig()
	cfg.ElectionTicks, cfg.HeartbeatTicks = 3+rnd.IntN(6), 1+rnd.IntN(2)
	cfg.InflightMessagesMax = 1 + rnd.IntN(4)
	cfg.MessageEntriesMax = 1 + rnd.IntN(4)
	cfg.TailEntriesMax = 1 + rnd.IntN(8)
	cfg.DisablePreVote = rnd.IntN(4) == 0
	cfg.PeerClosedTicks = rnd.IntN(3)
	size := 1 + rnd.IntN(5)
	initial := voters(size, rnd.IntN(2))
	bound := rnd.IntN(4) == 0
	for k := range initial.Members {
		if bound {
			initial.Members[k].Incarnation = raft.Incarnation(100 + initial.Members[k].ID)
		}
	}
	c := newCluster(cfg, initial)
	c.seed, c.quiet = seed, true
	c.bootTail = rnd.IntN(5)
	c.applyBytes = 1 + rnd.IntN(20)
	return &world{cluster: c, rnd: rnd, marks: marks, bound: bound, voters: size,
		holdRate: rnd.IntN(100), persistRate: 66 + 4*rnd.IntN(4), crashRate: rnd.IntN(6), asked: map[raft.ReadID]raft.Index{}}
}

func (w *world) pick() *member { return w.members[w.rnd.IntN(len(w.members))] }

func (w *world) chaos(steps int) {
	for step := range steps {
		if w.failure != nil {
			return
		}
		w.step()
		if step%8 == 0 {
			w.fail(w.logMatching())
		}
		w.note()
	}
}

func (w *world) step() {
	m := w.pick()
	m.hold = w.rnd.IntN(100) < w.holdRate
	switch k := w.rnd.IntN(100); {
	case k < 50:
		w.someMessage()
	case k < 60:
		if m.node != nil {
			w.tick(m)
		}
	case k < 63:
		w.tickAll(w.rnd.IntN(6))
	case k < w.persistRate:
		if len(m.writes) > 0 {
			w.cluster.persist(m)
			w.run(m)
		}
	default:
		w.rarer(m, w.rnd.IntN(100))
	}
}

func (w *world) tickAll(times int) {
	for range times {
		for _, m := range w.members {
			if m.node != nil {
				w.tick(m)
			}
		}
	}
}

func (w *world) rarer(m *member, k int) {
	switch {
	case m.node == nil:
		if k < 50 {
			w.start(m)
		}
		return
	case k < 50:
		w.propose(m)
	case k < 60:
		w.read(m)
	case k < 60+w.crashRate:
		w.marks["crash"]++
		w.crash(m)
		for _, o := range w.members {
			if o.node != nil && w.rnd.IntN(2) == 0 {
				o.node.PeerClosed(m.id)
				w.run(o)
			}
		}
		return
	case k < 75:
		w.cluster.snapshot(m, raft.Index(w.rnd.IntN(3)))
		return
	case k < 80:
		_ = m.node.Transfer(w.pick().id)
	case k < 88 && !w.bound:
		w.change(m)
	case k < 82 && w.wipes < (w.voters-1)/2 && !m.wiped:
		w.wipes++
		w.marks["wiped"]++
		w.wipe(m)
		for k := range m.disk.snap.Config.Config.Members {
			m.disk.snap.Config.Config.Members[k].Incarnation = 0
		}
		return
	case k < 91:
		w.partition()
	case k < 93:
		w.cut[[2]raft.NodeID{m.id, w.pick().id}] = true
	case k < 96:
		clear(w.cut)
	case k < 98:
		m.node.PeerUnreachable(w.pick().id)
	default:
		m.node.Campaign()
	}
	w.run(m)
}

// partition splits the members in two groups.
func (w *world) partition() {
	side := w.rnd.Uint64()
	for _, a := range w.members {
		for _, b := range w.members {
			if side>>a.id&1 != side>>b.id&1 {
				w.cut[[2]raft.NodeID{a.id, b.id}] = true
			}
		}
	}
}

func (w *world) propose(m *member) {
	var batch [][]byte
	for range 1 + w.rnd.IntN(3) {
		w.op++
		batch = append(batch, fmt.Appendf(nil, "op%d", w.op))
	}
	_, _ = m.node.Propose(batch)
}

func (w *world) read(m *member) {
	id, err := m.node.ReadIndex()
	if err != nil {
		return
	}
	if _, ok := w.asked[id]; !ok {
		w.asked[id] = 0
	}
	// Joining must not be answered with less than is committed now.
	w.asked[id] = max(w.asked[id], w.checks.commitMax)
}

// change proposes a random change, of a newcomer too.
func (w *world) change(m *member) {
	var ch raft.ConfigChange
	for range 1 + w.rnd.IntN(2) {
		id := raft.NodeID(1 + w.rnd.IntN(7))
		if w.rnd.IntN(3) == 0 {
			ch.Remove = append(ch.Remove, id)
			continue
		}
		if w.member(id) == nil {
			w.start(w.add(id, raft.Configuration{}))
		}
		ch.Set = append(ch.Set, raft.Member{ID: id, Voter: w.rnd.IntN(2) == 0})
	}
	_, _ = m.node.ProposeConfig(ch)
}

// someMessage delivers, loses or repeats any message on the network.
func (w *world) someMessage() {
	if len(w.net) == 0 {
		return
	}
	k := w.rnd.IntN(min(len(w.net), 20))
	m := w.net[k]
	switch w.rnd.IntN(12) {
	case 0: // repeat it later
	case 1:
		w.net = slices.Delete(w.net, k, k+1)
		w.lost(m)
		return
	default:
		w.net = slices.Delete(w.net, k, k+1)
	}
	w.receive(m)
}

// heal ends all faults; the cluster must come to agree.
func (w *world) heal() {
	clear(w.cut)
	for _, m := range w.members {
		m.hold = false
		if m.node == nil {
			w.start(m)
		}
		for len(m.writes) > 0 {
			w.cluster.persist(m)
			w.run(m)
		}
	}
	for range 200 {
		w.stabilize()
		for _, m := range w.members {
			w.tick(m)
		}
		w.stabilize()
		w.note()
	}
	if w.failure == nil {
		w.fail(w.agreed())
	}
}

// agreed: there is one leader, and all members of its configuration have its
// log, applied.
func (w *world) agreed() error {
	var lead *member
	for _, m := range w.members {
		if m.node.Role() == raft.Leader {
			if lead != nil && lead.node.Term() == m.node.Term() {
				return fmt.Errorf("two leaders")
			}
			if lead == nil || m.node.Term() > lead.node.Term() {
				lead = m
			}
		}
	}
	if lead == nil {
		return fmt.Errorf("no leader after healing")
	}
	s := lead.node.Status()
	if s.Config.Config.Joint() || s.Commit != s.Last || s.Config.At.Index > s.Commit {
		return fmt.Errorf("n%s: not at rest after healing: %+v", lead.id, s)
	}
	for _, row := range s.Config.Config.Members {
		m := w.member(row.ID)
		if m.wiped {
			continue
		}
		if m.applied.Index != s.Last || m.node.Leader() != lead.id {
			return fmt.Errorf("n%s: applied %s under leader n%s, the leader n%s has %d", m.id, m.applied, m.node.Leader(), lead.id, s.Last)
		}
		if row.Incarnation != m.incarnation {
			return fmt.Errorf("n%s: incarnation not bound", m.id)
		}
	}
	return nil
}

// note checks the reads that were answered and counts what has happened.
func (w *world) note() {
	for _, r := range w.reads {
		if r.ready.Err != nil {
			continue
		}
		w.marks["read"]++
		if r.ready.Index < w.asked[r.ready.ID] {
			w.fail(fmt.Errorf("read %s answered with %d, committed before it began: %d", r.ready.ID, r.ready.Index, w.asked[r.ready.ID]))
		}
	}
	w.reads = w.reads[:0]
	for k, v := range w.events {
		w.marks[k] += v
	}
	clear(w.events)
}
