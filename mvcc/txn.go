package mvcc

import (
	"bytes"
	"cmp"
)

// Txn runs a transaction. Branches of nested ones are chosen first, against
// the state before the outermost; then everything that can fail is checked on
// the chosen path; then the operations run and can't fail. So an error, which
// every replica returns alike, leaves nothing behind. Errors: ErrCompacted,
// ErrFutureRevision, ErrLeaseNotFound, ErrKeyNotFound.
//
// A transaction that changed nothing leaves the revision as it was. That no
// key is written twice on one path is for the caller to have checked, as etcd
// does; here the later write would win.
func (s *Store) Txn(req *TxnRequest, leases Leases) (*TxnResult, error) {
	r := s.reader()
	path := r.choose(req, nil)
	if _, err := r.checkTxn(req, path, leases); err != nil {
		return nil, err
	}
	res, _ := s.runTxn(req, path, leases)
	s.commit()
	res.Revision = s.rev
	return res, nil
}

// ReadTxn runs a transaction that only reads, on a view. An Op that would
// write is a caller's mistake and panics.
func (v *View) ReadTxn(req *TxnRequest) (*TxnResult, error) {
	r := v.reader()
	path := r.choose(req, nil)
	if _, err := r.checkTxn(req, path, nil); err != nil {
		return nil, err
	}
	res, _ := r.runReads(req, path)
	return res, nil
}

// choose appends the verdict of req, and then those of the transactions nested
// in the branch it takes, depth first.
func (r reader) choose(req *TxnRequest, path []bool) []bool {
	ok := true
	for i := range req.Compare {
		if !r.holds(&req.Compare[i]) {
			ok = false
			break
		}
	}
	path = append(path, ok)
	for _, op := range req.branch(ok) {
		if op.Txn != nil {
			path = r.choose(op.Txn, path)
		}
	}
	return path
}

func (q *TxnRequest) branch(ok bool) []Op {
	if ok {
		return q.Success
	}
	return q.Failure
}

// holds evaluates one condition.
func (r reader) holds(c *Compare) bool {
	found, ok := false, true
	r.tree.ascend(spanOf(c.Key, c.End), func(it *item) bool {
		if it.tombstone() {
			return true
		}
		rec := it.load()
		found, ok = true, c.match(&rec)
		return ok
	})
	if !found {
		return c.Target != CompareValue && c.match(&record{})
	}
	return ok
}

// match compares one version with the condition. etcd's zero result for a
// target that it doesn't know means "equal".
func (c *Compare) match(r *record) bool {
	var result int
	switch c.Target {
	case CompareVersion:
		result = cmp.Compare(r.version, c.Number)
	case CompareCreate:
		result = cmp.Compare(r.create, c.Number)
	case CompareMod:
		result = cmp.Compare(r.rev.Main, c.Number)
	case CompareLease:
		result = cmp.Compare(r.lease, c.Number)
	case CompareValue:
		result = bytes.Compare(r.value, c.Value)
	}
	switch c.Op {
	case CompareEqual:
		return result == 0
	case CompareGreater:
		return result > 0
	case CompareLess:
		return result < 0
	case CompareNotEqual:
		return result != 0
	}
	return true
}

// checkTxn checks every operation on the path and returns the rest of it.
func (r reader) checkTxn(req *TxnRequest, path []bool, leases Leases) (rest []bool, err error) {
	ok, rest := path[0], path[1:]
	for _, op := range req.branch(ok) {
		switch {
		case op.Range != nil:
			err = r.checkRange(op.Range)
		case op.Put != nil:
			if err = checkLease(op.Put, leases); err == nil {
				err = r.checkIgnore(op.Put)
			}
		case op.Delete != nil:
		case op.Txn != nil:
			rest, err = r.checkTxn(op.Txn, rest, leases)
		default:
			err = ErrKeyNotFound
		}
		if err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// checkRange is etcd's check of a range in a transaction, against the revision
// before it. It differs from a plain range in one point: a negative revision
// other than -1 on a store without compaction counts as compacted.
func (r reader) checkRange(req *RangeRequest) error {
	switch {
	case req.Revision == 0:
		return nil
	case req.Revision > r.rev:
		return ErrFutureRevision
	case req.Revision < r.compacted:
		return ErrCompacted
	}
	return nil
}

// runTxn runs the operations on the path. Results carry the revision as it is
// at that point; a nested transaction's is left 0, as in etcd.
func (s *Store) runTxn(req *TxnRequest, path []bool, leases Leases) (*TxnResult, []bool) {
	ok, rest := path[0], path[1:]
	res := &TxnResult{Succeeded: ok}
	for _, op := range req.branch(ok) {
		var out OpResult
		switch {
		case op.Range != nil:
			out.Range = s.reader().mustRange(op.Range)
		case op.Put != nil:
			out.Put = s.put(op.Put, leases)
		case op.Delete != nil:
			out.Delete = s.deleteRange(op.Delete, leases)
		case op.Txn != nil:
			out.Txn, rest = s.runTxn(op.Txn, rest, leases)
		}
		res.Ops = append(res.Ops, out)
	}
	return res, rest
}

// runReads is runTxn for a path without writes.
func (r reader) runReads(req *TxnRequest, path []bool) (*TxnResult, []bool) {
	ok, rest := path[0], path[1:]
	res := &TxnResult{Succeeded: ok, Revision: r.rev}
	for _, op := range req.branch(ok) {
		var out OpResult
		switch {
		case op.Range != nil:
			out.Range = r.mustRange(op.Range)
		case op.Txn != nil:
			out.Txn, rest = r.runReads(op.Txn, rest)
			out.Txn.Revision = 0
		default:
			panic("mvcc: a read-only transaction writes")
		}
		res.Ops = append(res.Ops, out)
	}
	return res, rest
}

// mustRange reads a range that checkTxn has passed.
func (r reader) mustRange(req *RangeRequest) *RangeResult {
	res, err := r.rangeKeys(req)
	if err != nil {
		panic("mvcc: a range failed after its check: " + err.Error())
	}
	return res
}
