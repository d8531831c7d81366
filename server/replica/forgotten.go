package replica

import (
	"errors"
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/wal"
)

// ErrForgotten: the data directory is an older copy of itself. Another member
// remembers more of this one than its disk held at the start, so it may have
// voted or acknowledged what it no longer knows.
var ErrForgotten = errors.New("replica: this data directory is an older copy of itself")

// forgotten says what is remembered, what was found, and what to do.
func forgotten(cfg *Config, who string, mark raft.PeerMark, found raft.Life) error {
	return fmt.Errorf("%w: %s start %d of member %x, with term %d and entry %d acknowledged in it; this is start %d, and %s held term %d and entry %d. "+
		"(A start is counted once; an equal count is that of another one.) The member may have voted for or acknowledged what it no longer holds, so it must not take part again. "+
		"Remove it from the cluster, move its data away, and add it anew: etcdctl member remove %x; etcdctl member add …",
		ErrForgotten, who, mark.Boot, uint64(cfg.Member), mark.Term, mark.Match, found.Boot, cfg.Dir, found.Term, found.Last, uint64(cfg.Member))
}

// checkRemembered refuses to start what was found to have forgotten at an
// earlier start: then super holds a row about this very member.
func checkRemembered(cfg *Config, rec *wal.Recovered) error {
	for _, p := range rec.Peers {
		if p.ID == cfg.Member {
			found := raft.Life{Boot: rec.Boot, Term: rec.HardState.Term, Last: rec.Last}
			return forgotten(cfg, "at an earlier start another member remembered", p, found)
		}
	}
	return nil
}

// markBook is what the core has told the log of its peers' marks.
type markBook struct {
	turns, moves uint64
	due          uint64 // tick of the next telling, if nothing presses
}

// flushMarks has the log keep what this member remembers of the others: at once
// after a start, a term or a verdict, else every second. So an old disk is found
// also by members that were started anew meanwhile.
func (c *Core) flushMarks(out *Output) {
	turns, moves := c.node.MarksMoved()
	if turns == c.marks.turns && (moves == c.marks.moves || c.now < c.marks.due) {
		return
	}
	list, _, _ := c.node.PeerMarks()
	c.marks = markBook{turns: turns, moves: moves, due: c.now + uint64(max(1_000_000/c.cfg.TickMicros, 1))}
	out.Events = append(out.Events, marksEvent{Peers: list})
}

// fenced has the log write down, before the process ends, that it must not be
// started again.
func (c *Core) fenced(f *raft.FenceNotice, out *Output) {
	list, _, _ := c.node.PeerMarks()
	own := f.Mark
	own.ID = c.cfg.Member
	err := forgotten(&c.cfg, fmt.Sprintf("member %x remembers", uint64(f.By)), f.Mark, f.Life)
	out.Events = append(out.Events, marksEvent{Peers: append([]raft.PeerMark{own}, list...), Fenced: err})
}

// marks takes what the core remembers of the peers. With a verdict about this
// member the process ends as soon as super tells of it.
func (l *Log) marks(ev marksEvent) {
	if l.fenced != nil {
		return
	}
	l.wal.SetPeers(ev.Peers)
	l.fenced = ev.Fenced
}

// endFenced is asked after each job.
func (l *Log) endFenced(out *Output) {
	if l.fenced != nil && l.wal.Remembers(l.cfg.Member) {
		out.Fatal = l.fenced
	}
}
