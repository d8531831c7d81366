package raft_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/holdfast-db/holdfast/raft"
)

// TestScripts runs the stories in testdata: each opens with its point in one
// sentence, gives commands to a cluster, and records the trace. After a change
// of behaviour run with -rewrite and read the difference.
//
// A trace line is a message when it is sent (n1@2 → n2 …: member 1 in term 2), an
// event (n1: became leader …), a write that the script holds back, an entry
// that is applied, or the answer to a read. Writes complete at once unless the
// member is on hold; messages wait on the network for deliver or stabilize.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{stash: map[string][]raft.Message{}}
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	*cluster
	stash map[string][]raft.Message
}

// run performs one command. "quiet" as an argument leaves its trace out.
func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	command, ok := commands[d.Cmd]
	if !ok {
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
	if s.cluster == nil && d.Cmd != "cluster" {
		d.Fatalf(t, "begin with cluster")
	}
	if s.cluster != nil {
		s.quiet = d.HasArg("quiet")
		s.out.Reset()
	}
	if err := command(s, d); err != nil {
		fmt.Fprintf(&s.out, "error: %v\n", err)
	}
	s.fail(s.logMatching())
	if s.failure != nil {
		t.Errorf("%s: %v", d.Pos, s.failure)
	}
	if s.out.Len() == 0 {
		return "ok"
	}
	return s.out.String()
}

var commands = map[string]func(*script, *datadriven.TestData) error{
	"cluster":     (*script).cmdCluster,     // cluster voters=3 [learners=1] [noprevote] [limit=value …]
	"join":        (*script).cmdJoin,        // join n4: starts a member that is in nobody's configuration
	"tick":        (*script).cmdTick,        // tick n1 [times=10]; without a member: all, in turn
	"expire":      (*script).cmdExpire,      // expire n1 n2: they have not heard a leader for an election timeout
	"disk":        (*script).cmdDisk,        // disk n1 log=(1,1,2) term=3 [commit=1]: restarts it with a log of these terms
	"campaign":    (*script).cmdCampaign,    // campaign n1
	"shorten":     (*script).cmdShorten,     // shorten n1 left=2
	"elect":       (*script).cmdElect,       // elect n1: campaign, then stabilize, without a trace
	"propose":     (*script).cmdPropose,     // propose n1 a b: two entries
	"deliver":     (*script).cmdDeliver,     // deliver [from=n1] [to=n2] [type=Heartbeat]: what is on the network now
	"drop":        (*script).cmdDrop,        // drop …: loses them
	"stash":       (*script).cmdStash,       // stash NAME …: delays them until unstash NAME
	"copy":        (*script).cmdCopy,        // copy NAME …: as stash, but leaves them on the network too
	"unstash":     (*script).cmdUnstash,     // unstash NAME: delivers them
	"stabilize":   (*script).cmdStabilize,   // delivers until nothing moves
	"hold":        (*script).cmdHold,        // hold n1: its writes wait
	"persist":     (*script).cmdPersist,     // persist n1: completes its oldest write
	"release":     (*script).cmdRelease,     // release n1: completes all, ends the hold
	"crash":       (*script).cmdCrash,       // crash n1: what is not durable is lost
	"restart":     (*script).cmdRestart,     // restart n1
	"wipe":        (*script).cmdWipe,        // wipe n1: it comes back with an empty disk
	"partition":   (*script).cmdPartition,   // partition n1 n2 | n3: no messages between the groups; others reach all
	"cut":         (*script).cmdCut,         // cut n1 n2: no messages from n1 to n2
	"heal":        (*script).cmdHeal,        // ends partitions and cuts
	"closed":      (*script).cmdClosed,      // closed n1 n2: n1 learns that n2's process is gone
	"unreachable": (*script).cmdUnreachable, // unreachable n1 n2
	"transfer":    (*script).cmdTransfer,    // transfer n1 [to=n2]
	"config":      (*script).cmdConfig,      // config n1 voter=n4 learner=n5 remove=n2
	"read":        (*script).cmdRead,        // read n1
	"snapshot":    (*script).cmdSnapshot,    // snapshot n1 [keep=2]: and compacts
	"status":      (*script).cmdStatus,      // status [n1]
	"progress":    (*script).cmdProgress,    // progress n1
	"log":         (*script).cmdLog,         // log: all members' logs
}

func parseNode(s string) (raft.NodeID, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(s, "n"), 10, 64)
	return raft.NodeID(id), err
}

// node returns the k-th member named on the command line.
func (s *script) node(d *datadriven.TestData, k int) (*member, error) {
	if k >= len(d.CmdArgs) {
		return nil, fmt.Errorf("which member?")
	}
	id, err := parseNode(d.CmdArgs[k].Key)
	if err != nil {
		return nil, err
	}
	m := s.member(id)
	if m == nil {
		return nil, fmt.Errorf("no member n%s", id)
	}
	return m, nil
}

func (s *script) live(d *datadriven.TestData, k int) (*member, error) {
	m, err := s.node(d, k)
	if err == nil && m.node == nil {
		err = fmt.Errorf("n%s is down", m.id)
	}
	return m, err
}

// on performs f on a live member and whatever follows from it.
func (s *script) on(d *datadriven.TestData, f func(*member) error) error {
	m, err := s.live(d, 0)
	if err != nil {
		return err
	}
	err = f(m)
	s.cluster.run(m)
	return err
}

func intArg(d *datadriven.TestData, key string, value int) int {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			value, _ = strconv.Atoi(a.Vals[0])
		}
	}
	return value
}

func (s *script) cmdCluster(d *datadriven.TestData) error {
	cfg := defaultConfig()
	for name, field := range map[string]*int{
		"messageEntries": &cfg.MessageEntriesMax, "messageBytes": &cfg.MessageBytesMax,
		"inflightMessages": &cfg.InflightMessagesMax, "inflightBytes": &cfg.InflightBytesMax,
		"uncommittedBytes": &cfg.UncommittedBytesMax, "tailEntries": &cfg.TailEntriesMax,
		"peerClosed": &cfg.PeerClosedTicks,
	} {
		*field = intArg(d, name, *field)
	}
	cfg.DisablePreVote = d.HasArg("noprevote")
	initial := voters(intArg(d, "voters", 3), intArg(d, "learners", 0))
	if !d.HasArg("unbound") {
		for k := range initial.Members {
			initial.Members[k].Incarnation = raft.Incarnation(100 + initial.Members[k].ID)
		}
	}
	s.cluster = newCluster(cfg, initial)
	s.bootTail = intArg(d, "bootTail", 1000)
	s.out.Reset()
	return nil
}

func (s *script) cmdJoin(d *datadriven.TestData) error {
	id, err := parseNode(d.CmdArgs[0].Key)
	if err == nil {
		s.start(s.add(id, raft.Configuration{}))
	}
	return err
}

func (s *script) cmdTick(d *datadriven.TestData) error {
	ms := s.members
	if m, err := s.live(d, 0); err == nil {
		ms = []*member{m}
	}
	for range intArg(d, "times", 1) {
		for _, m := range ms {
			if m.node != nil {
				s.tick(m)
			}
		}
		if d.HasArg("deliver") {
			s.stabilize()
		}
	}
	return nil
}

func (s *script) cmdExpire(d *datadriven.TestData) error {
	s.quiet = true
	before := slices.Clone(s.net)
	for k := range d.CmdArgs {
		m, err := s.live(d, k)
		if err != nil {
			return err
		}
		for range s.cfg.ElectionTicks {
			s.tick(m)
		}
	}
	s.net = before
	return nil
}

func (s *script) cmdDisk(d *datadriven.TestData) error {
	m, err := s.node(d, 0)
	if err != nil {
		return err
	}
	s.quiet = true
	terms, _ := d.Arg("log")
	m.disk.entries = nil
	for k, v := range terms.Vals {
		term, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return err
		}
		e := raft.Entry{Index: raft.Index(k + 1), Term: raft.Term(term), Type: raft.EntryCommand}
		if e.Data = []byte(e.ID().String()); k == 0 || terms.Vals[k-1] != v {
			e.Type, e.Data = raft.EntryNoop, nil // as its leader would have begun
		}
		e.CRC = raft.EntryCRC(e)
		m.disk.entries = append(m.disk.entries, e)
	}
	m.disk.hard = raft.HardState{Term: raft.Term(intArg(d, "term", 0)), Commit: raft.Index(intArg(d, "commit", 0))}
	s.crash(m)
	s.start(m)
	return nil
}

func (s *script) cmdCampaign(d *datadriven.TestData) error {
	return s.on(d, func(m *member) error { m.node.Campaign(); return nil })
}

func (s *script) cmdShorten(d *datadriven.TestData) error {
	return s.on(d, func(m *member) error { m.node.ShortenFirstWait(intArg(d, "left", 2)); return nil })
}

func (s *script) cmdElect(d *datadriven.TestData) error {
	s.quiet = true
	if err := s.cmdCampaign(d); err != nil {
		return err
	}
	s.stabilize()
	m, _ := s.node(d, 0)
	fmt.Fprintf(&s.out, "n%s is %s in term %d\n", m.id, m.node.Role(), m.node.Term())
	return nil
}

func (s *script) cmdPropose(d *datadriven.TestData) error {
	return s.on(d, func(m *member) error {
		var data [][]byte
		for _, a := range d.CmdArgs[1:] {
			if a.Key != "quiet" {
				data = append(data, []byte(a.Key))
			}
		}
		_, err := m.node.Propose(data)
		return err
	})
}

// selected returns the filter that from=, to= and type= describe.
func selected(d *datadriven.TestData) func(raft.Message) bool {
	return func(m raft.Message) bool {
		for _, a := range d.CmdArgs {
			if len(a.Vals) == 0 {
				continue
			}
			v := a.Vals
			if a.Key == "from" && !slices.Contains(v, "n"+m.From.String()) ||
				a.Key == "to" && !slices.Contains(v, "n"+m.To.String()) ||
				a.Key == "type" && !slices.Contains(v, m.Type.String()) {
				return false
			}
		}
		return true
	}
}

func (s *script) cmdDeliver(d *datadriven.TestData) error {
	s.deliver(selected(d))
	return nil
}

func (s *script) cmdDrop(d *datadriven.TestData) error {
	for _, m := range s.take(selected(d)) {
		s.logf("lost: %s", m)
		s.lost(m)
	}
	return nil
}

func (s *script) cmdStash(d *datadriven.TestData) error {
	name := d.CmdArgs[0].Key
	ms := s.take(selected(d))
	for _, m := range ms {
		s.logf("delayed: %s", m)
	}
	s.stash[name] = append(s.stash[name], ms...)
	return nil
}

func (s *script) cmdCopy(d *datadriven.TestData) error {
	before := slices.Clone(s.net)
	defer func() { s.net = before }()
	return s.cmdStash(d)
}

func (s *script) cmdUnstash(d *datadriven.TestData) error {
	for _, m := range s.stash[d.CmdArgs[0].Key] {
		s.logf("arrives: %s", m)
		s.receive(m)
	}
	delete(s.stash, d.CmdArgs[0].Key)
	return nil
}

func (s *script) cmdStabilize(*datadriven.TestData) error {
	s.stabilize()
	return nil
}

func (s *script) cmdHold(d *datadriven.TestData) error {
	return s.on(d, func(m *member) error { m.hold = true; return nil })
}

func (s *script) cmdPersist(d *datadriven.TestData) error {
	return s.on(d, func(m *member) error {
		if len(m.writes) == 0 {
			return fmt.Errorf("n%s writes nothing", m.id)
		}
		s.logf("n%s: w%d is durable", m.id, m.writes[0].Write)
		s.persist(m)
		return nil
	})
}

func (s *script) cmdRelease(d *datadriven.TestData) error {
	return s.on(d, func(m *member) error { m.hold = false; return nil })
}

func (s *script) cmdCrash(d *datadriven.TestData) error {
	m, err := s.live(d, 0)
	if err == nil {
		s.crash(m)
	}
	return err
}

func (s *script) cmdRestart(d *datadriven.TestData) error {
	m, err := s.node(d, 0)
	if err == nil {
		m.hold = false
		s.start(m)
	}
	return err
}

func (s *script) cmdWipe(d *datadriven.TestData) error {
	m, err := s.node(d, 0)
	if err == nil {
		s.wipe(m)
		for k := range m.disk.snap.Config.Config.Members {
			m.disk.snap.Config.Config.Members[k].Incarnation = 0
		}
	}
	return err
}

func (s *script) cmdPartition(d *datadriven.TestData) error {
	group := map[raft.NodeID]int{}
	g := 0
	for _, a := range d.CmdArgs {
		if a.Key == "|" {
			g++
			continue
		}
		id, err := parseNode(a.Key)
		if err != nil {
			return err
		}
		group[id] = g
	}
	for _, a := range s.members {
		for _, b := range s.members {
			ga, ok := group[a.id]
			gb, ok2 := group[b.id]
			if ok && ok2 && ga != gb {
				s.cut[[2]raft.NodeID{a.id, b.id}] = true
			}
		}
	}
	return nil
}

func (s *script) cmdCut(d *datadriven.TestData) error {
	a, err := s.node(d, 0)
	if err != nil {
		return err
	}
	b, err := s.node(d, 1)
	if err == nil {
		s.cut[[2]raft.NodeID{a.id, b.id}] = true
	}
	return err
}

func (s *script) cmdHeal(*datadriven.TestData) error {
	clear(s.cut)
	return nil
}

func (s *script) cmdClosed(d *datadriven.TestData) error {
	other, err := s.node(d, 1)
	if err != nil {
		return err
	}
	return s.on(d, func(m *member) error { m.node.PeerClosed(other.id); return nil })
}

func (s *script) cmdUnreachable(d *datadriven.TestData) error {
	other, err := s.node(d, 1)
	if err != nil {
		return err
	}
	return s.on(d, func(m *member) error { m.node.PeerUnreachable(other.id); return nil })
}

func (s *script) cmdTransfer(d *datadriven.TestData) error {
	return s.on(d, func(m *member) error { return m.node.Transfer(raft.NodeID(nodeArg(d, "to"))) })
}

func nodeArg(d *datadriven.TestData, key string) raft.NodeID {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			id, _ := parseNode(a.Vals[0])
			return id
		}
	}
	return 0
}

func (s *script) cmdConfig(d *datadriven.TestData) error {
	var ch raft.ConfigChange
	for _, a := range d.CmdArgs[1:] {
		for _, v := range a.Vals {
			id, err := parseNode(v)
			if err != nil {
				return err
			}
			switch a.Key {
			case "remove":
				ch.Remove = append(ch.Remove, id)
			case "voter", "learner", "rebind":
				row := raft.Member{ID: id, Voter: a.Key == "voter"}
				if m := s.member(id); a.Key == "rebind" {
					row.Incarnation = m.incarnation
				}
				ch.Set = append(ch.Set, row)
			}
		}
	}
	return s.on(d, func(m *member) error {
		_, err := m.node.ProposeConfig(ch)
		return err
	})
}

func (s *script) cmdRead(d *datadriven.TestData) error {
	return s.on(d, func(m *member) error {
		_, err := m.node.ReadIndex()
		return err
	})
}

func (s *script) cmdSnapshot(d *datadriven.TestData) error {
	return s.on(d, func(m *member) error {
		s.snapshot(m, raft.Index(intArg(d, "keep", 0)))
		fmt.Fprintf(&s.out, "n%s: snapshot %s of config %s, log begins at %d\n",
			m.id, m.disk.snap.Last, m.disk.snap.Config.Config, m.disk.prev.Index+1)
		return nil
	})
}

func (s *script) cmdStatus(d *datadriven.TestData) error {
	for _, m := range s.members {
		if len(d.CmdArgs) > 0 && d.CmdArgs[0].Key != "n"+m.id.String() {
			continue
		}
		if m.node == nil {
			fmt.Fprintf(&s.out, "n%s: down\n", m.id)
			continue
		}
		st := m.node.Status()
		fmt.Fprintf(&s.out, "n%s: %s term=%d vote=n%s leader=n%s commit=%d applied=%d last=%d durable=%d config=%s at %d\n",
			m.id, st.Role, st.Term, st.Vote, st.Leader, st.Commit, st.Applied, st.Last, st.Persisted,
			st.Config.Config, st.Config.At.Index)
	}
	return nil
}

func (s *script) cmdProgress(d *datadriven.TestData) error {
	return s.on(d, func(m *member) error {
		for _, p := range m.node.Status().Progress {
			fmt.Fprintf(&s.out, "n%s: %s match=%d next=%d inflight=%dB active=%t learner=%t\n",
				p.ID, p.State, p.Match, p.Next, p.InflightBytes, p.RecentActive, p.Learner)
		}
		return nil
	})
}

func (s *script) cmdLog(*datadriven.TestData) error {
	for _, m := range s.members {
		if m.node == nil {
			fmt.Fprintf(&s.out, "n%s: down\n", m.id)
			continue
		}
		cp := m.node.Checkpoint()
		fmt.Fprintf(&s.out, "n%s:", m.id)
		if cp.Prev.Index > 0 {
			fmt.Fprintf(&s.out, " (%s)", cp.Prev)
		}
		for i := cp.Prev.Index + 1; i <= cp.End.Index; i++ {
			term, _ := m.node.TermAt(i)
			fmt.Fprintf(&s.out, " %d@%d", i, term)
			if i == cp.Commit {
				s.out.WriteString(" |")
			}
		}
		s.out.WriteString("\n")
	}
	return nil
}
