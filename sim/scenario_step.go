package sim

import (
	"strings"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// deed reads what a step does.
func (t *tokens) deed() (deed, error) {
	switch t.peek() {
	case "wait":
		t.next()
		d, err := t.duration()
		return &waitDeed{d}, err
	case "name":
		t.next()
		return t.nameDeed()
	case "put", "send":
		return t.putDeed()
	case "expect":
		t.next()
		return t.expectation()
	}
	if verbs[t.peek()] == nil {
		return nil, t.want("an action (" + strings.Join(verbNames(), ", ") + "), put, send, expect, wait or name")
	}
	a, err := t.action()
	return &actionDeed{a}, err
}

// actionDeed does something to the world. A story in which it has nothing to do
// it to has gone another way than its author meant; a script that was recorded,
// and maybe cut, goes on.
type actionDeed struct{ Action }

func (d *actionDeed) run(w *World, s *step) {
	if !w.perform(d.Action) && !w.plan.Drawn {
		w.storyFails(s, "there is nothing to do it to")
	}
}

// waitDeed lets time pass.
type waitDeed struct{ micros int64 }

func (d *waitDeed) run(w *World, _ *step) { w.runUntil(w.now+d.micros, nil) }

// nameDeed gives the present bearer of a role a name for the rest of the story.
type nameDeed struct {
	name string
	who  Who
}

func (t *tokens) nameDeed() (deed, error) {
	d := &nameDeed{}
	name, err := t.who()
	if err == nil && (name.ID != 0 || name.Name == leaderName) {
		return nil, t.fail("a name is a word other than leader")
	}
	if err != nil {
		return nil, err
	}
	d.name = name.Name
	d.who, err = t.who()
	return d, err
}

func (d *nameDeed) run(w *World, s *step) {
	n := w.who(d.who)
	if n == nil {
		w.storyFails(s, "there is no %s now", d.who)
	}
	w.bind(d.name, n.id)
}

// putDeed writes a key, or with "send get" reads it: put waits for the
// acknowledgement, send doesn't.
type putDeed struct {
	key, value string
	label      string // of the operation; the key if none is given
	on         Who    // zero: the leader
	send       bool
}

func (t *tokens) putDeed() (deed, error) {
	d := &putDeed{send: t.take("send")}
	put := t.take("put")
	if !put && !(d.send && t.take("get")) {
		return nil, t.want("put or get")
	}
	if d.key = t.next(); d.key == "" {
		return nil, t.want("a key")
	}
	if put {
		if d.value = t.next(); d.value == "" {
			return nil, t.want("a value")
		}
	}
	d.label = d.key
	var err error
	if t.take("on") {
		if d.on, err = t.who(); err != nil {
			return nil, err
		}
	}
	if t.take("as") {
		if d.label = t.next(); d.label == "" {
			return nil, t.want("a label")
		}
	}
	return d, nil
}

func (d *putDeed) run(w *World, s *step) {
	o := &op{kind: opPut, given: true}
	if d.value != "" {
		o.body = &mvcc.PutRequest{Key: []byte(d.key), Value: []byte(d.value)}
	} else {
		o.kind, o.query = opGet, &mvcc.RangeRequest{Key: []byte(d.key)}
	}
	w.tell(s, o, d.on)
	w.labels[d.label] = o
	if d.send {
		return
	}
	w.runUntil(w.now+patience, func() bool { return o.answer != AnswerPending })
	if o.answer != AnswerOK {
		w.storyFails(s, "the answer is %v (%v)", o.answer, o.err)
	}
}

// patience is how long a step waits for what it wants, if it doesn't say.
const patience = 10 * second

// probe writes again and again, for a run without clients, until a write succeeds.
func (w *World) probe() (done func() bool) {
	var o *op
	return func() bool {
		switch n := w.leader(); {
		case o != nil && o.answer == AnswerPending:
			return false
		case o != nil && o.answer == AnswerOK:
			return true
		case n != nil:
			o = &op{kind: opPut, given: true, body: &mvcc.PutRequest{Key: []byte("probe"), Value: []byte(micros(w.now).String())}}
			w.teller(n).send(o)
		}
		return false
	}
}

// teller makes a client that asks one member once.
func (w *World) teller(n *Node) *client {
	w.tellers++
	return &client{w: w, id: tellerIDs + w.tellers, node: n.id, known: map[string]mvcc.KeyValue{}, stop: true}
}

// tell lets a client of the story ask a member, or whoever leads.
func (w *World) tell(s *step, o *op, on Who) {
	if on == (Who{}) {
		on = Who{Name: leaderName}
		w.runUntil(w.now+patience, func() bool { return w.leader() != nil })
	}
	n := w.who(on)
	if n == nil {
		w.storyFails(s, "there is no member %s to ask", on)
	}
	w.teller(n).send(o)
}

// tellerIDs is where the ids of a story's clients begin: each asks once.
const tellerIDs = 1000

// noteWrites remembers which entries hold the requests of a story.
func (w *World) noteWrites(writes []*raft.Persist) {
	if w.placed == nil {
		return
	}
	for _, p := range writes {
		for i := range p.Entries {
			e := &p.Entries[i]
			if e.Type != raft.EntryCommand {
				continue
			}
			for batch := state.OpenBatch(e.Data); batch.Next(); {
				w.placed[batch.Command.ID] = append(w.placed[batch.Command.ID], e.ID())
			}
		}
	}
}

// holds tells whether a member's disk has the operation in its log.
func (n *Node) holds(o *op) bool {
	if o.request == nil {
		return false
	}
	for _, id := range n.w.placed[replica.RequestIDOf(o.request)] {
		if n.shadow.holds(id) {
			return true
		}
	}
	return false
}

// committed tells whether the operation is part of the one log.
func (w *World) committed(o *op) bool {
	if o.request == nil {
		return false
	}
	out := w.oracle.outcomes[replica.RequestIDOf(o.request)]
	return out != nil && out.applied
}
