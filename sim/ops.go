package sim

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// opKind is what a client asks for.
type opKind uint8

const (
	opPut opKind = iota
	opGet
	opRange
	opSerializable
	opHistoric
	opDelete
	opDeleteRange
	opTxn
	opCompact
	opGrant
	opRevoke
	opKeepAlive
	opTimeToLive
	opAuth  // the administrator's
	opKinds // count
)

// opTable gives each kind its share of the load. Optional ones are missing
// altogether in some runs.
var opTable = [opKinds]struct {
	name     string
	weight   int
	optional bool
}{
	opPut:          {"put", 30, false},
	opGet:          {"get", 20, false},
	opRange:        {"range", 6, false},
	opSerializable: {"serializable range", 8, false},
	opHistoric:     {"range at a revision", 5, false},
	opDelete:       {"delete", 5, true},
	opDeleteRange:  {"delete range", 2, true},
	opTxn:          {"txn", 14, false},
	opCompact:      {"compact", 1, true},
	opGrant:        {"lease grant", 3, true},
	opRevoke:       {"lease revoke", 2, true},
	opKeepAlive:    {"lease keep-alive", 5, true},
	opTimeToLive:   {"lease time-to-live", 1, true},
	opAuth:         {"change of users or roles", 0, false},
}

// Answer tells how an operation ended for its client.
type Answer uint8

const (
	// AnswerPending: still under way.
	AnswerPending Answer = iota
	// AnswerOK: done, with a result (which may be an error of the data, such
	// as a compacted revision).
	AnswerOK
	// AnswerRefused: it has not happened and will not.
	AnswerRefused
	// AnswerAmbiguous: it may have happened, or may still.
	AnswerAmbiguous
)

// op is one operation of one client, and what became of it.
type op struct {
	kind      opKind
	client    int
	seq       int
	node      *Node
	life      uint64
	call, ret int64 // µs

	body  state.Body         // writes
	query *mvcc.RangeRequest // reads
	lease int64
	// caller is who the member's gate took the client for.
	caller auth.Caller

	// floor is the largest revision that any client had been told of when
	// this operation was called: a linearizable answer is at least as new.
	floor   int64
	request *replica.Request // nil: it never arrived
	given   bool             // by a scenario: its value may repeat
	answer  Answer
	said    Answer // by the server, even if the client never heard it
	err     error

	revision int64
	result   *state.Result
	read     *mvcc.RangeResult
	ttl      int64
}

func (o *op) write() bool { return o.body != nil }

func (o *op) text() string {
	return fmt.Sprintf("c%d#%d %s", o.client, o.seq, opTable[o.kind].name)
}

// details prints the request too, for the report of a failure.
func (o *op) details() string {
	request, err := json.Marshal(o.body)
	if o.query != nil {
		request, err = json.Marshal(o.query)
	}
	if err != nil {
		return o.text()
	}
	return fmt.Sprintf("%s %s", o.text(), request)
}

// compose draws the details of an operation.
func (c *client) compose(o *op) {
	d := c.w.loadDraw
	switch o.kind {
	case opPut:
		o.body = c.put(c.key())
	case opGet:
		o.query = &mvcc.RangeRequest{Key: c.key()}
	case opRange, opSerializable:
		o.query = c.rangeQuery()
		o.query.Serializable = o.kind == opSerializable
	case opHistoric:
		o.query = c.rangeQuery()
		o.query.Revision = max(1, c.w.load.told-d.around(40)+2)
		o.query.Serializable = d.percent(50)
	case opDelete:
		o.body = &mvcc.DeleteRangeRequest{Key: c.key(), PrevKV: d.percent(50)}
	case opDeleteRange:
		key, end := c.span()
		o.body = &mvcc.DeleteRangeRequest{Key: key, End: end, PrevKV: d.percent(50)}
	case opTxn:
		c.nested = 0
		o.body = c.txn(0)
	case opCompact:
		o.body = &state.CompactRequest{Revision: c.compactAt()}
	default:
		c.composeLease(o)
	}
}

// compactAt draws a revision to compact at: some way back, or at a delete, whose
// event stays while that of every older one goes.
func (c *client) compactAt() int64 {
	d, changes := c.w.loadDraw, c.w.oracle.model.changes
	if d.percent(40) {
		for i := len(changes) - 1 - int(d.around(60)); i >= 0; i-- {
			if changes[i].deleted && changes[i].main <= c.w.load.told {
				return changes[i].main
			}
		}
	}
	return c.w.load.told - d.around(60)
}

func (c *client) composeLease(o *op) {
	d := c.w.loadDraw
	switch o.kind {
	case opGrant:
		o.lease = c.w.load.leases.fresh()
		o.body = &state.LeaseGrantRequest{ID: o.lease, TTL: d.between(1, c.w.plan.Load.LeaseTTLMax)}
	case opRevoke:
		o.lease = c.w.load.leases.pick(d)
		o.body = &state.LeaseRevokeRequest{ID: o.lease}
	default:
		o.lease = c.w.load.leases.pick(d)
	}
}

func (c *client) key() []byte { return keyName(c.w.loadDraw.IntN(c.w.plan.Load.Keys)) }

func keyName(i int) []byte { return []byte(fmt.Sprintf("k%03d", i)) }

// span draws a range of keys: a few neighbours, a tail, or all.
func (c *client) span() (key, end []byte) {
	d, keys := c.w.loadDraw, c.w.plan.Load.Keys
	from := d.IntN(keys)
	switch {
	case d.percent(10):
		return []byte{0}, []byte{0}
	case d.percent(10):
		return keyName(from), []byte{0}
	default:
		return keyName(from), keyName(from + 1 + d.IntN(4))
	}
}

// value is unique, so that any two effects can be told apart, and sometimes
// large enough to fill segments.
func (c *client) value() []byte {
	c.values++
	v := fmt.Appendf(nil, "c%d-%d-", c.id, c.values)
	if d := c.w.loadDraw; d.percent(25) {
		for range d.IntN(2500) {
			v = append(v, 'a'+byte(d.IntN(26)))
		}
	}
	return v
}

func (c *client) put(key []byte) *mvcc.PutRequest {
	d := c.w.loadDraw
	p := &mvcc.PutRequest{Key: key, Value: c.value(), PrevKV: d.percent(40)}
	switch {
	case d.percent(12):
		p.Lease = c.w.load.leases.pick(d)
	case d.percent(3):
		p.IgnoreValue, p.Value = true, nil
	case d.percent(3):
		p.IgnoreLease = true
	}
	return p
}

func (c *client) rangeQuery() *mvcc.RangeRequest {
	d := c.w.loadDraw
	q := &mvcc.RangeRequest{}
	q.Key, q.End = c.span()
	if d.percent(30) {
		q.Limit = d.between(1, 5)
	}
	if d.percent(20) {
		q.SortTarget = mvcc.SortTarget(d.IntN(4)) // not by value: ties are fine, but values are unique anyway
		q.SortOrder = mvcc.SortOrder(d.IntN(3))
	}
	q.KeysOnly, q.CountOnly = d.percent(10), d.percent(10)
	if d.percent(10) {
		q.MinModRevision = c.w.load.told - d.around(30)
	}
	return q
}
