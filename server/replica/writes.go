package replica

import (
	"bytes"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/transport"
)

// writeQueue holds requests until they are proposed here or sent to the leader.
type writeQueue struct {
	// own were submitted by this member's clients. With no leader in sight they
	// wait here, safe to give up at any time: nobody has seen them.
	own []*Request
	// later were refused by an overloaded leader and are sent again with the
	// next tick.
	later    []*Request
	laterSeq map[uint64]bool // of later: each once
	// foreign were sent by other members, which know them by sequence number.
	foreign []state.Encoded
	// internal come from this member's own apply actor (expired leases).
	internal []state.Encoded
	// reconfigure are membership changes, one entry each; foreign ones too.
	reconfigure []*Request
	// answers to followers, gathered into one frame for each.
	refused map[raft.NodeID]*refusals
	order   []raft.NodeID // of refused, in order of arrival
}

type refusals struct {
	boot    uint64
	answers []answer
}

// submit is the gate for this member's own clients.
func (c *Core) submit(r *Request) {
	r.deadline = c.now + uint64(c.cfg.RequestTimeoutTicks)
	if r.Kind == TransferLeader {
		c.transfer(r)
		return
	}
	if err := c.admit(r); err != nil {
		r.Done(Reply{Err: err})
		return
	}
	switch r.Kind {
	case Write:
		if c.persist.low && !makesRoom(r.Body) {
			r.Done(Reply{Err: state.ErrNoSpace})
			return
		}
		r.term = c.term
		c.writes.own = append(c.writes.own, r)
	case Read, KeepAlive, TimeToLive:
		c.reads.waiting = append(c.reads.waiting, r)
	case Reconfigure, ChangeMember:
		r.term = c.term
		c.writes.reconfigure = append(c.writes.reconfigure, r)
	default:
		panic("replica: request of unknown kind")
	}
}

// number gives requests their identity, for ever, just before they leave. The
// numbers of registered requests are consecutive, so the window of those still
// waiting can't be stretched by requests that nobody waits for.
func (c *Core) number(rs []*Request) {
	for _, r := range rs {
		if r.id.Seq == 0 {
			c.origin.Seq++
			r.id = c.origin
		}
	}
}

// unnumber takes the numbers back from requests that did not leave after all;
// they are the last ones given out.
func (c *Core) unnumber(rs []*Request) {
	for _, r := range rs {
		if r.Done != nil && r.id.Seq != 0 {
			c.origin.Seq--
			r.id = state.RequestID{}
		}
	}
}

// admit refuses work that would only queue up: too much committed and not yet
// applied (etcd: "too many requests"), or too many requests waiting here. The
// window of unanswered sequence numbers stays below what state remembers of
// each member, so that a repeated command is always recognised.
func (c *Core) admit(r *Request) error {
	if c.overloaded(r.Kind, r.Body) {
		return ErrTooManyRequests
	}
	unanswered := int(c.origin.Seq+1-c.pendingFrom) + len(c.writes.own) + len(c.writes.reconfigure)
	asking := len(c.reads.waiting) + len(c.reads.round) + len(c.asked.bySeq)
	if max(unanswered, asking) >= c.cfg.PendingMax {
		return ErrTooManyRequests
	}
	return nil
}

// overloaded tells that too much is committed and not yet applied for one more
// request. With PriorityRevoke the end of a lease gets twice the room (etcd's
// PriorityRequest): keys whose owner is gone must not stay because others write.
func (c *Core) overloaded(kind RequestKind, body []byte) bool {
	gap, room := int64(c.node.Commit())-int64(c.applied), int64(c.cfg.ApplyGapMax)
	if gap > room && c.cfg.PriorityRevoke && kind == Write && state.IsLeaseRevoke(body) {
		room *= 2
	}
	return gap > room
}

// makesRoom tells the commands that are admitted while the log's disk is full:
// what is left of its reserve is for those that help (log-format, "Failing
// disks").
func makesRoom(encoded []byte) bool {
	body, err := state.DecodeBody(encoded)
	if err != nil {
		return false
	}
	switch body.(type) {
	case *state.AlarmRequest, *state.LeaseRevokeRequest, *state.CompactRequest:
		return true
	}
	return false
}

func (c *Core) flushWrites(out *Output) {
	switch {
	case c.role == raft.Leader:
		c.propose(out)
	case c.leader != 0:
		c.forwardWrites(out)
	}
	if c.role != raft.Leader {
		c.refuseForeign(answerNotLeader)
		c.writes.internal = nil
	}
	c.flushReconfigure(out)
	c.flushRefusals(out)
}

// propose turns everything that waits into as few entries as fit.
//
// Not before the log holds a configuration: a cluster's first one stands only
// in its members' settings, and a member that joins later has another there. A
// command is admitted by its origin's row in the member table, so that table
// must come from the log wherever the log is replayed. (Raft binds the first
// leader's incarnation at once, with a configuration entry, so nobody waits.)
func (c *Core) propose(out *Output) {
	w := &c.writes
	if len(w.own)+len(w.foreign)+len(w.internal) == 0 || c.configAt.Index == 0 {
		return
	}
	c.number(w.own)
	commands := make([]state.Encoded, 0, len(w.own)+len(w.foreign)+len(w.internal))
	for _, r := range w.own {
		commands = append(commands, state.Encoded{ID: r.id, Caller: r.Caller, Body: r.Body})
	}
	commands = append(commands, w.foreign...)
	commands = append(commands, w.internal...)
	for i := range commands {
		commands[i].Term = uint64(c.term)
	}
	if _, err := c.node.Propose(c.entries(commands)); err != nil {
		c.unnumber(w.own)
		c.proposalRefused(err, out)
		return
	}
	c.register(w.own, out)
	w.own, w.foreign, w.internal = nil, nil, nil
}

// register hands requests to the apply actor, which will meet their outcome.
// Repeated ones are registered already.
func (c *Core) register(own []*Request, out *Output) {
	fresh := make([]*Request, 0, len(own))
	for _, r := range own {
		if r.Done != nil {
			fresh = append(fresh, r)
		}
	}
	if len(fresh) > 0 {
		out.Events = append(out.Events, registerEvent{Requests: fresh, Now: c.now})
	}
}

// entries packs commands into entry payloads within the limits.
func (c *Core) entries(commands []state.Encoded) [][]byte {
	var datas [][]byte
	for len(commands) > 0 {
		n, bytes := 0, 0
		for n < len(commands) && n < c.cfg.BatchCommandsMax {
			size := len(commands[n].Body)
			if n > 0 && bytes+size > c.cfg.BatchBytesMax {
				break
			}
			bytes += size
			n++
		}
		datas = append(datas, state.AppendBatch(make([]byte, 0, bytes+32*n+16), commands[:n]))
		commands = commands[n:]
	}
	return datas
}

// proposalRefused: nothing was appended. Overload is told to the client at
// once; a transfer under way is waited for.
func (c *Core) proposalRefused(err error, out *Output) {
	if err != raft.ErrOverloaded {
		return // held: the new leader gets them, or their deadline
	}
	for _, r := range c.writes.own {
		if r.Done == nil {
			c.writes.sendLater(r) // an earlier copy may have been taken
			continue
		}
		r.Done(Reply{Err: ErrTooManyRequests})
	}
	c.writes.own, c.writes.internal = nil, nil
	c.refuseForeign(answerTooMany)
}

// forwardWrites sends the clients' requests to the leader. From here on they
// are ambiguous. They are sent again only if the leader says that it didn't
// take them; and should the network have delivered two copies, one of which an
// earlier leader did take, the request id makes the second one void.
func (c *Core) forwardWrites(out *Output) {
	own := c.writes.own
	c.writes.own = nil
	c.forward(own, out)
}

// forward sends requests that nobody has seen yet, or that may be sent again.
func (c *Core) forward(own []*Request, out *Output) {
	if len(own) == 0 {
		return
	}
	c.number(own)
	c.register(own, out)
	for _, batch := range c.splitForward(own) {
		c.sendFrame(c.leader, appendForward(c.origin.Incarnation, c.origin.Boot, batch), out)
	}
}

// splitForward cuts requests into batches within the limits of a frame.
func (c *Core) splitForward(rs []*Request) [][]*Request {
	var batches [][]*Request
	start, bytes := 0, 0
	for i, r := range rs {
		if i > start && (bytes+len(r.Body) > c.cfg.BatchBytesMax || i-start >= c.cfg.BatchCommandsMax) {
			batches = append(batches, rs[start:i])
			start, bytes = i, 0
		}
		bytes += len(r.Body)
	}
	return append(batches, rs[start:])
}

// frame handles what comes from another member.
func (c *Core) frame(ev FrameEvent, out *Output) {
	switch {
	case ev.message != nil:
		c.node.Receive(*ev.message)
	case ev.forward != nil:
		c.forwarded(ev.from, ev.forward)
	case ev.answers != nil && ev.answers.boot == c.origin.Boot:
		for _, a := range ev.answers.answers {
			c.answered(a, out)
		}
	}
}

// forwarded takes the requests of another member's clients.
func (c *Core) forwarded(from raft.NodeID, f *forwardBatch) {
	for _, it := range f.items {
		refuse := c.admitForeign(it.kind, it.body)
		id := state.RequestID{Member: uint64(from), Incarnation: f.incarnation, Boot: f.boot, Seq: it.seq}
		switch {
		case refuse != answerOK:
			c.refuse(id, refuse)
		case it.kind == Write && c.persist.low && !makesRoom(it.body):
			c.refuse(id, answerTooMany)
		case it.kind == Write:
			c.writes.foreign = append(c.writes.foreign, state.Encoded{ID: id, Caller: it.caller, Body: it.body})
		default:
			r := &Request{
				Kind: it.kind, Lease: it.lease, id: id, sentTo: from,
				deadline: c.now + uint64(c.cfg.RequestTimeoutTicks),
			}
			if it.kind == ChangeMember {
				r.Body = bytes.Clone(it.body) // it may wait, the frame doesn't
				c.writes.reconfigure = append(c.writes.reconfigure, r)
				continue
			}
			c.reads.waiting = append(c.reads.waiting, r)
		}
	}
}

func (c *Core) admitForeign(kind RequestKind, body []byte) answerCode {
	if c.node.Role() != raft.Leader {
		return answerNotLeader
	}
	if c.overloaded(kind, body) {
		return answerTooMany
	}
	return answerOK
}

func (c *Core) refuseForeign(code answerCode) {
	for _, e := range c.writes.foreign {
		c.refuse(e.ID, code)
	}
	c.writes.foreign = nil
}

// refuse tells a member that its request was not proposed.
func (c *Core) refuse(id state.RequestID, code answerCode) {
	w, to := &c.writes, raft.NodeID(id.Member)
	if w.refused == nil {
		w.refused = map[raft.NodeID]*refusals{}
	}
	r := w.refused[to]
	if r == nil || r.boot != id.Boot {
		r = &refusals{boot: id.Boot}
		w.refused[to] = r
		w.order = append(w.order, to)
	}
	r.answers = append(r.answers, answer{code: code, seq: id.Seq})
}

func (c *Core) flushRefusals(out *Output) {
	for _, to := range c.writes.order {
		if r := c.writes.refused[to]; r != nil {
			delete(c.writes.refused, to)
			c.sendFrame(to, appendAnswers(r.boot, r.answers), out)
		}
	}
	c.writes.order = c.writes.order[:0]
}

// retry takes back a request that the member that was asked did not propose.
func (w *writeQueue) retry(ev retryEvent, now uint64) {
	ev.Request.deadline = now + ev.Left
	if ev.Later {
		w.sendLater(ev.Request)
		return
	}
	w.again(ev.Request)
}

// again queues a request that was refused before.
func (w *writeQueue) again(r *Request) {
	if r.Kind == ChangeMember {
		w.reconfigure = append(w.reconfigure, r)
		return
	}
	w.own = append(w.own, r)
}

func (w *writeQueue) sendLater(r *Request) {
	if w.laterSeq[r.id.Seq] {
		return
	}
	if w.laterSeq == nil {
		w.laterSeq = map[uint64]bool{}
	}
	w.laterSeq[r.id.Seq] = true
	w.later = append(w.later, r)
}

func (w *writeQueue) resend() {
	for _, r := range w.later {
		w.again(r)
	}
	w.later, w.laterSeq = nil, nil
}

// expire gives up on requests that nobody has seen yet.
func (w *writeQueue) expire(c *Core) {
	keep := w.own[:0]
	for _, r := range w.own {
		if r.deadline > c.now {
			keep = append(keep, r)
			continue
		}
		if r.Done != nil {
			r.Done(Reply{Err: c.timeout(r)})
		}
	}
	w.own = keep
}

// timeout chooses etcd's words for a request that was not answered in time.
func (c *Core) timeout(r *Request) error {
	if r.term != c.term || c.leader == 0 {
		return ErrTimeoutLeaderFailed
	}
	return ErrTimeout
}

func (c *Core) send(messages []raft.Message, out *Output) {
	for i := range messages {
		m := &messages[i]
		out.Frames = append(out.Frames, OutFrame{To: m.To, Frame: messageFrame(m)})
	}
}

// messageFrame makes a buffer that need not grow: a member sends all the time.
func messageFrame(m *raft.Message) []byte {
	return transport.AppendMessageFrame(make([]byte, 0, transport.MessageBytesHint(m)), m)
}

func (c *Core) sendFrame(to raft.NodeID, frame []byte, out *Output) {
	out.Frames = append(out.Frames, OutFrame{To: to, Frame: frame})
}
