package sim

import (
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
)

// shadow is what a member must find on its disk after a crash, kept beside the
// disk from the writes whose sync has completed. The same shadow answers
// "what is durable where" (R7), "what did this member promise" (R2), and, after
// a restart, "did recovery find exactly that" (S1).
//
// Invariants:
//  1. The log is base, then one entry for each element of log, contiguous.
//  2. inflight are writes that began and whose end was not seen: a crash leaves
//     each of them, in order, whole or not at all.
type shadow struct {
	hard     raft.HardState
	base     raft.EntryID
	log      []entryMark
	inflight []*raft.Persist
}

// entryMark is the identity of an entry without its payload.
type entryMark struct {
	term raft.Term
	crc  uint32
}

func (s *shadow) init() { *s = shadow{} }

func (s *shadow) last() raft.Index { return s.base.Index + raft.Index(len(s.log)) }

// holds tells whether the entry is durable here; what a snapshot covers is.
func (s *shadow) holds(id raft.EntryID) bool {
	if id.Index <= s.base.Index {
		return true
	}
	return id.Index <= s.last() && s.log[id.Index-s.base.Index-1].term == id.Term
}

func (s *shadow) end() raft.EntryID {
	if len(s.log) == 0 {
		return s.base
	}
	return raft.EntryID{Term: s.log[len(s.log)-1].term, Index: s.last()}
}

func (s *shadow) begin(writes []*raft.Persist) { s.inflight = append(s.inflight, writes...) }

// finish makes the writes up to one durable, and returns them. Others wait on:
// a full disk holds them back.
func (s *shadow) finish(upTo raft.Write) []*raft.Persist {
	i := 0
	for i < len(s.inflight) && s.inflight[i].Write <= upTo {
		s.write(s.inflight[i])
		i++
	}
	done := s.inflight[:i:i]
	s.inflight = s.inflight[i:]
	return done
}

func (s *shadow) write(p *raft.Persist) {
	s.hard = p.HardState
	if p.Reset != nil {
		s.base, s.log = p.Reset.Last, nil
	}
	if p.Truncate != 0 && p.Truncate <= s.last() {
		if p.Truncate <= s.base.Index {
			panic(fmt.Sprintf("sim: write %d truncates from %d, below the snapshot %v", p.Write, p.Truncate, s.base))
		}
		s.log = s.log[:p.Truncate-s.base.Index-1]
	}
	for i := range p.Entries {
		e := &p.Entries[i]
		if e.Index != s.last()+1 {
			panic(fmt.Sprintf("sim: write %d appends %v behind %d", p.Write, e.ID(), s.last()))
		}
		s.log = append(s.log, entryMark{term: e.Term, crc: e.CRC})
	}
}

func (s *shadow) clone() shadow {
	c := *s
	c.log = append([]entryMark(nil), s.log...)
	c.inflight = nil
	return c
}

// outcomes lists what a crash may have left: none of the unfinished writes,
// the first, the first two, … With perEntry (sync policy "always") a write goes
// to disk one entry at a time.
func (s *shadow) outcomes(perEntry bool) []shadow {
	list := []shadow{s.clone()}
	for _, p := range s.inflight {
		if perEntry {
			for i := 1; i < len(p.Entries); i++ {
				part := *p
				part.Entries = p.Entries[:i]
				c := s.before(p)
				c.write(&part)
				list = append(list, c)
			}
		}
		c := s.before(p)
		c.write(p)
		list = append(list, c)
	}
	return list
}

// before is the shadow with all unfinished writes in front of p.
func (s *shadow) before(p *raft.Persist) shadow {
	c := s.clone()
	for _, q := range s.inflight {
		if q == p {
			break
		}
		c.write(q)
	}
	return c
}

// kept is what a member held under the name that the others know it by: what it
// acknowledged before its disk was wiped was true then.
func (n *Node) kept() *shadow {
	if n.wiped != nil {
		return n.wiped
	}
	return &n.shadow
}

// keeps tells whether a member still stands by the term and the vote that it had
// made durable.
func (s *shadow) keeps(found raft.Status) bool {
	return found.Term > s.hard.Term || found.Term == s.hard.Term && (s.hard.Vote == 0 || found.Vote == s.hard.Vote)
}

func (s *shadow) text() string {
	return fmt.Sprintf("term %d vote %v log (%v, %v]", s.hard.Term, s.hard.Vote, s.base, s.end())
}
