package sim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/transport"
)

// broken runs lies in a small world and returns the check that saw them.
func broken(t *testing.T, lie func(w *World)) string {
	t.Helper()
	w := newWorld(Options{Seed: 1, Nodes: 3})
	w.build()
	w.runUntil(second, nil)
	if w.leader() == nil || len(w.oracle.log) == 0 {
		t.Fatal("no leader within a second")
	}
	func() {
		defer func() {
			if p := recover(); p != nil {
				if _, ours := p.(stopRun); !ours {
					panic(p)
				}
			}
		}()
		lie(w)
	}()
	if w.failure == nil {
		return ""
	}
	return w.failure.Check
}

// Each check sees the lie that it is there for.
func TestChecksSee(t *testing.T) {
	frame := func(m raft.Message) []byte { return transport.AppendMessageFrame(nil, &m) }
	for name, c := range map[string]struct {
		check string
		lie   func(w *World)
	}{
		"two leaders": {"R1", func(w *World) {
			w.elected.leads(w.nodes[0], 99)
			w.elected.leads(w.nodes[1], 99)
		}},
		"a leader without votes": {"R1", func(w *World) { w.elected.checkVotes(w.nodes[0], 99) }},
		"a leader with a minority's votes": {"R1", func(w *World) {
			w.elected.votes[ballot{2, 0, 99}] = 1
			w.elected.checkVotes(w.nodes[0], 99)
		}},
		"a term that nobody stood in": {"V3", func(w *World) {
			n := w.nodes[0]
			w.elected.began(n, []raft.Event{{Kind: raft.EventBecamePreCandidate, Term: w.elected.opened + 1}}, w.elected.opened+1)
		}},
		"a candidate that doesn't listen": {"V1", func(w *World) { w.nodes[0].checkFollows(9, raft.Candidate, 9) }},
		"a leader that isn't a member": {"R9", func(w *World) {
			n := w.leader()
			n.id, n.last.role = 9, raft.Follower
			n.checkLeads(raft.Leader, raftOf(n.rep).Commit())
		}},
		"a voter that has nothing": {"R9", func(w *World) {
			n := w.leader()
			learner := w.addNode(raft.Configuration{})
			n.config0.Members = append(n.config0.Members, raft.Member{ID: learner.id})
			n.checkPromoted(&raft.Configuration{Members: []raft.Member{{ID: learner.id, Voter: true}}})
		}},
		"an acknowledgement of an entry that is to be overwritten": {"R7", func(w *World) {
			n := w.leader()
			m := raft.Message{Type: raft.AppendEntriesReply, From: n.id, To: 2, Incarnation: 1, Term: n.shadow.hard.Term, Match: n.shadow.last()}
			n.shadow.log[len(n.shadow.log)-1].term--
			n.checkPromise(2, frame(m))
		}},
		"a write under a lock that was lost": {"K1", func(w *World) {
			b, c := &w.load.locks, w.load.clients[0]
			b.acquired(c, 5)
			b.acquired(w.load.clients[1], 9)
			b.wrote(c, 5, 7)
			b.wrote(w.load.clients[1], 9, 12)
			b.wrote(c, 5, 11)
		}},
		"a lock that two hold": {"K1", func(w *World) {
			w.load.locks.acquired(w.load.clients[0], 5)
			w.load.locks.acquired(w.load.clients[1], 5)
		}},
		"a configuration that is out of date": {"R9", func(w *World) {
			n := w.leader()
			at := raftOf(n.rep).ConfigAt().Index + 1
			w.oracle.configs = append(w.oracle.configs, committedConfig{index: at})
			n.checkConfigured(at)
		}},
		"a change that was answered and not made": {"R9", func(w *World) {
			w.leader().checkChanged(&raft.ConfigChange{Remove: []raft.NodeID{1}}, 0)
		}},
		"a lease that takes too much along": {"L3", func(w *World) {
			e := ending{revision: stateOf(w.leader().rep).Revision(), keys: []string{"a", "b", "c", "d", "e", "f", "g"}}
			w.leader().checkEnding(1, &e)
		}},
		"a lease that ends late": {"L2", func(w *World) {
			w.phase = PhaseConverge
			w.now += 60 * second
			w.load.leases.checkExpiryDue(&leaseRecord{id: 1 << 40, ttl: 5, granted: true})
		}},
		"a terms' race under a cut that stays": {"V2", func(w *World) {
			w.at(second, whatClient, 0, func() { w.elected.opened += 5 })
			w.watchStable("nothing", micros(2*second))
		}},
		"nobody to write to under a cut that stays": {"V2", func(w *World) {
			w.load.quiet()
			w.runUntil(w.now+5*second, nil)
			w.watchStable("nothing", micros(second))
		}},
		"a request that waits for ever": {"V5", func(w *World) {
			w.load.quiet()
			w.leader().enqueue(replica.WatchOpenEvent{Stream: 77, Sink: func([]mvcc.WatchResponse) {}})
			w.checkIdle()
		}},
		"snapshots that nobody removes": {"V4", func(w *World) {
			for i := range 9 {
				f, err := w.leader().fs.Create(fmt.Sprintf("%s/%s/%d.snap", dataDir, replica.SnapshotDir, i))
				if err != nil || f.Close() != nil {
					panic(err)
				}
			}
			w.checkBounded()
		}},
		"an event that doesn't come": {"W9", func(w *World) {
			s := &watchStream{w: w, node: w.leader(), opened: 1}
			at := &watcher{stream: s, from: 1, created: true, request: mvcc.WatchRequest{Key: []byte{0}, End: []byte{0}}}
			s.watchers = []*watcher{at}
			w.now += 100 * second
			s.checkDelivery()
			w.now += 100 * second
			s.checkDelivery()
		}},
		"another value in the hash": {"M2", func(w *World) {
			for _, vs := range w.oracle.model.keys {
				vs[0].kv.Version++
			}
			w.leader().checkHashKV(stateOf(w.leader().rep).View())
		}},
		"two votes": {"R2", func(w *World) {
			w.elected.voted(w.nodes[0], raft.HardState{Term: 99, Vote: 1})
			w.elected.voted(w.nodes[0], raft.HardState{Term: 99, Vote: 2})
		}},
		"a term that is not durable": {"R2", func(w *World) {
			n := w.nodes[0]
			n.checkPromise(2, frame(raft.Message{Type: raft.HeartbeatReply, From: 1, To: 2, Incarnation: 1, Term: n.shadow.hard.Term + 1}))
		}},
		"an acknowledgement that is not durable": {"R7", func(w *World) {
			n := w.nodes[0]
			n.checkPromise(2, frame(raft.Message{Type: raft.AppendEntriesReply, From: 1, To: 2, Incarnation: 1, Term: n.shadow.hard.Term, Match: n.shadow.last() + 1}))
		}},
		"a leader that truncates": {"R3", func(w *World) {
			n := w.leader()
			n.checkWrites([]*raft.Persist{{HardState: raft.HardState{Term: n.last.term}, Truncate: 2}})
		}},
		"two entries of one identity": {"R4", func(w *World) {
			for _, data := range []string{"a", "b"} {
				e := raft.Entry{Index: 1, Term: 99, Type: raft.EntryCommand, Data: []byte(data)}
				e.CRC = raft.EntryCRC(e)
				w.nodes[0].checkMatching(&e, 0, true)
			}
		}},
		"a leader without a committed entry": {"R5", func(w *World) {
			w.oracle.log = append(w.oracle.log, committedEntry{term: 98, commitTerm: 98})
			w.elected.checkComplete(w.leader(), 99)
		}},
		"another entry applied": {"R6", func(w *World) {
			w.oracle.entry(w.nodes[0], &raft.Entry{Index: 1, Term: 99})
		}},
		"a skipped index": {"R6", func(w *World) {
			w.oracle.entry(w.nodes[0], &raft.Entry{Index: raft.Index(len(w.oracle.log) + 2), Term: 99})
		}},
		"a commit index that falls": {"R8", func(w *World) {
			n := w.leader()
			n.checkMonotonic(n.last.term, n.last.commit-1)
		}},
		"voters that change at once": {"R9", func(w *World) {
			next := raft.Configuration{Members: []raft.Member{{ID: 1, Voter: true}}}
			w.oracle.checkSuccession(w.nodes[0], &raft.Entry{Index: 9, Term: 1}, next)
		}},
		"an acknowledged write that isn't in the log": {"R10", func(w *World) {
			o := &op{node: w.nodes[0], body: &mvcc.PutRequest{Key: []byte("k")}, request: &replica.Request{}, said: AnswerOK}
			w.checkReply(o, replica.Reply{Result: &state.Result{Revision: 2}})
		}},
		"another state at the same index": {"M1", func(w *World) {
			n := w.leader()
			index := stateOf(n.rep).AppliedIndex()
			w.oracle.log[index-1].hashed, w.oracle.log[index-1].hash = true, 1
			n.checkApplied(stateOf(n.rep))
		}},
		"another value at a revision": {"M2", func(w *World) {
			for key, vs := range w.oracle.model.keys {
				vs[0].kv.Value = []byte("something else " + key)
			}
			w.leader().checkModel(stateOf(w.leader().rep).View())
		}},
		"a stale read": {"C1", func(w *World) {
			o := &op{node: w.nodes[0], query: &mvcc.RangeRequest{Key: []byte("k")}, floor: 1 << 40}
			w.checkRead(o, stateOf(w.nodes[0].rep).View(), 1<<41)
		}},
		"an answer from before the last one": {"C1", func(w *World) {
			c := &client{w: w}
			c.checkSession(&op{node: w.nodes[0], revision: 5})
			c.checkSession(&op{node: w.nodes[0], revision: 4})
		}},
		"a lease that ends early": {"L1", func(w *World) {
			b := w.load.leases
			l := &leaseRecord{id: 1 << 40, ttl: 5, granted: true, renewed: w.now}
			b.checkExpiry(l)
		}},
		"a damaged frame that passes": {"S2", func(w *World) {
			w.net.arriveCorrupt(1, transport.AppendFrame(nil, transport.KindPing))
		}},
		"a damaged entry that passes": {"S2", func(w *World) {
			w.net.arriveMisframed(2, 1, frame(raft.Message{Type: raft.Heartbeat, From: 2, To: 1, Term: 1}))
		}},
		"a second sync of a file whose sync failed": {"S3", func(w *World) {
			n := w.nodes[0]
			n.disk.poisoned = map[string]bool{"data/x.part": true}
			n.inject(disk.Op{Kind: disk.OpSync, Name: "data/x.part"})
		}},
		"a stop for want of room": {"S1", func(w *World) {
			w.nodes[0].disk.full = true
			w.nodes[0].gaveUp(disk.ErrNoSpace)
		}},
		"a rotten snapshot offered again": {"V1", func(w *World) {
			n, last := w.leader(), raft.EntryID{Index: 7, Term: 1}
			n.noteUnread([]replica.Event{replica.SnapshotSentEvent{To: 2, Last: last, Unreadable: true}})
			n.checkOffers([]replica.SnapshotOrder{{To: 2, Last: last}})
		}},
		"a member that is told twice that it has forgotten": {"S1", func(w *World) {
			told := []raft.Event{{Kind: raft.EventDisowned, Peer: 2}}
			w.nodes[0].checkDisowned(told)
			w.nodes[0].checkDisowned(told)
		}},
		"a version of super that the power has taken": {"S1", func(w *World) { w.nodes[0].checkSuper(1 << 40) }},
		"a write that is called durable and was not synced": {"R7", func(w *World) {
			n := w.nodes[0]
			n.disk.written = []string{"data/unsynced.wal"}
			if _, err := n.fs.Create("data/unsynced.wal"); err != nil {
				t.Fatal(err)
			}
			n.checkSynced(7)
		}},
		"a process that stops without a cause": {"S1", func(w *World) {
			w.nodes[0].gaveUp(disk.ErrIO)
		}},
		"a vote that recovery has lost": {"S1", func(w *World) {
			n := w.leader()
			n.shadow.hard.Vote++
			n.kill()
			n.start()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := broken(t, c.lie); !strings.HasPrefix(got, c.check+" ") {
				t.Errorf("seen by %q, want %s", got, c.check)
			}
		})
	}
	if got := broken(t, func(*World) {}); got != "" {
		t.Errorf("without a lie: %s", got)
	}
}

// A watcher that misses, repeats, reorders or splits what history says is seen.
func TestWatchChecksSee(t *testing.T) {
	for name, c := range map[string]struct {
		check string
		lie   func(s *watchStream, rs []mvcc.WatchResponse) []mvcc.WatchResponse
	}{
		"nothing wrong": {"", func(s *watchStream, rs []mvcc.WatchResponse) []mvcc.WatchResponse { return rs }},
		"a gap":         {"W3", func(s *watchStream, rs []mvcc.WatchResponse) []mvcc.WatchResponse { return append(rs[:1:1], rs[2:]...) }},
		"a repetition":  {"W3", func(s *watchStream, rs []mvcc.WatchResponse) []mvcc.WatchResponse { return append(rs[:2:2], rs[1:]...) }},
		"progress ahead of an event": {"W7", func(s *watchStream, rs []mvcc.WatchResponse) []mvcc.WatchResponse {
			return append(rs[:1:1], mvcc.WatchResponse{ID: 0, Revision: 3})
		}},
		"a split revision": {"W4", func(s *watchStream, rs []mvcc.WatchResponse) []mvcc.WatchResponse {
			rs[2].Events = rs[2].Events[:1]
			return rs
		}},
		"events before the creation": {"W9", func(s *watchStream, rs []mvcc.WatchResponse) []mvcc.WatchResponse { return rs[1:] }},
		"cancelled without a compaction": {"W9", func(s *watchStream, rs []mvcc.WatchResponse) []mvcc.WatchResponse {
			return append(rs[:1:1], mvcc.WatchResponse{ID: 0, Canceled: true, CompactRevision: 2})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := broken(t, func(w *World) {
				s, rs := watchedWorld(w)
				for _, r := range c.lie(s, rs) {
					s.checkResponse(&r)
				}
			})
			if c.check == "" && got != "" || c.check != "" && !strings.HasPrefix(got, c.check+" ") {
				t.Errorf("seen by %q, want %q", got, c.check)
			}
		})
	}
}

// watchedWorld gives the world a short history of its own, and a stream on it
// with what it must receive.
func watchedWorld(w *World) (*watchStream, []mvcc.WatchResponse) {
	m := newModel()
	w.oracle.model = m
	put := func(keys ...string) {
		t := write{m: m}
		for _, k := range keys {
			t.put(&mvcc.PutRequest{Key: []byte(k), Value: []byte("v" + k)})
		}
		t.end()
	}
	put("a")
	put("a", "b")
	put("c")
	s := &watchStream{w: w, node: w.nodes[0], opened: 1}
	at := &watcher{stream: s, from: 2, request: mvcc.WatchRequest{Key: []byte{0}, End: []byte{0}}}
	s.watchers = []*watcher{at}
	at.recordWatch(&at.request)
	rs := []mvcc.WatchResponse{{ID: 0, Created: true, Revision: 4}}
	byRevision := map[int64]int{}
	for _, c := range m.changes {
		if _, known := byRevision[c.main]; !known {
			byRevision[c.main] = len(rs)
			rs = append(rs, mvcc.WatchResponse{ID: 0, Revision: c.main})
		}
		r := &rs[byRevision[c.main]]
		r.Events = append(r.Events, &mvcc.Event{Type: mvcc.EventPut, KV: c.kv})
	}
	return s, rs
}
