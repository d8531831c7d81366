package raft

import (
	"cmp"
	"slices"
)

// Life is one run of a member's process. Every message tells of which one it
// is, and of what the disk held when it began: so any single message lets its
// receiver see that the disk was exchanged for an older copy of itself.
//
// A Life without a Nonce is not told: of messages that the own driver makes.
type Life struct {
	// Boot counts the member's starts, from 1; it is durable before anything is sent.
	Boot uint64
	// Nonce is drawn at random at the start. The copy of a disk counts its
	// starts from where it was taken, so two lives may share a Boot, not this.
	Nonce uint64
	// Term and Last are the durable term and last index at the start.
	Term Term
	Last Index
}

// PeerMark is the highest position that was heard of a member. All that it has
// promised rests on that position: what it is before any later life begins, its
// disk must hold, or it has forgotten promises and must not count (log-format,
// step 11).
type PeerMark struct {
	ID          NodeID
	Incarnation Incarnation
	// Boot and Nonce name the member's last life. Nonce 0: it was found to have
	// forgotten, and no life of this incarnation counts any more.
	Boot, Nonce uint64
	// Term is the highest that was durable there, Match what was acknowledged in it.
	Term  Term
	Match Index
}

// forgotten tells whether a life that began after what the mark tells of lacks
// some of it. Within a term a member's log is only ever cut where the term's
// leader disagrees, never below what it acknowledged to that leader; so the
// indexes of equal terms can be compared, and no others.
func (p *PeerMark) forgotten(l Life) bool {
	return l.Term < p.Term || l.Term == p.Term && l.Last < p.Match
}

// marks is what a member remembers of the others, by ID.
type marks struct {
	list []PeerMark
	// turns counts the changes that must not be lost, moves all of them.
	turns, moves uint64
}

func (s *marks) search(id NodeID) (int, bool) {
	return slices.BinarySearchFunc(s.list, id, func(p PeerMark, id NodeID) int { return cmp.Compare(p.ID, id) })
}

func (s *marks) find(id NodeID) *PeerMark {
	if k, ok := s.search(id); ok {
		return &s.list[k]
	}
	return nil
}

// disowned tells whether the member was found to have forgotten.
func (s *marks) disowned(id NodeID) bool {
	p := s.find(id)
	return p != nil && p.Nonce == 0
}

// load takes what was remembered before this start. The own row, if any, tells
// of what others remembered; it is the driver's.
func (s *marks) load(boot []PeerMark, own NodeID) {
	for _, p := range boot {
		if p.ID == own {
			continue
		}
		if k, ok := s.search(p.ID); !ok {
			s.list = slices.Insert(s.list, k, p)
		}
	}
}

// admit tells whether a message comes from a life of its sender that counts,
// and remembers what it tells. The sender is genuine. An earlier life's message
// may only be late, so it proves nothing; two lives of one count, or a later one
// that began with less than was heard before, prove that the disk is an old copy.
func (n *Node) admit(m *Message) bool {
	if m.Life.Nonce == 0 {
		return true
	}
	if _, ok := n.config().Find(m.From); !ok {
		return true
	}
	k, ok := n.marks.search(m.From)
	if !ok {
		n.marks.list = slices.Insert(n.marks.list, k, PeerMark{ID: m.From})
	}
	p := &n.marks.list[k]
	switch {
	case p.Incarnation != m.Incarnation:
		*p = PeerMark{ID: m.From, Incarnation: m.Incarnation, Boot: m.Life.Boot, Nonce: m.Life.Nonce, Term: m.Life.Term}
		n.marks.turned()
	case p.Nonce == 0 || m.Life.Boot < p.Boot:
		return false
	case m.Life.Boot == p.Boot && m.Life.Nonce != p.Nonce || m.Life.Boot > p.Boot && p.forgotten(m.Life):
		p.Nonce = 0
		n.marks.turned()
		n.event(EventMemberForgot, ReasonForgotten, m.From, p.Match)
		return false
	case m.Life.Boot > p.Boot:
		p.Boot, p.Nonce = m.Life.Boot, m.Life.Nonce
		n.marks.raise(p, m.Life.Term, 0)
		n.marks.turned()
	}
	n.marks.heard(p, m)
	return true
}

// heard raises a mark by what a message says to be durable: its term, save where
// that is one that nobody has begun, and what it acknowledges.
func (s *marks) heard(p *PeerMark, m *Message) {
	switch {
	case m.Type == RequestPreVote, m.Type == RequestPreVoteReply && !m.Reject:
	case m.Type == AppendEntriesReply && !m.Reject:
		s.raise(p, m.Term, m.Match)
	default:
		s.raise(p, m.Term, 0)
	}
}

func (s *marks) raise(p *PeerMark, term Term, match Index) {
	switch {
	case term > p.Term:
		p.Term, p.Match = term, match
		s.turned()
	case term == p.Term && match > p.Match:
		p.Match = match
		s.moves++
	}
}

func (s *marks) turned() { s.turns, s.moves = s.turns+1, s.moves+1 }

// pruneMarks forgets members that left: under its id another disk may come.
func (n *Node) pruneMarks() {
	before := len(n.marks.list)
	n.marks.list = slices.DeleteFunc(n.marks.list, func(p PeerMark) bool {
		_, ok := n.config().Find(p.ID)
		return !ok
	})
	if len(n.marks.list) != before {
		n.marks.turned()
	}
}

// PeerMarks is what this member remembers of the others, for its disk. turns and
// moves are counters: where turns grew it should be made durable soon (a boot, a
// term, a verdict), else moves tells whether there is anything new.
func (n *Node) PeerMarks() (list []PeerMark, turns, moves uint64) {
	return slices.Clone(n.marks.list), n.marks.turns, n.marks.moves
}

// MarksMoved is PeerMarks without the list.
func (n *Node) MarksMoved() (turns, moves uint64) { return n.marks.turns, n.marks.moves }

// Announce tells a member, or all with 0, of this life: whoever hears of it
// will know a later start of an older copy of this disk.
func (n *Node) Announce(to NodeID) {
	if n.life.Nonce == 0 || n.fence != nil {
		return
	}
	for _, m := range n.config().Members {
		if m.ID != n.cfg.ID && (to == 0 || to == m.ID) {
			n.sendInTerm(Message{Type: Announce, To: m.ID})
		}
	}
}

// Fence tells a member that a life of it does not count.
type Fence struct {
	// Nonce is that of the life.
	Nonce uint64
	// Mark is what is remembered of the member.
	Mark PeerMark
}

// disown refuses a message of a life that doesn't count, and says so. Its
// sender may be long gone (the message was late); then the answer meets a life
// with another nonce and is dropped.
func (n *Node) disown(m *Message) {
	n.drop(m, ReasonForgotten)
	n.sendInTerm(Message{Type: Disown, To: m.From, Fence: &Fence{Nonce: m.Life.Nonce, Mark: *n.marks.find(m.From)}})
}

// onDisown ends this member's part: a peer remembers more of it than its disk
// holds, so it may have voted or acknowledged what it no longer knows. It
// neither hears nor says anything from now on; the driver stops it.
func (n *Node) onDisown(m *Message) {
	mark := m.Fence.Mark
	if m.Fence.Nonce != n.life.Nonce || n.life.Nonce == 0 || mark.ID != n.cfg.ID || mark.Incarnation != n.cfg.Incarnation {
		n.drop(m, ReasonStale)
		return
	}
	n.fence = &FenceNotice{By: m.From, Mark: mark, Life: n.life}
	n.out.Fenced = n.fence
	if n.role != Follower {
		n.becomeFollower(n.term, 0, ReasonForgotten, m.From)
	}
	n.follow(0)
	n.event(EventDisowned, ReasonForgotten, m.From, mark.Match)
}

// FenceNotice tells the driver to stop this member for good.
type FenceNotice struct {
	// By is who remembers more; Mark is what, Life what this member began with.
	By   NodeID
	Mark PeerMark
	Life Life
}
