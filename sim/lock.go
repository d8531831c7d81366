package sim

import (
	"fmt"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/state"
)

// What the lockers contend for, and what the lock guards.
var (
	lockKey    = []byte("a/lock")
	guardedKey = []byte("a/guarded")
)

// locker takes a lock as etcd's recipe has it: a lease that it keeps alive, and
// a transaction that creates the lock's key if nobody has. The revision that
// created the key is its fence: every write that the lock guards is a transaction
// that compares it. So a holder that was paused beyond its lease writes nothing,
// though it believes to hold the lock still (Jepsen 2020: without the fence it
// does).
type locker struct {
	lease int64
	fence int64 // 0: doesn't hold the lock, as far as it knows
	left  int   // operations until it lets go
}

func (l *workload) startLockers() {
	for range l.w.plan.Load.Lockers {
		c := &client{w: l.w, id: len(l.clients) + 1, known: map[string]mvcc.KeyValue{}, role: &locker{}}
		l.clients = append(l.clients, c)
		c.next(nil)
	}
}

// next follows what the last operation brought.
func (k *locker) next(c *client, ended *op) {
	k.learn(c, ended)
	d := c.w.loadDraw
	pause := d.around(c.w.plan.Load.ThinkMean)
	if k.fence != 0 && d.percent(5) {
		pause = d.between(0, 2*c.w.plan.Load.LeaseTTLMax*second) // it sleeps, holding the lock
	}
	c.w.at(pause, whatClient, 0, func() {
		if c.stop || c.busy != nil {
			return
		}
		c.chooseNode()
		c.send(k.compose(c))
	})
}

// learn takes note of an operation that ended. Whatever went wrong, it begins
// again with another lease; what it may hold without knowing ends with the old one.
func (k *locker) learn(c *client, o *op) {
	switch {
	case o == nil:
	case o.answer != AnswerOK || o.result != nil && o.result.Err != nil || o.kind == opKeepAlive && o.ttl <= 0:
		*k = locker{}
	case o.kind == opGrant:
		k.lease = o.lease
	case o.kind == opTxn && o.result.Txn.Succeeded && k.fence == 0:
		k.fence, k.left = o.revision, 1+c.w.loadDraw.IntN(12)
		c.w.load.locks.acquired(c, k.fence)
		c.w.count.add("locks acquired")
	case o.kind == opTxn && o.result.Txn.Succeeded && k.left > 0:
		c.w.load.locks.wrote(c, k.fence, o.revision)
		c.w.count.add("guarded writes")
	case o.kind == opTxn && k.fence != 0:
		if !o.result.Txn.Succeeded {
			c.w.count.add("guarded writes refused")
		}
		*k = locker{}
	}
}

func (k *locker) compose(c *client) *op {
	d := c.w.loadDraw
	switch {
	case k.lease == 0:
		o := &op{kind: opGrant, lease: c.w.load.leases.fresh()}
		o.body = &state.LeaseGrantRequest{ID: o.lease, TTL: d.between(1, c.w.plan.Load.LeaseTTLMax)}
		return o
	case d.percent(20):
		return &op{kind: opKeepAlive, lease: k.lease}
	case k.fence == 0:
		take := mvcc.Op{Put: &mvcc.PutRequest{Key: lockKey, Value: c.lockValue("holds"), Lease: k.lease}}
		return &op{kind: opTxn, body: fenced(0, take)}
	}
	if k.left--; k.left <= 0 {
		return &op{kind: opTxn, body: fenced(k.fence, mvcc.Op{Delete: &mvcc.DeleteRangeRequest{Key: lockKey}})}
	}
	return &op{kind: opTxn, body: fenced(k.fence, mvcc.Op{Put: &mvcc.PutRequest{Key: guardedKey, Value: c.lockValue("writes")}})}
}

// fenced is a transaction that does something if the lock's key was created at
// a revision (0: if it isn't there), and else tells who holds it.
func fenced(fence int64, then mvcc.Op) *mvcc.TxnRequest {
	return &mvcc.TxnRequest{
		Compare: []mvcc.Compare{{Key: lockKey, Op: mvcc.CompareEqual, Target: mvcc.CompareCreate, Number: fence}},
		Success: []mvcc.Op{then},
		Failure: []mvcc.Op{{Range: &mvcc.RangeRequest{Key: lockKey}}},
	}
}

// lockValue is unique, as all values are.
func (c *client) lockValue(what string) []byte {
	c.values++
	return fmt.Appendf(nil, "c%d-%d-%s", c.id, c.values, what)
}
