package sim

import (
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// checkReply holds what a member says about a write or a lease against the
// model: R10 (an acknowledged write is in the log, applied once) and C1 (its
// result is what the one order of all commands gives).
func (w *World) checkReply(o *op, rep replica.Reply) {
	switch {
	case o.write() && o.said == AnswerOK:
		w.checkWritten(o, rep.Result)
	case !o.write() && o.said == AnswerOK:
		o.ttl = rep.TTL
		if o.kind == opKeepAlive {
			w.load.leases.checkKeepAlive(o, rep.Term)
		}
	}
}

func (w *World) checkWritten(o *op, got *state.Result) {
	id := replica.RequestIDOf(o.request)
	o.result = got
	if got.Err == state.ErrAmbiguous || got.Err == state.ErrDuplicate {
		o.said, o.err = AnswerAmbiguous, got.Err
		return
	}
	out := w.oracle.outcomes[id]
	if out == nil || !out.applied {
		w.unsafe("R10 acknowledged writes are in the log", uint8(o.node.id), "%s (%+v) is acknowledged at revision %d without an entry", o.text(), id, got.Revision)
	}
	if permissionError(got.Err) {
		w.count.add("writes denied")
	}
	if diff := sameResult(got, &out.result); diff != "" {
		w.unsafe("C1 writes answer what the log gives", uint8(o.node.id), "%s at index %d: %s", o.details(), out.index, diff)
	}
	if out.result.Revision < o.floor {
		w.unsafe("C1 linearizable", uint8(o.node.id), "%s took effect at revision %d, but %d was told before it was called", o.text(), out.result.Revision, o.floor)
	}
	o.revision = got.Revision
}

// permissionError tells whether a write was refused for who asked for it.
func permissionError(err error) bool {
	return err == auth.ErrDenied || err == auth.ErrOldRevision || err == auth.ErrUserEmpty
}

// checkRead holds a read against the model at the revision of its view (C1,
// C2), and the view against real time: a linearizable one is not older than
// anything that a client had been told when the read was called.
func (w *World) checkRead(o *op, view *state.View, applied int64) {
	rev := view.Revision()
	if !o.query.Serializable && rev < o.floor {
		w.unsafe("C1 linearizable", uint8(o.node.id), "%s reads at revision %d, but %d was told before it was called", o.text(), rev, o.floor)
	}
	if rev > applied {
		w.unsafe("C1 no reads from the future", uint8(o.node.id), "%s reads at revision %d, applied anywhere is %d", o.text(), rev, applied)
	}
	if o.err = w.mayRead(o, view); o.err != nil {
		w.count.add("reads denied")
		o.said = AnswerRefused
		return
	}
	got, err := view.KV.Range(o.query)
	want := expectRange(w.oracle.model, o.query, rev, view.CompactRevision())
	if err != want.err {
		w.unsafe("C2 reads equal the replay", uint8(o.node.id), "%s: error %v, the model has %v", o.details(), err, want.err)
	}
	o.revision, o.err = rev, err
	if err != nil {
		return
	}
	if diff := sameRange(got, &want.result); diff != "" {
		w.unsafe("C2 reads equal the replay", uint8(o.node.id), "%s at %d: %s", o.details(), rev, diff)
	}
	o.read = got
}

// checkSession is C1's promise to one connection: a member's answers to a client
// never go back in time, not even serializable ones.
func (c *client) checkSession(o *op) {
	if o.revision == 0 {
		return // about a lease: no revision in it
	}
	if c.heardNode != o.node || c.heardLife != o.life {
		c.heard, c.heardNode, c.heardLife = 0, o.node, o.life
	}
	if o.revision < c.heard {
		c.w.unsafe("C1 a connection never goes back", uint8(o.node.id), "%s answers at revision %d after %d", o.text(), o.revision, c.heard)
	}
	c.heard = o.revision
}

// checkRefusals is the other half of R10: what a member refused has not
// happened, and no value was ever written twice.
func (w *World) checkRefusals() {
	for _, o := range w.load.ops {
		if !o.write() || o.request == nil {
			continue
		}
		out := w.oracle.outcomes[replica.RequestIDOf(o.request)]
		if o.said == AnswerRefused && out != nil && out.applied {
			w.unsafe("R10 a refused request has no effect", uint8(o.node.id), "%s was refused (%v) and applied at index %d", o.text(), o.err, out.index)
		}
		if p, ok := o.body.(*mvcc.PutRequest); ok && !p.IgnoreValue && !o.given && w.oracle.model.values[string(p.Value)] > 1 {
			w.unsafe("R10 a write is applied at most once", uint8(o.node.id), "%s: value %q was written %d times", o.text(), p.Value, w.oracle.model.values[string(p.Value)])
		}
	}
}
