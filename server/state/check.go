package state

import (
	"fmt"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// CheckBody is the last gate before the log: what passes here, every replica
// can decode and apply. The API layer checks more, and in etcd's words; this
// one catches what it let through before it could stop a whole cluster.
func CheckBody(body Body) error {
	switch b := body.(type) {
	case *mvcc.PutRequest:
		return checkKey(b.Key)
	case *mvcc.DeleteRangeRequest:
		return checkKey(b.Key)
	case *mvcc.TxnRequest:
		return checkTxn(b, 1)
	case *LeaseGrantRequest:
		if b.ID == 0 {
			return fmt.Errorf("%w: lease id 0", ErrInvalidBody)
		}
	case *AlarmRequest:
		if b.Kind > AlarmCorrupt {
			return fmt.Errorf("%w: alarm kind %d", ErrInvalidBody, b.Kind)
		}
	case *LoginRequest:
		return b.check()
	case auth.Change:
		return checkChange(b)
	case *CompactRequest, *LeaseRevokeRequest, *LeaseCheckpointRequest, *MemberAttributesRequest:
	default:
		return fmt.Errorf("%w: %T is no command", ErrInvalidBody, body)
	}
	return nil
}

func checkKey(key []byte) error {
	if len(key) == 0 {
		return fmt.Errorf("%w: empty key", ErrInvalidBody)
	}
	return nil
}

func checkTxn(t *mvcc.TxnRequest, depth int) error {
	if depth > TxnDepthMax {
		return fmt.Errorf("%w: transactions nested deeper than %d", ErrInvalidBody, TxnDepthMax)
	}
	for i := range t.Compare {
		if err := checkCompare(&t.Compare[i]); err != nil {
			return err
		}
	}
	for _, branch := range [...][]mvcc.Op{t.Success, t.Failure} {
		for i := range branch {
			if err := checkOp(&branch[i], depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkCompare(c *mvcc.Compare) error {
	if c.Op > mvcc.CompareUnknown || c.Target > mvcc.CompareLease {
		return fmt.Errorf("%w: compare op %d, target %d", ErrInvalidBody, c.Op, c.Target)
	}
	return checkKey(c.Key)
}

func checkOp(op *mvcc.Op, depth int) error {
	set := 0
	for _, is := range [...]bool{op.Range != nil, op.Put != nil, op.Delete != nil, op.Txn != nil} {
		if is {
			set++
		}
	}
	switch {
	case set > 1:
		return fmt.Errorf("%w: an operation holds %d requests", ErrInvalidBody, set)
	case op.Range != nil:
		if op.Range.SortOrder > mvcc.SortDescend || op.Range.SortTarget > mvcc.SortByValue {
			return fmt.Errorf("%w: sort order %d, target %d", ErrInvalidBody, op.Range.SortOrder, op.Range.SortTarget)
		}
		return checkKey(op.Range.Key)
	case op.Put != nil:
		return checkKey(op.Put.Key)
	case op.Delete != nil:
		return checkKey(op.Delete.Key)
	case op.Txn != nil:
		return checkTxn(op.Txn, depth+1)
	}
	return nil
}
