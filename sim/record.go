package sim

import (
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// Recording is what a run looked like, for drawing it (package sim/report). It
// is made only if Options.Record asks for it, and changes nothing about the run.
// Times are µs.
type Recording struct {
	Phases []PhaseMark
	Roles  []RoleMark
	Lives  []Life
	// Frames are the last ones that were sent.
	Frames  []FrameMark
	Logs    []LogView
	Actions []Action
	Ops     []OpMark
}

// PhaseMark: a phase begins.
type PhaseMark struct {
	At   int64
	Name string
}

// RoleMark: from now on a member has this role in this term.
type RoleMark struct {
	At   int64
	Node uint8
	Role string
	Term uint64
}

// Life is one process: To is -1 if it lives at the end.
type Life struct {
	Node     uint8
	From, To int64
}

// FrameMark is a message between members. Arrives is -1 if it was lost.
type FrameMark struct {
	Sent, Arrives int64
	From, To      uint8
	Text          string
}

// LogView is a member's log at the end of the run: in memory if its process
// lives, else as its disk has it.
type LogView struct {
	Node            uint8
	Up, Removed     bool
	Role            string
	Term            uint64
	First           uint64   // index of Terms[0]; what is before is in a snapshot
	Terms           []uint64 // of each entry
	Commit, Applied uint64
}

// OpMark is one operation of a client.
type OpMark struct {
	Client    int
	Node      uint8
	Call, Ret int64 // Ret is -1 while nobody has heard of an answer
	Text      string
	Answer    string
	Revision  int64
}

// framesMax bounds the frames of a recording: the last ones are what is looked at.
const framesMax = 4000

// recorder makes a Recording; nil does nothing.
type recorder struct {
	Recording
	next int // of the ring of frames
}

func (r *recorder) phase(at int64, p Phase) {
	if r != nil {
		r.Phases = append(r.Phases, PhaseMark{at, p.String()})
	}
}

func (r *recorder) role(n *Node, role raft.Role, term raft.Term) {
	if r != nil {
		r.Roles = append(r.Roles, RoleMark{n.w.now, uint8(n.id), role.String(), uint64(term)})
	}
}

func (r *recorder) started(n *Node) {
	if r != nil {
		r.Lives = append(r.Lives, Life{uint8(n.id), n.w.now, -1})
	}
}

func (r *recorder) stopped(n *Node) {
	if r == nil {
		return
	}
	for i := len(r.Lives) - 1; i >= 0; i-- {
		if l := &r.Lives[i]; l.Node == uint8(n.id) {
			if l.To < 0 {
				l.To = n.w.now
			}
			return
		}
	}
}

// frame notes a message; delay is -1 if it is lost.
func (r *recorder) frame(w *World, from, to raft.NodeID, frame []byte, delay int64) {
	if r == nil {
		return
	}
	m := FrameMark{Sent: w.now, Arrives: -1, From: uint8(from), To: uint8(to), Text: "a damaged frame"}
	if delay >= 0 {
		m.Arrives = w.now + delay
	}
	if f, _, err := transport.DecodeFrame(frame); err == nil {
		m.Text = frameText(f)
	}
	if len(r.Frames) < framesMax {
		r.Frames = append(r.Frames, m)
		return
	}
	r.Frames[r.next%framesMax] = m
	r.next++
}

// finish adds what is there at the end.
func (r *recorder) finish(w *World) *Recording {
	if r == nil {
		return nil
	}
	at := r.next % max(1, len(r.Frames))
	r.Frames = append(append([]FrameMark{}, r.Frames[at:]...), r.Frames[:at]...)
	for _, n := range w.nodes {
		if n.life > 0 {
			r.Logs = append(r.Logs, n.logView())
		}
	}
	r.Actions = w.script
	if w.load == nil {
		return &r.Recording
	}
	for _, o := range w.load.ops {
		m := OpMark{Client: o.client, Call: o.call, Ret: o.ret, Text: o.label(), Answer: o.answer.String(), Revision: o.revision, Node: uint8(o.node.id)}
		if o.answer == AnswerPending {
			m.Ret = -1
		}
		if o.err != nil {
			m.Answer += ": " + o.err.Error()
		}
		r.Ops = append(r.Ops, m)
	}
	return &r.Recording
}

// logView shows what a member has.
func (n *Node) logView() LogView {
	v := LogView{Node: uint8(n.id), Up: n.up, Removed: n.removed, Applied: n.last.applied}
	if !n.up || n.rep == nil {
		v.Term, v.First = uint64(n.shadow.hard.Term), uint64(n.shadow.base.Index)+1
		for _, e := range n.shadow.log {
			v.Terms = append(v.Terms, uint64(e.term))
		}
		return v
	}
	s := raftOf(n.rep).Status()
	v.Role, v.Term, v.Commit, v.First = s.Role.String(), uint64(s.Term), uint64(s.Commit), uint64(s.First)
	for i := s.First; i <= s.Last; i++ {
		t, _ := termAt(raftOf(n.rep), i) // every index of the log has one
		v.Terms = append(v.Terms, uint64(t))
	}
	return v
}

// label is the operation with its key or range, in a few words.
func (o *op) label() string {
	d := o.details()
	const most = 160
	if len(d) > most {
		d = fmt.Sprintf("%.*s…", most, d)
	}
	return d
}
