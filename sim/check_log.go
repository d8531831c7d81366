package sim

import "github.com/holdfast-db/holdfast/raft"

// origin of an entry: what Log Matching says is unique for (index, term).
type entryOrigin struct {
	prev raft.Term
	crc  uint32
	at   int64 // µs, when it was first written anywhere
}

// checkWrites looks at writes to a log before they are durable: R3 (a leader
// never rewrites its log) and R4 (Log Matching: two entries of the same index
// and term are equal, and so are those before them, by induction).
func (n *Node) checkWrites(writes []*raft.Persist) {
	w := n.w
	for _, p := range writes {
		if p.Truncate != 0 && w.elected.leaders[p.HardState.Term] == n.id {
			w.unsafe("R3 leader append-only", uint8(n.id), "leader of term %d truncates from %d", p.HardState.Term, p.Truncate)
		}
		for i := range p.Entries {
			prev, known := n.termBefore(p, i)
			n.checkMatching(&p.Entries[i], prev, known)
		}
	}
}

// termBefore finds the term of the entry in front of entry i of a write. It is
// not known if unfinished writes stand between.
func (n *Node) termBefore(p *raft.Persist, i int) (raft.Term, bool) {
	if i > 0 {
		return p.Entries[i-1].Term, true
	}
	before := p.Entries[0].Index - 1
	switch s := &n.shadow; {
	case p.Reset != nil && p.Reset.Last.Index == before:
		return p.Reset.Last.Term, true
	case before == s.base.Index:
		return s.base.Term, true
	case before > s.base.Index && before <= s.last():
		return s.log[before-s.base.Index-1].term, true
	}
	return 0, false
}

func (n *Node) checkMatching(e *raft.Entry, prev raft.Term, known bool) {
	seen := n.w.oracle.entries
	if raft.EntryCRC(*e) != e.CRC {
		n.w.unsafe("S2 entries keep their content", uint8(n.id), "entry %v does not match its CRC", e.ID())
	}
	o, ok := seen[e.ID()]
	if !ok {
		if known {
			seen[e.ID()] = entryOrigin{prev: prev, crc: e.CRC, at: n.w.now}
		}
		return
	}
	if o.crc != e.CRC || known && o.prev != prev {
		n.w.unsafe("R4 log matching", uint8(n.id), "entry %v: crc %08x behind term %d, elsewhere %08x behind %d", e.ID(), e.CRC, prev, o.crc, o.prev)
	}
}
