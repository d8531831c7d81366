package sim

import (
	"fmt"

	"github.com/holdfast-db/holdfast/mvcc"
)

// txn draws a transaction: compares on what the client may believe, puts of
// several keys that must show together or not at all, reads among the writes,
// and sometimes a transaction inside.
func (c *client) txn(depth int) *mvcc.TxnRequest {
	d := c.w.loadDraw
	t := &mvcc.TxnRequest{}
	for range d.IntN(3) {
		t.Compare = append(t.Compare, c.compare())
	}
	t.Success = c.branch(depth, 1+d.IntN(3))
	t.Failure = c.branch(depth, d.IntN(3))
	return t
}

func (c *client) compare() mvcc.Compare {
	d := c.w.loadDraw
	k := mvcc.Compare{Key: c.key(), Op: mvcc.CompareOp(d.IntN(4)), Target: mvcc.CompareTarget(d.IntN(5))}
	if d.percent(15) {
		k.Key, k.End = c.span()
	}
	known := c.known[string(k.Key)]
	switch k.Target {
	case mvcc.CompareVersion:
		k.Number = d.Int64N(4)
	case mvcc.CompareCreate:
		k.Number = known.CreateRevision
	case mvcc.CompareMod:
		k.Number = known.ModRevision
	case mvcc.CompareValue:
		k.Value = known.Value
	case mvcc.CompareLease:
		k.Number = c.w.load.leases.pick(d)
	}
	return k
}

// innerRange draws a range for a transaction; those with an order or filters
// stand alone, so that the history checkers can leave them out.
func (c *client) innerRange() *mvcc.RangeRequest {
	d := c.w.loadDraw
	q := &mvcc.RangeRequest{KeysOnly: d.percent(10), CountOnly: d.percent(10)}
	q.Key, q.End = c.span()
	if d.percent(30) {
		q.Limit = d.between(1, 5)
	}
	if d.percent(8) {
		// Now and then of a revision that is compacted, or yet to come: then the
		// whole transaction has no effect, whoever applies it (etcd #18667).
		q.Revision = max(1, c.w.load.told-d.around(40)+2)
	}
	return q
}

// txnKey names a key for a write. Inside an inner transaction each is unique in
// the whole tree: no key is written twice on one path.
func (c *client) txnKey(depth, i int) []byte {
	if depth == 0 {
		return keyName(i)
	}
	c.nested++
	return fmt.Appendf(nil, "k%03d/%d", i, c.nested)
}

// branch draws operations that never write a key twice: the API refuses those
// before they get here.
func (c *client) branch(depth, ops int) []mvcc.Op {
	d := c.w.loadDraw
	at := d.IntN(c.w.plan.Load.Keys)
	var list []mvcc.Op
	for i := range ops {
		key := c.txnKey(depth, at+i)
		switch r := d.IntN(10); {
		case r < 5:
			list = append(list, mvcc.Op{Put: c.put(key)})
		case r < 8:
			list = append(list, mvcc.Op{Range: c.innerRange()})
		case r < 9:
			list = append(list, mvcc.Op{Delete: &mvcc.DeleteRangeRequest{Key: key, PrevKV: d.percent(50)}})
		case depth < 2:
			list = append(list, mvcc.Op{Txn: c.txn(depth + 1)})
		}
	}
	return list
}
