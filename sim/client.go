package sim

import (
	"errors"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// client issues one operation at a time, as a thread of an application does.
type client struct {
	w      *World
	id     int
	user   string // "": no name
	node   raft.NodeID
	seq    int
	values int
	nested int // inner writes of the transaction at hand
	busy   *op
	stop   bool
	// role, if not nil, decides what this client does instead of the workload.
	role clientRole
	// known is what this client read last of each key, for compares.
	known map[string]mvcc.KeyValue
	// heard is the largest revision on the present connection, and which that is.
	heard     int64
	heardNode *Node
	heardLife uint64
}

// clientRole is a client with a purpose of its own.
type clientRole interface {
	// next is called when nothing is under way: at the start, and with every
	// operation that has ended.
	next(c *client, ended *op)
}

func (c *client) next(ended *op) {
	if c.stop {
		return
	}
	if c.role != nil {
		c.role.next(c, ended)
		return
	}
	c.w.at(c.w.loadDraw.around(c.w.plan.Load.ThinkMean), whatClient, 0, c.issue)
}

// issue draws an operation, chooses a member and sends it there.
func (c *client) issue() {
	if c.stop || c.busy != nil {
		return
	}
	o := &op{kind: c.w.load.kind()}
	c.compose(o)
	c.chooseNode()
	c.send(o)
}

// send begins an operation at the chosen member.
func (c *client) send(o *op) {
	w := c.w
	w.load.leases.touch(o.lease)
	c.seq++
	o.client, o.seq, o.call, o.floor = c.id, c.seq, w.now, w.load.told
	o.node = w.node(c.node)
	o.life = o.node.life
	c.busy = o
	w.load.ops = append(w.load.ops, o)
	w.count.add(CountOps)
	w.at(w.plan.Load.Timeout, whatClient, 0, func() { c.giveUp(o) })
	if w.phase == PhaseChaos && w.loadDraw.chance(w.plan.Load.LostPPM) {
		w.count.add("requests lost on the way")
		return
	}
	w.at(w.load.travel(), whatRequest, uint8(c.node), func() { c.arrive(o) })
}

func (c *client) chooseNode() {
	d := c.w.loadDraw
	if c.node == 0 || c.w.node(c.node).removed || d.percent(c.w.plan.Load.SwitchPercent) {
		c.node = c.w.load.anyMember(d)
	}
}

// arrive hands the operation to the member, if it is there.
func (c *client) arrive(o *op) {
	n := o.node
	if o.answer != AnswerPending {
		return // given up: the connection is gone
	}
	if !n.up {
		c.finish(o, AnswerRefused, replica.ErrStopped)
		c.node = 0
		return
	}
	if !n.clientUp {
		return // lost in a partition
	}
	o.life = n.life
	o.caller = n.caller(c.user)
	r := &replica.Request{Done: func(rep replica.Reply) { c.replied(o, rep) }, Lease: o.lease, Caller: o.caller}
	o.request = r
	switch {
	case o.write():
		r.Kind, r.Body = replica.Write, state.AppendBody(nil, o.body)
	case o.query != nil && o.query.Serializable:
		n.enqueue(replica.ReadLocalEvent{Request: r})
		return
	case o.query != nil:
		r.Kind = replica.Read
	case o.kind == opKeepAlive:
		r.Kind = replica.KeepAlive
	default:
		r.Kind = replica.TimeToLive
	}
	n.enqueue(replica.SubmitEvent{Requests: []*replica.Request{r}})
}

// replied is called on an actor's turn. What the server says is checked now,
// whether or not the client lives to hear it.
func (c *client) replied(o *op, rep replica.Reply) {
	w, n := c.w, o.node
	if o.kind == opKeepAlive && rep.Err == nil && rep.TTL > 0 && rep.GrantedTTL == 0 {
		c.takeBack(o, rep)
		return
	}
	if o.said != AnswerPending {
		w.unsafe("R10 one answer a request", uint8(n.id), "%s was answered twice", o.text())
	}
	o.said, o.err = classify(rep.Err), rep.Err
	if rep.View != nil && o.query != nil {
		c.readLater(o, rep)
		return
	}
	w.checkReply(o, rep)
	c.respond(o, w.load.answering-w.now)
}

// takeBack does what a server does before it answers that a lease with a
// checkpoint is renewed.
func (c *client) takeBack(o *op, renewed replica.Reply) {
	n := o.node
	r := &replica.Request{Kind: replica.Write, Body: state.AppendBody(nil, &state.LeaseCheckpointRequest{
		Checkpoints: []state.LeaseCheckpoint{{ID: o.lease}},
	})}
	r.Done = func(rep replica.Reply) {
		answer := replica.Reply{Err: rep.Err, TTL: renewed.TTL, GrantedTTL: renewed.TTL, Term: renewed.Term}
		if rep.Err == nil {
			answer.Err = rep.Result.Err
		}
		c.replied(o, answer)
	}
	n.later(c.w.reactions.between(1, 500), whatReply, func() {
		c.w.count.add("checkpoints taken back")
		n.enqueue(replica.SubmitEvent{Requests: []*replica.Request{r}})
	})
}

// readLater evaluates a read against its view, sometimes much later: a view
// must not change under its reader.
func (c *client) readLater(o *op, rep replica.Reply) {
	delay := c.w.load.answering - c.w.now
	if c.w.loadDraw.percent(10) {
		delay += c.w.loadDraw.between(0, 50*millisecond)
	}
	view := rep.View
	applied := c.w.oracle.model.rev
	o.node.later(delay, whatReply, func() {
		c.w.checkRead(o, view, applied)
		c.respond(o, 0)
	})
}

// respond sends the answer back.
func (c *client) respond(o *op, delay int64) {
	w, n := c.w, o.node
	n.later(delay, whatReply, func() {
		if !n.clientUp || w.phase == PhaseChaos && w.loadDraw.chance(w.plan.Load.LostPPM) {
			w.count.add("answers lost on the way")
			return
		}
		w.at(w.load.travel(), whatReply, uint8(n.id), func() {
			if o.answer == AnswerPending {
				c.finish(o, o.said, o.err)
			}
		})
	})
}

func (c *client) giveUp(o *op) {
	if o.answer == AnswerPending {
		c.w.count.add("client timeouts")
		c.finish(o, AnswerAmbiguous, replica.ErrTimeout)
	}
}

// finish ends an operation for its client.
func (c *client) finish(o *op, a Answer, err error) {
	w := c.w
	o.answer, o.err, o.ret = a, err, w.now
	w.load.leases.touch(o.lease)
	c.busy = nil
	w.trace.mark(w.now, whatReply, uint8(o.node.id), uint64(o.client)<<32|uint64(o.seq), uint64(a), uint64(o.revision))
	if w.trace.verbose() {
		w.trace.line(w.now, whatReply, uint8(o.node.id), "%s: %v revision %d %v", o.text(), a, o.revision, err)
	}
	switch a {
	case AnswerOK:
		w.count.add(CountAcked)
		c.checkSession(o)
		c.learn(o)
		w.load.readBack(o)
	case AnswerAmbiguous:
		w.count.add(CountAmbiguous)
		c.node = 0
	default:
		w.count.add("operations refused")
		if w.loadDraw.percent(50) {
			c.node = 0
		}
	}
	c.next(o)
}

// learn takes note of what an answer taught.
func (c *client) learn(o *op) {
	c.w.load.told = max(c.w.load.told, o.revision)
	if o.read != nil {
		for _, kv := range o.read.KVs {
			c.known[string(kv.Key)] = kv
		}
	}
}

func (a Answer) String() string {
	return [...]string{"pending", "ok", "refused", "ambiguous"}[a]
}

// classify reads a reply's error as api.go documents it.
func classify(err error) Answer {
	switch {
	case err == nil:
		return AnswerOK
	case errors.Is(err, replica.ErrTimeout), errors.Is(err, replica.ErrTimeoutLeaderFailed),
		errors.Is(err, replica.ErrTimeoutConnLost), errors.Is(err, replica.ErrStopped):
		return AnswerAmbiguous
	default:
		return AnswerRefused
	}
}
