package state

import (
	"encoding/binary"

	"github.com/holdfast-db/holdfast/mvcc"
)

// A transaction is three lists; a nested one is an operation with tag 4:
//
//	txn      count, compare…   count, op… (success)   count, op… (failure)
//	compare  op byte, target byte, key bytes, end bytes,
//	         value bytes (target 3) or number varint (others)
//	op       tag byte: 0 nothing · 1 range · 2 put · 3 delete · 4 txn, fields
//	range    flags, key bytes, end bytes, limit varint, revision varint,
//	         with flag 8:  order byte, target byte
//	         with flag 16: min/max mod, min/max create revision: 4 varint
const (
	opNone byte = iota
	opRange
	opPut
	opDelete
	opTxn
)

const (
	rangeSerializable byte = 1 << iota
	rangeKeysOnly
	rangeCountOnly
	rangeSorted
	rangeFiltered
	rangeFlags = 1<<iota - 1
)

// TxnDepthMax bounds how deep transactions nest; 1 is a flat one. It keeps a
// replica's stack small whatever the budget of operations is set to; the default
// one, of which each level takes at least one, ends at depth 129.
const TxnDepthMax = 1024

func appendTxn(dst []byte, t *mvcc.TxnRequest) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(t.Compare)))
	for i := range t.Compare {
		dst = appendCompare(dst, &t.Compare[i])
	}
	return appendOps(appendOps(dst, t.Success), t.Failure)
}

func appendCompare(dst []byte, c *mvcc.Compare) []byte {
	dst = append(dst, byte(c.Op), byte(c.Target))
	dst = appendBytes(appendBytes(dst, c.Key), c.End)
	if c.Target == mvcc.CompareValue {
		return appendBytes(dst, c.Value)
	}
	return binary.AppendVarint(dst, c.Number)
}

func appendOps(dst []byte, ops []mvcc.Op) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ops)))
	for i := range ops {
		dst = appendOp(dst, &ops[i])
	}
	return dst
}

func appendOp(dst []byte, op *mvcc.Op) []byte {
	switch {
	case op.Range != nil:
		return appendRange(append(dst, opRange), op.Range)
	case op.Put != nil:
		return appendPut(append(dst, opPut), op.Put)
	case op.Delete != nil:
		return appendDelete(append(dst, opDelete), op.Delete)
	case op.Txn != nil:
		return appendTxn(append(dst, opTxn), op.Txn)
	}
	return append(dst, opNone)
}

func appendRange(dst []byte, q *mvcc.RangeRequest) []byte {
	flags := rangeFlagsOf(q)
	dst = appendBytes(appendBytes(append(dst, flags), q.Key), q.End)
	dst = binary.AppendVarint(binary.AppendVarint(dst, q.Limit), q.Revision)
	if flags&rangeSorted != 0 {
		dst = append(dst, byte(q.SortOrder), byte(q.SortTarget))
	}
	if flags&rangeFiltered != 0 {
		for _, v := range [...]int64{q.MinModRevision, q.MaxModRevision, q.MinCreateRevision, q.MaxCreateRevision} {
			dst = binary.AppendVarint(dst, v)
		}
	}
	return dst
}

func rangeFlagsOf(q *mvcc.RangeRequest) (flags byte) {
	if q.Serializable {
		flags |= rangeSerializable
	}
	if q.KeysOnly {
		flags |= rangeKeysOnly
	}
	if q.CountOnly {
		flags |= rangeCountOnly
	}
	if q.SortOrder != mvcc.SortNone || q.SortTarget != mvcc.SortByKey {
		flags |= rangeSorted
	}
	if q.MinModRevision != 0 || q.MaxModRevision != 0 || q.MinCreateRevision != 0 || q.MaxCreateRevision != 0 {
		flags |= rangeFiltered
	}
	return flags
}

func (r *reader) txn(depth int) *mvcc.TxnRequest {
	if depth > TxnDepthMax {
		r.fail("transaction nested too deep")
		return nil
	}
	t := &mvcc.TxnRequest{}
	if n := r.count(compareSizeMin); n > 0 {
		t.Compare = make([]mvcc.Compare, n)
		for i := range t.Compare {
			r.compare(&t.Compare[i])
		}
	}
	t.Success = r.ops(depth)
	t.Failure = r.ops(depth)
	return t
}

// compareSizeMin: op, target, key of one byte, empty end, number or length.
const compareSizeMin = 6

func (r *reader) compare(c *mvcc.Compare) {
	c.Op = mvcc.CompareOp(r.enum("compare op", byte(mvcc.CompareUnknown)))
	c.Target = mvcc.CompareTarget(r.enum("compare target", byte(mvcc.CompareLease)))
	c.Key, c.End = r.bytes(), r.bytes()
	if c.Target == mvcc.CompareValue {
		c.Value = r.bytes()
	} else {
		c.Number = r.varint()
	}
}

func (r *reader) ops(depth int) []mvcc.Op {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	ops := make([]mvcc.Op, n)
	for i := range ops {
		r.op(&ops[i], depth)
	}
	return ops
}

func (r *reader) op(op *mvcc.Op, depth int) {
	switch tag := r.byte(); tag {
	case opNone:
	case opRange:
		op.Range = r.rangeRequest()
	case opPut:
		op.Put = r.put()
	case opDelete:
		op.Delete = r.delete()
	case opTxn:
		op.Txn = r.txn(depth + 1)
	default:
		r.unknown("operation", uint64(tag))
	}
}

func (r *reader) rangeRequest() *mvcc.RangeRequest {
	flags := r.flags(rangeFlags)
	q := &mvcc.RangeRequest{
		Serializable: flags&rangeSerializable != 0,
		KeysOnly:     flags&rangeKeysOnly != 0,
		CountOnly:    flags&rangeCountOnly != 0,
		Key:          r.bytes(),
		End:          r.bytes(),
		Limit:        r.varint(),
		Revision:     r.varint(),
	}
	if flags&rangeSorted != 0 {
		q.SortOrder = mvcc.SortOrder(r.enum("sort order", byte(mvcc.SortDescend)))
		q.SortTarget = mvcc.SortTarget(r.enum("sort target", byte(mvcc.SortByValue)))
	}
	if flags&rangeFiltered != 0 {
		q.MinModRevision, q.MaxModRevision = r.varint(), r.varint()
		q.MinCreateRevision, q.MaxCreateRevision = r.varint(), r.varint()
	}
	if flags != rangeFlagsOf(q) {
		r.fail("range says more than it holds")
	}
	return q
}
