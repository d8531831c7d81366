package raft

// Linearizable reads without a log entry (thesis §6.4). One round answers all
// reads that wait when it begins:
//
//	reads come in ─▶ collecting ─▶ round begins: index = commit, heartbeats with
//	                               the round's number ─▶ a quorum echoes it ─▶
//	                               all are answered with index
//
// An echo of round r proves that the sender followed this leader when r or
// something later was sent, so it counts for r and earlier rounds only. Reads
// that come while a round is under way wait for the next one: their answer must
// not rest on an echo that may be older than they are.

// reads is what every member keeps: its own questions.
type reads struct {
	seq   uint64
	next  ReadID      // handed out and not yet asked; zero: none
	asked []askedRead // sent to the leader
}

type askedRead struct {
	id    ReadID
	ticks int
}

// leaderReads is what a leader keeps: everybody's questions.
type leaderReads struct {
	waiting []remoteRead // of other members; the leader's own is reads.next
	flight  readRound
}

// remoteReadsMax bounds the questions of others that wait for a round. Who is
// turned away asks again.
const remoteReadsMax = 4096

type remoteRead struct {
	from NodeID
	id   ReadID
}

// readRound is the round under way; number 0: none.
type readRound struct {
	number uint64
	index  Index
	local  ReadID
	remote []remoteRead
}

// ReadIndex begins a linearizable read, or joins one that has not begun yet
// (then it returns the same id). The answer comes in Output.Reads. Every call
// after an answer or an error gets an id that was never used before.
//
// Errors: ErrNoLeader.
func (n *Node) ReadIndex() (ReadID, error) {
	r := &n.reads
	if n.leader == 0 {
		return ReadID{}, ErrNoLeader
	}
	if (r.next == ReadID{}) {
		r.seq++
		r.next = ReadID{Node: n.cfg.ID, Incarnation: n.cfg.Incarnation, Boot: n.cfg.Boot, Seq: r.seq}
	}
	return r.next, nil
}

// readsWaiting reports whether Output would send or answer a question.
func (n *Node) readsWaiting() bool {
	if n.role != Leader {
		return n.reads.next != ReadID{}
	}
	l := n.lead
	return l.reads.flight.number == 0 && n.log.commit >= l.noop &&
		(n.reads.next != ReadID{} || len(l.reads.waiting) > 0)
}

// askReads forwards this member's question to its leader.
func (n *Node) askReads() {
	r := &n.reads
	if n.role == Leader || !n.readsWaiting() {
		return
	}
	n.sendInTerm(Message{Type: ReadIndex, To: n.leader, Read: r.next})
	r.asked = append(r.asked, askedRead{id: r.next})
	r.next = ReadID{}
}

// startReadRound begins a round for all that wait. Not before an entry of this
// term is committed: until then the leader doesn't know the commit index
// (thesis §6.4 step 1; etcd #7331).
func (n *Node) startReadRound() {
	if !n.readsWaiting() {
		return
	}
	l := n.lead
	n.broadcastHeartbeat()
	l.reads.flight = readRound{
		number: l.round, index: n.log.commit, local: n.reads.next, remote: l.reads.waiting,
	}
	n.reads.next, l.reads.waiting = ReadID{}, nil
	n.confirmReads()
}

// confirmReads answers the round under way if a quorum has echoed it.
func (n *Node) confirmReads() {
	f := &n.lead.reads.flight
	if f.number == 0 || !n.config().quorum(n.echoed) {
		return
	}
	if (f.local != ReadID{}) {
		n.out.Reads = append(n.out.Reads, ReadReady{ID: f.local, Index: f.index, Term: n.term})
	}
	for _, r := range f.remote {
		n.send(Message{Type: ReadIndexReply, To: r.from, Read: r.id, Commit: f.index})
	}
	*f = readRound{}
}

// echoed reports whether a member still followed when the round had begun.
func (n *Node) echoed(id NodeID) bool {
	if id == n.cfg.ID {
		return true
	}
	p := n.lead.find(id)
	return p != nil && p.round >= n.lead.reads.flight.number
}

// onReadIndex takes the question of another member, a learner's too.
func (n *Node) onReadIndex(m *Message) {
	l := n.lead
	if len(l.reads.waiting) >= remoteReadsMax {
		n.drop(m, ReasonOverloaded)
		n.send(Message{Type: ReadIndexReply, To: m.From, Read: m.Read, Reject: true})
		return
	}
	l.reads.waiting = append(l.reads.waiting, remoteRead{m.From, m.Read})
}

// onReadIndexElsewhere: the sender believes that this member leads.
func (n *Node) onReadIndexElsewhere(m *Message) {
	n.drop(m, ReasonLeaderChanged)
	n.sendInTerm(Message{Type: ReadIndexReply, To: m.From, Read: m.Read, Reject: true})
}

// onReadIndexReply answers this member's own question.
func (n *Node) onReadIndexReply(m *Message) {
	for k, a := range n.reads.asked {
		if a.id != m.Read || m.From != n.leader {
			continue
		}
		n.reads.asked = append(n.reads.asked[:k:k], n.reads.asked[k+1:]...)
		ready := ReadReady{ID: m.Read, Index: m.Commit, Term: m.Term}
		if m.Reject {
			ready = ReadReady{ID: m.Read, Term: m.Term, Err: ErrLeaderChanged}
		}
		n.out.Reads = append(n.out.Reads, ready)
		return
	}
	n.drop(m, ReasonStale)
}

// tickReads gives up on questions that nobody answered: the message was lost.
func (n *Node) tickReads() {
	r := &n.reads
	for k := range r.asked {
		r.asked[k].ticks++
	}
	for len(r.asked) > 0 && r.asked[0].ticks >= n.cfg.ElectionTicks {
		n.failRead(r.asked[0].id, ReasonTimeout, ErrNoLeader)
		r.asked = r.asked[1:]
	}
}

// failAskedReads gives up on all questions to a leader that is no longer.
func (n *Node) failAskedReads(err error) {
	r := &n.reads
	for _, a := range r.asked {
		n.failRead(a.id, ReasonLeaderChanged, err)
	}
	if (r.next != ReadID{}) {
		n.failRead(r.next, ReasonLeaderChanged, err)
	}
	r.asked, r.next = nil, ReadID{}
}

// failLeaderReads gives up on everybody's questions: this member no longer
// leads, so an echo would prove nothing.
func (n *Node) failLeaderReads() {
	f := &n.lead.reads.flight
	if (f.local != ReadID{}) {
		n.failRead(f.local, ReasonLeaderChanged, ErrLeaderChanged)
	}
	for _, r := range append(f.remote, n.lead.reads.waiting...) {
		n.send(Message{Type: ReadIndexReply, To: r.from, Read: r.id, Reject: true})
	}
	*f, n.lead.reads.waiting = readRound{}, nil
}

func (n *Node) failRead(id ReadID, why Reason, err error) {
	n.event(EventRoundFailed, why, n.leader, 0)
	n.out.Reads = append(n.out.Reads, ReadReady{ID: id, Term: n.term, Err: err})
}
