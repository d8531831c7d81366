package state

import (
	"cmp"
	"slices"

	"github.com/holdfast-db/holdfast/mvcc"
)

// alarms is sorted by member, then kind. It is replaced, never changed, so that
// views may share it.
type alarms []Alarm

func compareAlarms(a, b Alarm) int {
	return cmp.Or(cmp.Compare(a.Member, b.Member), cmp.Compare(a.Kind, b.Kind))
}

func (list alarms) with(a Alarm) alarms {
	at, found := slices.BinarySearchFunc(list, a, compareAlarms)
	if found {
		return list
	}
	return slices.Insert(slices.Clone(list), at, a)
}

func (list alarms) without(gone func(Alarm) bool) alarms {
	if !slices.ContainsFunc(list, gone) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), gone)
}

func (list alarms) raised(kind AlarmKind) bool {
	return slices.ContainsFunc(list, func(a Alarm) bool { return a.Kind == kind })
}

// alarm raises or disarms, and returns the alarm that it did that to: as in
// etcd, raising a raised one returns it again, disarming a missing one nothing.
// Member 0 is nobody in particular; its alarms stay until they are disarmed.
func (s *State) alarm(q *AlarmRequest) ([]Alarm, error) {
	a := Alarm{Member: q.Member, Kind: q.Kind}
	if q.Kind == AlarmNone {
		return nil, nil
	}
	if q.Activate {
		if q.Member != 0 && s.members.obtain(q.Member) == nil {
			return nil, ErrMemberNotFound
		}
		s.alarms = s.alarms.with(a)
		return []Alarm{a}, nil
	}
	if _, found := slices.BinarySearchFunc(s.alarms, a, compareAlarms); !found {
		return nil, nil
	}
	s.alarms = s.alarms.without(func(b Alarm) bool { return b == a })
	return []Alarm{a}, nil
}

// Admit tells whether raised alarms let a command through: nil, ErrNoSpace or
// ErrCorrupt. NOSPACE stops what may add data, even in the branch of a
// transaction that wouldn't run; CORRUPT stops every write of keys and leases
// (etcd's capped and corrupt appliers). Apply decides by its own state; whoever
// asks before spares the log what would be refused.
func Admit(body Body, noSpace, corrupt bool) error {
	switch {
	case corrupt && writesData(body):
		return ErrCorrupt
	case noSpace && addsData(body):
		return ErrNoSpace
	}
	return nil
}

// admit decides by the alarms that are raised.
func (list alarms) admit(body Body) error {
	if len(list) == 0 {
		return nil
	}
	return Admit(body, list.raised(AlarmNoSpace), list.raised(AlarmCorrupt))
}

func writesData(body Body) bool {
	switch body.(type) {
	case *mvcc.PutRequest, *mvcc.DeleteRangeRequest, *mvcc.TxnRequest,
		*CompactRequest, *LeaseGrantRequest, *LeaseRevokeRequest:
		return true
	}
	return false
}

func addsData(body Body) bool {
	switch b := body.(type) {
	case *mvcc.PutRequest, *LeaseGrantRequest:
		return true
	case *mvcc.TxnRequest:
		return txnPuts(b)
	}
	return false
}

func txnPuts(t *mvcc.TxnRequest) bool {
	puts := func(op mvcc.Op) bool {
		return op.Put != nil || op.Txn != nil && txnPuts(op.Txn)
	}
	return slices.ContainsFunc(t.Success, puts) || slices.ContainsFunc(t.Failure, puts)
}
