package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"sort"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// apply runs one command by the model's own rules. term is the entry's.
func (m *model) apply(c *state.Encoded, body state.Body, term uint64) state.Result {
	r := state.Result{Err: m.permit(c.Caller, body)}
	if r.Err == nil {
		r = m.run(c, body, term)
	}
	r.Revision = m.rev
	return r
}

func (m *model) run(c *state.Encoded, body state.Body, term uint64) state.Result {
	switch b := body.(type) {
	case *mvcc.PutRequest:
		return m.applyPut(b)
	case *mvcc.DeleteRangeRequest:
		t := write{m: m}
		gone := t.deleteRange(b.Key, b.End)
		t.end()
		return state.Result{Delete: deleteResult(gone, b.PrevKV)}
	case *mvcc.TxnRequest:
		return m.applyTxn(b)
	case *state.CompactRequest:
		return state.Result{Err: m.applyCompact(b.Revision)}
	case *state.LeaseGrantRequest:
		return m.applyGrant(b)
	case *state.LeaseRevokeRequest:
		return m.applyRevoke(b, c.Term != term)
	case *state.LeaseCheckpointRequest:
		m.applyCheckpoint(b)
		return state.Result{}
	case *state.MemberAttributesRequest, *state.AlarmRequest:
		return state.Result{} // no effect on what the model keeps
	case auth.Change:
		return state.Result{Err: m.changeAuth(b)}
	default:
		panic(fmt.Sprintf("sim: command %T", body))
	}
}

func deleteResult(gone []mvcc.KeyValue, prev bool) *mvcc.DeleteRangeResult {
	r := &mvcc.DeleteRangeResult{Deleted: int64(len(gone))}
	if prev {
		r.Prev = gone
	}
	return r
}

func (m *model) applyPut(b *mvcc.PutRequest) state.Result {
	if err := m.checkPut(b); err != nil {
		return state.Result{Err: err}
	}
	t := write{m: m}
	prev := t.put(b)
	t.end()
	return state.Result{Put: putResult(prev, b.PrevKV)}
}

func putResult(prev *mvcc.KeyValue, wanted bool) *mvcc.PutResult {
	r := &mvcc.PutResult{}
	if wanted && prev != nil {
		p := *prev
		r.Prev = &p
	}
	return r
}

func (m *model) checkPut(b *mvcc.PutRequest) error {
	if b.Lease != 0 && m.leases[b.Lease] == nil {
		return mvcc.ErrLeaseNotFound
	}
	if (b.IgnoreValue || b.IgnoreLease) && m.at(string(b.Key), m.rev) == nil {
		return mvcc.ErrKeyNotFound
	}
	return nil
}

func (m *model) applyCompact(rev int64) error {
	switch {
	case rev <= m.compact:
		return mvcc.ErrCompacted
	case rev > m.rev:
		return mvcc.ErrFutureRevision
	}
	m.compact = rev
	m.compacted = append(m.compacted, rev)
	return nil
}

func (m *model) applyGrant(b *state.LeaseGrantRequest) state.Result {
	if m.leases[b.ID] != nil {
		return state.Result{Err: state.ErrLeaseExists}
	}
	m.leases[b.ID] = &modelLease{id: b.ID, ttl: b.TTL, keys: map[string]bool{}, since: m.index}
	return state.Result{Lease: &state.LeaseGrantRequest{ID: b.ID, TTL: b.TTL}}
}

func (m *model) applyCheckpoint(b *state.LeaseCheckpointRequest) {
	for _, c := range b.Checkpoints {
		switch l := m.leases[c.ID]; {
		case l == nil:
		case c.Remaining == 0:
			l.remaining, l.since = 0, m.index
		case l.since <= b.AsOf:
			l.remaining = c.Remaining
		}
	}
}

func (m *model) applyRevoke(b *state.LeaseRevokeRequest, stale bool) state.Result {
	if b.Expired && stale {
		return state.Result{Err: state.ErrStaleTerm}
	}
	l := m.leases[b.ID]
	if l == nil {
		return state.Result{Err: state.ErrLeaseNotFound}
	}
	t := write{m: m}
	for _, key := range sortedKeys(l.keys) {
		t.delete(key, m.at(key, m.rev))
	}
	t.end()
	delete(m.leases, b.ID)
	return state.Result{}
}

func sortedKeys[V any](set map[string]V) []string {
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// branch is a transaction whose branches, nested ones too, are chosen.
type branch struct {
	succeeded bool
	ops       []mvcc.Op
	nested    []*branch // parallel to ops; nil for other operations
}

// applyTxn chooses all branches against the state before, checks all
// operations of the chosen ones, and only then runs them.
func (m *model) applyTxn(b *mvcc.TxnRequest) state.Result {
	chosen := m.choose(b)
	if err := m.checkBranch(chosen); err != nil {
		return state.Result{Err: err}
	}
	t := write{m: m}
	r := t.runBranch(chosen)
	t.end()
	return state.Result{Txn: r}
}

func (m *model) choose(b *mvcc.TxnRequest) *branch {
	c := &branch{succeeded: true, ops: b.Success}
	for i := range b.Compare {
		if !m.holds(&b.Compare[i]) {
			c.succeeded, c.ops = false, b.Failure
			break
		}
	}
	c.nested = make([]*branch, len(c.ops))
	for i := range c.ops {
		if c.ops[i].Txn != nil {
			c.nested[i] = m.choose(c.ops[i].Txn)
		}
	}
	return c
}

func (m *model) holds(c *mvcc.Compare) bool {
	seen := false
	for _, k := range m.span(c.Key, c.End) {
		if kv := m.at(k, m.rev); kv != nil {
			seen = true
			if !holdsFor(c, kv) {
				return false
			}
		}
	}
	return seen || holdsFor(c, nil)
}

func holdsFor(c *mvcc.Compare, kv *mvcc.KeyValue) bool {
	if c.Op == mvcc.CompareUnknown && !(kv == nil && c.Target == mvcc.CompareValue) {
		return true
	}
	if c.Target == mvcc.CompareValue {
		return kv != nil && opHolds(c.Op, bytes.Compare(kv.Value, c.Value))
	}
	if kv == nil {
		kv = &mvcc.KeyValue{}
	}
	have := map[mvcc.CompareTarget]int64{mvcc.CompareVersion: kv.Version, mvcc.CompareCreate: kv.CreateRevision,
		mvcc.CompareMod: kv.ModRevision, mvcc.CompareLease: kv.Lease}[c.Target]
	return opHolds(c.Op, cmp.Compare(have, c.Number))
}

func opHolds(op mvcc.CompareOp, c int) bool {
	switch op {
	case mvcc.CompareEqual:
		return c == 0
	case mvcc.CompareNotEqual:
		return c != 0
	case mvcc.CompareGreater:
		return c > 0
	case mvcc.CompareLess:
		return c < 0
	default:
		return true
	}
}

func (m *model) checkBranch(b *branch) error {
	for i := range b.ops {
		if err := m.checkOp(&b.ops[i], b.nested[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *model) checkOp(op *mvcc.Op, nested *branch) error {
	switch {
	case op.Range != nil:
		return m.checkRevision(op.Range.Revision)
	case op.Put != nil:
		return m.checkPut(op.Put)
	case op.Txn != nil:
		return m.checkBranch(nested)
	case op.Delete != nil:
		return nil
	default:
		return mvcc.ErrKeyNotFound
	}
}

func (m *model) checkRevision(rev int64) error {
	switch {
	case rev > m.rev:
		return mvcc.ErrFutureRevision
	case rev > 0 && rev < m.compact:
		return mvcc.ErrCompacted
	}
	return nil
}

func (t *write) runBranch(b *branch) *mvcc.TxnResult {
	r := &mvcc.TxnResult{Succeeded: b.succeeded, Ops: make([]mvcc.OpResult, len(b.ops))}
	for i := range b.ops {
		op := &b.ops[i]
		switch {
		case op.Range != nil:
			rev := op.Range.Revision
			if rev <= 0 {
				rev = t.main() // sees this transaction's own writes
			}
			rr := t.m.rangeAt(op.Range, rev)
			r.Ops[i].Range = &rr
		case op.Put != nil:
			r.Ops[i].Put = putResult(t.put(op.Put), op.Put.PrevKV)
		case op.Delete != nil:
			r.Ops[i].Delete = deleteResult(t.deleteRange(op.Delete.Key, op.Delete.End), op.Delete.PrevKV)
		case op.Txn != nil:
			r.Ops[i].Txn = t.runBranch(b.nested[i])
		}
	}
	return r
}
