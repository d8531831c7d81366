package mvcc_test

import (
	"bytes"
	"fmt"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/mvcc"
)

// Few keys, close to each other, so that everything meets everything.
var (
	someKeys = []string{"\x00", "a", "a\x00", "aa", "ab", "b", "b0", "c", "\xff", "\xff\xff"}
	someEnds = append([]string{"", "", "\x00", "z"}, someKeys...)
	leaseIDs = []int64{7, -8, 9} // 9 doesn't exist
)

func drawKey(t *rapid.T) []byte { return []byte(rapid.SampledFrom(someKeys).Draw(t, "key")) }

func drawEnd(t *rapid.T) []byte { return []byte(rapid.SampledFrom(someEnds).Draw(t, "end")) }

func drawBool(t *rapid.T, what string) bool { return rapid.IntRange(0, 2).Draw(t, what) == 0 }

// drawRevision is mostly one that can be read.
func drawRevision(t *rapid.T, o *oracle) int64 {
	switch rapid.IntRange(0, 5).Draw(t, "when") {
	case 0:
		return 0
	case 1:
		return o.compacted + rapid.Int64Range(-1, 1).Draw(t, "around")
	case 2:
		return rapid.Int64Range(-2, o.rev+2).Draw(t, "any")
	}
	return rapid.Int64Range(max(o.compacted, 1), o.rev).Draw(t, "revision")
}

func drawPut(t *rapid.T) *mvcc.PutRequest {
	q := &mvcc.PutRequest{Key: drawKey(t), PrevKV: rapid.Bool().Draw(t, "prev")}
	q.Value = []byte(rapid.SampledFrom([]string{"", "1", "2", "a longer value to fill chunks with, forty and more"}).Draw(t, "value"))
	if drawBool(t, "lease") {
		q.Lease = rapid.SampledFrom(leaseIDs).Draw(t, "id")
	}
	q.IgnoreValue, q.IgnoreLease = drawBool(t, "ignore value"), drawBool(t, "ignore lease")
	return q
}

func drawDelete(t *rapid.T) *mvcc.DeleteRangeRequest {
	return &mvcc.DeleteRangeRequest{Key: drawKey(t), End: drawEnd(t), PrevKV: rapid.Bool().Draw(t, "prev")}
}

func drawRange(t *rapid.T, o *oracle) *mvcc.RangeRequest {
	q := &mvcc.RangeRequest{Key: drawKey(t), End: drawEnd(t), Revision: drawRevision(t, o),
		Limit:     rapid.Int64Range(-1, 4).Draw(t, "limit"),
		KeysOnly:  drawBool(t, "keys only"),
		CountOnly: drawBool(t, "count only")}
	if rapid.Bool().Draw(t, "sorted") {
		q.SortOrder = mvcc.SortOrder(rapid.IntRange(0, 2).Draw(t, "order"))
		q.SortTarget = mvcc.SortTarget(rapid.IntRange(0, 4).Draw(t, "target"))
	}
	if drawBool(t, "filtered") {
		for _, f := range []*int64{&q.MinModRevision, &q.MaxModRevision, &q.MinCreateRevision, &q.MaxCreateRevision} {
			if drawBool(t, "bound") {
				*f = rapid.Int64Range(0, o.rev+1).Draw(t, "at")
			}
		}
	}
	return q
}

func drawCompare(t *rapid.T, o *oracle) mvcc.Compare {
	return mvcc.Compare{
		Op:     mvcc.CompareOp(rapid.IntRange(0, 4).Draw(t, "op")),
		Target: mvcc.CompareTarget(rapid.IntRange(0, 4).Draw(t, "target")),
		Key:    drawKey(t), End: drawEnd(t),
		Number: rapid.Int64Range(0, o.rev).Draw(t, "number"),
		Value:  []byte(rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "value")),
	}
}

// written is what a transaction changes: as etcd's gate has it, no key is put
// twice or put and deleted. (The gate looks at one path, this at all.)
type written struct {
	puts    [][]byte
	deletes []*mvcc.DeleteRangeRequest
}

func (w *written) put(q *mvcc.PutRequest) bool {
	for _, key := range w.puts {
		if bytes.Equal(key, q.Key) {
			return false
		}
	}
	for _, d := range w.deletes {
		if within(q.Key, d.Key, d.End) {
			return false
		}
	}
	w.puts = append(w.puts, q.Key)
	return true
}

func (w *written) delete(q *mvcc.DeleteRangeRequest) bool {
	for _, key := range w.puts {
		if within(key, q.Key, q.End) {
			return false
		}
	}
	w.deletes = append(w.deletes, q)
	return true
}

func drawTxn(t *rapid.T, o *oracle, depth int, w *written) *mvcc.TxnRequest {
	q := &mvcc.TxnRequest{}
	for range rapid.IntRange(0, 2).Draw(t, "compares") {
		q.Compare = append(q.Compare, drawCompare(t, o))
	}
	for _, ops := range []*[]mvcc.Op{&q.Success, &q.Failure} {
		for range rapid.IntRange(0, 3).Draw(t, "ops") {
			*ops = append(*ops, drawOp(t, o, depth, w))
		}
	}
	return q
}

func drawOp(t *rapid.T, o *oracle, depth int, w *written) mvcc.Op {
	n := rapid.IntRange(0, 99).Draw(t, "op")
	switch {
	case n < 45:
		q := drawPut(t)
		if rapid.Bool().Draw(t, "plain") {
			q.IgnoreValue, q.IgnoreLease, q.Lease = false, false, 0
		}
		if w.put(q) {
			return mvcc.Op{Put: q}
		}
	case n < 60:
		if q := drawDelete(t); w.delete(q) {
			return mvcc.Op{Delete: q}
		}
	case n < 75 && depth > 0:
		return mvcc.Op{Txn: drawTxn(t, o, depth-1, w)}
	case n == 99:
		return mvcc.Op{}
	}
	q := drawRange(t, o)
	if n%4 != 0 {
		q.Revision = 0
	}
	return mvcc.Op{Range: q}
}

// show prints a result with its pointers followed.
func show(x any) string {
	switch x := x.(type) {
	case *mvcc.RangeResult:
		if x == nil {
			return "none"
		}
		return fmt.Sprintf("%v more=%v count=%d @%d", x.KVs, x.More, x.Count, x.Revision)
	case *mvcc.PutResult:
		if x == nil {
			return "none"
		}
		if x.Prev == nil {
			return fmt.Sprintf("put @%d", x.Revision)
		}
		return fmt.Sprintf("put over %v @%d", *x.Prev, x.Revision)
	case *mvcc.DeleteRangeResult:
		return fmt.Sprintf("deleted %d %v @%d", x.Deleted, x.Prev, x.Revision)
	case *mvcc.TxnResult:
		if x == nil {
			return "none"
		}
		s := fmt.Sprintf("txn %v @%d [", x.Succeeded, x.Revision)
		for _, op := range x.Ops {
			switch {
			case op.Range != nil:
				s += show(op.Range)
			case op.Put != nil:
				s += show(op.Put)
			case op.Delete != nil:
				s += show(op.Delete)
			case op.Txn != nil:
				s += show(op.Txn)
			}
			s += "; "
		}
		return s + "]"
	}
	return fmt.Sprint(x)
}
